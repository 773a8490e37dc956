"""What is counted of a crowd in one step: sums over its tubes, which add up over seconds."""

from __future__ import annotations

from collections import deque

import numpy as np
import numpy.typing as npt

from crowdad.scene.streams._base import Step
from crowdad.tubes.scale import SceneScale

__all__ = ["SUMS", "CrowdCounter"]

Array = npt.NDArray[np.float64]

SUMS = 6
"""Tubes, the median of their speeds and the logarithm of the 65 % quantile by tubes, cosines between where they go and
the way from the place that all come from or make for, the weights of these, steps."""

_LEAST_ALIVE = 3  # steps that a path must have: over fewer the flow's noise looks like speed
_LEAST_SPEED = 0.05  # walking speeds: slower is not told from standing
_HIGH = 0.65  # quantile: a few cyclists are no crowd
_TO_MIDDLE = 0.1
_BREAK_S = 3.0
_BREAK_STEPS = 4


class CrowdCounter:
    """Counts the tubes of successive steps.  scale: of the footage; steps: length of a tube."""

    def __init__(self, scale: SceneScale, steps: int) -> None:
        self._scale = scale
        self._walk_ph_s = scale.walk * scale.fps
        self._longest_s = max(_BREAK_S, _BREAK_STEPS * scale.gap / scale.fps)
        self._times: deque[float] = deque(maxlen=steps)
        rows = np.arange(scale.size_hw[0] + 1.0)
        middle = scale.size_hw[1] / 2
        steepness = scale.foreshortening_at(middle, rows) / scale.person_px(middle, rows)
        self._depth = np.concatenate([[0.0], (steepness[1:] + steepness[:-1]).cumsum() / 2])
        self._rows = rows

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
        ages_s = self._times[-1] - np.array(self._times)[::-1]
        oldest = np.minimum(tubes.alive[kept].sum(axis=1), len(ages_s)) - 1
        before = tubes.path_xy[np.flatnonzero(kept), oldest]
        now, then = np.split(self._on_the_ground(np.concatenate([place, before])), 2)
        return _sums((now - then) / (ages_s[oldest] * self._walk_ph_s)[:, None], now), place

    def _on_the_ground(self, place: npt.NDArray[np.float32]) -> Array:
        """Pixels, (N, 2), as places on the ground, to the right and towards the camera, in person heights: (N, 2)."""
        x, y = place.T.astype(np.float64)
        right = (x - self._scale.size_hw[1] / 2) / self._scale.person_px(x, y)
        return np.stack([right, np.interp(y, self._rows, self._depth)], axis=-1)


def _sums(velocity: Array, place: Array) -> Array:
    """(SUMS,) of tubes with these velocities and places on the ground, both (N, 2)."""
    count = len(velocity)
    if not count:
        return np.array([0.0] * (SUMS - 1) + [1.0])
    speed = np.hypot(velocity[:, 0], velocity[:, 1])
    ranks = count // 2, min(int(_HIGH * count), count - 1)
    ordered = np.partition(speed, ranks)
    middle, high = (float(ordered[rank]) for rank in ranks)
    weight = np.minimum(speed, 1)
    way = velocity / (speed + 1e-6)[:, None]
    away = place - _focus(way, place, weight)
    distance = np.hypot(away[:, 0], away[:, 1]) + 1e-6
    near = weight * np.minimum(distance, 1)  # near the focus the way from it says nothing
    cosine = _all_ways(way, weight) * float((way * away).sum(axis=1) / distance @ near)
    return np.array((count, count * middle, count * np.log(max(high, _LEAST_SPEED)), cosine, near.sum(), 1.0))


def _all_ways(way: Array, weight: Array) -> float:
    """How far ways, unit vectors (N, 2), go in all directions: in [0, 1], 0 where all go along one line or one way."""
    x, y = way.T
    together = np.hypot(weight @ x, weight @ y) / (weight.sum() + 1e-9)
    xx, xy, yy = weight @ (x * x), weight @ (x * y), weight @ (y * y)
    half, apart = (xx + yy) / 2, np.hypot((xx - yy) / 2, xy)
    return float(min(1.0, 2 - 2 * together, 2 * np.sqrt(max(half - apart, 0.0) / (half + apart + 1e-9))))


def _focus(way: Array, place: Array, weight: Array) -> Array:
    """Where the ways of all cross, or nearly do: (2,), on the ground; not far from the middle.

    The least squares of the weighted distances to the lines along which they go, and of a share of that to the middle.
    """
    middle = _middle(place)
    (x, y), (right, down) = (place - middle).T, way.T
    across = weight * (down * x - right * y)
    xx, xy, yy = weight @ (down * down), -weight @ (right * down), weight @ (right * right)
    xx, yy = xx + _TO_MIDDLE * len(place), yy + _TO_MIDDLE * len(place)
    to_x, to_y = across @ down, -across @ right
    focus = np.array([yy * to_x - xy * to_y, xx * to_y - xy * to_x]) / (xx * yy - xy * xy)
    spread = _middle(np.hypot(x, y))
    return np.asarray(middle + focus * min(1.0, float(spread / (np.hypot(*focus) + 1e-9))))


def _middle(values: Array) -> Array:
    """The median over the first axis; of an even number the upper one, found in a tenth of the time."""
    half = len(values) // 2
    return np.asarray(np.partition(values, half, axis=0)[half])
