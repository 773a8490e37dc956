"""Linking of true regions, on masks drawn by hand."""

import os
from pathlib import Path

import numpy as np
import pytest

from crowdad.evaluation.datasets.ucsd import find_clips
from crowdad.evaluation.metrics import TrueTrack, derive_tracks
from crowdad.evaluation.metrics.tracks import box_iou


def masks_of(*frames: list[tuple[int, int, int, int]]) -> np.ndarray:
    """One 20 x 40 mask a frame, filled boxes xyxy."""
    masks = np.zeros((len(frames), 20, 40), dtype=bool)
    for mask, boxes in zip(masks, frames, strict=True):
        for x0, y0, x1, y1 in boxes:
            mask[y0:y1, x0:x1] = True
    return masks


def boxes_of(track: TrueTrack) -> list[tuple[int, tuple[int, int, int, int]]]:
    return [(r.frame_index, r.box_xyxy) for r in track.regions]


def test_a_moving_region_is_one_track():
    # 10 x 4 boxes moved by 5: shared 5 x 4 = 20, union 60 -> IoU 1/3 >= 0.3.
    tracks = derive_tracks(masks_of([(0, 0, 10, 4)], [(5, 0, 15, 4)]))
    assert [boxes_of(t) for t in tracks] == [[(0, (0, 0, 10, 4)), (1, (5, 0, 15, 4))]]


def test_a_jump_breaks_the_track():
    # Moved by 6: shared 16, union 64 -> IoU 1/4 < 0.3.
    assert len(derive_tracks(masks_of([(0, 0, 10, 4)], [(6, 0, 16, 4)]))) == 2


def test_link_at_exactly_thirty_percent():
    # 13 x 4 boxes moved by 7: shared 6 x 4 = 24, union 52 + 52 - 24 = 80 -> IoU 0.3.
    assert len(derive_tracks(masks_of([(0, 0, 13, 4)], [(7, 0, 20, 4)]))) == 1


def test_a_gap_is_not_bridged():
    tracks = derive_tracks(masks_of([(0, 0, 10, 4)], [], [(0, 0, 10, 4)]))
    assert [boxes_of(t) for t in tracks] == [[(0, (0, 0, 10, 4))], [(2, (0, 0, 10, 4))]]


def test_links_are_one_to_one():
    # One region splits in two: the larger part (IoU 24/40) continues the track, the smaller (8/40 < 0.3) starts one.
    tracks = derive_tracks(masks_of([(0, 0, 10, 4)], [(0, 0, 6, 4), (8, 0, 10, 4)]))
    assert [[f for f, _ in boxes_of(t)] for t in tracks] == [[0, 1], [1]]
    # Split evenly (both 16/40 = 0.4): still only one part continues it.
    tracks = derive_tracks(masks_of([(0, 0, 10, 4)], [(0, 0, 4, 4), (6, 0, 10, 4)]))
    assert sorted(len(t.regions) for t in tracks) == [1, 2]


def test_small_regions_are_dropped():
    # 7 pixels go, 8 stay.
    assert derive_tracks(masks_of([(0, 0, 7, 1)])) == []
    assert len(derive_tracks(masks_of([(0, 0, 8, 1)]))) == 1


def test_corners_connect():
    tracks = derive_tracks(masks_of([(0, 0, 4, 4), (4, 4, 8, 8)]))
    assert [boxes_of(t) for t in tracks] == [[(0, (0, 0, 8, 8))]]
    # The region's own pixels, not its box: 16 + 16 of 64.
    assert tracks[0].regions[0].mask.sum() == 32


def test_no_mask_no_track():
    assert derive_tracks(np.zeros((3, 4, 4), dtype=bool)) == []


def test_bad_masks_are_refused():
    with pytest.raises(ValueError, match="bool"):
        derive_tracks(np.zeros((1, 2, 2)))
    with pytest.raises(ValueError, match="regions"):
        TrueTrack(())


def test_box_iou_by_hand():
    # 2 x 2 and 2 x 2 sharing 1 x 2: 2 / (4 + 4 - 2) = 1/3.  Touching and empty boxes share nothing.
    one = np.array([0.0, 0, 2, 2])
    others = np.array([[1.0, 0, 3, 2], [2, 0, 4, 2], [0, 0, 0, 0], [0, 0, 2, 2]])
    assert box_iou(one, others).tolist() == pytest.approx([1 / 3, 0, 0, 1])
    assert box_iou(np.zeros(4), np.zeros(4)) == 0.0


def test_ped2_has_the_published_count_of_derived_tracks():
    if not os.environ.get("CROWDAD_DATA"):
        pytest.skip("CROWDAD_DATA is not set: UCSD Ped2 is read only where it names the data folder")
    clips = find_clips("ped2", Path(os.environ["CROWDAD_DATA"])).test
    tracks = [derive_tracks(clip.masks()) for clip in clips]
    assert [len(of_clip) for of_clip in tracks] == [1, 1, 2, 2, 1, 2, 2, 3, 2, 1, 3, 1]
    assert sum(len(of_clip) for of_clip in tracks) == 21
    assert sum(len(track.regions) for of_clip in tracks for track in of_clip) == 2410
