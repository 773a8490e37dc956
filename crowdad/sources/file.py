"""Video files, decoded packet by packet with PyAV so that a bad packet costs one packet."""

from __future__ import annotations

import hashlib
from collections.abc import Hashable, Iterator
from contextlib import closing, suppress
from dataclasses import dataclass
from functools import cached_property, partial
from os import PathLike
from pathlib import Path
from typing import Any

import av
import numpy as np
import numpy.typing as npt
from av.container import InputContainer
from av.video.stream import VideoStream

from crowdad.errors import UnreadableSourceError
from crowdad.records import SourceInfo
from crowdad.sources._base import (
    MAX_PIXELS,
    Cut,
    Picture,
    Places,
    Playable,
    Source,
    check_fps,
    check_max_pixels,
    check_size,
    file_stamp,
)
from crowdad.sources._clock import FrameClock, Placed
from crowdad.sources._container import (
    browser_suffix,
    claimed_end_s,
    is_cut_mp4,
    moving_streams,
    open_container,
    recorded_at,
    recordings_in_mp4,
    shown_from_s,
    video_stream,
)
from crowdad.sources._listing import Entry, read_packets
from crowdad.sources._pixels import Orientation, PixelReader
from crowdad.sources._reading import Reading, rotate_tag, set_up_decoder, stated_fps, time_base
from crowdad.sources._report import Tally

__all__ = ["VideoFile"]

SEEK_MARGIN_S = 1.0
"""Seek to the keyframe before this much earlier: containers seek by decoding time, which lies before display time."""

_PROBED_AT_MOST = 2**27
"""Pixels of the one picture that is decoded to see how large the footage is: 200 MB of memory."""

ASSUMED_FPS = 25.0
_SHORTFALL_S = 0.5
_NO_TIMESTAMPS, _CLOCK_MAY_RESTART = 0x80, 0x200  # AVFMT_NOTIMESTAMPS, AVFMT_TS_DISCONT of libavformat
_TIMES_SLIP_AFTER_SEEK = ("mpeg",)  # Program streams stamp only some packets; the rest is guessed from those before.
_LOST = "could not be decoded"


class _SeekMissed(Exception):
    """Seeking did not land on a keyframe before the start."""


@dataclass(frozen=True)
class _Probe:
    """What opening the file and decoding its first picture told."""

    info: SourceInfo
    timed: bool
    origin_pts: int | None
    clockwise_deg: int


class VideoFile(Source):
    """A video file.

    fps: frames a second, only for footage that carries no timestamps (raw .h264); others keep their own.
    start_s, end_s: the part to read, in seconds from the first frame; read from the keyframe before.  Frame indices
        then still count in the whole file: the first is its time x the average fps (exact for a constant frame rate).
    stride: keep every n-th frame.
    max_pixels: footage with larger pictures is refused; a larger one on the way, which takes more than damage to a
        header to be true, counts as unreadable.

    Decoding runs on one core: with several, what becomes of damaged footage depends on which of them is first, and
    scoring is slower than decoding anyway.  A change of size starts a new `Frame.segment`; each frame keeps its own
    size.  Pictures are turned upright as the container asks.
    """

    def __init__(
        self,
        path: str | PathLike[str],
        *,
        fps: float | None = None,
        start_s: float | None = None,
        end_s: float | None = None,
        stride: int = 1,
        max_pixels: int = MAX_PIXELS,
    ) -> None:
        check_fps(fps)
        check_max_pixels(max_pixels)
        self.path = Path(path)
        super().__init__(self.path.name, Cut(start_s, end_s, stride))
        self._fps = fps
        self._max_pixels = max_pixels

    @classmethod
    def accepts(cls, spec: Any) -> bool:
        return isinstance(spec, Path) and spec.is_file()

    @property
    def info(self) -> SourceInfo:
        return self._probe.info

    def playable(self) -> Playable | None:
        if not self._probe.timed:
            return None
        with self._unchanged(), open_container(self.path, self._max_pixels) as container:
            stream = video_stream(self.name, container)
            suffix, starts_s = browser_suffix(self.path, container, stream), shown_from_s(container, stream)
            return None if suffix is None or starts_s is None else Playable(self.path, suffix, starts_s)

    def sha256(self) -> str:
        with self._unchanged(), self.path.open("rb") as file:
            return hashlib.file_digest(file, "sha256").hexdigest()

    def _stamp(self) -> Hashable:
        return file_stamp(self.path)

    def pictures(self, tally: Tally) -> Iterator[Picture]:
        if self._cut.start_s:
            try:
                yield from self._decode(tally, seek=True)
                return
            except _SeekMissed:
                pass
        yield from self._decode(tally, seek=False)

    def _pictures_from(self, tally: Tally, entry: Entry) -> Iterator[Picture]:
        try:
            yield from self._decode(tally, seek=True, entry=entry)
        except _SeekMissed:
            yield from self.pictures(tally)

    def _decode(self, tally: Tally, seek: bool, entry: Entry | None = None) -> Iterator[Picture]:
        probe = self._probe
        pixels = PixelReader(probe.clockwise_deg)
        with open_container(self.path, self._max_pixels) as container:
            stream = video_stream(self.name, container)
            set_up_decoder(stream, self._max_pixels)
            if seek:
                self._seek(container, stream, entry)
            clock = self._clock(container, stream, seek, entry)
            reading = Reading(container, stream, clock, tally)
            for frame in reading.frames():
                if seek and entry is not None and frame.pts is not None and frame.pts < (entry.key_pts or 0):
                    continue
                placed = clock.place(frame.pts if probe.timed else None)
                if seek:
                    seek = False
                    self._check_landed(frame, placed, entry)
                self._count(tally, frame, placed)
                load = partial(pixels.read, frame)
                yield Picture(placed.index, placed.time_s, load, placed.restarted)
            if seek:
                raise _SeekMissed
            self._finish(reading, stream, container, sought=bool(self._cut.start_s) or entry is not None)

    def _clock(self, container: InputContainer, stream: VideoStream, seek: bool, entry: Entry | None) -> FrameClock:
        may_restart = bool(container.format.flags & _CLOCK_MAY_RESTART)
        from_s = (self._cut.start_s or 0.0) if seek and entry is None else 0.0
        first_index = None if entry is None else entry.key_index
        probe = self._probe
        return FrameClock(time_base(stream), probe.info.fps, probe.origin_pts, may_restart, from_s, first_index)

    def _count(self, tally: Tally, frame: av.VideoFrame, placed: Placed) -> None:
        for time_s in placed.lost_s:
            if not self._cut.is_before(time_s):
                tally.skip(_LOST, time_s)
        tally.damaged_frames += frame.is_corrupt and not self._cut.is_before(placed.time_s)

    def _finish(self, reading: Reading, stream: VideoStream, container: InputContainer, sought: bool) -> None:
        """At the end of the file: what never came out, and whether the end is where it should be."""
        for time_s in reading.clock.unshown_s():
            reading.tally.skip(_LOST, time_s)
        packets = None if sought else reading.packets
        reading.tally.truncated |= reading.ended_badly or self._is_cut(stream, container, reading.end_s, packets)

    def _is_cut(self, stream: VideoStream, container: InputContainer, end_s: float, packets: int | None) -> bool:
        """Whether there is less than the container says.  packets: how many there are, None where not all were seen."""
        claimed_s = claimed_end_s(container, stream)
        ends_early = claimed_s is not None and end_s < claimed_s - max(_SHORTFALL_S, 3 / self.info.fps)
        too_few = packets is not None and container.format.name == "avi" and packets < stream.frames
        return ends_early or too_few or is_cut_mp4(self.path)

    def _seek(self, container: InputContainer, stream: VideoStream, entry: Entry | None) -> None:
        wanted_s = (self._cut.start_s or 0.0) - SEEK_MARGIN_S
        inexact = container.format.name in _TIMES_SLIP_AFTER_SEEK
        if inexact or not self._probe.timed or self._probe.origin_pts is None or (wanted_s <= 0 and entry is None):
            raise _SeekMissed
        from_pts = self._probe.origin_pts + int(wanted_s / time_base(stream))
        if entry is not None and entry.key_dts is not None:
            from_pts = entry.key_dts
        try:
            container.seek(from_pts, stream=stream)
        except av.FFmpegError:
            raise _SeekMissed from None

    def _check_landed(self, frame: av.VideoFrame, placed: Placed, entry: Entry | None) -> None:
        landed = self._cut.is_before(placed.time_s) if entry is None else frame.pts == entry.key_pts
        if frame.pts is None or not frame.key_frame or not landed:
            raise _SeekMissed

    def _places(self) -> Places | None:
        probe = self._probe
        with open_container(self.path, self._max_pixels) as container:
            stream = video_stream(self.name, container)
            unsure = not probe.timed or container.format.name in _TIMES_SLIP_AFTER_SEEK
            packets = None if unsure else read_packets(container, stream)
            if packets is None or packets.pts[0] != probe.origin_pts:
                return None
            base, origin_pts = time_base(stream), int(packets.pts[0])
            end_s = float((packets.end_pts - origin_pts) * base)
            if self._is_cut(stream, container, end_s, len(packets.pts)):
                return None
        # The nearest float to the exact time, as the clock gives it: whole numbers up to the last step.
        time_s = (packets.pts - origin_pts) * base.numerator / base.denominator
        index = np.arange(len(time_s)) + self._index_offset(time_s)
        places = np.searchsorted(packets.pts, packets.keys[:, 0])
        return index, time_s, np.column_stack([index[places], packets.keys])

    def _index_offset(self, time_s: npt.NDArray[np.float64]) -> int:
        """By how much indices differ from a count of all frames: a pass that seeks takes its first from the time."""
        if not self._cut.start_s:
            return 0
        try:
            with closing(self._decode(Tally(), seek=True)) as pictures:  # type: ignore[type-var]
                next(pictures)
        except (_SeekMissed, StopIteration):
            return 0
        behind = ((number, s) for number, s in enumerate(time_s.tolist()) if not self._cut.is_before(s))
        first, first_s = next(behind, (0, 0.0))
        return round(first_s * self.info.fps) - first

    @cached_property
    def _probe(self) -> _Probe:
        # A decoder that may not make a picture does not tell its size either: the first one may be larger.
        most = max(self._max_pixels, _PROBED_AT_MOST)
        with suppress(OSError):  # which the reader tells in better words
            self._opened_as = self._stamp()
        with open_container(self.path, most) as container:
            stream = video_stream(self.name, container)
            set_up_decoder(stream, most)
            check_size(self.name, stream.codec_context.height, stream.codec_context.width, self._max_pixels)
            timed = not container.format.flags & _NO_TIMESTAMPS
            fps, notes = self._rate(stream, timed)
            clock = FrameClock(time_base(stream), fps, None)
            tally = Tally()
            frame = next(Reading(container, stream, clock, tally).frames(), None)
            if frame is None:
                self._raise_nothing_read(tally, None)
            check_size(self.name, frame.height, frame.width, self._max_pixels)
            clockwise_deg = rotate_tag(stream)
            size_hw = Orientation.of(frame, clockwise_deg).size_hw(frame.height, frame.width)
            self._notes = notes + _remarks(container, stream, frame) + _joined(self.path, container)
            info = self._describe(container, stream, size_hw, fps)
            return _Probe(info, timed, frame.pts if timed else None, clockwise_deg)

    def _describe(
        self, container: InputContainer, stream: VideoStream, size_hw: tuple[int, int], fps: float
    ) -> SourceInfo:
        return SourceInfo(
            name=self.name,
            kind="file",
            size_hw=size_hw,
            fps=fps,
            frame_count=stream.frames or None,
            duration_s=_duration_s(container, stream),
            size_bytes=self.path.stat().st_size,
            codec=stream.codec_context.codec.canonical_name,
            recorded_at=recorded_at(container),
            audio=bool(container.streams.audio),
        )

    def _rate(self, stream: VideoStream, timed: bool) -> tuple[float, tuple[str, ...]]:
        """Frames a second, and what a person should know of it."""
        if not timed:
            if self._fps is None:
                raise UnreadableSourceError(
                    f"{self.name}: a raw stream carries no timestamps; say how many frames a second it has with --fps"
                )
            return float(self._fps), (f"no timestamps: frames are spaced evenly, {self._fps:g} a second as asked",)
        notes = () if self._fps is None else (f"fps {self._fps:g} was not used: the file carries its own timestamps",)
        rate = stated_fps(stream)
        if rate is not None:
            return rate, notes
        assumed = self._fps or ASSUMED_FPS
        return assumed, (f"the file states no frame rate; {assumed:g} frames a second are assumed",)


def _duration_s(container: InputContainer, stream: VideoStream) -> float | None:
    if stream.duration is not None:
        return float(stream.duration * time_base(stream))
    return None if container.duration is None else container.duration / av.time_base


def _joined(path: Path, container: InputContainer) -> tuple[str, ...]:
    found = recordings_in_mp4(path) if "mp4" in container.format.name else 1
    return () if found == 1 else (f"{found} mp4 files were joined to one; only the first is read, give them singly",)


def _remarks(container: InputContainer, stream: VideoStream, frame: av.VideoFrame) -> tuple[str, ...]:
    remarks = []
    others = len(moving_streams(container)) - 1
    if others:
        remarks.append(f"one video stream of {others + 1} is read, number {stream.index}")
    aspect = stream.sample_aspect_ratio or stream.codec_context.sample_aspect_ratio
    if aspect and aspect != 1:
        remarks.append(f"pixels are not square ({aspect.numerator}:{aspect.denominator}); they are taken as stored")
    if frame.interlaced_frame:
        remarks.append("interlaced: each frame holds two half pictures, taken as one")
    return tuple(remarks)
