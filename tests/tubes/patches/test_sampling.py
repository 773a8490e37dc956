"""Looking up half-size maps at full-size places, seeds, and bodies read along a path."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from crowdad.tubes.flow import MotionMaps
from crowdad.tubes.patches._sampling import look_up, sample, seeds
from tests.tiny_scene import settings_of

HALF_HW = (30, 40)
TUBES = settings_of().tubes


def ramp() -> np.ndarray:
    """A half-size map that holds the full-size position of each of its pixels: (x, y)."""
    rows, columns = np.mgrid[0 : HALF_HW[0], 0 : HALF_HW[1]]
    return np.stack([columns * 2 + 0.5, rows * 2 + 0.5], axis=-1).astype(np.float32)


def maps_with(
    velocity: tuple[float, float] = (0, 0), density: np.ndarray | float = 1.0, channel: float = 1.0
) -> MotionMaps:
    return MotionMaps(
        np.full((*HALF_HW, 4), channel, np.float32),
        np.broadcast_to(np.float32(density), HALF_HW).copy(),
        np.broadcast_to(np.float32(velocity), (*HALF_HW, 2)).copy(),
        np.zeros((*HALF_HW, 2), np.float32),
        np.zeros(HALF_HW, np.float32),
    )


@given(st.lists(st.tuples(st.floats(0.5, 78.5), st.floats(0.5, 58.5)), min_size=1, max_size=200))
@settings(max_examples=30, deadline=None)
def test_look_up_is_bilinear_in_full_size_pixels(points):
    places = np.array(points, np.float32)
    # cv2 keeps 1/32 of a half-size pixel: 1/16 of a full-size one.
    np.testing.assert_allclose(look_up(ramp(), places), places, atol=0.07)


def test_look_up_keeps_leading_shapes_and_repeats_the_border():
    places = np.zeros((2, 3, 5, 2), np.float32) - 50
    assert look_up(ramp(), places).shape == (2, 3, 5, 2)
    assert (look_up(ramp(), places) == 0.5).all()
    assert look_up(ramp()[..., 0], places).shape == (2, 3, 5)
    np.testing.assert_allclose(look_up(ramp(), np.float32([[500, 500]])), [[78.5, 58.5]])


def test_look_up_takes_no_point_and_more_points_than_a_picture_has_rows():
    assert look_up(ramp(), np.zeros((0, 2), np.float32)).shape == (0, 2)
    assert look_up(ramp()[..., 0], np.zeros((0, 2), np.float32)).shape == (0,)
    many = np.full((70_000, 2), 20.0, np.float32)
    np.testing.assert_allclose(look_up(ramp(), many), 20, atol=0.07)


def test_seeds_stand_every_spacing_where_enough_moves():
    density = np.zeros(HALF_HW, np.float32)
    density[:, 20:] = 1.0
    points = seeds(maps_with(density=density), 40.0, TUBES)
    assert set(points[:, 0]) == {44.0, 52.0, 60.0, 68.0, 76.0}  # 4 + 8 k, right of pixel 40
    assert set(points[:, 1]) == {4.0, 12.0, 20.0, 28.0, 36.0, 44.0, 52.0}
    assert points.dtype == np.float32
    assert len(seeds(maps_with(density=TUBES.min_density), 40.0, TUBES)) == 0
    assert len(seeds(maps_with(), 1000.0, TUBES)) == 0  # spacing larger than the picture


def test_a_body_is_read_around_each_point():
    maps = MotionMaps(
        np.dstack([ramp(), ramp()]),
        *(getattr(maps_with(), n) for n in ("density", "velocity", "centre_shift", "limbs")),
    )
    features, path, alive, _ = sample([maps], np.float32([[40, 30]]), np.float32([20]), TUBES, lambda _, p: p)
    assert features.shape == (1, 4, 1, 5, 3)
    np.testing.assert_allclose(features[0, 0, 0], np.tile([37, 40, 43], (5, 1)), atol=0.07)  # 0.15 ph each side
    np.testing.assert_allclose(features[0, 1, 0], np.tile([[24], [27], [30], [33], [36]], 3), atol=0.07)  # 0.3 ph
    assert path.tolist() == [[[40.0, 30.0]]]
    assert alive.all()


def test_a_path_goes_back_through_the_history_newest_first():
    history = [maps_with((5, 0), channel=1), maps_with((0, -3), channel=2), maps_with((9, 9), channel=3)]
    back = lambda maps, points: points + look_up(maps.velocity, points)  # noqa: E731
    features, path, alive, _ = sample(history, np.float32([[40, 30]]), np.float32([20]), TUBES, back)
    np.testing.assert_allclose(path[0], [[40, 30], [45, 30], [45, 27]], atol=1e-4)
    np.testing.assert_allclose(features[0, 0, :, 2, 1], [1, 2, 3])
    assert alive.all()


def test_alive_is_false_from_the_border_on_even_when_the_path_comes_back():
    history = [maps_with((-30, 0)), maps_with((-30, 0)), maps_with((60, 0)), maps_with()]
    back = lambda maps, points: points + look_up(maps.velocity, points)  # noqa: E731
    _, path, alive, _ = sample(history, np.float32([[40, 30], [75, 30]]), np.float32([20, 20]), TUBES, back)
    np.testing.assert_allclose(path[0, :, 0], [40, 10, -20, 40], atol=1e-4)
    assert alive.tolist() == [[True, True, False, False], [True, True, True, True]]


@pytest.mark.parametrize("count", [0, 1])
def test_no_or_one_point_keeps_all_shapes(count):
    points, person = np.full((count, 2), 20, np.float32), np.full(count, 20, np.float32)
    features, path, alive, _ = sample([maps_with()] * 3, points, person, TUBES, lambda _, p: p)
    assert features.shape == (count, 4, 3, 5, 3)
    assert (path.shape, alive.shape) == ((count, 3, 2), (count, 3))


def test_legs_swing_by_how_much_the_speed_of_the_lower_body_changes_in_time() -> None:
    def swing(*speeds: float) -> float:
        history = [replace(maps_with(), limbs=np.full(HALF_HW, speed, np.float32)) for speed in speeds]
        return float(sample(history, np.float32([[40, 30]]), np.float32([20]), TUBES, lambda _, p: p)[3][0])

    assert swing(1, 1, 1) == pytest.approx(np.log(0.03), abs=1e-4)
    assert swing(0, 2, 0, 2) == pytest.approx(np.log(1 + 0.03), abs=1e-4)
