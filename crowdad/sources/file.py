"""Video files, decoded packet by packet with PyAV so that a bad packet costs one packet."""

from __future__ import annotations

import hashlib
from collections import deque
from collections.abc import Hashable, Iterator
from contextlib import suppress
from functools import cached_property, partial
from os import PathLike
from pathlib import Path
from typing import Any

import av
import numpy as np
from av.container import InputContainer
from av.packet import Packet
from av.video.stream import VideoStream

from crowdad.records import SourceInfo
from crowdad.sources._base import (
    MAX_PIXELS,
    TIME_SLACK_S,
    Cut,
    Picture,
    Places,
    Playable,
    Source,
    check_fps,
    check_max_pixels,
    file_stamp,
)
from crowdad.sources._clock import FrameClock, Placed
from crowdad.sources._container import browser_suffix, open_container, shown_from_s, video_stream
from crowdad.sources._listing import Entry
from crowdad.sources._pixels import PixelReader
from crowdad.sources._probe import NoFrameError, Probe, probed
from crowdad.sources._reading import Reading, set_up_decoder, time_base
from crowdad.sources._report import Tally
from crowdad.sources._timeline import Numbers

__all__ = ["VideoFile"]

SEEK_MARGIN_S = 1.0
"""A pass begins at the keyframe before this much earlier: what is shown around a keyframe may hang on earlier ones."""

_LOST = "could not be decoded"


class _SeekMissed(Exception):
    """Seeking did not land on a keyframe before the start."""


class VideoFile(Source):
    """A video file.

    fps: frames a second, for footage that carries no timestamps (raw .h264), or in place of timestamps that lie.
    start_s, end_s: the part to read, in seconds from the first frame; read from the keyframe before.  Frame indices
        then still count in the whole file.
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

    @property
    def new_fps(self) -> float:
        return min(self._probe.new_fps, self.fps)

    @property
    def slowest_fps(self) -> float:
        share = min((fps for _, fps in self._probe.changes), default=self.info.fps) / self.info.fps
        return self.new_fps * min(share, 1.0)

    def playable(self) -> Playable | None:
        if self._probe.timeline is None or self._probe.ranked:
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
                yield from self._decode(tally, self._entry_before(self._cut.start_s))
                return
            except _SeekMissed:
                pass
        yield from self._decode(tally, None)

    def _pictures_from(self, tally: Tally, entry: Entry) -> Iterator[Picture]:
        try:
            yield from self._decode(tally, entry)
        except _SeekMissed:
            yield from self.pictures(tally)

    def _decode(self, tally: Tally, entry: Entry | None) -> Iterator[Picture]:
        """The pictures, from the keyframe of the entry on where there is one.  Raises _SeekMissed before the first."""
        probe = self._probe
        pixels = PixelReader(probe.clockwise_deg)
        key_place = None if entry is None else entry.key_place
        with open_container(self.path, self._max_pixels) as container:
            stream = video_stream(self.name, container)
            set_up_decoder(stream, self._max_pixels)
            if entry is not None:
                _seek(container, stream, entry)
            reading = self._reading(container, stream, tally, entry)
            changes = deque(probe.changes)
            for frame in reading.frames():
                if key_place is not None:
                    if frame.pts is not None and frame.pts < key_place:
                        continue
                    if frame.pts != key_place:
                        raise _SeekMissed
                    key_place = None
                placed = reading.clock.place(frame.pts)
                self._count(tally, frame, placed)
                picture = Picture(placed.index, placed.time_s, partial(pixels.read, frame))
                if placed.restarted:
                    picture.broken = "the clock of the footage is set back"
                while changes and placed.time_s >= reading.clock.seconds(changes[0][0]) - TIME_SLACK_S:
                    picture.fps = reading.clock.fps = changes.popleft()[1]
                    if entry is None or placed.index > (entry.key_index or 0):
                        picture.broken = picture.broken or f"from here on there are {picture.fps:.4g} frames a second"
                yield picture
            if key_place is not None:
                raise _SeekMissed
            for time_s in reading.clock.unshown_s():
                tally.skip(_LOST, time_s)
            tally.truncated |= reading.ended_badly or probe.truncated

    def _reading(self, container: InputContainer, stream: VideoStream, tally: Tally, entry: Entry | None) -> Reading:
        probe, line = self._probe, self._probe.timeline
        first = 0 if entry is None or entry.key_index is None else entry.key_index
        restarts = () if line is None else line.restarts
        clock = FrameClock(time_base(stream), probe.info.fps, probe.origin, restarts, first)
        clock.ranked = probe.ranked
        numbers = _untimed if line is None else Numbers(line, 0 if entry is None else None)
        return Reading(container, stream, clock, tally, numbers)

    def _count(self, tally: Tally, frame: av.VideoFrame, placed: Placed) -> None:
        for time_s in placed.lost_s:
            if not self._cut.is_before(time_s):
                tally.skip(_LOST, time_s)
        tally.damaged_frames += frame.is_corrupt and not self._cut.is_before(placed.time_s)

    def _entry_before(self, start_s: float) -> Entry:
        """The last keyframe a while before this time.  Raises _SeekMissed where reading has to begin at the start."""
        line, origin = self._probe.timeline, self._probe.origin
        if not self._probe.can_be_entered or line is None or origin is None:
            raise _SeekMissed
        numbers = line.key_stamps[:, 0]
        places = line.places[numbers]
        wanted = origin + (start_s - SEEK_MARGIN_S) / self._probe.tick_s
        fit = np.flatnonzero((places <= wanted) & (places > origin))
        if not len(fit):
            raise _SeekMissed
        place = int(places[fit[-1]])
        return Entry(0, line.rank(place) - line.rank(origin), place, int(line.key_stamps[fit[-1], 1]))

    def _places(self) -> Places | None:
        probe, line = self._probe, self._probe.timeline
        steady = probe.can_be_entered and not probe.changes and probe.new_fps >= probe.info.fps and not probe.truncated
        if line is None or not steady or not line.is_whole or line.restarts or line.shown[0] != probe.origin:
            return None
        # The nearest float to the exact time, as the clock gives it: whole numbers up to the last step.
        time_s = (line.shown - line.shown[0]) * probe.tick.numerator / probe.tick.denominator
        numbers, dts = line.key_stamps.T
        places = line.places[numbers]
        order = np.argsort(places)
        index = np.searchsorted(line.shown, places)
        return np.arange(len(time_s)), time_s, np.column_stack([index, places, dts])[order]

    @cached_property
    def _probe(self) -> Probe:
        with suppress(OSError):  # which the reader tells in better words
            self._opened_as = self._stamp()
        try:
            probe = probed(self.path, self.name, self._fps, self._max_pixels)
        except NoFrameError as error:
            self._raise_nothing_read(error.tally, None)
        self._notes = probe.notes
        return probe


def _untimed(_packet: Packet) -> int | None:
    """Frames are spaced evenly, in the order in which the decoder hands them out."""
    return None


def _seek(container: InputContainer, stream: VideoStream, entry: Entry) -> None:
    if entry.key_dts is None:
        raise _SeekMissed
    try:
        container.seek(entry.key_dts, stream=stream)
    except av.FFmpegError:
        raise _SeekMissed from None
