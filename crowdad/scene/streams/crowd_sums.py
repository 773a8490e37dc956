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

SUMS = 6
"""Tubes, their speed, the logarithm of the 90 % speed by tubes, cosines between where they go and the way from the place
that all come from or make for, the weights of these, steps."""

_LEAST_ALIVE = 3  # steps that a path must have: over fewer the flow's noise looks like speed
_NEAR = 0.4  # person heights: tubes so near to each other are of one person
_LEAST_SPEED = 0.05  # walking speeds: slower is not told from standing
_HIGH = 0.9
_TO_MIDDLE = 0.1
_COARSE_PX = 8
_BREAK_S = 3.0
_BREAK_STEPS = 4


class CrowdCounter:
    """Counts the tubes of successive steps.  scale: of the footage; steps: length of a tube."""

    def __init__(self, scale: SceneScale, steps: int) -> None:
        self._walk_ph_s = scale.walk * scale.fps
        self._longest_s = max(_BREAK_S, _BREAK_STEPS * scale.gap / scale.fps)
        self._times: deque[float] = deque(maxlen=steps)
        rows, columns = (np.arange(0, side, _COARSE_PX) + _COARSE_PX / 2 for side in scale.size_hw)
        self._foreshortened = scale.foreshortening_at(columns, rows[:, None]).astype(np.float32)

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
        kept = tubes.alive[:, _LEAST_ALIVE - 1]
        place = tubes.path_xy[kept, 0]
        velocity = self._velocity(tubes, kept, place)
        return _sums(velocity, self._on_the_ground(place, tubes.person_px[kept])), place

    def _velocity(self, tubes: Tubes, kept: npt.NDArray[np.bool_], place: npt.NDArray[np.float32]) -> Array:
        """Along the paths of the tubes that are kept, bool (N,), as on the ground: (M, 2), in walking speeds."""
        ages_s = self._times[-1] - np.array(self._times)[::-1]
        oldest = np.minimum(tubes.alive[kept].sum(axis=1), len(ages_s)) - 1
        moved = (place - tubes.path_xy[np.flatnonzero(kept), oldest]).astype(np.float64)
        moved[:, 1] *= self._foreshortening(place)
        return moved / (ages_s[oldest] * self._walk_ph_s * tubes.person_px[kept])[:, None]

    def _foreshortening(self, place: npt.NDArray[np.float32]) -> npt.NDArray[np.float32]:
        """At places, (N, 2): (N,)."""
        last = np.array(self._foreshortened.shape[::-1]) - 1
        columns, rows = np.clip(place / _COARSE_PX, 0, last).astype(np.intp).T
        return self._foreshortened[rows, columns]

    def _on_the_ground(self, place: npt.NDArray[np.float32], person_px: npt.NDArray[np.float32]) -> Array:
        """Places, (N, 2), from the middle of all, as on the ground, in person heights: (N, 2)."""
        if not len(place):
            return np.zeros((0, 2))
        middle = np.median(place, axis=0)
        away = (place - middle) / np.median(person_px)
        away[:, 1] *= self._foreshortening(middle[None])[0]
        return away.astype(np.float64)


def _sums(velocity: Array, place: Array) -> Array:
    """(SUMS,) of tubes with these velocities and places on the ground, both (N, 2)."""
    count = len(velocity)
    if not count:
        return np.array([0.0] * (SUMS - 1) + [1.0])
    speed = np.hypot(velocity[:, 0], velocity[:, 1])
    rank = min(int(_HIGH * count), count - 1)
    high = float(np.partition(speed, rank)[rank])
    away = place - _focus(velocity, place)
    distance = np.hypot(away[:, 0], away[:, 1]) + 1e-6
    weight = np.minimum(speed, 1) * np.minimum(distance, 1)  # near the focus the way from it says nothing
    cosine = (velocity * away).sum(axis=1) / (distance * (speed + 1e-6))
    # Who all go one way come from one place, too; not in all directions.
    cosine *= min(1.0, 2 - 2 * float(np.hypot(*velocity.sum(axis=0))) / float(speed.sum() + 1e-6))
    sums = (count, speed.sum(), count * np.log(max(high, _LEAST_SPEED)), cosine @ weight, weight.sum(), 1.0)
    return np.array(sums)


def _focus(velocity: Array, place: Array) -> Array:
    """Where the ways of all cross, or nearly do: (2,), on the ground; not far from the middle.

    The least squares of the weighted distances to the lines along which they go, and of a share of that to the middle.
    """
    vx, vy = velocity.T
    speed = np.hypot(vx, vy)
    weight = np.minimum(speed, 1) / (speed + 1e-6) ** 2
    xx, xy, yy = weight @ (vy * vy), -weight @ (vx * vy), weight @ (vx * vx)
    x, y = place.T
    across = weight * (vy * x - vx * y)
    wanted_x, wanted_y = across @ vy, -across @ vx
    xx, yy = xx + _TO_MIDDLE * len(place), yy + _TO_MIDDLE * len(place)
    focus = np.array([yy * wanted_x - xy * wanted_y, xx * wanted_y - xy * wanted_x]) / (xx * yy - xy * xy)
    spread = np.median(np.hypot(x, y))
    return focus * min(1.0, spread / (np.hypot(*focus) + 1e-9))


def people_among(tubes: Tubes) -> float:
    """About how many people these tubes are of, where people keep a distance: a sum over tubes of 1 / neighbours."""
    if not len(tubes):
        return 0.0
    place = tubes.path_xy[:, 0]
    near = cKDTree(place).query_ball_point(place, _NEAR * tubes.person_px, return_length=True)
    return float((1 / near).sum())
