"""Metrics by name: `@metric` above a function is all that it takes to be measured in every benchmark."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, SupportsFloat, TypeVar

__all__ = ["METRICS", "ClipMetric", "metric"]

Evaluate = TypeVar("Evaluate", bound=Callable[..., SupportsFloat])


@dataclass(frozen=True)
class ClipMetric:
    """A metric of clips.

    protocol: what is pooled and what is left out.  over: what it takes of each clip: FrameScores, PixelScores,
    RegionCounts or AlarmScores.  of: from a sequence of these to a number, or to what gives one by `float` and has a
    `note`.  resampled: it gets an interval over clips.
    """

    name: str
    protocol: str
    over: type
    of: Callable[[Sequence[Any]], SupportsFloat]
    resampled: bool = True


METRICS: dict[str, ClipMetric] = {}
"""Every metric by name; shown in this order, those over the same evidence together."""


def metric(name: str, protocol: str, *, over: type, resampled: bool = True) -> Callable[[Evaluate], Evaluate]:
    """Measure the function below in every benchmark, see `ClipMetric`."""

    def registered(of: Evaluate) -> Evaluate:
        METRICS[name] = ClipMetric(name, protocol, over, of, resampled)
        return of

    return registered
