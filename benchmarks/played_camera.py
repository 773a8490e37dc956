"""What cameras that play pictures have in common; `crowdad.workflows.watch` takes their `open`."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from typing import Self

import numpy as np
import numpy.typing as npt

from crowdad.sources import LiveFrame, ReadReport, StreamStatus, StreamTally

__all__ = ["PlayedCamera"]


class PlayedCamera:
    """A camera whose `frames` a subclass plays.  fps: pictures a second, as they are told."""

    def __init__(self, fps: float) -> None:
        self.fps = fps
        self.tally = StreamTally()
        self._closed = threading.Event()
        self._on_status: Callable[[StreamStatus], None] = lambda _: None

    def open(self, on_status: Callable[[StreamStatus], None]) -> Self:
        """The camera itself.  on_status: told when it is found or lost."""
        self._on_status = on_status
        return self

    @property
    def report(self) -> ReadReport:
        """What was read, skipped and dropped up to now."""
        return self.tally.report(())

    def close(self) -> None:
        """End `frames`."""
        self._closed.set()

    def _found(self) -> None:
        self._on_status(StreamStatus("online", time.time()))

    def _lost(self, reason: str, until: Callable[[], object]) -> None:
        """Be lost until the call returns."""
        self._on_status(StreamStatus("offline", time.time(), reason))
        until()
        self._found()
        self.tally.reconnects += 1

    def _frame(self, index: int, luma: npt.NDArray[np.uint8], segment: int, color: bool) -> LiveFrame:
        """The next frame, counted.  luma: uint8 (H, W)."""
        self.tally.frames_read += 1
        bgr = np.repeat(luma[..., None], 3, axis=2) if color else None
        return LiveFrame(index, index / self.fps, luma, bgr, segment, captured_s=time.time())
