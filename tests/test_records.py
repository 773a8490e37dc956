"""The nouns of the pipeline refuse what cannot be."""

from __future__ import annotations

from dataclasses import FrozenInstanceError

import numpy as np
import pytest

from crowdad.records import Event, Frame, Heatmap, Region, Tubes

LUMA = np.zeros((4, 6), np.uint8)


def tubes(count: int) -> Tubes:
    return Tubes(
        np.arange(count * 3 * 2 * 5 * 3, dtype=np.float32).reshape(count, 3, 2, 5, 3),
        np.arange(count * 4, dtype=np.float32).reshape(count, 2, 2),
        np.ones((count, 2), bool),
        np.arange(count, dtype=np.float32),
        np.zeros(count, np.int64),
    )


def test_a_frame_holds_a_picture_and_its_place():
    frame = Frame(3, 0.3, LUMA, np.zeros((4, 6, 3), np.uint8))
    assert (frame.index, frame.time_s, frame.segment) == (3, 0.3, 0)
    with pytest.raises(FrozenInstanceError):
        frame.index = 4  # type: ignore[misc]


@pytest.mark.parametrize(
    ("luma", "bgr", "needed"),
    [
        (LUMA.astype(np.float32), None, r"float32 \(4, 6\); uint8 \(H, W\)"),
        (np.zeros((4, 6, 3), np.uint8), None, r"\(4, 6, 3\); uint8 \(H, W\)"),
        (LUMA, np.zeros((4, 5, 3), np.uint8), r"\(4, 5, 3\); \(4, 6, 3\)"),
        (LUMA, LUMA, r"\(4, 6\); \(4, 6, 3\)"),
    ],
)
def test_a_frame_of_another_shape_is_refused(luma, bgr, needed):
    with pytest.raises(ValueError, match=needed):
        Frame(0, 0.0, luma, bgr)


def test_where_keeps_the_same_rows_of_every_field():
    kept = tubes(4).where(np.array([False, True, False, True]))
    assert len(kept) == 2
    assert kept.person_px.tolist() == [1.0, 3.0]
    assert kept.path_xy[:, 0, 0].tolist() == [4.0, 12.0]
    assert (kept.features[0] == tubes(4).features[1]).all()
    assert kept.alive.shape == (2, 2)
    assert kept.view.shape == (2,)
    assert len(tubes(3).where(np.zeros(3, bool))) == 0


@pytest.mark.parametrize("box", [(1, 1, 1, 5), (0, 4, 5, 4), (5, 0, 1, 3)])
def test_an_empty_box_is_refused(box):
    with pytest.raises(ValueError, match="empty"):
        Region(0, 0.0, box, 0.7)
    with pytest.raises(ValueError, match="empty"):
        Event(1, 0.0, 1.0, 0, 10, 0.5, 5, 0.9, box)


def test_an_event_does_not_end_before_it_starts():
    box = (0.0, 0.0, 2.0, 2.0)
    assert Event(1, 0.0, 0.0, 4, 4, 0.0, 4, 0.9, box).boxes == {}
    with pytest.raises(ValueError, match=r"frame 3, .* 4"):
        Event(1, 0.0, 0.0, 4, 3, 0.0, 4, 0.9, box)


def test_a_heatmap_in_pixels_is_the_middle_of_its_cells_and_linear_between():
    heatmap = Heatmap(np.array([[0.0, 1.0], [0.5, 0.5]], np.float32), 4.0, (6, 8))  # the last row reaches past it
    pixels = heatmap.resized()
    assert (pixels.shape, pixels.dtype) == ((6, 8), np.float32)
    assert pixels[0].tolist() == pytest.approx([0, 0, 0.125, 0.375, 0.625, 0.875, 1, 1])
    assert pixels[5, 0] == pytest.approx(0.4375)
    assert heatmap.resized((3, 4)).shape == (3, 4)
    assert Heatmap(np.full((1, 1), 0.25, np.float32), 9.0, (2, 2)).resized((5, 7)).tolist() == [[0.25] * 7] * 5
    with pytest.raises(ValueError, match="size_hw"):
        heatmap.resized((0, 4))


def test_heat_over_a_picture_leaves_the_rest_as_it_is():
    heatmap = Heatmap(np.array([[0.0, 0.0, 1.0, 1.0]], np.float32), 4.0, (4, 16))
    grey = np.full((4, 16), 90, np.uint8)
    over = heatmap.overlay(grey)
    assert (over.shape, over.dtype) == ((4, 16, 3), np.uint8)
    assert (over[:, :6] == 90).all()
    assert (over[:, 12:] != 90).any()
    blue_first = np.stack([grey, grey + 9, grey + 30], axis=2)
    assert (heatmap.overlay(blue_first[..., ::-1], rgb=True) == heatmap.overlay(blue_first)[..., ::-1]).all()
    assert (heatmap.overlay(Frame(0, 0.0, grey, blue_first)) == heatmap.overlay(blue_first)).all()
    assert (heatmap.overlay(Frame(0, 0.0, grey)) == over).all()
    assert (heatmap.overlay(grey, strength=0.0) == 90).all()
    with pytest.raises(ValueError, match="float64"):
        heatmap.overlay(np.zeros((4, 16)))


def test_a_heatmap_has_rows_and_columns():
    assert Heatmap(np.zeros((2, 3), np.float32), 8.0, (16, 24)).cell_px == 8.0
    with pytest.raises(ValueError, match="rows, columns"):
        Heatmap(np.zeros(3, np.float32), 8.0, (16, 24))
