"""How far a metric moves with the choice of clips."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TypeVar

import numpy as np

from crowdad.errors import UndefinedMetricError

__all__ = ["Interval", "bootstrap_over_clips"]

AnyClip = TypeVar("AnyClip")

_LOW_SHARE, _HIGH_SHARE = 0.025, 0.975


@dataclass(frozen=True)
class Interval:
    """95 % interval [low, high]; used + skipped = resamples drawn; skipped ones had no value."""

    low: float
    high: float
    used: int
    skipped: int


def bootstrap_over_clips(
    metric: Callable[[Sequence[AnyClip]], float], clips: Sequence[AnyClip], n: int = 1000, seed: int = 0
) -> Interval:
    """95 % percentile interval of `metric` over n resamples of whole clips, drawn with replacement.

    Frames of one clip resemble each other, so clips are drawn, not frames.  metric: takes clips, returns a float; a
    resample for which it raises UndefinedMetricError is skipped and counted.
    Raises UndefinedMetricError where every resample is skipped, ValueError for no clips or n < 1.
    """
    if not clips or n < 1:
        raise ValueError(f"{len(clips)} clips and n = {n}; at least one of each is needed")
    rng = np.random.default_rng(seed)
    values = []
    for places in rng.integers(len(clips), size=(n, len(clips))):
        try:
            values.append(metric([clips[place] for place in places]))
        except UndefinedMetricError:
            continue
    if not values:
        raise UndefinedMetricError(f"the metric has no value in any of {n} resamples of {len(clips)} clips")
    low, high = np.quantile(values, [_LOW_SHARE, _HIGH_SHARE])
    return Interval(float(low), float(high), len(values), n - len(values))
