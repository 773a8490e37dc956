"""status.json: how a watch stands, and in the end how it went; the same record drives the line in the terminal."""

from __future__ import annotations

from pathlib import Path
from typing import Literal

import numpy as np
from pydantic import BaseModel, ConfigDict, Field

from crowdad.files import written_whole
from crowdad.outputs.results import Anomaly, CameraRecord, Count, Number, Seconds, Text

__all__ = ["AlertsRecord", "Delays", "DelaysRecord", "WatchStatus", "write_status"]

_BIN_S = 0.02
_BINS = 6000


class _Record(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class DelaysRecord(_Record):
    """Delays of frames or events, from taking the frame to telling; to 0.02 s, what took over 2 minutes counts as 2."""

    count: Count
    median_s: Seconds
    p95_s: Seconds
    max_s: Seconds


class AlertsRecord(_Record):
    """What became of the alerts for one sink in this run."""

    sink: Text
    delivered: Count
    waiting: Count
    lost: Count = Field(description="thrown out because too many waited, or refused for ever")


class WatchStatus(_Record):
    """How a watch stands."""

    schema_version: Literal[1] = 1
    crowdad_version: Text
    camera: Text
    run: Text
    phase: Literal["warming up", "learning", "scoring", "ended"]
    phase_share: Anomaly | None = Field(default=None, description="how much of warming up or learning is done")
    ended: Text | None = Field(default=None, description="why, once it has")
    state: Literal["connecting", "online", "offline"]
    reason: Text = Field(default="", description="why the camera is offline")
    started_at: Text = Field(description="ISO 8601 in UTC")
    updated_at: Text
    view: CameraRecord | None = Field(
        default=None, description="the camera's view against the model's; null where they were not compared yet"
    )
    size_hw: tuple[Count, Count] | None = None
    camera_fps: Number | None = None
    fps: Number = Field(description="frames a second that were scored lately")
    lag_frames: Count | None = None
    threshold_raw: Number | None = Field(default=None, description="raw anomaly that reads 0.5 at present")
    anomaly: Anomaly = Field(description="of the last scored frame")
    latency_s: Seconds = Field(description="of the last scored frame")
    frames_total: Count = Field(description="all that came of the camera: scored + skipped + waiting")
    scored: Count
    waiting: Count = Field(description="read, and within the lag")
    skipped: dict[str, Count] = Field(description="reason -> frames; dropped ones are among them")
    dropped: Count = Field(description="skipped because scoring was late")
    reconnects: Count
    events: Count
    open_events: Count
    frame_delays: DelaysRecord
    event_delays: DelaysRecord = Field(description="from the first frame of an event to its announcement")
    alerts: list[AlertsRecord]


class Delays:
    """Delays of a watch of any length, in bounded memory."""

    def __init__(self) -> None:
        self._counts = np.zeros(_BINS, np.int64)
        self._max_s = 0.0

    def add(self, delay_s: float) -> None:
        """One more; what is negative, as clocks are set back, counts as 0."""
        delay_s = max(0.0, delay_s)
        self._counts[min(int(delay_s / _BIN_S), _BINS - 1)] += 1
        self._max_s = max(self._max_s, delay_s)

    def record(self) -> DelaysRecord:
        """All so far."""
        count = int(self._counts.sum())
        return DelaysRecord(count=count, median_s=self._quantile(0.5), p95_s=self._quantile(0.95), max_s=self._max_s)

    def _quantile(self, share: float) -> float:
        sums = np.cumsum(self._counts)
        if not sums[-1]:
            return 0.0
        return float(min((np.searchsorted(sums, share * sums[-1]) + 1) * _BIN_S, self._max_s))


def write_status(path: Path, status: WatchStatus) -> None:
    """Replace status.json as a whole; who reads it meanwhile reads the old one.  Raises OSError."""
    with written_whole(path, private=True) as part:
        part.touch(mode=0o600)
        part.write_text(status.model_dump_json(indent=2) + "\n", encoding="utf-8")
