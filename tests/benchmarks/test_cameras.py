"""The cameras that settings are tried on: as unlike as the issue of other cameras asks for."""

from __future__ import annotations

from benchmarks.cameras import cameras, small_cameras


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


def test_small_cameras_see_the_demo_with_people_as_small_as_their_names_say():
    assert not set(small_cameras()) & set(cameras())
    for name, scene in small_cameras().items():
        height, width = scene.camera.size_hw
        person_px = float(scene.camera.person_height_px((width - 1) / 2, (height - 1) / 2, at=0.5))
        assert scene.name == name == f"people{person_px:.0f}"
        assert height % 2 == width % 2 == 0
