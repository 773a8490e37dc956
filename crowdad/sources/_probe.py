"""What a video file is, told by its packets and a few decoded pictures, before it is read."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass, field, replace
from fractions import Fraction
from functools import lru_cache
from pathlib import Path

import av
import numpy as np
from av.container import InputContainer
from av.packet import Packet
from av.video.stream import VideoStream

from crowdad.errors import UnreadableSourceError
from crowdad.records import SourceInfo
from crowdad.sources._base import check_size, longest_step_s
from crowdad.sources._clock import UNSHOWN_AT_MOST, FrameClock
from crowdad.sources._container import (
    claimed_end_s,
    is_cut_mp4,
    joined_recordings,
    moving_streams,
    open_container,
    recorded_at,
    video_stream,
)
from crowdad.sources._pixels import Orientation, PixelReader
from crowdad.sources._rates import changes_of, confirmed, measured_fps
from crowdad.sources._reading import Reading, rotate_tag, set_up_decoder, stated_fps, time_base
from crowdad.sources._repeats import change_between, is_settled, new_rate
from crowdad.sources._report import Tally
from crowdad.sources._timeline import MISSING, Timeline, read_timeline

__all__ = ["ASSUMED_FPS", "NoFrameError", "Probe", "probed"]

ASSUMED_FPS = 25.0

_PROBED_AT_MOST = 2**27
"""Pixels of the pictures that are decoded to see how large the footage is: 200 MB of memory."""

_GLANCE_FRAMES, _LONGEST_GLANCE = 60, 240
_GLANCES = (0.25, 0.5, 0.75)  # of the footage, where its beginning does not tell
_NO_TIMESTAMPS = 0x80  # AVFMT_NOTIMESTAMPS of libavformat
_SHORTFALL_S = 0.5
_ROUNDED = 0.01  # of a pixel's side: what scaling to whole pixels leaves
_KEPT = 16  # files: one is opened anew for each of the parts that are learned from


class NoFrameError(Exception):
    """No picture can be decoded.  tally: what was met."""

    def __init__(self, tally: Tally) -> None:
        super().__init__()
        self.tally = tally


@dataclass(frozen=True, eq=False)
class Probe:
    """A video file.

    timeline: None where its pictures are spaced evenly by `info.fps`, as they carry no times or as was asked.
    new_fps: pictures a second that do not repeat the one before.  changes: places from which on as many pictures come
    a second.  origin: place of the first picture.  clockwise_deg: of a rotate tag.
    tick: seconds of one tick of the time line.
    ranked: see `FrameClock`.  paired: each packet gives a picture.  truncated: there is less than the container says.
    """

    info: SourceInfo
    timeline: Timeline | None
    new_fps: float
    changes: tuple[tuple[int, float], ...]
    origin: int | None
    clockwise_deg: int
    tick: Fraction
    ranked: bool
    paired: bool
    truncated: bool
    notes: tuple[str, ...]

    @property
    def tick_s(self) -> float:
        """Seconds of one tick of the time line."""
        return float(self.tick)

    @property
    def can_be_entered(self) -> bool:
        """Whether reading can begin at any keyframe and still tell which picture is which."""
        return self.timeline is not None and self.origin is not None and not self.ranked and self.paired


@dataclass
class _Glance:
    """A stretch of footage, decoded.  order: numbers of the packets whose pictures came, as they came."""

    changes: list[float] = field(default_factory=list)
    order: list[int] = field(default_factory=list)
    first: av.VideoFrame | None = None
    bad: bool = False

    @property
    def reorders(self) -> bool:
        return any(later < earlier for earlier, later in zip(self.order, self.order[1:], strict=False))

    @property
    def pairs(self) -> bool:
        """Whether every packet between the first and those that may still wait has given its picture."""
        if self.bad or not self.order:
            return True
        settled = range(self.order[0], max(self.order) - UNSHOWN_AT_MOST)
        return set(settled) <= set(self.order)


def probed(path: Path, name: str, asked_fps: float | None, max_pixels: int) -> Probe:
    """What the file is.  asked_fps: pictures a second to space them by, whatever it says itself.

    Raises NoFrameError, UnreadableSourceError, SourceNotFoundError, NoVideoError.
    """
    try:
        known = path.stat()
    except OSError:
        return _probed(path, name, asked_fps, max_pixels)
    return _remembered(path.absolute(), name, asked_fps, max_pixels, known.st_size, known.st_mtime_ns, known.st_ino)


@lru_cache(_KEPT)
def _remembered(path: Path, name: str, asked_fps: float | None, max_pixels: int, *_same_file: int) -> Probe:
    return _probed(path, name, asked_fps, max_pixels)


def _probed(path: Path, name: str, asked_fps: float | None, max_pixels: int) -> Probe:
    # A decoder that may not make a picture does not tell its size either: the first one may be larger.
    most = max(max_pixels, _PROBED_AT_MOST)
    with open_container(path, most) as container:
        stream = video_stream(name, container)
        set_up_decoder(stream, most)
        check_size(name, stream.codec_context.height, stream.codec_context.width, max_pixels)
        carries_none = bool(container.format.flags & _NO_TIMESTAMPS)
        if carries_none and asked_fps is None:
            raise UnreadableSourceError(
                f"{name}: a raw stream carries no timestamps; say how many frames a second it has with --fps"
            )
        glance, tally = _Glance(), Tally()
        clockwise_deg = rotate_tag(stream)
        _look(container, stream, glance, tally, clockwise_deg)
        if glance.first is None:
            raise NoFrameError(tally)
        check_size(name, glance.first.height, glance.first.width, max_pixels)
        remarks = _remarks(container, stream, glance.first)
        may_reorder = glance.bad and stream.codec_context.has_b_frames
    with open_container(path, max_pixels) as container:
        stream = video_stream(name, container)
        rates, tick = stated_fps(stream), time_base(stream)
        timeline = None if carries_none else read_timeline(container, stream, next(iter(rates), ASSUMED_FPS))
        fps, changes, notes = _rate(stream, timeline, asked_fps)
        if timeline is not None:
            remarks += joined_recordings(path, container, timeline.end_byte, 1 + len(timeline.restarts))
        truncated = timeline is not None and _is_cut(path, container, stream, timeline, fps)
        info = _describe(name, path, container, stream, None if asked_fps else timeline, fps)
        size_hw = Orientation.of(glance.first, clockwise_deg).size_hw(glance.first.height, glance.first.width)
    new_fps, repeats = _new_fps(path, name, max_pixels, timeline, glance, fps)
    used = None if asked_fps is not None else timeline
    ranked = used is not None and (_contradicts(used, glance) or (used.in_order and bool(may_reorder)))
    used = used.in_order_of_decoding() if used is not None and ranked else used
    return Probe(
        replace(info, size_hw=size_hw),
        used,
        new_fps,
        changes,
        None if used is None else _origin(used, glance, ranked),
        clockwise_deg,
        tick,
        ranked=ranked,
        paired=glance.pairs,
        truncated=truncated,
        notes=notes + remarks + repeats,
    )


def _look(
    container: InputContainer,
    stream: VideoStream,
    glance: _Glance,
    tally: Tally,
    clockwise_deg: int,
    *,
    brief: bool = False,
) -> None:
    """Decode the next pictures into the glance; more of them where they may repeat, unless it is to be brief."""
    pixels, last, counted = PixelReader(clockwise_deg), None, iter(range(2**62))

    def number_of(_packet: Packet) -> int:
        return next(counted)

    fps = next(iter(stated_fps(stream)), ASSUMED_FPS)
    clock = FrameClock(time_base(stream), fps, None)
    for frame in Reading(container, stream, clock, tally, number_of).frames():
        glance.first = frame if glance.first is None else glance.first
        if frame.pts is not None:
            glance.order.append(frame.pts)
        luma = pixels.read(frame, False)[0]
        if last is not None and last.shape == luma.shape:
            glance.changes.append(change_between(luma, last))
        last = luma
        seen = len(glance.order)
        if seen >= _LONGEST_GLANCE or (seen >= _GLANCE_FRAMES and (brief or is_settled([glance.changes], fps))):
            break
    glance.bad = bool(tally.bad_packets)


def _contradicts(timeline: Timeline, glance: _Glance) -> bool:
    """Whether pictures come out of the decoder in another order than their timestamps say."""
    places = timeline.places[glance.order]
    return bool((np.diff(places[places != MISSING]) < 0).any())


def _origin(timeline: Timeline, glance: _Glance, ranked: bool) -> int | None:
    """Place of the first picture; None where only reading tells."""
    if not glance.order or (ranked and glance.order[0] != 0):
        return None
    place = int(timeline.places[glance.order[0]])
    return place if place in timeline.shown else None


def _rate(
    stream: VideoStream, timeline: Timeline | None, asked_fps: float | None
) -> tuple[float, tuple[tuple[int, float], ...], tuple[str, ...]]:
    """Pictures a second at first, places from which on there are more or fewer, and what a person should know of it."""
    stated = stated_fps(stream)
    measured = None if timeline is None else measured_fps(timeline.steps(), time_base(stream))
    if asked_fps is not None:
        evenly = f"frames are spaced evenly, {asked_fps:g} a second as asked"
        if measured is None:
            return float(asked_fps), (), (f"no timestamps: {evenly}",)
        said = confirmed(measured, stated)
        return float(asked_fps), (), (f"{evenly}; the file's own timestamps, {_told(said)} a second, are not used",)
    assert timeline is not None, "a raw stream needs a rate"
    if measured is None:
        fps = next(iter(stated), ASSUMED_FPS)
        claim = "the container claims" if stated else "the file states no frame rate; assumed are"
        told = (f"the timestamps tell no frame rate; {claim} {_told(fps)} frames a second",)
        return fps, (), told if len(timeline.places) > 1 else ()
    steps = timeline.steps()
    even = bool((steps == steps[0]).all())
    fps = measured if even else confirmed(measured, stated)
    base = float(time_base(stream))
    longest_s = longest_step_s(fps)
    first, changes = changes_of(timeline.shown.astype(np.float64) * base, fps, longest_s)
    notes = []
    has_pauses = bool((steps * base > longest_s).any())  # which some containers' averages count
    if stated and not changes and (stated[0] > _LIE * fps or (fps > _LIE * stated[0] and not has_pauses)):
        notes.append(
            f"the container claims {_told(stated[0])} frames a second, by its timestamps there are {_told(fps)}"
        )
    places = tuple((int(timeline.shown[number]), rate) for number, rate in changes)
    if changes:
        fps = first
        rates = ", ".join(f"{_told(rate)} from {_at_s(timeline, place, base):.1f} s" for place, rate in places[:5])
        notes.append(f"the frame rate changes: {_told(first)} a second, {rates}{', ...' if len(places) > 5 else ''}")
    return fps, places, tuple(notes)


_LIE = 1.1


def _at_s(timeline: Timeline, place: int, base: float) -> float:
    return float(place - timeline.shown[0]) * base


def _told(fps: float) -> str:
    return f"{round(fps, 2):g}" if fps >= 1 else f"{fps:.2g}"


def _new_fps(
    path: Path, name: str, max_pixels: int, timeline: Timeline | None, glance: _Glance, fps: float
) -> tuple[float, tuple[str, ...]]:
    """New pictures a second, and a note where pictures are repeated.  glance: at the beginning."""
    changes = [glance.changes]
    if timeline is not None and len(glance.order) >= _GLANCE_FRAMES:
        for share in _GLANCES:
            if not is_settled(changes, fps):
                with suppress(av.FFmpegError, LookupError):
                    changes.append(_glance_at(path, name, max_pixels, timeline, share))
    # What a decoder fills in for damage repeats, too.
    rate = fps if glance.bad else new_rate(changes, fps) or fps
    if rate >= fps:
        return fps, ()
    return rate, (
        f"{_told(fps)} frames a second, about {_about(rate)} new ones: the others repeat the picture before; "
        "motion is measured from new picture to new picture",
    )


def _about(rate: float) -> str:
    return f"{rate:.0f}" if rate >= 2 else f"{rate:.1f}"


def _glance_at(path: Path, name: str, max_pixels: int, timeline: Timeline, share: float) -> list[float]:
    """Changes from the keyframe on that lies before this share of the footage."""
    numbers = timeline.key_stamps[:, 0]
    place = int(np.searchsorted(numbers, share * len(timeline.places), side="right")) - 1
    if place < 1:
        raise LookupError
    with open_container(path, max_pixels) as container:
        stream = video_stream(name, container)
        set_up_decoder(stream, max_pixels)
        container.seek(int(timeline.key_stamps[place, 1]), stream=stream)
        glance = _Glance()
        _look(container, stream, glance, Tally(), 0, brief=True)
        return glance.changes


def _is_cut(path: Path, container: InputContainer, stream: VideoStream, timeline: Timeline, fps: float) -> bool:
    """Whether there is less than the container says."""
    claimed_s = claimed_end_s(container, stream)
    end_s = None if timeline.end is None else float(timeline.end * time_base(stream))
    ends_early = claimed_s is not None and end_s is not None and end_s < claimed_s - max(_SHORTFALL_S, 3 / fps)
    return ends_early or ("mp4" in container.format.name and is_cut_mp4(path))


def _describe(
    name: str, path: Path, container: InputContainer, stream: VideoStream, timeline: Timeline | None, fps: float
) -> SourceInfo:
    counted = None if timeline is None else len(timeline.shown)
    return SourceInfo(
        name=name,
        kind="file",
        size_hw=(0, 0),
        fps=fps,
        frame_count=stream.frames or counted or None,
        duration_s=_duration_s(container, stream, timeline, fps),
        size_bytes=path.stat().st_size,
        codec=stream.codec_context.codec.canonical_name,
        recorded_at=recorded_at(container),
        audio=bool(container.streams.audio),
    )


def _duration_s(container: InputContainer, stream: VideoStream, timeline: Timeline | None, fps: float) -> float | None:
    """As the container claims where its timestamps agree."""
    claimed = None if container.duration is None else container.duration / av.time_base
    claimed = claimed if stream.duration is None else float(stream.duration * time_base(stream))
    if timeline is None or len(timeline.shown) < 2:
        return claimed if not stream.frames else stream.frames / fps
    counted = float((timeline.shown[-1] - timeline.shown[0]) * time_base(stream)) + 1 / fps
    return claimed if claimed is not None and abs(claimed / counted - 1) < 0.01 else counted


def _remarks(container: InputContainer, stream: VideoStream, frame: av.VideoFrame) -> tuple[str, ...]:
    return tuple(_remarked(container, stream, frame))


def _remarked(container: InputContainer, stream: VideoStream, frame: av.VideoFrame) -> Iterator[str]:
    others = len(moving_streams(container)) - 1
    if others:
        yield f"one video stream of {others + 1} is read, number {stream.index}"
    aspect = stream.sample_aspect_ratio or stream.codec_context.sample_aspect_ratio
    if aspect and abs(aspect - 1) > _ROUNDED:
        yield f"pixels are not square ({aspect.numerator}:{aspect.denominator}); they are taken as stored"
    if frame.interlaced_frame:
        yield "interlaced: each frame holds two half pictures, taken as one"
