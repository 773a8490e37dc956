"""Short watches in which clocks jump, connections idle and the alert queue breaks."""

from __future__ import annotations

import fcntl
import http.client
import socket
import time
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import ExitStack, suppress
from itertools import islice
from pathlib import Path
from typing import Any
from unittest import mock
from urllib.parse import urlsplit

from benchmarks.chaos import Receiver
from benchmarks.fuzz.promises import Rng, hold, never_refused
from benchmarks.fuzz.seeds import Seeds
from benchmarks.played_camera import PlayedCamera
from crowdad.page import LivePage
from crowdad.sources import LiveFrame, open_source
from crowdad.workflows import AlertOptions, WatchOptions, watch
from crowdad.workflows.detect_options import DetectOptions

__all__ = ["check_alerts", "troubled_watch"]

_WATCHED = 60  # frames
_PACE_S = 0.01
_IDLE = 150
_WITHIN_S = 5.0
_JUMPS_S = (-86_400, -3600, -5, 5, 3600, 86_400)


def troubled_watch(rng: Rng, seeds: Seeds, place: Path, what: list[str]) -> str:
    """A short watch in which clocks jump, connections idle and the queue breaks: nothing is lost, doubled, kept out."""
    receiver, source = Receiver(), open_source(seeds.normal)
    pictures = [frame.luma for frame in islice(source.frames(), _WATCHED)]
    folder = place / "watch"
    with ExitStack() as stack:
        stack.enter_context(never_refused("a sound camera"))
        stack.callback(receiver.close)
        trouble = stack.enter_context(_Trouble(folder / "webhook.queue", receiver))
        page = stack.enter_context(LivePage("0", name="fuzz"))
        trouble.port = urlsplit(page.url).port or 0
        drawn = {int(rng.integers(1, _WATCHED)): trouble.draw(rng) for _ in range(int(rng.integers(1, 6)))}
        what[0] = ", ".join(f"{name} at frame {number}" for number, (name, _) in sorted(drawn.items()))
        moments = {number: does for number, (_, does) in drawn.items()}
        moments[_WATCHED] = lambda: setattr(receiver, "answer", "ok")  # with neither receiver nor queue, all is lost
        camera = _Camera(pictures, source.info.fps, moments)
        scoring = DetectOptions(model=seeds.model, threshold=1e-6)
        options = WatchOptions(scoring=scoring, alerts=AlertOptions(webhook=receiver.url))
        board = page.board
        status = watch(camera.open, options, output=folder, on_update=board.update, on_change=board.change)
    lines = (folder / "events.jsonl").read_text(encoding="utf-8").splitlines()
    queue = folder / "webhook.queue"
    kept = set(queue.read_text(encoding="utf-8").splitlines()) if queue.is_file() else set()
    counted = status.scored + sum(status.skipped.values()) + status.waiting
    hold(counted == _WATCHED, f"{counted} of {_WATCHED} frames are counted: {status}")
    check_alerts(lines, receiver.taken, kept)
    hold(not trouble.kept_out, f"the page's owner was kept out: {trouble.kept_out}")
    return f"{status.events} events, {len(lines)} alerts, {len(kept)} still wait"


def check_alerts(lines: list[str], taken: Counter[str], kept: set[str]) -> None:
    """Hold what was told to each line of events.jsonl once.  kept: those that wait for the next start."""
    hold(len(set(lines)) == len(lines) > 0, f"{len(lines) - len(set(lines))} of {len(lines)} lines stand there twice")
    lost, doubled = set(lines) - set(taken) - kept, [line for line, times in taken.items() if times > 1]
    hold(not lost, f"{len(lost)} of {len(lines)} alerts are lost")
    hold(not doubled, f"{len(doubled)} of {len(lines)} alerts come twice")


class _Camera(PlayedCamera):
    """Plays the pictures once, with an outage at each third.  moments: what happens before the frame of a number."""

    name = "fuzz"

    def __init__(self, pictures: list[Any], fps: float, moments: dict[int, Callable[[], None]]) -> None:
        super().__init__(fps)
        self._pictures, self._moments = pictures, moments

    def frames(self, color: bool = False) -> Iterator[LiveFrame]:
        """Every picture, at a pace."""
        self._found()
        third = len(self._pictures) // 3
        for index, picture in enumerate(self._pictures):
            self._moments.get(index, lambda: None)()
            if index and index % third == 0:
                self._lost("fuzz", lambda: None)
            if self._closed.wait(_PACE_S):
                return
            yield self._frame(index, picture, index // third, color)
        self._moments.get(len(self._pictures), lambda: None)()


class _Trouble:
    """Does troubles to a watch in this process; leaving undoes them.  kept_out: why the owner did not get the page."""

    def __init__(self, queue: Path, receiver: Receiver) -> None:
        self.port = 0
        self.kept_out: list[str] = []
        self._queue, self._receiver = queue, receiver
        self._jumped_s = 0.0
        self._undo = ExitStack()

    def __enter__(self) -> _Trouble:
        unix_s = time.time

        def jumped_s() -> float:
            return unix_s() + self._jumped_s

        self._undo.enter_context(mock.patch.object(time, "time", jumped_s))
        return self

    def __exit__(self, *_: object) -> None:
        self._undo.close()

    def draw(self, rng: Rng) -> tuple[str, Callable[[], None]]:
        """One trouble and its name."""
        by_s, noise = int(_JUMPS_S[rng.integers(len(_JUMPS_S))]), rng.bytes(100)
        troubles: tuple[tuple[str, Callable[[], None]], ...] = (
            (f"clock {by_s:+d} s", lambda: self._jump(by_s)),
            (f"{_IDLE} idle connections", self._idle),
            ("receiver busy", lambda: setattr(self._receiver, "answer", "500")),
            ("receiver back", lambda: setattr(self._receiver, "answer", "ok")),
            ("queue locked and damaged", lambda: self._damage(noise)),
            ("queue removed", self._remove),
            ("folder in the queue's place", self._replace),
        )
        return troubles[int(rng.integers(len(troubles)))]

    def _jump(self, by_s: float) -> None:
        self._jumped_s += by_s

    def _damage(self, noise: bytes) -> None:
        with suppress(OSError):
            queue = self._undo.enter_context(self._queue.open("r+b"))
            fcntl.flock(queue, fcntl.LOCK_EX)
            queue.write(noise)

    def _remove(self) -> None:
        with suppress(OSError):
            self._queue.unlink()

    def _replace(self) -> None:
        self._remove()
        with suppress(OSError):
            self._queue.mkdir()

    def _idle(self) -> None:
        for number in range(_IDLE):
            with suppress(OSError):
                idle = self._undo.enter_context(socket.create_connection(("127.0.0.1", self.port), timeout=_WITHIN_S))
                idle.sendall(b"GET /updates HTTP/1.1\r\nHost: localhost\r\n\r\n" if number % 2 else b"GET")
        try:
            owner = http.client.HTTPConnection("127.0.0.1", self.port, timeout=_WITHIN_S)
            owner.request("GET", "/")
            if (answer := owner.getresponse().status) != 200:
                self.kept_out.append(f"answer {answer}")
            owner.close()
        except OSError as error:
            self.kept_out.append(str(error))
