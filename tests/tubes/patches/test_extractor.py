"""Tubes follow a moving square back along its path, grid patches stay; views, windows and resets."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from crowdad.config import Settings
from crowdad.records import Tubes
from crowdad.tubes.flow import MotionMaps
from crowdad.tubes.patches import EXTRACTORS, Extractor
from tests.tiny_scene import PERSON_PX, SIZE_HW, STEP_PX, scale_of, settings_of, texture, walkers


def last_tubes(pictures: np.ndarray, settings: Settings, **scale) -> Tubes:
    extractor = Extractor(scale_of(**scale), settings)
    found = [extractor.push(picture) for picture in pictures]
    assert found[-1] is not None
    return found[-1]


def with_kind(kind: str, *more: str) -> Settings:
    return settings_of(f"tubes.kind={kind}", *more)


@pytest.mark.parametrize("kind", sorted(EXTRACTORS))
def test_contract_shapes_types_and_ranges(kind):
    tubes = last_tubes(walkers(8), with_kind(kind))
    count = len(tubes)
    assert count > 3
    assert tubes.features.shape == (count, 3, 5, 5, 3)
    assert tubes.path_xy.shape == (count, 5, 2)
    assert tubes.alive.shape == (count, 5)
    for array, dtype in ((tubes.features, np.float32), (tubes.path_xy, np.float32), (tubes.alive, np.bool_)):
        assert array.dtype == dtype
    assert tubes.person_px.dtype == np.float32
    assert tubes.view.dtype == np.int64
    np.testing.assert_allclose(tubes.person_px, PERSON_PX, rtol=0.02)
    assert np.isfinite(tubes.features).all()
    assert (tubes.features >= 0).all()
    assert tubes.alive[:, 0].all()


def test_a_tube_follows_a_moving_square_back_along_its_path():
    tubes = last_tubes(walkers(8, speeds=(STEP_PX,)), with_kind("tubes"))
    # The square's centre in the last picture: 128 / 3 + 7 * 3 + 8 px across, 48 px down.
    square = np.array([128 / 3 + 7 * STEP_PX + 8, 48])
    near = np.linalg.norm(tubes.path_xy[:, 0] - square, axis=1).argmin()
    path = tubes.path_xy[near]
    assert np.linalg.norm(path[0] - square) < 6
    np.testing.assert_allclose(path[0] - path[4], [4 * STEP_PX, 0], atol=3)
    steps = np.diff(path, axis=0)
    np.testing.assert_allclose(np.median(steps, axis=0), [-STEP_PX, 0], atol=0.5)


def test_a_grid_patch_stays_where_it_is():
    tubes = last_tubes(walkers(8, speeds=(STEP_PX,)), with_kind("grid"))
    assert (tubes.path_xy == tubes.path_xy[:, :1]).all()
    pitch = 0.2 * PERSON_PX
    np.testing.assert_allclose(np.mod(tubes.path_xy[:, 0] / pitch, 1), 0.5, atol=1e-3)


def test_pixels_follow_as_tubes_do_and_read_something_else():
    motion, looks = (last_tubes(walkers(8, speeds=(STEP_PX,)), with_kind(kind)) for kind in ("tubes", "pixels"))
    np.testing.assert_array_equal(looks.path_xy, motion.path_xy)
    assert np.abs(looks.features - motion.features).mean() > 0.05


def test_pixels_are_read_alike_with_light_and_dark_exchanged_and_from_the_other_side():
    picture = walkers(1)[0]
    height, width = (side // 2 for side in SIZE_HW)
    still = np.zeros((height, width), np.float32)
    maps = MotionMaps(np.zeros((height, width, 4), np.float32), still, still, still, still)
    read = EXTRACTORS["pixels"].channels(maps, picture, PERSON_PX)
    negative = EXTRACTORS["pixels"].channels(maps, 255 - picture, PERSON_PX)
    mirrored = EXTRACTORS["pixels"].channels(maps, picture[:, ::-1].copy(), PERSON_PX)[:, ::-1]
    assert read[..., :2].max() > 0.5
    np.testing.assert_allclose(negative, read, atol=0.05)
    np.testing.assert_allclose(mirrored, read, atol=0.05)


def test_features_are_in_walking_speeds():
    walking, running = (last_tubes(walkers(8, speeds=(speed,)), with_kind("tubes")) for speed in (STEP_PX, 2 * STEP_PX))
    # Around a figure the flow bleeds into the ground, so what is read there is somewhat slower than the figure.
    assert 0.6 < np.median(walking.features[:, 1]) < 1.1
    assert np.quantile(walking.features[:, 1], 0.9) == pytest.approx(1.0, abs=0.15)
    assert np.quantile(running.features[:, 1], 0.9) == pytest.approx(2.0, abs=0.3)


@pytest.mark.parametrize("kind", sorted(EXTRACTORS))
def test_nothing_is_told_before_a_window_is_full_or_after_a_reset(kind):
    extractor = Extractor(scale_of(), with_kind(kind, "tubes.steps=3"))
    pictures = walkers(9)
    assert [extractor.push(picture) is None for picture in pictures[:5]] == [True, True, True, False, False]
    extractor.reset()
    assert [extractor.push(picture) is None for picture in pictures[5:]] == [True, True, True, False]


@pytest.mark.parametrize("kind", sorted(EXTRACTORS))
@pytest.mark.parametrize("picture", [np.zeros(SIZE_HW, np.uint8), texture(SIZE_HW, 4)], ids=["black", "still"])
def test_a_still_scene_has_no_tubes_but_full_windows(kind, picture):
    tubes = last_tubes(np.repeat(picture[None], 7, axis=0), with_kind(kind))
    assert len(tubes) == 0
    assert tubes.features.shape == (0, 3, 5, 5, 3)
    assert tubes.path_xy.shape == (0, 5, 2)


def test_one_seed_of_motion_gives_no_duplicate_tubes():
    tubes = last_tubes(walkers(8, speeds=(STEP_PX,)), with_kind("tubes"))
    ends = np.round(tubes.path_xy[:, 0] / (0.2 * PERSON_PX / 2))
    assert len(np.unique(ends, axis=0)) == len(ends)


def test_two_extractors_agree():
    first, second = (last_tubes(walkers(8), with_kind("tubes")) for _ in range(2))
    for name in Tubes.__dataclass_fields__:
        np.testing.assert_array_equal(getattr(first, name), getattr(second, name))


def test_each_view_scores_the_rows_it_owns_in_pixels_of_the_picture():
    # People 20 px tall at the top and 80 px at the bottom: more than one view, each tube in the rows of its own.
    perspective = {"person": (50.0, 0.0, 60 / 96)}
    extractor = Extractor(scale_of(**perspective), with_kind("tubes"))
    assert len(extractor.views) >= 2
    found = [extractor.push(picture) for picture in walkers(8, background_seed=None)][-1]
    assert found is not None
    assert len(np.unique(found.view)) >= 2
    for number, view in enumerate(extractor.views):
        rows = found.path_xy[found.view == number, 0, 1]
        assert ((rows >= view.owned[0] - 1e-3) & (rows < view.owned[1] + 1e-3)).all()
    expected = scale_of(**perspective).person_px(found.path_xy[:, 0, 0], found.path_xy[:, 0, 1])
    np.testing.assert_allclose(found.person_px, expected, rtol=0.02)
    xs = found.path_xy[:, 0, 0]
    assert xs.min() >= 0
    assert xs.max() < SIZE_HW[1]


@pytest.mark.parametrize("size_hw", [(6, 9), (16, 16), (31, 45)])
def test_tiny_pictures_are_enlarged_and_searched(size_hw):
    scale = replace(scale_of(), size_hw=size_hw, rows=(0.0, size_hw[0] - 1.0), person=(8.0, 0.0, 0.0))
    extractor = Extractor(scale, with_kind("tubes"))
    found = [extractor.push(texture(size_hw, seed, coarseness=2)) for seed in range(7)][-1]
    assert found is not None
    assert np.isfinite(found.features).all()


def test_the_picture_that_was_pushed_is_not_changed():
    pictures = walkers(7)
    before = pictures.copy()
    last_tubes(pictures, with_kind("tubes"))
    assert np.array_equal(pictures, before)
