"""Live footage: cameras over the network, webcams, and files played at their own pace.

A thread of its own reads, so that a camera is never kept waiting; where scoring is late, the oldest frames are dropped
and counted.  After a dropout it reconnects until the camera answers.
"""

from __future__ import annotations

import random
import threading
import time
from collections.abc import Callable, Generator
from contextlib import closing
from dataclasses import dataclass, field
from types import TracebackType
from typing import Literal

from crowdad.errors import ConfigError, SourceError
from crowdad.records import Frame
from crowdad.sources._address import Address, address_of, live_file
from crowdad.sources._base import Joint, check_fps
from crowdad.sources._connection import Connection, LostError, Shot, StreamLimits
from crowdad.sources._live_clock import LiveClock
from crowdad.sources._newest import NewestQueue
from crowdad.sources._report import ReadReport, Tally
from crowdad.sources.file import VideoFile
from crowdad.wording import one_line

__all__ = ["LiveFrame", "Stream", "StreamStatus", "StreamTally"]

QUEUE_BYTES = 2**29
"""Frames that wait to be scored hold at most so much memory, however large they are."""

FIRST_WAIT_S = 0.5
LONGEST_WAIT_S = 30.0
"""Between two tries to reach a lost camera; doubled from the first to the longest."""

CLOSE_WAIT_S = 2.0
"""So long `close` waits for a thread that hangs in a read; it ends by itself when the read's time is over."""


@dataclass(frozen=True)
class StreamStatus:
    """Whether frames come.  at_s: unix time.  reason: one clause, no login in it; empty where all is well."""

    state: Literal["online", "offline"]
    at_s: float
    reason: str = ""


@dataclass(frozen=True, eq=False, kw_only=True)
class LiveFrame(Frame):
    """A frame of a stream.

    captured_s: unix time at which it was taken off the wire, to be told.  taken_s: the same by `time.monotonic`, to
    order and measure by: the system's clock may be set at any moment.
    """

    captured_s: float
    taken_s: float = field(default_factory=time.monotonic)


class StreamTally(Tally):
    """The running counts of a stream.

    dropped: frames thrown out because scoring was late; they count as skipped too, with their times.
    reconnects: how often the camera was found again.
    """

    def __init__(self) -> None:
        super().__init__()
        self.dropped = 0
        self.reconnects = 0

    def drop(self, time_s: float) -> None:
        """A frame was thrown out."""
        self.dropped += 1
        self.skip("dropped, scoring was late", time_s)


@dataclass(slots=True)
class _Waiting:
    """A shot with its place on the stream's time line.  epoch counts up where tracking ends, `why` says the cause."""

    shot: Shot
    index: int
    time_s: float
    captured_s: float
    taken_s: float
    fps: float
    epoch: int
    why: str


class Stream:
    """A camera, or a file played at its own pace; one pass, use it in a `with` block.

    spec: rtsp://, http(s):// (MJPEG, HLS, ..), MPEG-TS over tcp:// or udp://, the number of a webcam ("0"), or a file.
    fps: frames a second where the stream does not state them (they are measured otherwise) or states them wrongly.
    realtime: a file is played at its own pace.
    queue_frames: so many frames wait at most to be taken; then the oldest is dropped.
    limits: of its pictures' size and of waiting for it; default: those of `StreamLimits`.
    name: what it is called; default: scheme and host of the address, as anything else in it may hold a login.
    on_status: told each time the camera is found or lost, by the reading thread; what it raises ends the stream.

    tally: what was read, skipped, dropped up to now.
    Raises SourceError for what is no stream, ConfigError for settings that make no sense.
    """

    def __init__(
        self,
        spec: str,
        *,
        fps: float | None = None,
        realtime: bool = False,
        queue_frames: int = 50,
        limits: StreamLimits | None = None,
        name: str | None = None,
        on_status: Callable[[StreamStatus], None] | None = None,
    ) -> None:
        check_fps(fps)
        if queue_frames < 1:
            raise ConfigError(f"queue_frames is {queue_frames}; at least 1 frame must be let in")
        self._limits = limits or StreamLimits()
        path = live_file(spec, realtime)
        self._footage: VideoFile | Address
        if path is None:
            self._footage = address_of(spec)
        else:
            self._footage = VideoFile(path, fps=fps, max_pixels=self._limits.max_pixels)
            _ = self._footage.info
        self.name = self._footage.name if name is None else one_line(name)
        self.tally = StreamTally()
        self._share_new = self._footage.new_fps / self._footage.fps if isinstance(self._footage, VideoFile) else 1.0
        self._asked_fps = fps
        self._on_status = on_status
        self._queue: NewestQueue[_Waiting] = NewestQueue(queue_frames, QUEUE_BYTES)
        self._clock = LiveClock()
        self._state = ""
        self._found = False
        self._epoch = 0
        self._why = ""
        self._fps: float | None = None
        self._size_hw: tuple[int, int] | None = None
        self._stopping = threading.Event()
        self._thread: threading.Thread | None = None

    @property
    def fps(self) -> float:
        """Frames a second of the current connection; there from the first frame on."""
        if self._fps is None:
            raise RuntimeError("the frame rate is known once the first frame came")
        return self._fps

    @property
    def size_hw(self) -> tuple[int, int]:
        """Height and width of the last frame, upright; there from the first frame on."""
        if self._size_hw is None:
            raise RuntimeError("the size is known once the first frame came")
        return self._size_hw

    @property
    def report(self) -> ReadReport:
        """What was met up to now."""
        return self.tally.report(())

    def frames(self, color: bool = False) -> Generator[LiveFrame, None, None]:
        """Yield frame after frame, waiting for each; ends after `close`, and at the end of a file.

        `segment` counts up where the camera was lost, where the size changes, and where nothing came for a while.
        Who stops taking frames closes the stream.
        Raises SourceError where the first try shows that no other can do better.
        """
        if self._thread is not None:
            raise RuntimeError("a stream is read once; open another")
        self._thread = threading.Thread(target=self._work, name="crowdad-stream", daemon=True)
        self._thread.start()
        # What a file repeats is known before it is played; a camera's pictures are looked at as they come.
        known = isinstance(self._footage, VideoFile)
        joint = Joint(self.tally, 1.0, 1.0 if known else None)
        epoch = self._epoch
        try:
            while (waiting := self._queue.get()) is not None:
                pixels = waiting.shot.load(color)
                if pixels is None:
                    continue
                if waiting.fps != joint.fps:
                    joint.set_rate(waiting.fps, self._share_new * waiting.fps)
                self._fps = waiting.fps
                broken = waiting.why if waiting.epoch != epoch else None
                epoch = waiting.epoch
                frame = joint.frame(waiting.index, waiting.time_s, pixels, broken)
                height, width = frame.luma.shape
                self._size_hw = (height, width)
                yield LiveFrame(**vars(frame), captured_s=waiting.captured_s, taken_s=waiting.taken_s)
        finally:
            self.close()

    def close(self) -> None:
        """End the reading thread and what it opened; from any thread, any number of times.

        A thread that hangs in a read is waited for two seconds; it ends when the read's timeout is over.
        """
        self._stopping.set()
        self._queue.close()
        if self._thread is not None and self._thread is not threading.current_thread():
            self._thread.join(CLOSE_WAIT_S)

    def __enter__(self) -> Stream:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def _work(self) -> None:
        try:
            if isinstance(self._footage, Address):
                self._keep_connected(self._footage)
            else:
                self._play(self._footage)
        except BaseException as error:
            self._queue.end(error)
        else:
            self._queue.end()

    def _play(self, footage: VideoFile) -> None:
        height, width = footage.info.size_hw
        fps = footage.fps
        with closing(footage.pictures(self.tally)) as pictures:  # type: ignore[type-var]
            for picture in pictures:
                now_s = time.monotonic()
                shot = Shot(picture.index, picture.time_s, now_s, time.time(), picture.load, height * width * 2)
                shot.broken = picture.broken
                self._tell("online")
                fps = fps if picture.fps is None else picture.fps
                if not self._pass_on(shot, fps, paced=True, trusted=True):
                    return

    def _keep_connected(self, address: Address) -> None:
        first = True
        wait_s = FIRST_WAIT_S
        while not self._stopping.is_set():
            began_s = time.monotonic()
            try:
                self._connect(address)
                return
            except SourceError as error:
                if first:
                    raise
                reason = str(error).removeprefix(f"{address.name}: ")
            except LostError as lost:
                reason = lost.reason
            first = False
            if self._stopping.is_set():
                return
            self._tell("offline", reason)
            if time.monotonic() - began_s > 2 * wait_s + self._limits.open_timeout_s:
                wait_s = FIRST_WAIT_S
            # Cameras that went together, behind one switch, are not called back all at once.
            self._stopping.wait(wait_s * random.uniform(0.5, 1.0))
            wait_s = min(2 * wait_s, LONGEST_WAIT_S)

    def _connect(self, address: Address) -> None:
        """One connection until it is lost, which raises, or the stream is closed, which returns."""
        with Connection(address, self.tally, self._limits, self._asked_fps) as connection:
            self._clock.connect()
            for shot in connection.shots(self._clock.seconds):
                if self._found and self._state == "offline":
                    self._new_epoch("the camera was lost")
                    self.tally.reconnects += 1
                self._found = True
                self._tell("online")
                if not self._pass_on(shot, connection.fps, paced=connection.bursts, trusted=False):
                    return

    def _pass_on(self, shot: Shot, fps: float, *, paced: bool, trusted: bool) -> bool:
        """Queue a shot, at its time where the stream is `paced` by us; False once the stream is closed."""
        place = self._clock.place(shot.index, shot.stream_s, shot.arrived_s, trusted=trusted)
        if shot.broken is not None or place.anew:
            self._new_epoch(shot.broken or "the clock of the stream was set anew")
        captured_s, taken_s = shot.captured_s, shot.arrived_s
        if paced and (early_s := self._clock.due_s(place) - time.monotonic()) > 0:
            self._stopping.wait(early_s)
            captured_s, taken_s = time.time(), time.monotonic()
        if self._stopping.is_set():
            return False
        waiting = _Waiting(shot, place.index, place.time_s, captured_s, taken_s, fps, self._epoch, self._why)
        for dropped in self._queue.put(waiting, shot.n_bytes):
            self.tally.drop(dropped.time_s)
        return True

    def _new_epoch(self, why: str) -> None:
        self._epoch += 1
        self._why = why

    def _tell(self, state: Literal["online", "offline"], reason: str = "") -> None:
        if state == self._state:
            return
        self._state = state
        if self._on_status is not None:
            self._on_status(StreamStatus(state, time.time(), reason))
