"""What a person would be told at the alarm level: events against true intervals, and flagged frames.

A true interval is a run of consecutive anomalous frames of one clip.  It is told where an event overlaps it in time,
wherever in the picture.  A false event overlaps no anomalous frame.  Events are those that `crowdad detect` finds with
the scene's settings: by default at least 0.4 s above the alarm level.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np
import numpy.typing as npt

from crowdad.detection.events import EventFinder
from crowdad.errors import UndefinedMetricError
from crowdad.evaluation.metrics.registry import metric
from crowdad.records import FrameResult

__all__ = [
    "Alarm",
    "AlarmScores",
    "Counted",
    "alarm_delay_s",
    "anomalous_frames_flagged",
    "events_told",
    "false_events_per_hour",
    "find_alarms",
    "intervals",
    "normal_frames_flagged",
    "seconds_to_alarm",
]

_HOUR_S = 3600.0


@dataclass(frozen=True)
class Alarm:
    """One event of one clip; frames are counted from 0, the last one included.

    reached_frame: the frame at whose end the event had been above the alarm level for long enough to be told.
    """

    start_frame: int
    end_frame: int
    reached_frame: int

    def overlaps(self, first_frame: int, last_frame: int) -> bool:
        """Whether the event and frames `first_frame` to `last_frame` have a frame in common."""
        return self.start_frame <= last_frame and self.end_frame >= first_frame


@dataclass(frozen=True, eq=False)
class AlarmScores:
    """One clip's events and flagged frames beside its ground truth.

    flagged, anomalous: bool (T,).  fps: frames a second.
    kinds: by kind of anomaly, where kinds are known, bool (T,): whether it is seen.
    Raises ValueError for other shapes, and for a rate that is not above 0.
    """

    name: str
    flagged: npt.NDArray[np.bool_]
    anomalous: npt.NDArray[np.bool_]
    alarms: tuple[Alarm, ...]
    fps: float
    kinds: Mapping[str, npt.NDArray[np.bool_]] = field(default_factory=dict)

    def __post_init__(self) -> None:
        shapes = {self.flagged.shape, self.anomalous.shape, *(seen.shape for seen in self.kinds.values())}
        if len(shapes) != 1 or self.flagged.ndim != 1:
            raise ValueError(f"{self.name}: arrays of {sorted(shapes)}; one shape (T,) is needed")
        if not self.fps > 0:
            raise ValueError(f"{self.name}: fps is {self.fps}; a number above 0 is needed")

    @property
    def false_events(self) -> int:
        """Events that overlap no anomalous frame."""
        return sum(not self.anomalous[alarm.start_frame : alarm.end_frame + 1].any() for alarm in self.alarms)


@dataclass(frozen=True)
class Counted:
    """A rate beside what it was counted from."""

    rate: float
    note: str

    def __float__(self) -> float:
        return self.rate


def find_alarms(results: Iterable[FrameResult], finder: EventFinder) -> tuple[Alarm, ...]:
    """The events of one clip in order of their start; `finder` has seen nothing yet."""
    reached: dict[int, int] = {}  # by the key of what lasts: the first frame at which it lasted long enough
    found: list[Alarm] = []
    last = 0
    for result in results:
        last = result.index
        finder.push(result)
        for event in finder.open_events():
            for key in event.keys if event.lasts else ():
                reached.setdefault(key, last)
        found += _closed(finder, last, reached)
    finder.finish()
    found += _closed(finder, last, reached)
    return tuple(sorted(found, key=lambda alarm: (alarm.start_frame, alarm.end_frame)))


def _closed(finder: EventFinder, frame: int, reached: Mapping[int, int]) -> list[Alarm]:
    """Events that were found to be over at `frame`; parts that last only together are told no earlier than then."""
    return [
        Alarm(
            closed.event.start_frame,
            closed.event.end_frame,
            min((reached[key] for key in closed.keys if key in reached), default=frame),
        )
        for closed in finder.closed
    ]


def intervals(anomalous: npt.NDArray[np.bool_]) -> list[tuple[int, int]]:
    """First and last frame of each run of True in bool (T,), counted from 0, in order."""
    edges = np.flatnonzero(np.diff(np.concatenate([[0], anomalous.astype(np.int8), [0]])))
    return [(int(first), int(past) - 1) for first, past in edges.reshape(-1, 2)]


def alarm_delay_s(clip: AlarmScores, first_frame: int, last_frame: int) -> float | None:
    """Seconds from the start of a true interval to the first alarm in it; None where no event overlaps it.

    An event tells from the end of its `reached_frame` on; 0 where that was before the interval began.  The detector's
    own lag comes on top for a live camera.
    """
    told = [alarm.reached_frame for alarm in clip.alarms if alarm.overlaps(first_frame, last_frame)]
    return max(0, min(told) + 1 - first_frame) / clip.fps if told else None


@metric("events told", "share of true intervals that an event overlaps in time; alarm level", over=AlarmScores)
def events_told(clips: Sequence[AlarmScores]) -> Counted:
    """Share of the true intervals of all clips that an event overlaps, in [0, 1].

    Level: event.  Pooling: micro (intervals of all clips).  Position in the picture does not count.
    Raises UndefinedMetricError where no frame is anomalous.
    """
    delays = _delays_s(clips)
    told = sum(delay is not None for delay in delays)
    return _share(told, len(delays), "true intervals")


@metric(
    "false events an hour",
    "events that overlap no anomalous frame, over the hours of normal frames in the test clips; alarm level",
    over=AlarmScores,
)
def false_events_per_hour(clips: Sequence[AlarmScores]) -> Counted:
    """Events that overlap no anomalous frame, for each hour of normal footage in the same clips; lower = better.

    Level: event.  Pooling: micro (events and normal frames of all clips).
    Raises UndefinedMetricError where no frame is normal.
    """
    normal_s = float(sum(np.count_nonzero(~clip.anomalous) / clip.fps for clip in clips))
    if not normal_s:
        raise UndefinedMetricError("no normal frame; false events are counted over normal footage")
    count = sum(clip.false_events for clip in clips)
    return Counted(count * _HOUR_S / normal_s, f"{count} in {normal_s / 60:.1f} minutes")


@metric(
    "seconds to the alarm",
    "median over told intervals; from an interval's first frame until its event had lasted long enough to be told",
    over=AlarmScores,
    resampled=False,
)
def seconds_to_alarm(clips: Sequence[AlarmScores]) -> float:
    """Median over the told intervals of `alarm_delay_s`, in seconds; lower = better.

    Intervals that are not told are left out, so it is read beside `events_told`.
    Raises UndefinedMetricError where none is told.
    """
    delays = [delay for delay in _delays_s(clips) if delay is not None]
    if not delays:
        raise UndefinedMetricError("no true interval is told; the delay is that of told ones")
    return float(np.median(delays))


@metric("anomalous frames flagged", "share of all anomalous frames at or above the alarm level", over=AlarmScores)
def anomalous_frames_flagged(clips: Sequence[AlarmScores]) -> Counted:
    """Share of anomalous frames that are flagged, in [0, 1].  Level: frame.  Pooling: micro.

    Raises UndefinedMetricError where no frame is anomalous.
    """
    flagged = sum(int(np.count_nonzero(clip.flagged & clip.anomalous)) for clip in clips)
    return _share(flagged, sum(int(np.count_nonzero(clip.anomalous)) for clip in clips), "frames")


@metric("normal frames flagged", "share of all normal frames at or above the alarm level", over=AlarmScores)
def normal_frames_flagged(clips: Sequence[AlarmScores]) -> Counted:
    """Share of normal frames that are flagged, in [0, 1], lower = better.  Level: frame.  Pooling: micro.

    Raises UndefinedMetricError where no frame is normal.
    """
    flagged = sum(int(np.count_nonzero(clip.flagged & ~clip.anomalous)) for clip in clips)
    return _share(flagged, sum(int(np.count_nonzero(~clip.anomalous)) for clip in clips), "frames")


def _delays_s(clips: Sequence[AlarmScores]) -> list[float | None]:
    return [alarm_delay_s(clip, *interval) for clip in clips for interval in intervals(clip.anomalous)]


def _share(count: int, of: int, what: str) -> Counted:
    if not of:
        raise UndefinedMetricError(f"none of the {what} that are counted is there; at least one is needed")
    return Counted(count / of, f"{count} of {of} {what}")
