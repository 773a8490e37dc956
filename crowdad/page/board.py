"""What there is to show of a camera: written by scoring, which never waits, and read by the server."""

from __future__ import annotations

import json
import struct
import threading
import time
from collections import deque
from collections.abc import Sequence
from dataclasses import dataclass, replace
from itertools import islice
from typing import Any

import numpy as np

from crowdad.detection.live import EventChange, LiveUpdate
from crowdad.outputs.watch_status import WatchStatus
from crowdad.records import Box, Heatmap

__all__ = ["Board", "Cursor", "Shot", "ToldEvent"]

PICTURE_S = 0.1
"""At most one picture in so long is shown."""

POINT_S = 0.1
"""Each point of the curve is the largest anomaly in so long."""

CURVE_S = 300.0
MOST_EVENTS = 20

_BETTER_PEAK = 0.02
_JITTER_S = 0.01  # cameras of ten frames a second give a point with each


@dataclass(frozen=True, eq=False)
class Shot:
    """One picture with what was found in it.  captured_s: unix time.  boxes: of the events that last, by id."""

    number: int
    captured_s: float
    anomaly: float
    heatmap: Heatmap
    boxes: Sequence[tuple[int, Box]]
    jpeg: bytes

    def message(self, jpeg: bytes) -> bytes:
        """As the page's script reads it: length of the JSON (4 bytes), JSON, heat (rows * columns bytes), picture."""
        rows, columns = self.heatmap.anomaly.shape
        head = {
            "number": self.number,
            "captured_s": self.captured_s,
            "anomaly": round(self.anomaly, 4),
            "rows": rows,
            "columns": columns,
            "cell_px": self.heatmap.cell_px,
            "size_hw": self.heatmap.size_hw,
            "boxes": [[event_id, *(round(side, 1) for side in box)] for event_id, box in self.boxes],
        }
        text = json.dumps(head, separators=(",", ":")).encode()
        levels = np.rint(np.clip(self.heatmap.anomaly, 0, 1) * 255).astype(np.uint8)
        return struct.pack(">I", len(text)) + text + levels.tobytes() + jpeg


@dataclass(frozen=True, eq=False)
class ToldEvent:
    """One event as the page lists it; times are unix times.

    end_s: None while it lasts.  merged_into: id of the event that it turned out to be a part of.
    jpeg: the picture that is shown of it, once the event's box was cut out.  look: counts up with every better one.
    kind, sentence: what it is called, and what is unusual in it.  revision: of the board when it last changed.
    """

    event_id: int
    start_s: float
    end_s: float | None
    merged_into: int | None
    peak: float
    box_xyxy: Box
    jpeg: bytes
    kind: str
    sentence: str
    look: int
    revision: int

    def as_dict(self) -> dict[str, Any]:
        """What the page's script reads."""
        return {
            "id": self.event_id,
            "start_s": round(self.start_s, 2),
            "end_s": None if self.end_s is None else round(self.end_s, 2),
            "merged_into": self.merged_into,
            "peak": round(self.peak, 4),
            "kind": self.kind,
            "sentence": self.sentence,
            "look": self.look,
        }


@dataclass(frozen=True)
class Cursor:
    """How far a reader has read."""

    points: int = 0
    revision: int = -1


class Board:
    """The camera at present, its last minutes and its latest events, in bounded memory.  Safe between threads."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._last: LiveUpdate | None = None
        self._shot: Shot | None = None
        self._shot_at_s = -PICTURE_S
        self._gathering: tuple[float, float] | None = None  # unix time and anomaly of the point that still grows
        self._points: deque[tuple[float, float]] = deque(maxlen=round(CURVE_S / POINT_S))
        self._points_seen = 0
        self._events: dict[int, ToldEvent] = {}
        self._revision = 0
        self._state = {"name": "connecting", "reason": "", "since_s": round(time.time(), 1)}
        self._view = ""
        self._health: dict[str, float] = {"fps": 0.0, "latency_s": 0.0}
        self.closed = False

    def update(self, update: LiveUpdate) -> None:
        """One scored frame; takes microseconds."""
        score, jpeg = update.score, update.score.jpeg
        if jpeg is None:
            return
        with self._lock:
            self._last = update
            self._health = {"fps": round(update.fps, 1), "latency_s": round(update.latency_s, 2)}
            self._add_point(score.captured_s, score.result.anomaly)
            boxes = []
            for event in score.open_events:
                known = next((self._events[key] for key in event.keys if key in self._events), None)
                if known is not None:
                    boxes.append((known.event_id, event.now_xyxy))
                    if event.peak_frame == score.result.index and event.peak_anomaly >= known.peak + _BETTER_PEAK:
                        self._change(known, peak=event.peak_anomaly, box_xyxy=event.box_xyxy, jpeg=jpeg)
            now_s = time.monotonic()
            if now_s - self._shot_at_s >= PICTURE_S:
                number = 1 if self._shot is None else self._shot.number + 1
                self._shot = Shot(number, score.captured_s, score.result.anomaly, score.result.heatmap, boxes, jpeg)
                self._shot_at_s = now_s

    def change(self, change: EventChange) -> None:
        """What became of an event at the last frame."""
        with self._lock:
            known = self._events.get(change.key)
            if known is None:
                known = self._begun(change)
            if (change.kind, change.sentence) != (known.kind, known.sentence):
                known = self._change(known, kind=change.kind, sentence=change.sentence)
            if change.type == "end":
                end_s = None if change.end_s is None else _unix(change, change.end_s)
                self._change(known, end_s=end_s, merged_into=change.merged_into)
            elif change.peak_anomaly > known.peak:
                self._change(known, peak=change.peak_anomaly)

    def status(self, status: WatchStatus) -> None:
        """How the watch stands."""
        name: str = status.state
        reason = status.reason
        if name == "online" and status.phase != "scoring":
            name, reason = status.phase, "" if status.phase_share is None else f"{status.phase_share:.0%}"
        view = status.view
        with self._lock:
            told = view is not None and view.verdict != "same"
            self._view = f"{view.verdict.capitalize()}: {view.detail}." if view is not None and told else ""
            changed = name != self._state["name"]
            since_s = round(time.time(), 1) if changed else self._state["since_s"]
            self._state = {"name": name, "reason": reason, "since_s": since_s}
            if changed and name != "online":
                self._end_curve()

    def close(self) -> None:
        """The watch is over: readers are told, and then let go."""
        with self._lock:
            self._state = {"name": "ended", "reason": "the watch is over", "since_s": round(time.time(), 1)}
            self._end_curve()
        self.closed = True

    def picture_after(self, number: int) -> Shot | None:
        """The latest picture where it is another than that of this number."""
        with self._lock:
            return None if self._shot is None or self._shot.number == number else self._shot

    def event(self, event_id: int) -> ToldEvent | None:
        """The event of this id, as long as it is listed."""
        with self._lock:
            return self._events.get(event_id)

    def news(self, cursor: Cursor) -> tuple[dict[str, Any], Cursor]:
        """What a reader has not read yet, as plain JSON, and how far it has then read.

        points: [unix time in ms, anomaly * 255].  events: the oldest change first.  fresh: it is to begin anew.
        """
        with self._lock:
            missing = min(self._points_seen - cursor.points, len(self._points))
            points = [
                [round(1000 * at_s), round(255 * anomaly)]
                for at_s, anomaly in islice(self._points, len(self._points) - missing, None)
            ]
            changed = [event for event in self._events.values() if event.revision > cursor.revision]
            told = {
                "fresh": cursor == Cursor(),
                "points": points,
                "events": [event.as_dict() for event in sorted(changed, key=lambda event: event.revision)],
                "state": self._state,
                "view": self._view,
                "health": self._health,
            }
            return told, Cursor(self._points_seen, self._revision)

    def _add_point(self, captured_s: float, anomaly: float) -> None:
        if self._gathering is not None:
            at_s, highest = self._gathering
            if 0 <= captured_s - at_s < POINT_S - _JITTER_S:
                self._gathering = (at_s, max(highest, anomaly))
                return
            self._points.append(self._gathering)
            self._points_seen += 1
        self._gathering = (captured_s, anomaly)

    def _end_curve(self) -> None:
        """The curve goes down to 0 after the last point, so that it does not seem to go on."""
        if self._gathering is not None:
            self._points += [self._gathering, (self._gathering[0] + POINT_S, 0.0)]
            self._points_seen += 2
            self._gathering = None

    def _begun(self, change: EventChange) -> ToldEvent:
        """List an event, shown as it is now: its peak may be past when it has lasted long enough to be told."""
        last = self._last
        jpeg = b"" if last is None or last.score.jpeg is None else last.score.jpeg
        start_s = _unix(change, change.start_s)
        names = change.kind, change.sentence
        told = ToldEvent(change.key, start_s, None, None, change.peak_anomaly, change.now_xyxy, jpeg, *names, 0, 0)
        while len(self._events) >= MOST_EVENTS:
            del self._events[min(self._events)]
        return self._change(told, look=1)

    def _change(self, event: ToldEvent, **changes: Any) -> ToldEvent:
        self._revision += 1
        look = event.look + ("jpeg" in changes)
        changed = replace(event, **{"look": look, **changes, "revision": self._revision})
        self._events[event.event_id] = changed
        return changed


def _unix(change: EventChange, time_s: float) -> float:
    """Unix time of a time in the footage, near that of the change."""
    return change.captured_s - (change.time_s - time_s)
