"""Light that changes over minutes: exposure, the sun's way, a wall's shadow that moves, clouds."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

__all__ = ["Light", "LightNow", "Sky"]

Floats = npt.NDArray[np.float64]

_CLOUD_FADES_S, _CLOUD_LASTS_S, _CLOUD_TAKES = (1.5, 4.0), (5.0, 20.0), (0.5, 1.0)


@dataclass(frozen=True)
class Light:
    """How the light changes while a clip lasts; nothing of it is an anomaly.

    exposure: amplitude of the change of brightness, share, over `exposure_s` seconds.
    sun_from_m, sun_to_m: where a point one metre up throws its shadow at first, and `sun_s` seconds later.
    wall: X of a long wall on the left that leads away from the camera, and its height, metres; None: no wall.
    clouds_per_min: how many clouds pass before the sun, each within seconds.
    """

    exposure: float = 0.15
    exposure_s: float = 200.0
    sun_from_m: tuple[float, float] = (0.75, 0.12)
    sun_to_m: tuple[float, float] = (0.3, 0.55)
    sun_s: float = 300.0
    wall: tuple[float, float] | None = None
    clouds_per_min: float = 0.0


@dataclass(frozen=True, eq=False)
class LightNow:
    """The light of one moment.

    sun_m: (2,), where a point one metre up throws its shadow.  wall_shade_m: up to which X the wall shades the ground.
    cloud: share of the sun that clouds take, 0..1.  gain: of the camera.
    """

    sun_m: Floats
    wall_shade_m: float | None
    cloud: float
    gain: float


class Sky:
    """The light of a clip: one seed is one row of clouds and one beginning of the change of brightness."""

    def __init__(self, light: Light, seed: int, duration_s: float) -> None:
        self.light = light
        rng = np.random.default_rng((seed, 4))
        self._turn = rng.uniform(0, math.tau)
        count = rng.poisson(light.clouds_per_min * duration_s / 60)
        starts = rng.uniform(0, duration_s, count)
        fades, lasts, takes = (rng.uniform(*span, count) for span in (_CLOUD_FADES_S, _CLOUD_LASTS_S, _CLOUD_TAKES))
        self._clouds = np.stack([starts, fades, lasts, takes], axis=1)

    def at(self, time_s: float) -> LightNow:
        """The light at a time of the clip."""
        light = self.light
        first, last = np.array(light.sun_from_m), np.array(light.sun_to_m)
        sun_m = first + min(time_s / light.sun_s, 1.0) * (last - first)
        shade_m = None if light.wall is None else light.wall[0] + light.wall[1] * float(sun_m[0])
        gain = 1 + light.exposure * math.sin(math.tau * time_s / light.exposure_s + self._turn)
        return LightNow(sun_m, shade_m, self._cloud(time_s), gain)

    def _cloud(self, time_s: float) -> float:
        starts, fades, lasts, takes = self._clouds.T
        into_s = time_s - starts
        there = np.clip(np.minimum(into_s, lasts + 2 * fades - into_s) / fades, 0, 1)
        smooth = there * there * (3 - 2 * there)
        return float(1 - np.prod(1 - takes * smooth))
