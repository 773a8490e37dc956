"""A camera that never was: scores, events and states as a watch tells them."""

from __future__ import annotations

from typing import Literal

import cv2
import numpy as np

from crowdad.detection.live import EventChange, LiveScore, LiveUpdate
from crowdad.outputs.watch_status import Delays, WatchStatus
from crowdad.records import FrameResult, Heatmap, OpenEvent
from crowdad.sources import StreamStatus
from crowdad.sources.jpeg import packed

SIZE_HW = (96, 128)
CELL_PX = 8.0
GRID = (12, 16)
BEGAN_S = 1_700_000_000.0
"""Unix time of the camera's first frame."""


def update(
    index: int,
    anomaly: float = 0.1,
    events: tuple[OpenEvent, ...] = (),
    *,
    size_hw: tuple[int, int] = SIZE_HW,
    began_s: float = BEGAN_S,
    fps: float = 10.0,
    grey: int = 90,
) -> LiveUpdate:
    """One scored frame; its picture is grey, one cell of its heat, which walks right, as hot as its anomaly."""
    heat = np.zeros(GRID, np.float32)
    heat[5, index % GRID[1]] = anomaly
    picture = np.full((*size_hw, 3), grey, np.uint8)
    for event in events:
        x0, y0, x1, y1 = (round(side) for side in event.now_xyxy)
        cv2.rectangle(picture, (x0, y0), (x1, y1), (30, 30, 220), -1)
    cell_px = CELL_PX * size_hw[1] / SIZE_HW[1]
    heatmap = Heatmap(heat, cell_px, size_hw)
    result = FrameResult(index, index / fps, 1 - anomaly, anomaly, anomaly >= 0.5, False, 5, heatmap)
    captured_s = began_s + index / fps
    score = LiveScore(result, captured_s, packed(picture), events)
    return LiveUpdate(score, StreamStatus("online", captured_s), fps, 0.8)


def open_event(key: int, first: int, peak: int, anomaly: float = 0.8, fps: float = 10.0) -> OpenEvent:
    """An event that began at frame `first` and had its peak at frame `peak`."""
    box = (40.0, 20.0, 60.0, 80.0)
    return OpenEvent((key,), first / fps, first, peak / fps, peak, anomaly, box, box, True)


def change(
    kind: Literal["new", "update", "end"],
    key: int,
    index: int,
    first: int,
    anomaly: float = 0.8,
    *,
    merged_into: int | None = None,
    began_s: float = BEGAN_S,
    fps: float = 10.0,
) -> EventChange:
    """What became of an event at frame `index`."""
    box = (40.0, 20.0, 60.0, 80.0)
    end_s = index / fps if kind == "end" else None
    at_s, start_s = index / fps, first / fps
    return EventChange(
        kind, key, at_s, began_s + at_s, start_s, first, at_s, index, anomaly, box, box, end_s, merged_into
    )


def status(
    state: Literal["connecting", "online", "offline"] = "online",
    reason: str = "",
    phase: Literal["warming up", "learning", "scoring", "ended"] = "scoring",
    share: float | None = None,
) -> WatchStatus:
    """How the watch stands."""
    return WatchStatus(
        crowdad_version="0.1.0",
        camera="gate",
        run="r",
        phase=phase,
        phase_share=share,
        state=state,
        reason=reason,
        started_at="2024-01-01T00:00:00Z",
        updated_at="2024-01-01T00:00:00Z",
        fps=10.0,
        anomaly=0.1,
        latency_s=0.8,
        frames_total=9,
        scored=9,
        waiting=0,
        skipped={},
        dropped=0,
        reconnects=0,
        events=0,
        open_events=0,
        frame_delays=Delays().record(),
        event_delays=Delays().record(),
        alerts=[],
    )
