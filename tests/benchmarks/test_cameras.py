"""The cameras that settings are tried on: as unlike as the issue of other cameras asks for."""

from __future__ import annotations

from benchmarks.cameras import cameras


def test_the_cameras_span_sizes_rates_perspectives_and_crowds():
    scenes = cameras()
    assert all(scene.name == name for name, scene in scenes.items())
    lines = [scene.camera.size_hw[0] for scene in scenes.values()]
    rates = [scene.fps for scene in scenes.values()]
    people = [scene.people for scene in scenes.values()]
    assert (min(lines), max(lines)) == (158, 1080)
    assert (min(rates), max(rates)) == (5, 50)
    assert (min(people), max(people)) == (8, 60)
    tilts = [scene.camera.tilt_deg for scene in scenes.values()]
    assert min(tilts) < 20 < 45 < max(tilts)
