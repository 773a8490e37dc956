"""What is usual of a crowd: middle and spread of what is measured over a second, and how far a second is from it."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from crowdad.config import CalibrationSettings
from crowdad.scene.streams.tails import Tail

__all__ = [
    "CHANGE_S",
    "LEAST_PEOPLE",
    "LONG_S",
    "MEASURES",
    "Usual",
    "distances",
    "measured",
    "raw_of",
    "tail_of",
    "usual_of",
]

Array = npt.NDArray[np.float64]

MEASURES = ("speed", "high", "outwards", "change", "people", "people long")
"""Of one second: logarithms of the median and of the 65 % quantile of speeds; how far all come from one place, the
inverse hyperbolic tangent of the mean cosine, below 0 where they make for it; logarithm of people by those `CHANGE_S`
before; logarithm of people, of the second and of `LONG_S`."""

CHANGE_S = 3.0
LONG_S = 10.0
LEAST_PEOPLE = 0.5
"""Added to all numbers of people: their logarithm has an end."""

_FLOORS = np.array([0.4, 0.5, 0.7, 1.0, 0.5, 0.4])
"""Deviations of one person, which a crowd's share by the root of their number: no footage shows all that is usual."""

_PEOPLE = slice(4, 6)
_LEAST_SPEED = 0.05
_MOST_COSINE = 0.97
_SOON_KNOWN_S = 60.0  # footage of this length tells of the spread, but as much again is not known
_NOT_KNOWN = 1e3  # spread of what the footage was too short for
_FEWEST_WINDOWS = 30.0  # seconds
_ALARM = 4.5  # spreads
_TRUSTED = 0.9  # of the seconds of footage that may hold anomalies: those of a whole crowd are rare
_FOLDS = 5
_TO_TENTH = 1.2816  # spreads from the middle to the 10 % quantile of what is normal


@dataclass(frozen=True, eq=False)
class Usual:
    """middle, spread: float64 (MEASURES,).  tubes_per_person: see `people_among`."""

    middle: Array
    spread: Array
    tubes_per_person: float

    @property
    def people(self) -> float:
        """How many move."""
        return math.exp(float(self.middle[4])) - LEAST_PEOPLE

    @property
    def speed(self) -> float:
        """In walking speeds."""
        return math.exp(float(self.middle[0]))


def measured(second: Array, earlier: Array, longer: Array, tubes_per_person: float) -> Array:
    """(N, MEASURES) of sums over seconds, over those `CHANGE_S` before, and over the `LONG_S` up to their ends.

    Each is (N, SUMS); nan where it is not known, which what is measured of it is too.
    """
    tubes, speed, high, cosine, weight, _ = second.T
    some = np.maximum(tubes, 1e-9)
    now, before, lately = (_log_people(sums, tubes_per_person) for sums in (second, earlier, longer))
    measures = (
        np.log(np.maximum(speed / some, _LEAST_SPEED)),
        high / some,
        np.arctanh(np.clip(cosine / np.maximum(weight, 1e-9), -_MOST_COSINE, _MOST_COSINE)),
        now - before,
        now,
        lately,
    )
    return np.stack(measures, axis=-1)


def _log_people(sums: Array, tubes_per_person: float) -> Array:
    return np.asarray(np.log(sums[:, 0] / sums[:, -1] / tubes_per_person + LEAST_PEOPLE))


def usual_of(measures: Array, tubes_per_person: float, step_s: float) -> Usual:
    """Middle and spread that anomalies among successive measures, (N, MEASURES), hardly move."""
    middle, spread = np.zeros(len(MEASURES)), np.full(len(MEASURES), _NOT_KNOWN)
    for place, values in enumerate(measures.T):
        known = values[np.isfinite(values)]
        seconds = len(known) * step_s
        if seconds < _FEWEST_WINDOWS:
            middle[place] = middle[place - 1]
            continue
        least, low, middle[place], high, most = np.percentile(known, (10, 16, 50, 84, 90))
        widest = max((high - low) / 2, (most - middle[place]) / _TO_TENTH, (middle[place] - least) / _TO_TENTH)
        spread[place] = widest * math.sqrt(1 + _SOON_KNOWN_S / seconds)
    return Usual(middle, spread, tubes_per_person)


def distances(measures: Array, usual: Usual, before: Array | None = None) -> Array:
    """How many spreads each measure is from the usual, with its sign: (N, MEASURES); 0 for nan.

    before: logarithm of people, (N,), before these seconds; so many are no news.
    """
    around = _around(measures, usual)
    away = measures - usual.middle
    if before is not None:
        more = measures[:, _PEOPLE] - np.maximum(usual.middle[_PEOPLE], before[:, None])
        less = measures[:, _PEOPLE] - np.minimum(usual.middle[_PEOPLE], before[:, None])
        away[:, _PEOPLE] = np.maximum(more, 0) + np.minimum(less, 0)
    # Neither a change back to what is usual is unusual, nor what was so for long and is over.
    for place in (3, 5):
        away[:, place] = np.clip(away[:, place], np.minimum(away[:, 4], 0), np.maximum(away[:, 4], 0))
    fewer = np.maximum(usual.people / around, 1)
    away = away / np.sqrt(usual.spread**2 * fewer + _FLOORS**2 / (2 * around))
    away[:, 1] = np.maximum(away[:, 1], 0)  # that nobody hurries is no news
    away[~np.isfinite(away)] = 0.0
    return away


def _around(measures: Array, usual: Usual) -> Array:
    """How many people each measure is a mean of, (N, MEASURES)."""
    now = np.exp(measures[:, 4]) - LEAST_PEOPLE
    before = np.exp(measures[:, 4] - measures[:, 3]) - LEAST_PEOPLE
    around = np.full(measures.shape, usual.people)
    around[:, :3] = np.maximum(now, 1e-3)[:, None]
    around[:, 3] = np.maximum(before, 1e-3)
    return around


def raw_of(away: Array) -> Array:
    """Raw anomaly of distances (N, MEASURES): 1 at the least that may raise an event; (N,).

    Squared: the tail of squares is an exponential one where the distances are normal, and what stays below the level
    hardly shows.
    """
    return np.square(np.abs(away).max(axis=1) / _ALARM)


def tail_of(
    runs: Sequence[Array], tubes_per_person: float, step_s: float, settings: CalibrationSettings, unlabelled: bool
) -> Tail:
    """Tail of the raw anomaly of the footage, each part of it judged by the others.

    runs: successive measures, (N, MEASURES), of each run of footage.  unlabelled: it may hold anomalies.
    """
    whole = np.concatenate(runs)
    part = np.concatenate([np.full(len(run), number) for number, run in enumerate(runs)])
    fold = np.arange(len(whole)) * _FOLDS // len(whole)
    block = max(1, round(1 / step_s))
    peaks = []
    for held in range(_FOLDS):
        usual = usual_of(whole[fold != held], tubes_per_person, step_s)
        for number in np.unique(part[fold == held]):
            raw = raw_of(distances(whole[(fold == held) & (part == number)], usual))
            peaks += [raw[start : start + block].max() for start in range(0, len(raw), block)]
    hours = len(whole) * step_s / 3600
    # Those of a whole crowd are rarer than the anomalies that `trusted` is for.
    rarer = settings.model_copy(update={"trusted": max(settings.trusted, _TRUSTED)})
    return Tail.of(np.array(peaks), hours, rarer, unlabelled)
