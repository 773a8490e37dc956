"""A watch that faults can be done to from inside, for `benchmarks.chaos`, which tells it on its input what to do.

`full 1`, `full 0`: the disk refuses every write, or takes them again.  `clock S`: the system's clock is set by S
seconds.  `gone S`: the camera is lost for S seconds.  `end`: the camera is at its end.
Prints the page's address first, and in the end how many frames the camera gave.
"""

from __future__ import annotations

import errno
import os
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Any
from unittest import mock

from benchmarks.played_camera import PlayedCamera
from crowdad.outputs.h264 import H264Writer
from crowdad.page import LivePage
from crowdad.sources import LiveFrame, open_source
from crowdad.workflows import AlertOptions, WatchOptions, watch
from crowdad.workflows.detect_options import DetectOptions

_MOST_FRAMES = 500


class LoopCamera(PlayedCamera):
    """Plays a clip again and again, `speed` times as fast as it was recorded, where it is taken as fast."""

    name = "chaos"

    def __init__(self, clip: Path, speed: float) -> None:
        source = open_source(clip)
        super().__init__(source.info.fps)
        self.gone_s = 0.0
        self._pictures = [frame.luma for frame, _ in zip(source.frames(), range(_MOST_FRAMES), strict=False)]
        self._pace_s = 1 / (self.fps * speed)

    def frames(self, color: bool = False) -> Iterator[LiveFrame]:
        """The pictures at their pace, until `close`."""
        index = segment = 0
        began_s = time.monotonic()
        self._found()
        while not self._closed.wait(max(0.0, began_s + index * self._pace_s - time.monotonic())):
            if self.gone_s:
                self._lost("chaos", self._gone)
                segment += 1
            if index and index % len(self._pictures) == 0:
                segment += 1
            yield self._frame(index, self._pictures[index % len(self._pictures)], segment, color)
            index += 1

    def _gone(self) -> None:
        self._closed.wait(self.gone_s)
        self.gone_s = 0.0


class Faults:
    """A disk that may be full and a clock that may be set."""

    def __init__(self) -> None:
        self.full = False
        self.clock_s = 0.0

    def installed(self) -> ExitStack:
        """In force until the stack is closed."""
        stack, unix_s = ExitStack(), time.time
        for owner, name in ((os, "write"), (Path, "write_text"), (tempfile, "TemporaryFile"), (H264Writer, "write")):
            stack.enter_context(mock.patch.object(owner, name, self._refusing(getattr(owner, name))))

        def set_clock() -> float:
            return unix_s() + self.clock_s

        stack.enter_context(mock.patch.object(time, "time", set_clock))
        return stack

    def _refusing(self, works: Callable[..., Any]) -> Callable[..., Any]:
        def called(*given: Any, **named: Any) -> Any:
            if self.full:
                raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
            return works(*given, **named)

        return called


def _notice(line: str) -> None:
    sys.stderr.write(f"{line}\n")  # at once: notices come from many threads


def main(model: Path, clip: Path, folder: Path, webhook: str, speed: float, runtime: str, rate: float | None) -> None:
    """Watch until told to end.  rate: of false alarms an hour; None: the model's own."""
    camera, faults = LoopCamera(clip, speed), Faults()

    def obey() -> None:
        for line in sys.stdin:
            word, _, value = line.strip().partition(" ")
            if word == "full":
                faults.full = value == "1"
            elif word == "clock":
                faults.clock_s += float(value)
            elif word == "gone":
                camera.gone_s = float(value)
            else:
                camera.close()

    alerts = AlertOptions(webhook=webhook, save_clips=True, keep_gb=0.01)
    scoring = DetectOptions(model=model, runtime=runtime, false_alarms_per_hour=rate)
    options = WatchOptions(scoring=scoring, alerts=alerts)
    with faults.installed(), LivePage("0", name="chaos") as page:
        print(page.url, flush=True)
        threading.Thread(target=obey, daemon=True).start()
        watch(
            camera.open,
            options,
            output=folder,
            on_update=page.board.update,
            on_change=page.board.change,
            on_status=page.board.status,
            notice=_notice,
        )
    print(camera.tally.frames_read, flush=True)


if __name__ == "__main__":
    _, model, clip, folder, webhook, speed, runtime, rate = sys.argv
    main(Path(model), Path(clip), Path(folder), webhook, float(speed), runtime, float(rate) if rate else None)
