"""Frames of a camera as they come, and a sign of life where none come: a watch must not sleep with its camera."""

from __future__ import annotations

import queue
import threading
from collections.abc import Callable, Iterator
from typing import Protocol

from crowdad.sources import LiveFrame, ReadReport, StreamStatus, StreamTally

__all__ = ["Arrivals", "Camera", "OpenCamera"]

_CLOSE_WAIT_S = 5.0


class Camera(Protocol):
    """What can be watched; `sources.Stream` is one."""

    @property
    def name(self) -> str:
        """To be shown: no login in it."""

    @property
    def fps(self) -> float:
        """Frames a second; there from the first frame on."""

    @property
    def tally(self) -> StreamTally:
        """What was read, skipped and dropped up to now."""

    @property
    def report(self) -> ReadReport:
        """The same, frozen."""

    def frames(self, color: bool = False) -> Iterator[LiveFrame]:
        """Frame after frame, waiting for each; a camera that is lost does not end it, `close` does."""

    def close(self) -> None:
        """End `frames`; from any thread, any number of times."""


OpenCamera = Callable[[Callable[[StreamStatus], None]], Camera]
"""Opens a camera, given what is to be told when it is found or lost, from any thread."""


class Arrivals:
    """Takes a camera's frames in a thread of its own and passes them on, one waiting at most.

    idle_s: where no frame came for so long, None is passed on instead.
    What the camera raises is raised where its next frame would be.  `close` ends it, also amid a wait.
    """

    def __init__(self, camera: Camera, *, color: bool, idle_s: float = 0.2) -> None:
        self._camera = camera
        self._color = color
        self._idle_s = idle_s
        self._waiting: queue.Queue[LiveFrame | BaseException | None] = queue.Queue(maxsize=1)  # None: it has ended
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._work, name="crowdad-arrivals", daemon=True)
        self._thread.start()

    def __iter__(self) -> Iterator[LiveFrame | None]:
        while True:
            try:
                item = self._waiting.get(timeout=self._idle_s)
            except queue.Empty:
                yield None
                continue
            if item is None:
                return
            if isinstance(item, BaseException):
                raise item
            yield item

    def close(self) -> None:
        """Close the camera and end the thread, which is left alone where the camera hangs."""
        self._stop.set()
        self._camera.close()
        self._thread.join(_CLOSE_WAIT_S)

    def _work(self) -> None:
        try:
            for frame in self._camera.frames(self._color):
                if not self._pass_on(frame):
                    return
        except BaseException as error:
            self._pass_on(error)
        else:
            self._pass_on(None)

    def _pass_on(self, item: LiveFrame | BaseException | None) -> bool:
        while not self._stop.is_set():
            try:
                self._waiting.put(item, timeout=0.1)
                return True
            except queue.Full:
                continue
        return False
