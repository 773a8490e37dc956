"""A camera that plays pictures it was given, as fast as they are taken or at a pace, with outages at will."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterable, Iterator

import numpy as np
import numpy.typing as npt

from crowdad.sources import LiveFrame, ReadReport, StreamStatus, StreamTally

OFFLINE = "offline"
"""Stands among a `FakeCamera`'s pictures for an outage: the camera is lost, and found again once `back` is set."""

_LONGEST_OUTAGE_S = 60.0


class FakeCamera:
    """Plays uint8 (H, W) pictures; `open` is what `watch` wants.

    pace_s: between two frames; 0: as fast as they are taken.  stays: waits for `close` when all were played.
    """

    name = "rtsp://camera"

    def __init__(
        self,
        pictures: Iterable[npt.NDArray[np.uint8] | str],
        *,
        fps: float = 10.0,
        pace_s: float = 0.0,
        stays: bool = False,
    ) -> None:
        self.fps = fps
        self.tally = StreamTally()
        self._pictures = pictures
        self._pace_s = pace_s
        self.back = threading.Event()
        self._stays = stays
        self._closed = threading.Event()
        self._on_status: Callable[[StreamStatus], None] = lambda _: None

    def open(self, on_status: Callable[[StreamStatus], None]) -> FakeCamera:
        self._on_status = on_status
        return self

    @property
    def report(self) -> ReadReport:
        return self.tally.report(())

    def frames(self, color: bool = False) -> Iterator[LiveFrame]:
        segment = index = 0
        self._on_status(StreamStatus("online", time.time()))
        for picture in self._pictures:
            if isinstance(picture, str):
                self._on_status(StreamStatus("offline", time.time(), "the camera was unplugged"))
                self.back.wait(_LONGEST_OUTAGE_S)
                self._on_status(StreamStatus("online", time.time()))
                segment += 1
                self.tally.reconnects += 1
                continue
            self._closed.wait(self._pace_s)
            if self._closed.is_set():
                return
            bgr = np.repeat(picture[..., None], 3, axis=2) if color else None
            self.tally.frames_read += 1
            yield LiveFrame(index, index / self.fps, picture, bgr, segment, captured_s=time.time())
            index += 1
        if self._stays:
            self._closed.wait()

    def close(self) -> None:
        self._closed.set()
