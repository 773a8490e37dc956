"""What footage can say of itself: alarms at a rate, or, where it is too short for that, its most unusual moments."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Literal, get_args

import numpy as np
import numpy.typing as npt

from crowdad.config import Settings
from crowdad.detection.events import MOST_MOMENTS, EventFinder, MomentFinder
from crowdad.errors import ConfigError
from crowdad.records import Event, FrameResult
from crowdad.scene.calibration import raw_of, readable
from crowdad.scene.model import SceneModel

__all__ = ["RATES", "EventWatch", "Sensitivity", "check_sensitivity", "is_ranked", "ranked_level", "ranked_note"]

Sensitivity = Literal["low", "normal", "high"]

RATES: dict[str, float] = {"low": 0.2, "normal": 1.0, "high": 5.0}
"""False alarms an hour that each sensitivity means."""

_CLEARLY: dict[str, float] = {"low": 3.0, "normal": 2.3, "high": 1.6}
"""Times that a moment of a short clip stands out to be an event; see `Calibration.surprise`."""

_LONG_ENOUGH_S = 300.0
_RECURRING, _AROUND_S = 0.1, 1.0  # share of the clip in which a place is warm besides an event, and around it
_WARM = 1.0  # times that a warm place stands out
_USUAL = 0.3  # times that a moment stands out: what does less is like anything else
_LEVELS = (0.75, 0.5, 0.3, 0.15, 0.05, 0.01, 0.0)  # where moments are followed, from usual to an event's level
_LEAST = 1e-5  # anomaly


def check_sensitivity(sensitivity: str | None) -> None:
    """Raise ConfigError for anything but "low", "normal", "high" or None."""
    if sensitivity is not None and sensitivity not in get_args(Sensitivity):
        raise ConfigError(f"sensitivity {sensitivity!r} is unknown; choose low, normal or high")


def is_ranked(scene: SceneModel) -> bool:
    """Whether the scene was learned from a clip alone that is too short to set an alarm level."""
    provenance = scene.provenance
    if provenance["how"] != "self-fitted" or scene.calibration.spread <= 0:
        return False
    if scene.settings.calibration.false_alarms_per_hour != Settings().calibration.false_alarms_per_hour:
        return False  # the user thinks in rates
    return _seconds(scene) < _LONG_ENOUGH_S


def ranked_level(scene: SceneModel, sensitivity: str | None) -> float:
    """Raw anomaly from which a moment of a short clip is an event."""
    return scene.calibration.standing_out(_CLEARLY[sensitivity or "normal"])


def ranked_note(scene: SceneModel) -> str:
    """What to know of events of a short clip."""
    return (
        f"this clip is too short ({_seconds(scene):.0f} seconds) to set an alarm level: events are the moments that "
        "stand out clearly, at places that are calm for most of it; for alarms, learn from five minutes or more"
    )


def _seconds(scene: SceneModel) -> float:
    return float(scene.provenance.get("frames", 0)) / scene.scale.fps


class EventWatch:
    """Finds the events of a run frame by frame, and the candidates of a short clip.

    ranked: it is too short for an alarm level, see `is_ranked`.  threshold_raw: raw anomaly that reads 0.5.
    """

    def __init__(self, scene: SceneModel, fps: float, threshold_raw: float, ranked: bool) -> None:
        chosen, person_px = scene.settings.events, scene.scale.person_px
        self._scene = scene
        self._threshold_raw = threshold_raw
        self._finder = EventFinder.from_settings(chosen, fps, person_px)
        self._warm = self._readable(scene.calibration.standing_out(_WARM))
        self._moments = MomentFinder(chosen, fps, person_px, self._moment_levels()) if ranked else None
        self._events: list[Event] = []
        self._hot: list[tuple[float, npt.NDArray[np.uint8]]] = []  # of a short clip: warm cells, packed
        self._frames = 0
        self._cell_px = 1.0

    def push(self, result: FrameResult) -> None:
        """Take the next frame."""
        self._events += self._finder.push(result)
        if self._moments is not None:
            self._moments.push(result)
            self._frames += 1
            self._cell_px = result.heatmap.cell_px
            if result.anomaly >= self._warm:
                self._hot.append((result.time_s, np.packbits(result.heatmap.anomaly >= self._warm, axis=1)))

    def finish(self) -> tuple[Sequence[Event], Sequence[Event]]:
        """Events in order of start, and candidates, the most unusual first."""
        events = self._events + self._finder.finish()
        if self._moments is None:
            return self._scene.named(events), ()
        moments = [
            replace(moment, recurring=self._recurs(moment)) for moment in (*events, *self._moments.finish(events))
        ]
        clear = [moment for moment in moments[: len(events)] if not moment.recurring]
        others = [moment for moment in moments if moment not in clear]
        told = self._scene.named(map(self._surprising, clear))
        room = max(0, MOST_MOMENTS - len(told))
        wanted = self._scene.named(map(self._surprising, others))
        ranked = sorted(wanted, key=lambda event: -event.peak_anomaly)[:room]
        candidates = [
            replace(event, event_id=number, candidate=True) for number, event in enumerate(ranked, start=len(told) + 1)
        ]
        # The first candidate is told whatever it is; a further one only if it stands out a little.
        return told, [
            moment for place, moment in enumerate(candidates) if not place or (moment.surprise or 0) >= _USUAL
        ]

    def _recurs(self, event: Event) -> bool:
        """Whether the event's place is warm for much of the rest of the clip: then that is usual there."""
        around = (event.start_s - _AROUND_S, event.end_s + _AROUND_S)
        x0, y0, x1, y1 = (side / self._cell_px for side in event.box_xyxy)
        rows, columns = slice(int(y0), int(np.ceil(y1))), slice(int(x0), int(np.ceil(x1)))
        others = [
            np.unpackbits(hot[rows], axis=1)[:, columns]
            for time_s, hot in self._hot
            if not around[0] <= time_s <= around[1]
        ]
        return bool(others) and bool(np.sum(others, axis=0, dtype=np.int64).max() > _RECURRING * self._frames)

    def _moment_levels(self) -> list[float]:
        usual, level = self._scene.calibration.usual, self._threshold_raw
        levels = (self._readable(usual + share * (level - usual)) for share in _LEVELS)
        return sorted({level for level in levels if _LEAST < level < 0.5})

    def _readable(self, raw: float) -> float:
        return float(readable(np.array([raw], np.float32), self._threshold_raw)[0])

    def _surprising(self, event: Event) -> Event:
        raw = float(raw_of(np.array([event.peak_anomaly], np.float32), self._threshold_raw)[0])
        return replace(event, surprise=max(self._scene.calibration.surprise(raw), 0.0))
