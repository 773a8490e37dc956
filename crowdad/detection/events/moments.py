"""The most unusual moments of a short clip, ranked, whether or not they stand out enough to be events."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import chain

import numpy as np

from crowdad.config import EventSettings
from crowdad.detection.events.boxes import centres
from crowdad.detection.events.finder import EventFinder
from crowdad.detection.events.regions import PersonHeight
from crowdad.records import Box, Event, FrameResult

__all__ = ["MOST_MOMENTS", "MomentFinder"]

MOST_MOMENTS = 5
"""Moments that are told of a short clip, its events among them."""

_APART_S = 0.6
_APART_SIZES = 1.0


class MomentFinder:
    """Follows what is warm at several levels below the threshold, from which moments are ranked in the end.

    levels: anomalies below that of an event, in (0, 0.5).  settings, fps, person_px: as of `EventFinder`.

    A moment is a separated peak in space and time: what one finder follows, as high as it still stands out by itself.
    One moving subject is one moment: what is followed further down at the same place and time is the same one.
    """

    def __init__(
        self, settings: EventSettings, fps: float, person_px: PersonHeight | None, levels: Sequence[float]
    ) -> None:
        self._finders = [
            EventFinder.from_settings(settings, fps, person_px, level) for level in sorted(levels, reverse=True)
        ]
        self._found: list[list[Event]] = [[] for _ in self._finders]

    def push(self, result: FrameResult) -> None:
        """Take the next frame."""
        for finder, found in zip(self._finders, self._found, strict=True):
            found += finder.push(result)

    def finish(self, events: Sequence[Event]) -> list[Event]:
        """The `MOST_MOMENTS` most unusual moments that belong to none of the events, the most unusual first."""
        for finder, found in zip(self._finders, self._found, strict=True):
            found += finder.finish()
        chosen: list[Event] = []
        by_level = (sorted(found, key=lambda event: -event.peak_anomaly) for found in self._found)
        for moment in chain.from_iterable(by_level):
            if not any(_same_subject(moment, other) for other in chain(events, chosen)):
                chosen.append(moment)
        chosen.sort(key=lambda event: (-event.peak_anomaly, event.start_s))
        return chosen[:MOST_MOMENTS]


def _same_subject(first: Event, second: Event) -> bool:
    """Whether two moments are seen at one place at about one time, so that they are the same subject."""
    earlier, later = sorted((first, second), key=lambda event: event.start_s)
    if later.start_s > earlier.end_s + _APART_S:
        return False
    common = sorted(earlier.boxes.keys() & later.boxes.keys())
    if not common:
        before, after = earlier.boxes[max(earlier.boxes)], later.boxes[min(later.boxes)]
        return _distance_px(before, after) <= _APART_SIZES * max(_diagonal_px(before), _diagonal_px(after))
    boxes = [np.array([event.boxes[frame] for frame in common]) for event in (earlier, later)]
    upper, lower = np.minimum(*(box[:, 2:] for box in boxes)), np.maximum(*(box[:, :2] for box in boxes))
    return bool(((upper - lower).min(axis=1) >= 0).any())


def _distance_px(first: Box, second: Box) -> float:
    return float(np.linalg.norm(centres(np.array(first)) - centres(np.array(second))))


def _diagonal_px(box: Box) -> float:
    return float(np.hypot(box[2] - box[0], box[3] - box[1]))
