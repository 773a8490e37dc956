"""What is counted of a crowd in one step: sums over its tubes, which add up over seconds."""

from __future__ import annotations

from collections import deque

import numpy as np
import numpy.typing as npt
from scipy.spatial import cKDTree

from crowdad.records import Tubes
from crowdad.scene.streams._base import Step
from crowdad.tubes.scale import SceneScale

__all__ = ["SUMS", "CrowdCounter", "people_among"]

Array = npt.NDArray[np.float64]

SUMS = 5
"""Tubes, their speed, their speed away from the middle of all, the logarithm of the 90 % speed by tubes, steps."""

_LEAST_ALIVE = 3  # steps that a path must have: over fewer the flow's noise looks like speed
_NEAR = 0.4  # person heights: tubes so near to each other are of one person
_LEAST_SPEED = 0.05  # walking speeds: slower is not told from standing
_HIGH = 0.9
_BREAK_S = 3.0
_BREAK_STEPS = 4


class CrowdCounter:
    """Counts the tubes of successive steps.  scale: of the footage; steps: length of a tube."""

    def __init__(self, scale: SceneScale, steps: int) -> None:
        self._scale = scale
        self._walk_ph_s = scale.walk * scale.fps
        self._longest_s = max(_BREAK_S, _BREAK_STEPS * scale.gap / scale.fps)
        self._times: deque[float] = deque(maxlen=steps)

    def reset(self) -> None:
        """Begin a run of steps that follow each other."""
        self._times.clear()

    def count(self, step: Step) -> tuple[Array, npt.NDArray[np.float32]] | None:
        """Sums over the step's tubes, (SUMS,), and where they are, float32 (N, 2); None for the first steps of a run.

        A step that comes before the last one, or long after it, begins a run.
        """
        if self._times and not 0 < step.time_s - self._times[-1] <= self._longest_s:
            self.reset()
        self._times.append(step.time_s)
        tubes = step.tubes
        if tubes is None or len(self._times) < _LEAST_ALIVE or tubes.path_xy.shape[1] < _LEAST_ALIVE:
            return None
        tubes = tubes.where(tubes.alive[:, _LEAST_ALIVE - 1])
        place = tubes.path_xy[:, 0]
        velocity = self._velocity(tubes)
        return _sums(velocity, self._outwards(place)), place

    def _velocity(self, tubes: Tubes) -> Array:
        """Along each path, as on the ground: (N, 2), in walking speeds."""
        ages_s = self._times[-1] - np.array(self._times)[::-1]
        oldest = np.minimum(tubes.alive.sum(axis=1), len(ages_s)) - 1
        place = tubes.path_xy[:, 0]
        moved = (place - tubes.path_xy[np.arange(len(tubes)), oldest]).astype(np.float64)
        moved[:, 1] *= self._scale.foreshortening_at(place[:, 0], place[:, 1])
        return moved / (ages_s[oldest] * self._walk_ph_s * tubes.person_px)[:, None]

    def _outwards(self, place: npt.NDArray[np.float32]) -> Array:
        """Direction on the ground from the middle of all tubes to each, (N, 2), of length 1."""
        if not len(place):
            return np.zeros((0, 2))
        middle = np.median(place, axis=0)
        away = (place - middle).astype(np.float64)
        away[:, 1] *= float(self._scale.foreshortening_at(*middle))
        return away / (np.hypot(away[:, 0], away[:, 1]) + 1e-6)[:, None]


def _sums(velocity: Array, outwards: Array) -> Array:
    """(SUMS,) of tubes with these velocities and directions from the middle, both (N, 2)."""
    count = len(velocity)
    if not count:
        return np.array([0.0] * (SUMS - 1) + [1.0])
    speed = np.hypot(velocity[:, 0], velocity[:, 1])
    place = min(int(_HIGH * count), count - 1)
    high = float(np.partition(speed, place)[place])
    return np.array(
        [
            count,
            speed.sum(),
            float((velocity * outwards).sum()),
            count * np.log(max(high, _LEAST_SPEED)),
            1.0,
        ]
    )


def people_among(tubes: Tubes) -> float:
    """About how many people these tubes are of, where people keep a distance: a sum over tubes of 1 / neighbours."""
    if not len(tubes):
        return 0.0
    place = tubes.path_xy[:, 0]
    near = cKDTree(place).query_ball_point(place, _NEAR * tubes.person_px, return_length=True)
    return float((1 / near).sum())
