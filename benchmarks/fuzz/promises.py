"""What is promised of every input, and a bare reader to hold crowdad's against."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import av
import numpy as np

from crowdad.errors import CrowdadError

__all__ = [
    "BrokenPromiseError",
    "Rng",
    "SilentLossError",
    "check_order",
    "hold",
    "never_refused",
    "one_of",
    "plainly_decoded",
]

Rng = np.random.Generator

_GIVE_UP_AFTER = 1000


class BrokenPromiseError(Exception):
    """The result contradicts what is promised of it."""


class SilentLossError(Exception):
    """Frames are missing and nothing in the result says so."""


def one_of(rng: Rng, among: Sequence[Any]) -> Any:
    """Any of them, each as likely."""
    return among[int(rng.integers(len(among)))]


def hold(kept: bool, broken: str) -> None:
    """Raise BrokenPromiseError with these words unless the promise was kept."""
    if not kept:
        raise BrokenPromiseError(broken)


@contextmanager
def never_refused(what: str) -> Iterator[None]:
    """What is sound must be taken: a refusal is a broken promise here."""
    try:
        yield
    except CrowdadError as error:
        raise BrokenPromiseError(f"{what} is refused: {error}") from error


def check_order(indices: list[int], times_s: list[float]) -> None:
    """Hold frames to numbers that rise and times that do not decrease."""
    rise = indices == sorted(set(indices)) and all(index >= 0 for index in indices)
    hold(rise, f"frame numbers do not rise: {indices[:50]}")
    rise = times_s == sorted(times_s) and all(math.isfinite(time_s) and time_s >= 0 for time_s in times_s)
    hold(rise, f"times do not rise: {times_s[:50]}")


def plainly_decoded(path: Path) -> Iterator[av.VideoFrame]:
    """Frames that a bare loop of demuxing and decoding gets."""
    failures = 0
    with av.open(f"file:{path}", metadata_errors="replace") as container:
        stream = container.streams.best("video")
        assert isinstance(stream, av.VideoStream)
        packets = container.demux(stream)
        while failures < _GIVE_UP_AFTER:
            try:
                packet = next(packets, None)
                if packet is None:
                    break
                yield from packet.decode()
            except (EOFError, IndexError):
                break  # IndexError: PyAV's way to end where a stream first shows up on the way
            except av.FFmpegError:
                failures += 1
                packets = container.demux(stream)
