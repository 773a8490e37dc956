"""Clips of a watched camera: the seconds before, during and after an event as mp4 with overlay, within a disk budget.

Pictures wait packed, in memory before an event and on disk from its beginning on, so that memory stays bounded however
large the pictures are and however long the event is.
"""

from __future__ import annotations

import os
import queue
import tempfile
import threading
import time
from collections import deque
from collections.abc import Callable, Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import BinaryIO

import numpy as np

from crowdad.files import written_whole
from crowdad.outputs.overlay import write_overlay
from crowdad.outputs.tables import FrameTable
from crowdad.records import Box, Event, Frame, FrameResult, Heatmap, OpenEvent
from crowdad.sources.jpeg import unpacked

__all__ = ["ClipRecorder", "keep_within"]

_WAITING_CLIPS = 2
_SUFFIX = ".mp4"
_STOP_S = 10.0


@dataclass(frozen=True, eq=False)
class _PackedFrame:
    """A scored frame with its packed picture."""

    result: FrameResult
    captured_s: float
    jpeg: bytes


@dataclass(eq=False)
class _Sighting:
    """What the clip tells of one event."""

    event: OpenEvent
    boxes: dict[int, Box] = field(default_factory=dict)


@dataclass(frozen=True)
class _Spooled:
    """Where a shot is in the spool, and the row that is told of it."""

    offset: int
    jpeg_bytes: int
    heat_shape: tuple[int, ...]
    cell_px: float
    size_hw: tuple[int, int]
    index: int
    time_s: float
    anomaly: float


class ClipRecorder:
    """Records clips into a folder while a camera is watched.

    folder: made with the first clip.  keep_bytes: what all clips in it may take; the oldest go first.
    before_s, after_s: kept around events.  most_s: length of one clip; what an event lasts longer is not in it.
    notice: told in one line when a clip cannot be written or kept; from any thread.

    Events that overlap, or follow each other closely, share a clip.  Clips are drawn in a thread of their own; one that
    is not whole is named `.part`.
    """

    def __init__(
        self,
        folder: Path,
        keep_bytes: int,
        notice: Callable[[str], None],
        *,
        before_s: float = 5.0,
        after_s: float = 5.0,
        most_s: float = 60.0,
    ) -> None:
        self._folder = folder
        self._keep_bytes = keep_bytes
        self._notice = notice
        self._before_s = before_s
        self._after_s = after_s
        self._most_s = most_s
        self._past: deque[_PackedFrame] = deque()
        self._recording: _Recording | None = None
        self._recorded: set[int] = set()  # keys of open events that a clip was begun for
        self._finished: queue.Queue[_Recording | None] = queue.Queue(maxsize=_WAITING_CLIPS + 1)
        self._gave_up = False
        self._stop = threading.Event()
        self._kept: deque[str] = deque(maxlen=10_000)  # the clips of this start, in order
        for left in folder.glob(f"*{_SUFFIX}.part"):  # of a program that was killed
            with suppress(OSError):
                left.unlink()
        self._thread = threading.Thread(target=self._work, name="crowdad-clips", daemon=True)
        self._thread.start()

    @property
    def name(self) -> str | None:
        """File name of the clip that is being recorded."""
        return None if self._recording is None else self._recording.name

    @property
    def first_s(self) -> float | None:
        """Time of the first frame of the clip that is being recorded."""
        return None if self._recording is None else self._recording.first_s

    def add(self, result: FrameResult, captured_s: float, jpeg: bytes, open_events: tuple[OpenEvent, ...]) -> None:
        """Take the next scored frame.

        captured_s: unix time of it.  jpeg: its picture, packed.  open_events: what lasts at it and is to be recorded.
        """
        shot = _PackedFrame(result, captured_s, jpeg)
        open_keys = {event.keys[0] for event in open_events}
        self._recorded &= open_keys
        if self._recording is None and open_keys - self._recorded:
            self._begin(open_events[0], shot)
            self._recorded |= open_keys  # also where the disk refused, which every frame would try anew
        if self._recording is not None:
            self._recorded |= open_keys
            try:
                self._recording.add(shot, open_events)
            except OSError as error:
                self._give_up(error)
            else:
                if self._recording.is_over(self._after_s, self._most_s):
                    self._finish()
        self._past.append(shot)
        while result.time_s - self._past[0].result.time_s > self._before_s:
            self._past.popleft()

    def close(self, patience_s: float = 60.0) -> None:
        """End the running clip, and wait for all to be drawn, for so long at most; what is not is given up.

        A thread that still draws while the program ends would abort it.
        """
        self._finish()
        try:
            end_s = time.monotonic() + patience_s
            with suppress(queue.Full):
                self._finished.put(None, timeout=patience_s)
            self._thread.join(max(0.0, end_s - time.monotonic()))
        finally:
            if self._thread.is_alive():
                self._stop.set()
                self._notice("clips: some could not be drawn in time and are lost")
                self._thread.join(_STOP_S)

    def _begin(self, event: OpenEvent, shot: _PackedFrame) -> None:
        began = datetime.fromtimestamp(shot.captured_s - (shot.result.time_s - event.start_s), UTC)
        try:
            self._folder.mkdir(parents=True, exist_ok=True)
            name = f"{began:%Y-%m-%dT%H-%M-%SZ}-event-{event.keys[0]}{_SUFFIX}"
            self._recording = _Recording(name, self._folder, event.start_s)
            for past in self._past:
                if past.result.time_s >= event.start_s - self._before_s:
                    self._recording.add(past, ())
        except OSError as error:
            self._give_up(error)

    def _give_up(self, error: OSError) -> None:
        if not self._gave_up:
            self._notice(f"clips: cannot be kept ({error.strerror or error})")
        self._gave_up = True
        if self._recording is not None:
            self._recording.close()
        self._recording = None

    def _finish(self) -> None:
        recording, self._recording = self._recording, None
        if recording is None:
            return
        if self._finished.qsize() >= _WAITING_CLIPS:
            recording.close()
            self._notice(f"clips: {recording.name} is lost, drawing those before takes too long")
            return
        self._finished.put(recording)

    def _work(self) -> None:
        while not self._stop.is_set() and (recording := self._finished.get()) is not None:
            try:
                with written_whole(self._folder / recording.name) as part:
                    recording.draw(part, self._stop)
                    self._make_room(part, recording.name)
                self._kept.append(recording.name)
                self._gave_up = False
            except _NotKept:
                pass
            except Exception as error:  # whatever goes wrong with a clip, the watch goes on
                self._notice(f"clips: {recording.name} cannot be written ({error})")
            finally:
                recording.close()

    def _make_room(self, part: Path, name: str) -> None:
        """Make room for a whole clip.  Raises OSError, `_NotKept` where it alone takes more than is allowed."""
        size = part.stat().st_size
        fits = size <= self._keep_bytes
        keep_within(self._folder, self._keep_bytes - fits * size, self._kept)
        if not fits:
            self._notice(f"clips: {name} alone takes more than is allowed for all; it is not kept")
            raise _NotKept


def keep_within(folder: Path, keep_bytes: int, latest: Sequence[str] = ()) -> None:
    """Delete the oldest clips until all take at most so much.

    latest: those that are known to be the newest, in order, whatever the clock says, which may have been set.
    """
    order = {name: place for place, name in enumerate(latest)}
    clips = []
    for path in folder.glob(f"*{_SUFFIX}"):
        with suppress(FileNotFoundError):
            found = path.stat()
            clips.append((order.get(path.name, -1), found.st_mtime_ns, path, found.st_size))
    taken = sum(size for _, _, _, size in clips)
    for _, _, path, size in sorted(clips):
        if taken <= keep_bytes:
            return
        path.unlink(missing_ok=True)
        taken -= size


class _NotKept(Exception):
    """The program is about to end."""


class _Recording:
    """The frames of one clip, packed, in a file without a name, which no crash leaves behind."""

    def __init__(self, name: str, folder: Path, began_s: float) -> None:
        self.name = name
        self._spool: BinaryIO = tempfile.TemporaryFile(dir=folder)  # noqa: SIM115 - closed by `close`
        self._places: list[_Spooled] = []
        self._sightings: dict[int, _Sighting] = {}
        self._last_open_s = began_s

    @property
    def first_s(self) -> float:
        """Time of the first frame."""
        return self._places[0].time_s

    def add(self, shot: _PackedFrame, open_events: tuple[OpenEvent, ...]) -> None:
        """Append a frame.  Raises OSError where the disk refuses."""
        result, heatmap = shot.result, shot.result.heatmap
        offset = self._spool.seek(0, os.SEEK_END)
        self._spool.write(shot.jpeg)
        self._spool.write(heatmap.anomaly.astype(np.float16).tobytes())
        self._places.append(
            _Spooled(
                offset,
                len(shot.jpeg),
                heatmap.anomaly.shape,
                heatmap.cell_px,
                heatmap.size_hw,
                result.index,
                result.time_s,
                result.anomaly,
            )
        )
        for event in open_events:
            sighting = self._sightings.setdefault(event.keys[0], _Sighting(event))
            sighting.event = event
            sighting.boxes[result.index] = event.now_xyxy
            self._last_open_s = result.time_s

    def is_over(self, after_s: float, most_s: float) -> bool:
        """Whether nothing has lasted for `after_s`, or the clip is as long as it may be."""
        last_s = self._places[-1].time_s
        return last_s - self._last_open_s >= after_s or last_s - self.first_s >= most_s

    def draw(self, path: Path, stop: threading.Event) -> None:
        """Write the clip.  Raises OSError where the disk refuses, `_NotKept` soon after `stop` was set."""
        times_s = np.array([place.time_s for place in self._places])
        passed_s = times_s[-1] - times_s[0]
        fps = (len(times_s) - 1) / passed_s if passed_s > 0 else 1.0
        unknown = np.zeros(len(times_s))
        table = FrameTable(
            np.array([place.index for place in self._places], np.int64),
            times_s,
            normality=unknown,
            anomaly=np.array([place.anomaly for place in self._places]),
            flagged=unknown.astype(np.bool_),
            warm_up=unknown.astype(np.bool_),
            n_tubes=unknown.astype(np.int64),
        )
        events = [self._event(key, sighting, fps) for key, sighting in sorted(self._sightings.items())]
        write_overlay(self._frames(stop), self._heatmaps(), table, events, path, fps=fps)

    def close(self) -> None:
        """Let the frames go."""
        with suppress(OSError):  # closing writes what is still held, which a full disk refuses once more
            self._spool.close()

    def _event(self, key: int, sighting: _Sighting, fps: float) -> Event:
        """The event as far as the clip shows it; boxes before its announcement are those at it."""
        event, boxes = sighting.event, sighting.boxes
        first, last = max(event.start_frame, self._places[0].index), max(boxes)
        return Event(
            event_id=key,
            start_s=max(event.start_s, self.first_s),
            end_s=next(place.time_s for place in self._places if place.index == last) + 1 / fps,
            start_frame=min(first, min(boxes)),
            end_frame=last,
            peak_s=event.peak_s,
            peak_frame=event.peak_frame,
            peak_anomaly=event.peak_anomaly,
            box_xyxy=event.box_xyxy,
            boxes=boxes,
        )

    def _frames(self, stop: threading.Event) -> Iterator[Frame]:
        for place in self._places:
            if stop.is_set():
                raise _NotKept
            self._spool.seek(place.offset)
            bgr = unpacked(self._spool.read(place.jpeg_bytes))
            # Only its shape is looked at where there is colour.
            yield Frame(place.index, place.time_s, bgr[..., 1], bgr)

    def _heatmaps(self) -> Iterator[tuple[int, Heatmap]]:
        for place in self._places:
            self._spool.seek(place.offset + place.jpeg_bytes)
            cells = np.frombuffer(self._spool.read(2 * int(np.prod(place.heat_shape))), np.float16)
            anomaly = cells.reshape(place.heat_shape).astype(np.float32)
            yield place.index, Heatmap(anomaly, place.cell_px, place.size_hw)
