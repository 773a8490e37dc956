"""A camera that plays pictures it was given, as fast as they are taken or at a pace, with outages at will."""

from __future__ import annotations

import threading
from collections.abc import Iterable, Iterator

import numpy as np
import numpy.typing as npt

from benchmarks.played_camera import PlayedCamera
from crowdad.sources import LiveFrame

OFFLINE = "offline"
"""Stands among a `FakeCamera`'s pictures for an outage: the camera is lost, and found again once `back` is set."""

_LONGEST_OUTAGE_S = 60.0


class FakeCamera(PlayedCamera):
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
        super().__init__(fps)
        self._pictures = pictures
        self._pace_s = pace_s
        self.back = threading.Event()
        self._stays = stays

    def frames(self, color: bool = False) -> Iterator[LiveFrame]:
        segment = index = 0
        self._found()
        for picture in self._pictures:
            if isinstance(picture, str):
                self._lost("the camera was unplugged", lambda: self.back.wait(_LONGEST_OUTAGE_S))
                segment += 1
                continue
            self._closed.wait(self._pace_s)
            if self._closed.is_set():
                return
            yield self._frame(index, picture, segment, color)
            index += 1
        if self._stays:
            self._closed.wait()
