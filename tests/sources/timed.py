"""Footage whose timestamps are what a test wants: packets of a sound recording, stamped anew."""

from __future__ import annotations

from collections.abc import Callable, Container
from fractions import Fraction
from pathlib import Path

import av

Stamp = Callable[[int, int, int, Fraction], tuple[int | None, int | None]]
"""(number, pts, dts, seconds of a tick) of a packet -> its new pts and dts."""


def restamped(
    source: Path,
    path: Path,
    stamp: Stamp,
    *,
    container_format: str | None = None,
    packets: Container[int] | None = None,
) -> Path:
    """The packets of `source` in another file, each with the timestamps that `stamp` gives it; returns `path`.

    packets: numbers of those to take; None: all.
    """
    with av.open(str(source)) as read, av.open(str(path), "w", format=container_format) as written:
        stream = read.streams.video[0]
        copy = written.add_stream_from_template(stream)
        assert stream.time_base is not None
        number = 0
        for packet in read.demux(stream):
            if packet.dts is None and packet.pts is None:
                continue
            pts = packet.pts if packet.pts is not None else packet.dts
            dts = packet.dts if packet.dts is not None else packet.pts
            assert pts is not None
            assert dts is not None
            if packets is None or number in packets:
                packet.pts, packet.dts = stamp(number, pts, dts, stream.time_base)
                packet.stream = copy
                written.mux(packet)
            number += 1
    return path


def joined(path: Path, *parts: Path) -> Path:
    """The files one after the other, as `cat` joins them; returns `path`."""
    path.write_bytes(b"".join(part.read_bytes() for part in parts))
    return path
