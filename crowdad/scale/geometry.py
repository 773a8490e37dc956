"""The camera's geometry, read from figures: how people's height changes over the picture, and foreshortening."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import numpy.typing as npt

from crowdad.scale.figures import MIN_FIGURES, displacement
from crowdad.scale.scene_scale import SceneScale

__all__ = ["TYPICAL_FORESHORTENING", "foreshortening_of", "moves_of", "person_plane"]

Array = npt.NDArray[np.float64]

_BOOTSTRAPS = 16
_PRIOR_SLOPE = ((0.0, 0.3), (1.0, 1.0))  # mean and error, to the right and downwards, a picture's width or height
_MISLED = 0.7  # share of what neighbours disagree by that may be one end of the band against the other
TYPICAL_FORESHORTENING = 1.7  # a camera that looks down by 36 degrees
_MOST_FORESHORTENING = 4.0  # at the picture's centre: looking down by 15 degrees
_FEW_ALONG = 0.1  # share of figures: those who move along the line of sight are then mostly people who stand or turn


def person_plane(figures: Array, size_hw: tuple[int, int]) -> tuple[tuple[float, float, float], tuple[float, float]]:
    """Person height as a plane over the picture, and the rows in which figures were seen.

    Two witnesses of the slope, weighted by their certainty: the figures' heights, which groups and broken outlines
    mislead, and their displacements, which differ by walking direction.  Where neighbours disagree, as they do where
    outlines break, one end of the band may be misread against the other: little is then learnt from a narrow band, and
    a typical camera's slope stands.
    """
    height, width = size_hw
    x, y, _, tall = figures[:, :4].T
    rows = (float(np.quantile(y, 0.02)), float(np.quantile(y, 0.98)))
    middle = np.array([np.median(x), np.median(y)])
    places = (figures[:, :2] - middle) / (width, height)
    typical, doubt = np.transpose(_PRIOR_SLOPE)
    precision = 1 / np.square(doubt)
    total = precision * typical
    for witness in (tall, displacement(figures)):
        slopes, error = _relative_slopes(places, witness)
        weight = 1 / np.square(error)
        precision = precision + weight
        total = total + weight * slopes
    right, down = total / precision
    shape = np.maximum(1 + right * places[:, 0] + down * places[:, 1], 0.1)
    level = float(np.median(tall / shape))
    at_centre = 1 + right * (0.5 - middle[0] / width) + down * (0.5 - middle[1] / height)
    return (float(level * at_centre), float(level * right / width), float(level * down / height)), rows


def _relative_slopes(places: Array, values: Array) -> tuple[Array, Array]:
    """Change (to the right, downwards) over the picture relative to the middle, and its error.

    The error is the bootstrap's, and what neighbours disagree by over the width of the band that was seen.
    """
    from sklearn.linear_model import QuantileRegressor  # half of the time to a first score, which only fits need

    def fitted(drawn: npt.NDArray[np.intp]) -> Array:
        fit = QuantileRegressor(quantile=0.5, alpha=0, solver="highs").fit(places[drawn], values[drawn])
        return fit.coef_ / max(fit.intercept_, 1e-6)

    rng = np.random.default_rng(0)
    count = len(places)
    drawn = [fitted(rng.integers(count, size=count)) for _ in range(_BOOTSTRAPS)]
    slopes = fitted(np.arange(count))
    rest = np.log(np.maximum(values, 1e-6) / np.maximum(1 + places @ slopes, 0.1))
    disagreement = 1.4826 * float(np.median(np.abs(rest - np.median(rest))))
    band = np.maximum(np.ptp(np.quantile(places, (0.1, 0.9), axis=0), axis=0), 1e-3)
    return slopes, np.hypot(np.std(drawn, axis=0) + 1e-3, _MISLED * disagreement / band)


def moves_of(figures: Array, scale: SceneScale) -> Array:
    """How far each figure moved, in person heights, as if it had walked across the picture."""
    x, y, dx, dy = figures[:, [0, 1, 5, 6]].T
    return np.hypot(dx, scale.foreshortening_at(x, y) * dy) / scale.person_px(x, y)


def foreshortening_of(figures: Array, scale: SceneScale) -> tuple[float, int]:
    """Ratio of brisk walkers' displacements across and along the line of sight, as seen at the picture's centre.

    Returns it and how many walked along, 0 where it is assumed.

    Who walks along it is told by a first guess of the ratio.  The upper quartiles are compared, since people who stand
    and sway are seen in every direction; a typical camera's value stands in where too few walk along the line of sight.
    """
    x, y, dy = figures[:, [0, 1, 6]].T
    person_px = scale.person_px(x, y)
    along_move = np.abs(dy) * scale.person[0] / np.square(person_px)
    ratio, seen = TYPICAL_FORESHORTENING, len(figures)
    for _ in range(2):
        guess = replace(scale, foreshortening=ratio, along=seen)
        moves = moves_of(figures, guess)
        steepness = guess.foreshortening_at(x, y) * np.abs(dy) / np.maximum(moves * person_px, 1e-6)
        across, along = moves[steepness < 0.5], along_move[steepness > 0.8]
        if len(across) < MIN_FIGURES // 2 or len(along) < max(MIN_FIGURES // 2, _FEW_ALONG * len(moves)):
            return TYPICAL_FORESHORTENING, 0
        seen = len(along)
        ratio = float(np.clip(np.quantile(across, 0.75) / np.quantile(along, 0.75), 1.0, _MOST_FORESHORTENING))
    return ratio, seen
