"""Flow of a texture that was moved by a known step, and statistics of flow fields that were written down."""

from __future__ import annotations

import numpy as np
import pytest

from crowdad.tubes.flow import BackwardFlow, MotionMaps, ground_shift, in_the_same_light, motion_maps, steadied
from tests.tiny_scene import settings_of, texture

SETTINGS = settings_of().motion
HALF_HW = (60, 80)


def maps_of(flow: np.ndarray, unit_px: float = 2.0, person_px: float = 40.0, foreshortening: float = 1.0) -> MotionMaps:
    return motion_maps(np.asarray(flow, np.float32), unit_px, person_px, foreshortening, SETTINGS)


def uniform(u: float, v: float) -> np.ndarray:
    return np.full((*HALF_HW, 2), (u, v), np.float32)


@pytest.mark.parametrize("shift", [(3, 0), (-2, 4), (0, -5)])
def test_the_flow_of_a_moved_texture_points_back_to_where_it_was(shift):
    dx, dy = shift
    world = texture((140, 180), 3)
    earlier, later = world[20:116, 20:148], world[20 - dy : 116 - dy, 20 - dx : 148 - dx]
    flow = BackwardFlow()(later, earlier)
    assert flow.shape == (48, 64, 2)
    assert flow.dtype == np.float32
    np.testing.assert_allclose(np.median(flow[8:-8, 8:-8], axis=(0, 1)), [-dx, -dy], atol=0.25)


@pytest.mark.parametrize("preset", ["ultrafast", "fast", "medium"])
def test_every_preset_sees_no_motion_in_a_still_and_copes_with_black(preset):
    still = texture((64, 80), 1)
    assert np.abs(BackwardFlow(preset)(still, still)).max() < 0.05
    black = np.zeros((64, 80), np.uint8)
    assert np.abs(BackwardFlow(preset)(black, black)).max() < 0.05


def test_odd_sizes_and_the_smallest_allowed_are_halved():
    assert BackwardFlow()(texture((49, 67), 1), texture((49, 67), 2)).shape == (24, 33, 2)
    assert np.isfinite(BackwardFlow()(texture((16, 16), 1), texture((16, 16), 2))).all()


def test_a_uniform_walk_has_its_speed_no_spread_and_full_density():
    maps = maps_of(uniform(3, 4), unit_px=2.5)
    np.testing.assert_allclose(maps.channels[..., 0], 2.0, rtol=1e-4)  # length of the mean velocity
    np.testing.assert_allclose(maps.channels[..., 1], 2.0, rtol=1e-4)  # mean speed
    np.testing.assert_allclose(maps.channels[..., 2], 0.0, atol=5e-3)  # spread
    np.testing.assert_allclose(maps.channels[..., 3], 1.0, rtol=1e-4)  # square root of the share that moves
    np.testing.assert_allclose(maps.density, 1.0, rtol=1e-4)
    np.testing.assert_allclose(maps.velocity, uniform(3, 4), rtol=1e-4)
    np.testing.assert_allclose(maps.centre_shift, 0.0, atol=1e-3)


def test_limbs_that_swing_against_each_other_cancel_in_the_mean_velocity_but_not_in_the_speed():
    flow = uniform(0, 0)
    flow[:, ::2, 0], flow[:, 1::2, 0] = 2.0, -2.0
    middle = maps_of(flow).channels[20:-20, 20:-20]
    np.testing.assert_allclose(middle[..., 0], 0.0, atol=0.02)
    np.testing.assert_allclose(middle[..., 1], 1.0, rtol=0.01)
    np.testing.assert_allclose(middle[..., 2], 0.0, atol=0.02)


def test_the_spread_of_two_speeds_is_half_their_difference():
    flow = uniform(0, 0)
    flow[:, ::2, 0], flow[:, 1::2, 0] = 2.0, 6.0
    middle = maps_of(flow).channels[20:-20, 20:-20]
    np.testing.assert_allclose(middle[..., 1], 2.0, rtol=0.01)
    np.testing.assert_allclose(middle[..., 2], 1.0, rtol=0.02)


def test_what_moves_too_slowly_does_not_count():
    slow = SETTINGS.moving * 2.0 * 0.99
    maps = maps_of(uniform(slow, 0))
    assert maps.density.max() == 0
    assert maps.channels.max() == 0
    assert np.isfinite(maps.velocity).all()
    np.testing.assert_allclose(maps_of(uniform(slow * 1.05, 0)).density, 1.0, rtol=1e-4)


def test_still_places_beside_a_mover_do_not_dilute_its_speed():
    flow = uniform(0, 0)
    flow[:, 40:] = (2.0, 0.0)
    maps = maps_of(flow)
    edge = maps.channels[30, 40]
    assert edge[1] == pytest.approx(1.0, rel=0.02)
    assert edge[3] == pytest.approx(np.sqrt(0.5), abs=0.12)
    assert maps.density[30, 39] + maps.density[30, 40] == pytest.approx(1.0, abs=0.02)


def test_every_place_near_a_mover_points_to_its_centre():
    flow = uniform(0, 0)
    flow[22:38, 36:44] = (2.0, 0.0)  # centre at half-size (29.5, 39.5)
    shift = maps_of(flow).centre_shift
    assert shift[29, 34, 0] > 1
    assert shift[29, 45, 0] < -1
    assert shift[20, 39, 1] > 1
    assert shift[40, 39, 1] < -1
    assert np.abs(shift[29:31, 39:41]).max() < 1.0
    assert np.abs(shift[5, 5]).max() == 0


def test_the_speed_unit_may_differ_by_place():
    unit = np.repeat(np.linspace(1, 3, HALF_HW[0], dtype=np.float32)[:, None], HALF_HW[1], axis=1)
    maps = motion_maps(uniform(3, 0), unit, 40.0, 1.0, SETTINGS)
    np.testing.assert_allclose(maps.channels[..., 1], 3 / unit, rtol=1e-3)


def test_foreshortened_steps_towards_the_camera_count_as_full_ones_but_are_followed_as_seen():
    maps = maps_of(uniform(0, 2), foreshortening=2.0)
    np.testing.assert_allclose(maps.channels[..., 1], 2.0, rtol=1e-3)
    np.testing.assert_allclose(maps.velocity[..., 1], 2.0, rtol=1e-3)
    np.testing.assert_allclose(maps_of(uniform(2, 0), foreshortening=2.0).channels[..., 1], 1.0, rtol=1e-3)


def test_foreshortening_may_differ_by_place():
    shortening = np.repeat(np.linspace(1, 3, HALF_HW[0], dtype=np.float32)[:, None], HALF_HW[1], axis=1)
    maps = motion_maps(uniform(0, 2), 2.0, 40.0, shortening, SETTINGS)
    np.testing.assert_allclose(maps.channels[4:-4, :, 1], shortening[4:-4], rtol=0.02)
    np.testing.assert_allclose(maps.velocity[4:-4, :, 1], 2.0, rtol=0.1)


def test_one_flow_gives_the_same_bits_wherever_it_lies_in_memory():
    flow = np.random.default_rng(0).normal(0, 3, (61, 83, 2)).astype(np.float32)
    first = maps_of(flow)
    kept = []
    for offset in range(1, 40):
        kept.append(np.empty(offset * 37, np.uint8))  # moves the arrays of the next call
        again = maps_of(flow.copy())
        for name in MotionMaps.__dataclass_fields__:
            assert np.array_equal(getattr(again, name), getattr(first, name)), name


@pytest.mark.parametrize("size_hw", [(8, 8), (9, 31), (1, 1)])
def test_maps_of_the_smallest_pictures_have_the_flows_size(size_hw):
    maps = maps_of(np.ones((*size_hw, 2)))
    assert maps.channels.shape == (*size_hw, 4)
    for image in (maps.density, maps.velocity, maps.centre_shift, maps.channels):
        assert image.shape[:2] == size_hw
        assert image.dtype == np.float32
        assert np.isfinite(image).all()


def test_a_shaken_camera_is_steadied_and_who_walks_still_walks():
    world = texture((140, 180), 3)
    earlier, later = world[20:116, 20:148].copy(), world[21:117, 18:146].copy()
    body = texture((40, 30), 4)
    earlier[30:70, 40:70] = body
    later[29:69, 45:75] = body  # 3 px further in the world, which moved by (2, -1)
    raw = BackwardFlow()(later, earlier)
    steady = steadied(raw, later)
    ground, walker = steady[8:-8, 42:-6], steady[18:30, 26:34]
    np.testing.assert_allclose(np.median(ground, axis=(0, 1)), [0, 0], atol=0.1)
    np.testing.assert_allclose(np.median(walker, axis=(0, 1)), [-3, 0], atol=0.4)
    assert np.median(raw[8:-8, 42:-6], axis=(0, 1)) == pytest.approx([-2, 1], abs=0.25)


def test_the_flow_of_a_still_camera_is_left_alone_even_where_most_of_the_picture_walks():
    luma = texture((120, 160), 5)
    crowd = uniform(3, 0)
    crowd[:, 50:] = 0  # three eighths of the texture stand still
    assert not ground_shift(crowd, luma).any()


def test_motion_without_a_common_shift_is_left_alone():
    luma = texture((120, 160), 5)
    wild = np.random.default_rng(0).uniform(-9, 9, (*HALF_HW, 2)).astype(np.float32)
    assert not ground_shift(wild, luma).any()


def test_people_before_a_plain_wall_are_not_taken_for_the_ground():
    luma = np.full((120, 160), 110, np.uint8)
    flow = uniform(0, 0)
    for x in (20, 60, 110):
        luma[30:90, x : x + 24] = texture((60, 24), x)
        flow[15:45, x // 2 : x // 2 + 12] = (-3, 0)
    assert not ground_shift(flow, luma).any()


def test_a_picture_without_texture_has_no_ground_to_hold_on_to():
    assert not ground_shift(uniform(3, 0), np.full((120, 160), 90, np.uint8)).any()


def test_noise_is_no_motion_and_a_walker_in_it_is():
    rng = np.random.default_rng(0)
    earlier = np.full((120, 160), 110, np.float64)
    later = earlier.copy()
    earlier[40:80, 40:60] = later[40:80, 43:63] = texture((40, 20), 4)
    noisy = [np.clip(p + rng.normal(0, 8, p.shape), 0, 255).astype(np.uint8) for p in (later, earlier)]
    flow = BackwardFlow()(*noisy)
    speed = np.hypot(flow[..., 0], flow[..., 1])
    far = np.ones(speed.shape, bool)
    far[8:52, 8:44] = False
    assert (speed[far] > 0.5).mean() < 0.02
    assert np.median(flow[24:36, 23:30, 0]) == pytest.approx(-3, abs=0.5)


def test_where_no_place_changes_no_flow_is_sought():
    """A night costs next to nothing, and gets what the flow would have been made into afterwards."""
    ground = texture((120, 160), 1)
    noise = np.random.default_rng(0).normal(0, 1, (2, *ground.shape))
    flow = BackwardFlow()
    flow._dis = None  # type: ignore[assignment]
    found = flow(*np.clip(ground + noise, 0, 255).astype(np.uint8))
    assert found.shape == (*HALF_HW, 2)
    assert not found.any()
    with pytest.raises(AttributeError):
        flow(ground, texture((120, 160), 2))


def test_the_maps_of_a_still_say_that_nothing_moves():
    still, walk = maps_of(uniform(0, 0)), maps_of(uniform(3, 0))
    for name in ("channels", "density", "velocity", "centre_shift"):
        found, like = getattr(still, name), getattr(walk, name)
        assert (found.shape, found.dtype) == (like.shape, like.dtype)
        assert not found.any()


def test_a_change_of_light_is_no_motion():
    luma = texture((120, 160), 5)
    brighter = np.clip(luma * 1.1, 0, 255).astype(np.uint8)
    assert np.abs(BackwardFlow()(brighter, luma)).max() < 0.3
    assert np.abs(in_the_same_light(luma, brighter).astype(int) - brighter).mean() < 3
    assert in_the_same_light(luma, luma) is luma
