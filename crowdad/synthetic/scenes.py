"""Scenes: a camera, a place and a crowd; ready-made ones under a name."""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np

from crowdad.errors import ConfigError
from crowdad.synthetic.agents import ANOMALIES, IN_SCOPE
from crowdad.synthetic.background import Fixture
from crowdad.synthetic.camera import Camera
from crowdad.synthetic.light import Light
from crowdad.synthetic.paths import Lane, Stream
from crowdad.synthetic.region import Lawn

__all__ = ["SCENES", "SceneConfig", "scene_config"]


@dataclass(frozen=True)
class SceneConfig:
    """All that sets a scene apart from another; replace single fields with `dataclasses.replace`.

    fps: 5 to 50.  duration_s: of a clip.  people: mean number of walkers in view or just outside it.  standing: pairs
    that stand and talk.  streams: where walkers head.  anomalies: kinds in order of appearance.  anomaly_share: wanted
    share of frames with one, in (0, 1).  fixtures: what stands about, in metres.
    paving_bgr: colour of the ground in full sun.  scenery_seed: of the place.
    noise: standard deviation of the sensor noise, grey values.  drift: amplitude of the slow change of brightness,
    share.  shake_px: standard deviation of the camera's shake.  jpeg_quality: 1 to 100, or None for no compression.
    lanes: where people walk, and which way, in place of the streams.  lawn: ground on which only intruders walk.
    light: how it changes, None for the same light all the time.
    """

    name: str
    camera: Camera
    fps: float
    duration_s: float
    people: int
    standing: int
    streams: tuple[Stream, ...]
    anomalies: tuple[str, ...] = IN_SCOPE
    anomaly_share: float = 0.27
    fixtures: tuple[Fixture, ...] = field(default=())
    paving_bgr: tuple[float, float, float] = (150.0, 160.0, 168.0)
    scenery_seed: int = 7
    noise: float = 2.0
    drift: float = 0.02
    shake_px: float = 0.0
    jpeg_quality: int | None = None
    lanes: tuple[Lane, ...] = ()
    lawn: Lawn | None = None
    light: Light | None = None

    def __post_init__(self) -> None:
        if not 5 <= self.fps <= 50:
            raise ConfigError(f"{self.fps:g} frames a second for a generated scene; 5 to 50 are needed")
        if self.duration_s * self.fps < 1 or self.people < 0 or not self.streams:
            raise ConfigError(f"scene {self.name}: at least one frame, no negative crowd and one stream are needed")
        if not 0 < self.anomaly_share < 1:
            raise ConfigError(f"anomaly_share is {self.anomaly_share:g}; a share between 0 and 1 is needed")
        unknown = [kind for kind in self.anomalies if kind not in ANOMALIES]
        if unknown:
            raise ConfigError(f"anomaly kind {unknown[0]!r} is not known; choose among {', '.join(ANOMALIES)}")
        if "intruder" in self.anomalies and self.lawn is None:
            raise ConfigError(f"scene {self.name} has no lawn that an intruder could walk on; give it one")
        crates = sum(fixture.kind == "crate" for fixture in self.fixtures)
        if self.anomalies.count("removed_object") > crates:
            raise ConfigError(f"scene {self.name} has {crates} crates; removed_object needs one for each time")


def _stand(camera: Camera, *things: tuple[str, float, float, float]) -> tuple[Fixture, ...]:
    """Fixtures by where their foot is seen, in shares of the picture's width and height."""
    height, width = camera.size_hw
    fixtures = []
    for kind, across, down, radius_m in things:
        x, y = camera.ground(np.array([across * width, down * height]))
        fixtures.append(Fixture(kind, float(x), float(y), radius_m))
    return tuple(fixtures)


_BOTH_WAYS = (Stream(0, 10, 3), Stream(180, 10, 3), Stream(35, 12), Stream(215, 12), Stream(145, 12), Stream(-40, 12))
_ALL_WAYS = (*_BOTH_WAYS, Stream(90, 15, 2), Stream(-90, 15, 2))
_ONE_WAY = (Stream(0, 14, 4), Stream(30, 12, 2), Stream(-32, 12, 2), Stream(75, 10, 1), Stream(-80, 10, 1))


def _demo() -> SceneConfig:
    camera = Camera((360, 640), 9.4, 31.0, 640.0)
    things = [("bed", 0.2, 0.2, 2.6), ("tree", 0.2, 0.2, 0.4), ("bed", 0.86, 0.44, 1.7), ("tree", 0.87, 0.43, 0.4)]
    things += [("lamp", 0.44, 0.33, 0.35), ("lamp", 0.06, 0.62, 0.35), ("bench", 0.66, 0.12, 0.9)]
    kinds = ("runner", "bicycle", "cart", "skater", "against", "slow_bicycle", "loiterer", "wheelchair")
    return SceneConfig("demo", camera, 25.0, 80.0, 26, 1, _ONE_WAY, kinds, fixtures=_stand(camera, *things))


def _plaza720() -> SceneConfig:
    camera = Camera((720, 1280), 8.8, 34.0, 1000.0)
    things = [("bed", 0.12, 0.2, 2.2), ("tree", 0.12, 0.2, 0.4), ("lamp", 0.62, 0.3, 0.35), ("lamp", 0.95, 0.8, 0.35)]
    things += [("bench", 0.36, 0.08, 0.9), ("bed", 0.9, 0.16, 1.8)]
    fixtures = _stand(camera, *things)
    return SceneConfig(
        "plaza720",
        camera,
        25.0,
        60.0,
        18,
        1,
        _ALL_WAYS,
        fixtures=fixtures,
        paving_bgr=(148.0, 172.0, 190.0),
        scenery_seed=21,
    )


def _steep() -> SceneConfig:
    camera = Camera((360, 640), 11.8, 23.0, 640.0)
    things = [("lamp", 0.3, 0.2, 0.35), ("lamp", 0.22, 0.5, 0.35), ("lamp", 0.72, 0.2, 0.35), ("lamp", 0.84, 0.5, 0.35)]
    things += [("tree", 0.1, 0.34, 0.5), ("tree", 0.93, 0.3, 0.5)]
    streams = (Stream(90, 10, 4), Stream(-90, 10, 4), Stream(60, 10), Stream(240, 10), Stream(0, 12), Stream(180, 12))
    fixtures = _stand(camera, *things)
    return SceneConfig(
        "steep",
        camera,
        25.0,
        80.0,
        34,
        2,
        streams,
        anomaly_share=0.2,
        fixtures=fixtures,
        paving_bgr=(150.0, 150.0, 148.0),
        scenery_seed=33,
    )


def _top() -> SceneConfig:
    camera = Camera((360, 640), 60.0, 50.0, 1500.0)
    fixtures = _stand(camera, ("bed", 0.3, 0.3, 2.4), ("tree", 0.3, 0.3, 0.4), ("bed", 0.75, 0.7, 2.0))
    return SceneConfig(
        "top",
        camera,
        25.0,
        60.0,
        24,
        1,
        _ALL_WAYS,
        fixtures=fixtures,
        paving_bgr=(116.0, 132.0, 164.0),
        scenery_seed=45,
    )


def _ped2like() -> SceneConfig:
    camera = Camera((240, 360), 37.5, 26.0, 1560.0)
    fixtures = _stand(camera, ("bed", 0.05, 0.1, 2.0), ("tree", 0.05, 0.1, 0.4))
    return SceneConfig(
        "ped2like",
        camera,
        10.0,
        120.0,
        20,
        0,
        _BOTH_WAYS,
        fixtures=fixtures,
        paving_bgr=(158.0, 162.0, 162.0),
        scenery_seed=57,
        drift=0.01,
    )


_SMALL = Camera((240, 360), 20.0, 32.0, 800.0)


def _lanes() -> SceneConfig:
    crates = (Fixture("crate", -3.2, 36.9, 0.4), Fixture("crate", 4.6, 36.9, 0.4))
    return SceneConfig(
        "lanes",
        _SMALL,
        10.0,
        240.0,
        16,
        0,
        (Stream(0, 5), Stream(180, 5)),
        ("against", "intruder", "slow_bicycle", "against", "intruder", "slow_bicycle"),
        fixtures=(*crates, Fixture("tree", -6.5, 43.5, 0.4), Fixture("tree", 8.0, 41.5, 0.4)),
        scenery_seed=63,
        lanes=(Lane(22.6, 29.4, 0), Lane(29.4, 36.6, 180)),
        lawn=Lawn(-60.0, 37.6, 60.0, 80.0),
    )


def _crossing() -> SceneConfig:
    things = [("lamp", 0.87, 0.22, 0.35), ("crate", 0.8, 0.24, 0.4), ("crate", 0.97, 0.75, 0.4)]
    return SceneConfig(
        "crossing",
        _SMALL,
        10.0,
        240.0,
        18,
        0,
        (Stream(0, 7, 8), Stream(90, 7), Stream(-90, 7)),
        ("against", "intruder", "slow_bicycle", "against", "intruder", "slow_bicycle"),
        fixtures=_stand(_SMALL, *things),
        paving_bgr=(140.0, 156.0, 170.0),
        scenery_seed=71,
        lawn=Lawn(-40.0, 37.0, -1.5, 80.0),
    )


def _plaza() -> SceneConfig:
    camera = Camera((288, 432), 20.0, 36.0, 640.0)
    things = [("bed", 0.12, 0.16, 2.2), ("tree", 0.12, 0.16, 0.4), ("lamp", 0.8, 0.3, 0.35), ("crate", 0.24, 0.8, 0.4)]
    return SceneConfig(
        "plaza",
        camera,
        12.5,
        240.0,
        24,
        0,
        _ALL_WAYS,
        ("panic", "gathering", "freezing"),
        fixtures=_stand(camera, *things),
        paving_bgr=(148.0, 168.0, 180.0),
        scenery_seed=79,
    )


def _daylight() -> SceneConfig:
    things = [("lamp", 0.6, 0.25, 0.35), ("tree", 0.9, 0.2, 0.4), ("bed", 0.9, 0.2, 1.6), ("crate", 0.3, 0.3, 0.4)]
    return SceneConfig(
        "daylight",
        _SMALL,
        10.0,
        240.0,
        14,
        0,
        _BOTH_WAYS,
        (),
        fixtures=_stand(_SMALL, *things),
        scenery_seed=87,
        light=Light(wall=(-10.0, 12.0), clouds_per_min=0.75),
    )


SCENES = {
    "demo": _demo,
    "plaza720": _plaza720,
    "steep": _steep,
    "top": _top,
    "ped2like": _ped2like,
    "lanes": _lanes,
    "crossing": _crossing,
    "plaza": _plaza,
    "daylight": _daylight,
}
"""Ready-made scenes by name."""


def scene_config(name: str) -> SceneConfig:
    """The ready-made scene of that name.  Raises ConfigError for an unknown one."""
    if name not in SCENES:
        raise ConfigError(f"no generated scene is called {name!r}; choose among {', '.join(SCENES)}")
    return SCENES[name]()
