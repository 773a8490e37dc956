"""Light that changes while a clip lasts."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from crowdad.synthetic import GeneratedClip, Light, scene_config
from crowdad.synthetic.light import Sky


def _pictures(light: Light | None, duration_s: float = 20.0) -> np.ndarray:
    scene = replace(scene_config("daylight"), people=0, noise=0.0, drift=0.0, light=light, fps=5.0)
    return np.array(list(GeneratedClip(scene, 1, duration_s=duration_s).frames())[::10], np.float64)


def test_without_light_nothing_changes():
    assert np.ptp(_pictures(None), axis=0).max() == 0


def test_brightness_changes_slowly():
    levels = _pictures(Light(exposure=0.2, exposure_s=40, sun_to_m=(0.75, 0.12))).mean(axis=(1, 2, 3))
    assert np.ptp(levels) > 0.1 * levels.mean()
    assert np.abs(np.diff(levels)).max() < 0.08 * levels.mean()


def test_the_wall_s_shadow_moves_over_the_ground():
    scene = scene_config("daylight")
    now = [Sky(Light(exposure=0, wall=(-10.0, 12.0)), 0, 240).at(time_s) for time_s in (0, 150, 300)]
    # 12 m high, and a metre throws its shadow 0.75 m, later 0.3 m to the right.
    assert [light.wall_shade_m for light in now] == pytest.approx([-1.0, -3.7, -6.4])
    pictures = _pictures(Light(exposure=0, sun_s=20, wall=(-10.0, 12.0)))
    row = scene.camera.size_hw[0] // 2
    shaded = [(picture[row].mean(axis=1) < 120).sum() for picture in pictures]
    assert shaded[0] > shaded[len(shaded) // 2] > shaded[-1]


def test_a_cloud_takes_the_sun_within_seconds():
    sky = Sky(Light(clouds_per_min=1), 3, 600)
    clouds = np.array([sky.at(time_s).cloud for time_s in np.arange(0, 600, 0.5)])
    assert clouds.min() == 0
    assert 0.4 < clouds.max() <= 1
    assert 0.05 < (clouds > 0.3).mean() < 0.6
    assert np.abs(np.diff(clouds)).max() < 0.55
    assert max(Sky(Light(), 3, 600).at(time_s).cloud for time_s in range(600)) == 0


def test_daylight_holds_nothing_anomalous():
    assert not any(truth.label or truth.kinds for truth in GeneratedClip("daylight", 1, fps=5, duration_s=10).truths())
