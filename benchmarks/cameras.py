"""Generated cameras that settings are tried and published on: of unlike perspective, size, frame rate and crowd."""

from __future__ import annotations

from dataclasses import replace

from crowdad.synthetic import Camera, SceneConfig, scene_config

__all__ = ["cameras", "small_cameras"]


def cameras() -> dict[str, SceneConfig]:
    """Scenes by name: the ready-made ones, then others made from them."""
    demo, steep, plaza = (scene_config(name) for name in ("demo", "steep", "plaza720"))
    far = replace(demo.camera, height_m=26.0, focal_px=640.0)
    towards = Camera((360, 640), 4.2, 17.5, 640.0)
    scenes = {
        **{name: scene_config(name) for name in ("demo", "plaza720", "steep", "top", "ped2like")},
        "far": replace(demo, camera=far, people=44),
        "towards": replace(steep, camera=towards, people=14, fixtures=(), duration_s=60.0),
        "low158": replace(steep, camera=Camera((158, 238), 11.8, 27.0, 330.0), fps=10.0, duration_s=120.0),
        "plaza1080": replace(plaza, camera=Camera((1080, 1920), 8.8, 34.0, 1500.0), duration_s=50.0),
        "5fps": replace(demo, fps=5.0, duration_s=160.0),
        "50fps": replace(demo, fps=50.0, duration_s=50.0),
        "sparse": replace(demo, people=8, standing=0, duration_s=100.0),
        "dense": replace(demo, people=60, standing=3, duration_s=60.0),
    }
    return {name: replace(scene, name=name) for name, scene in scenes.items()}


def small_cameras() -> dict[str, SceneConfig]:
    """The demo in ever smaller pictures: by name, people at the centre 28, 19, 14 and 11 px tall.

    Apart from `cameras`, since settings are not tried on them: they tell how small people may be.
    """
    demo = scene_config("demo")
    found = {}
    for part, person_px in ((2, 28), (3, 19), (4, 14), (5, 11)):
        height, width = (2 * round(side / part / 2) for side in demo.camera.size_hw)  # even, as H.264 wants them
        camera = replace(demo.camera, size_hw=(height, width), focal_px=demo.camera.focal_px / part)
        name = f"people{person_px}"
        found[name] = replace(demo, name=name, camera=camera)
    return found
