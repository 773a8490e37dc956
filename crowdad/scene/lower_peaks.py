"""Where normal ends in footage that may hold anomalies: read from the lower peaks of every place."""

from __future__ import annotations

import math

import numpy as np
import numpy.typing as npt
from scipy.optimize import brentq

from crowdad.config import CalibrationSettings
from crowdad.scene.calibration import Calibration

__all__ = ["fit_lower_peaks"]

Floats = npt.NDArray[np.float64]

_LOCAL = 0.2  # quantile of a group's peaks that stands for their width
_DOUBT = 20  # peaks in a group at which its own quantile and that of all peaks weigh the same
_SPELL = 20  # blocks of time in which about as much goes on
_LOWEST = 0.1  # quantile below which peaks are of hardly anything
_PARTS = (3 / 7, 5 / 7, 1.0)  # of the trusted share, up to which peaks may be taken for normal
_FEWEST = 200  # peaks: of fewer, neither places nor the lowest are known
_LEAST_SCALE = 0.2  # lower limit, as a share of the middle: equal peaks do not prove that higher ones never come
_OFTEN = 100.0  # peaks an hour above the level that the tail begins at


def fit_lower_peaks(
    by_place: npt.NDArray[np.floating], hours: float, settings: CalibrationSettings
) -> Calibration | None:
    """Tail of normal peaks that anomalies hardly move, however many of the higher peaks are theirs.

    by_place: (T, rows, columns), peaks of successive blocks of time at every place, 0 where there is none.
    hours: length of the footage they come from.
    Each peak is the largest of many votes, so normal ones follow a Gumbel distribution, wider at some places and in
    some spells of time than in others.  Anomalies come and go: the lower peaks of a place, and of a spell, are normal
    ones, and tell how wide it is there.  Measured by that, the lower peaks of all lie on one line against the quantiles
    of the distribution; the line through the lowest of them counts, or one through more where that promises less.
    Returns None where there are too few peaks.
    Source: Gumbel 1958, Statistics of Extremes, probability plot, with the upper part left out.
    """
    times, *places = np.nonzero(by_place > 0)
    if len(times) < _FEWEST:
        return None
    values = by_place[times, *places].astype(np.float64)
    wide = _width(values, np.ravel_multi_index(places, by_place.shape[1:]))
    wide *= _width(values / wide, times // _SPELL)
    lines = [_line(values / wide, part * settings.trusted) for part in _PARTS]
    often = max(min(_OFTEN, len(values) / hours / 2), 2.0)
    levels = [[_level(wide * middle, wide * scale, hours * rate) for rate in (often, 1.0)] for middle, scale in lines]
    level, at_one = min(levels, key=lambda each: each[1])
    scale = (at_one - level) / math.log(often)
    return Calibration(level, often, 0.0, max(scale, 1e-9), hours, "Gumbel distribution of the lower peaks")


def _width(values: Floats, group: npt.NDArray[np.int64]) -> Floats:
    """What the peaks of each value's group are measured by, (N,); mostly that of all where a group has few."""
    everywhere = math.log(np.quantile(values, _LOCAL))
    wide = np.empty_like(values)
    order = np.argsort(group, kind="stable")
    for here in np.split(order, np.flatnonzero(np.diff(group[order])) + 1):
        share = len(here) / (len(here) + _DOUBT)
        wide[here] = share * math.log(np.quantile(values[here], _LOCAL)) + (1 - share) * everywhere
    return np.asarray(np.exp(wide))


def _line(values: Floats, until: float) -> tuple[float, float]:
    """Middle and scale of the distribution of which these are the peaks up to a quantile."""
    quantile = (np.arange(len(values)) + 0.5) / len(values)
    used = (quantile >= _LOWEST) & (quantile <= until)
    scale, middle = np.polyfit(-np.log(-np.log(quantile[used])), np.sort(values)[used], 1)
    return float(middle), max(float(scale), _LEAST_SCALE * float(middle))


def _level(middle: Floats, scale: Floats, times: float) -> float:
    """Level that peaks of these distributions, (N,) each, pass `times` times in all; at least their median middle."""

    def too_often(level: float) -> float:
        passing = -np.expm1(-np.exp(np.clip((middle - level) / scale, -700, 50)))
        return float(passing.sum()) - times

    lowest, highest = float(np.median(middle)), float((middle + 60 * scale).max())
    return float(brentq(too_often, lowest, highest)) if too_often(lowest) > 0 else lowest
