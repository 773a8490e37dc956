"""A camera over level ground, by hand."""

import math

import numpy as np
import pytest

from crowdad.errors import ConfigError
from crowdad.synthetic import (
    Camera,
    scene_config,
)


class TestCamera:
    def test_straight_down_view_scales_by_focal_length_over_height(self):
        camera = Camera((101, 201), 10.0, 90.0, 200.0)
        xy, depth = camera.project([1.0, 2.0, 0.0])
        np.testing.assert_allclose(xy, (100 + 20.0, 50 - 40.0), atol=1e-6)
        assert depth == pytest.approx(10.0)
        velocity = camera.image_velocity([0.0, 0.0, 0.0], [1.0, 0.0, 0.0])
        np.testing.assert_allclose(velocity, (20.0, 0.0), atol=1e-6)

    def test_ground_is_the_inverse_of_project(self):
        camera = scene_config("demo").camera
        pixels = np.array([[0.0, 0.0], [320.0, 180.0], [639.0, 359.0]])
        place = camera.ground(pixels, level_m=0.8)
        xy, _ = camera.project(np.concatenate([place, np.full((3, 1), 0.8)], axis=1))
        np.testing.assert_allclose(xy, pixels, atol=1e-6)

    def test_height_and_speed_of_a_person_by_hand(self):
        # 45 degrees down from 10 m: the optical axis meets the ground 10 m ahead, 10 sqrt(2) m away.
        camera = Camera((201, 201), 10.0, 45.0, 100 * math.sqrt(2))
        # There a short upright stick is seen at 45 degrees, so a metre shows as 10 px / sqrt(2).
        assert camera.person_height_px(100, 100, height_m=0.001) == pytest.approx(0.01 / math.sqrt(2), rel=1e-3)
        np.testing.assert_allclose(camera.image_velocity([0, 10, 0], [1, 0, 0]), (10, 0), atol=1e-4)
        np.testing.assert_allclose(camera.image_velocity([0, 10, 0], [0, 1, 0]), (0, -10 / math.sqrt(2)), atol=1e-4)

    def test_the_same_person_has_the_same_height_by_feet_and_by_middle(self):
        camera = scene_config("steep").camera
        place = np.array([3.0, 40.0])
        feet, _ = camera.project([*place, 0.0])
        middle, _ = camera.project([*place, 0.86])
        by_middle = camera.person_height_px(*middle, at=0.5)
        assert camera.person_height_px(*feet) == pytest.approx(float(by_middle))

    def test_a_horizon_in_the_picture_is_refused(self):
        with pytest.raises(ConfigError, match="tilt"):
            Camera((360, 640), 5.0, 10.0, 600.0)

    @pytest.mark.parametrize(
        ("name", "small_px", "tall_px"),
        [("demo", 30, 70), ("plaza720", 50, 120), ("steep", 12, 52), ("top", 19, 23), ("ped2like", 24, 33)],
    )
    def test_scenes_have_the_sizes_they_promise(self, name, small_px, tall_px):
        camera = scene_config(name).camera
        heights = camera.person_height_px(camera.size_hw[1] / 2, np.arange(camera.size_hw[0]))
        assert small_px <= heights.min() <= heights.max() <= tall_px
