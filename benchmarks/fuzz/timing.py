"""Sound pictures at times that lie: packets stamped anew, headers that claim another rate."""

from __future__ import annotations

import struct
from collections.abc import Callable
from contextlib import suppress
from fractions import Fraction
from itertools import pairwise
from pathlib import Path

import av
import numpy as np
from av.bitstream import BitStreamFilterContext

from benchmarks.fuzz.promises import Rng, check_order, hold, one_of, plainly_decoded
from benchmarks.fuzz.seeds import RAW_FPS, Seeds
from crowdad.errors import CrowdadError
from crowdad.records import Frame
from crowdad.sources import Source, open_source

__all__ = ["lying_header", "stamped_anew"]

_TICKS = 90_000  # a second
_RATES = (Fraction(2), Fraction(10), Fraction(25, 2), Fraction(24000, 1001), Fraction(25), Fraction(30), Fraction(60))
_COMMON = ("mp4", "mkv", "mov", "ts")
_ROADS = {  # clip: containers that its packets are put into
    "h264.mkv": (*_COMMON, "flv", "nut"),
    "intra.mp4": (*_COMMON, "flv", "nut"),
    "hevc.mp4": _COMMON,
    "mpeg2.mpg": ("mkv", "ts"),
    "mpeg4.avi": ("mp4", "mkv", "mov", "nut"),
    "vp9.webm": ("mp4", "mkv", "webm"),
}
_JOINED = ("mkv", "webm", "ts")  # such files, one behind the other, are read as one
_WITHIN = 0.05  # of the true rate

Stamps = list[tuple[int, int]]
"""(pts, dts) of each packet, in ticks, in the order of decoding."""


def stamped_anew(rng: Rng, seeds: Seeds, place: Path, what: list[str]) -> str:
    """Packets of a sound clip with other timestamps: every picture must come once, in order, at the true rate."""
    name = one_of(rng, tuple(_ROADS))
    suffix, fps = one_of(rng, _ROADS[name]), one_of(rng, _RATES)
    ranks, keys = _shape(seeds.clip(name))
    step, late = round(_TICKS / fps), max(n - rank for n, rank in enumerate(ranks))
    stamps = [(rank * step, (n - late) * step) for n, rank in enumerate(ranks)]
    cannot = {"set back"} if keys and suffix not in _JOINED else {"set back", "holes"} if not keys else set()
    change = one_of(rng, [change for change in _CHANGES if change not in cannot])
    what[0] = f"{name} in {suffix}, {float(fps):.4g} a second: {change}"
    stamps = _CHANGES[change](rng, stamps, keys, step)
    path = _remuxed(seeds.clip(name), place / f"clip.{suffix}", stamps, step)
    source, frames = _read(path, float(fps))
    hold(not source.report.truncated, "a whole file is said to end early")
    _enter(rng, path, frames)
    return f"{len(frames)} frames, {source.fps:.4g} a second"


def _in_order(_rng: Rng, stamps: Stamps, _keys: list[int], step: int) -> Stamps:
    """pts = dts, in the order of decoding."""
    return [(n * step, n * step) for n in range(len(stamps))]


def _offset(rng: Rng, stamps: Stamps, _keys: list[int], _step: int) -> Stamps:
    by = round(one_of(rng, (-5, -0.04, 0.1, 3, 3600, 2**33 / _TICKS - 2)) * _TICKS)
    return [(pts + by, dts + by) for pts, dts in stamps]


def _holes(rng: Rng, stamps: Stamps, keys: list[int], _step: int) -> Stamps:
    for key in {one_of(rng, keys), one_of(rng, keys)}:
        by = round(10 ** rng.uniform(0, 3) * _TICKS)
        stamps = stamps[:key] + [(pts + by, dts + by) for pts, dts in stamps[key:]]
    return stamps


def _set_back(rng: Rng, stamps: Stamps, keys: list[int], step: int) -> Stamps:
    key, first = one_of(rng, keys), int(rng.integers(3)) * step
    return stamps[:key] + [(pts - key * step + first, dts - key * step + first) for pts, dts in stamps[key:]]


def _jitter(rng: Rng, stamps: Stamps, _keys: list[int], step: int) -> Stamps:
    by = (rng.uniform(-0.45, 0.45, len(stamps)) * step).astype(int).tolist()
    return [(max(0, pts + late), dts - step) for (pts, dts), late in zip(stamps, by, strict=True)]


def _permuted(rng: Rng, stamps: Stamps, _keys: list[int], step: int) -> Stamps:
    """Neighbours in the order of display change places here and there."""
    swapped: dict[int, int] = {}
    for first in range(int(rng.integers(4, 9)), len(stamps) - 1, int(rng.integers(2, 9))):
        swapped |= {first * step: (first + 1) * step, (first + 1) * step: first * step}
    return [(swapped.get(pts, pts), dts - 2 * step) for pts, dts in stamps]


_CHANGES: dict[str, Callable[[Rng, Stamps, list[int], int], Stamps]] = {
    "decoding order": _in_order,
    "offset": _offset,
    "holes": _holes,
    "set back": _set_back,
    "jitter": _jitter,
    "permuted": _permuted,
}


def lying_header(rng: Rng, seeds: Seeds, place: Path, what: list[str]) -> str:
    """A header that claims another rate: every picture must come all the same, at the rate that timestamps tell."""
    lie = one_of(rng, tuple(_LIES))
    name, make = _LIES[lie]
    value = int(one_of(rng, (0, 1, 5, 12_800, 2**16, 2**31 - 1, 2**31, 2**32 - 1, int(rng.integers(2**32)))))
    path, true_fps = make(rng, seeds.clip(name), place, value)
    what[0] = f"{path.name} of {name}: {lie} {value}"
    source, frames = _read(path, true_fps)
    return f"{len(frames)} frames, {source.fps:.4g} a second"


def _word(box: bytes, after: int, order: str = ">I") -> Callable[[Rng, Path, Path, int], tuple[Path, float | None]]:
    """Write the value into the file, `after` bytes behind the start of the box's name."""

    def made(_rng: Rng, source: Path, place: Path, value: int) -> tuple[Path, float | None]:
        blob = bytearray(source.read_bytes())
        at = blob.index(box) + after
        blob[at : at + 4] = struct.pack(order, value)
        path = place / source.name
        path.write_bytes(blob)
        return path, float(RAW_FPS) if source.suffix == ".mkv" else None

    return made


def _tick_rate(rng: Rng, source: Path, place: Path, value: int) -> tuple[Path, float | None]:
    suffix = one_of(rng, ("h264", "ts", "mkv"))
    source = source.with_name("h264.mkv") if suffix == "mkv" else source  # each brings its headers where it keeps them
    step, (ranks, _) = _TICKS // RAW_FPS, _shape(source)
    stamps = [(rank * step, (n - 8) * step) for n, rank in enumerate(ranks)]
    tick_rate = f"h264_metadata=tick_rate={1 + value % 1000}"
    return _remuxed(source, place / f"clip.{suffix}", stamps, step, tick_rate), float(RAW_FPS)


_LIES = {
    "mp4 timescale": ("index-first.mp4", _word(b"mdhd", 16)),
    "mp4 stts": ("index-first.mp4", _word(b"stts", 16)),
    "mkv DefaultDuration": ("h264.mkv", _word(b"\x23\xe3\x83\x84", 4)),
    "avi microseconds": ("mpeg4.avi", _word(b"avih", 8, "<I")),
    "avi dwScale": ("mpeg4.avi", _word(b"strh", 28, "<I")),
    "avi dwRate": ("motion-jpeg.avi", _word(b"strh", 32, "<I")),
    "tick rate": ("camera.ts", _tick_rate),
}
"""Name of a lie -> the clip that it is told of, and who tells it: (rng, clip, folder, value) -> (file, true rate)."""


def _shape(path: Path) -> tuple[list[int], list[int]]:
    """The place of each packet's picture in the order of display; keyframes that are shown before all that follows."""
    with av.open(str(path)) as container:
        packets = [packet for packet in container.demux(video=0) if packet.size]
    ranks = np.argsort(np.argsort([packet.pts or 0 for packet in packets])).tolist()
    return ranks, [n for n, packet in enumerate(packets) if n and packet.is_keyframe and ranks[n] == min(ranks[n:])]


def _remuxed(source: Path, path: Path, stamps: Stamps, step: int, bits: str | None = None) -> Path:
    """The packets of `source` with these timestamps; where they are set back, another file begins behind the first.

    step: ticks that a picture lasts.  bits: a bit stream filter that each packet goes through.
    """
    starts = [0, *(n for n, ((_, before), (_, dts)) in enumerate(pairwise(stamps), 1) if dts <= before), len(stamps)]
    with path.open("wb") as joined:
        for start, end in pairwise(starts):
            part = path.with_name(f"part-{path.name}")
            with av.open(str(source)) as read, av.open(str(part), "w") as written:
                stream = read.streams.video[0]
                copy = written.add_stream_from_template(stream)
                copy.time_base = Fraction(1, _TICKS)
                change = None if bits is None else BitStreamFilterContext(bits, stream, copy)
                packets = [packet for packet in read.demux(stream) if packet.size][start:end]
                for packet, (pts, dts) in zip(packets, stamps[start:end], strict=True):
                    packet.pts, packet.dts, packet.time_base, packet.duration = pts, dts, Fraction(1, _TICKS), step
                    for changed in [packet] if change is None else change.filter(packet):
                        changed.stream = copy
                        written.mux(changed)
            joined.write(part.read_bytes())
    return path


def _read(path: Path, true_fps: float | None) -> tuple[Source, list[Frame]]:
    """Hold the reader to the pictures of a plain one, each once and in order, and to the rate."""
    source = open_source(path, fps=RAW_FPS if path.suffix == ".h264" else None)
    frames = []
    with suppress(CrowdadError):
        frames = list(source.frames())
    check_order([frame.index for frame in frames], [frame.time_s for frame in frames])
    plain = [frame.to_ndarray()[: frame.height, : frame.width].tobytes() for frame in plainly_decoded(path)]
    hold(
        [frame.luma.tobytes() for frame in frames] == plain, f"{len(frames)} pictures, a plain reader gets {len(plain)}"
    )
    hold(source.report.frames_skipped == 0, f"{source.report.frames_skipped} pictures of a sound clip are told as lost")
    right = true_fps is None or abs(source.fps / true_fps - 1) <= _WITHIN
    hold(right, f"{source.fps:g} frames a second are told, {true_fps:g} are true" if true_fps else "")
    return source, frames


def _enter(rng: Rng, path: Path, frames: list[Frame]) -> None:
    """Hold a pass that begins within the footage to what a whole pass gives from there on."""
    first = int(rng.integers(1, len(frames)))
    if frames[first].time_s > frames[first - 1].time_s:
        part = list(open_source(path, start_s=frames[first].time_s).frames())
        alike = [(f.index, f.time_s, f.luma.tobytes()) for f in frames[first:]] == [
            (f.index, f.time_s, f.luma.tobytes()) for f in part
        ]
        hold(alike, f"from frame {first} on other pictures or times come: {[f.index for f in part]}")
