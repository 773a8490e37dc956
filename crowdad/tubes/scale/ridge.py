"""The height that whole people share all over the picture: the ridge among the heights of all blobs."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
from scipy.ndimage import gaussian_filter1d

from crowdad.tubes.scale.figures import Figures

__all__ = ["HALO", "Ridge", "find_ridge"]

Array = npt.NDArray[np.float64]

HALO = 1.07
"""Height of a blob over that of the person in it: outlines are blurred and cast a little shade."""

_DOWNWARDS, _SIDEWAYS = np.linspace(-1.0, 3.0, 14), np.linspace(-0.9, 0.9, 7)
_USUAL = ((0.0, 0.5), (1.0, 1.0))  # mean and deviation of the slopes to the right and downwards
_PRIOR = 0.15  # weight of that against the logarithm of the share on the ridge
_LEVELS, _BLUR = 90, 0.12  # of the histogram of the logarithm of heights
_POWER = 1.75  # 1 finds the scraps, 2 couples
_MOST_SPEED = 2.0  # of the mean: what moves faster is no better evidence
_NEAR = 0.25  # of the logarithm: whose height is on the ridge
_LEAST = 0.15  # of the height at the centre: the plane is not followed to its zero
_STEPS = 4
_PRIOR_WEIGHT = _PRIOR * _BLUR**2


@dataclass(frozen=True, eq=False)
class Ridge:
    """A plane of people's height.

    person: height at the picture's centre, its change to the right and downwards, in pixels and pixels per pixel.
    on: bool (N,), the figures whose height it is.
    """

    person: tuple[float, float, float]
    on: npt.NDArray[np.bool_]
    size_hw: tuple[int, int]

    def height_at(self, x: npt.ArrayLike, y: npt.ArrayLike) -> Array:
        """Height of a person at pixels (x, y)."""
        height, width = self.size_hw
        centre, right, down = self.person
        return np.maximum(
            centre + right * (np.asarray(x) - width / 2) + down * (np.asarray(y) - height / 2), _LEAST * centre
        )


def find_ridge(figures: Figures, size_hw: tuple[int, int], *, weights: Array | None = None, power: float = 1) -> Ridge:
    """The plane of heights that most of the moving area agrees on, tall figures counting more than scraps.

    figures: at least one.  weights: float64 (N,) of the figures.  power: of the usual weight of height.
    A search over slopes, in each of which heights are brought to the centre and the tallest peak of their histogram
    counts, then a robust fit near the best one.  A usual camera looks down: slopes far from its are held back.
    """
    height, width = size_hw
    places = np.stack([figures.x / width - 0.5, figures.y / height - 0.5], axis=1)
    speed = figures.speed
    given = np.sqrt(np.minimum(speed / max(speed.mean(), 1e-9), _MOST_SPEED))
    given = given if weights is None else given * weights
    searched = _searched(figures.height, places, given, power)
    centre, right, down = _refined(figures.height, places, given, power, searched) / HALO
    expected = np.maximum(centre + places @ (right, down), _LEAST * centre)
    on = np.abs(np.log(figures.height / HALO / expected)) < _NEAR
    return Ridge((float(centre), float(right / width), float(down / height)), on, size_hw)


def _searched(heights: Array, places: Array, given: Array, power: float) -> Array:
    """Level and slopes (to the right, downwards; of the level) whose histogram has the tallest peak."""
    low, high = np.log(heights.min()) - 1.0, np.log(heights.max()) + 1.0
    edges = np.linspace(low, high, _LEVELS + 1)
    blur = _BLUR / (edges[1] - edges[0])
    best, most = np.array([np.exp(low), 0.0, 0.0]), -np.inf
    for down in _DOWNWARDS:
        for right in _SIDEWAYS:
            shape = 1 + places @ (right, down)
            if (shape < _LEAST).mean() > 0.02:
                continue
            level = heights / np.maximum(shape, _LEAST)
            counts, _ = np.histogram(np.log(level), edges, weights=given * level ** (_POWER * power))
            smooth = gaussian_filter1d(counts, blur, mode="constant")
            unusual = sum(((x - mean) / doubt) ** 2 / 2 for x, (mean, doubt) in zip((right, down), _USUAL, strict=True))
            score = np.log(max(smooth.max(), 1e-12) / max(counts.sum(), 1e-12)) - _PRIOR * unusual
            if score > most:
                at = int(smooth.argmax())
                peak = float(np.exp((edges[at] + edges[at + 1]) / 2))
                best, most = np.array([peak, peak * right, peak * down]), score
    return best


def _refined(heights: Array, places: Array, given: Array, power: float, plane: Array) -> Array:
    """The plane through the heights near `plane`, by weighted least squares of relative errors."""
    for _ in range(_STEPS):
        expected = np.maximum(plane[0] + places @ plane[1:], _LEAST * plane[0])
        off = np.log(heights / expected)
        near = np.clip(1 - (off / _NEAR) ** 2, 0, None) ** 2
        weight = given * (heights / expected) ** (_POWER * power) * near
        if np.count_nonzero(weight) < len(plane):
            break
        weight = weight / weight.sum()
        terms = np.column_stack([np.ones(len(heights)), places]) / expected[:, None]
        normal = (terms * weight[:, None]).T @ terms
        target = (terms * weight[:, None]).T @ (heights / expected)
        for axis, (mean, doubt) in enumerate(_USUAL, start=1):
            hold = _PRIOR_WEIGHT / (doubt * plane[0]) ** 2
            normal[axis, axis] += hold
            target[axis] += hold * mean * plane[0]
        plane = np.linalg.solve(normal, target)
    return plane
