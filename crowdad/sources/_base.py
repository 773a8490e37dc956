"""What every source is: footage that can be read again and again, one frame at a time, in bounded memory.

A new kind of source is one file with a subclass of `Source` and one line in `crowdad/sources/__init__.py`.
"""

from __future__ import annotations

import math
import sys
from abc import ABC, abstractmethod
from collections.abc import Callable, Generator, Hashable, Iterator
from contextlib import closing, contextmanager
from dataclasses import dataclass
from numbers import Integral, Real
from pathlib import Path
from typing import Any, NoReturn

import numpy as np
import numpy.typing as npt

from crowdad.errors import ConfigError, SourceNotFoundError, TooShortError, UnreadableSourceError
from crowdad.records import Frame, SourceInfo
from crowdad.sources._listing import Entry, Listing
from crowdad.sources._repeats import RepeatFinder
from crowdad.sources._report import ReadReport, Tally

__all__ = [
    "MAX_PIXELS",
    "MIN_SIDE_PX",
    "TIME_SLACK_S",
    "Cut",
    "Joint",
    "Picture",
    "Pixels",
    "Places",
    "Playable",
    "Source",
    "check_fps",
    "check_max_pixels",
    "check_size",
    "longest_step_s",
]

Places = tuple[npt.NDArray[np.int64], npt.NDArray[np.float64], npt.NDArray[np.int64]]
"""(index, time_s, keys): int64 (N,), float64 (N,) and `Listing.keys`."""

Pixels = tuple[npt.NDArray[np.uint8], npt.NDArray[np.uint8] | None]
"""(luma, bgr): uint8 (H, W), and uint8 (H, W, 3) or None where colour was not asked for."""

MAX_PIXELS = 25_000_000
"""Larger pictures are not read unless asked for: cameras have up to 20 million pixels, 8K has 33 million."""

MIN_SIDE_PX = 16
"""Smaller pictures show nobody, and optical flow needs that much."""

GAP_S = 2.0
GAP_FRAMES = 10
"""Footage breaks where nothing was recorded for longer than both: slow time lapse and dropped frames are no gaps."""

TIME_SLACK_S = 1e-6
_LEAST_FPS, _MOST_FPS, _MOST_STRIDE, _LONGEST_S = 1e-6, 1e5, 10**9, 1e9


def _check_number(name: str, value: Any, *, whole: bool = False) -> None:
    """Raise ConfigError unless it is a real number or None, with `whole` unless it is an integer."""
    if value is None and not whole:
        return
    if not isinstance(value, Integral if whole else Real):
        raise ConfigError(f"{name} is {value!r:.80}; {'a whole number' if whole else 'a number'} is needed")
    try:
        float(value)
    except OverflowError:
        raise ConfigError(f"{name} is beyond {sys.float_info.max:.1g}; a smaller number is needed") from None


def check_fps(fps: float | None) -> None:
    """Raise ConfigError unless `fps` is None or a finite number above 0."""
    _check_number("fps", fps)
    if fps is not None and not (math.isfinite(fps) and fps > 0):
        raise ConfigError(f"fps is {fps}; frames a second must be above 0")
    if fps is not None and not _LEAST_FPS <= fps <= _MOST_FPS:
        raise ConfigError(f"fps is {fps:g}; {_LEAST_FPS:g} to {_MOST_FPS:g} frames a second are read")


def check_max_pixels(max_pixels: int) -> None:
    """Raise ConfigError unless `max_pixels` lets the smallest picture in, and none that no decoder takes."""
    _check_number("max_pixels", max_pixels, whole=True)
    if max_pixels < MIN_SIDE_PX**2:
        raise ConfigError(f"max_pixels is {max_pixels}; at least {MIN_SIDE_PX**2} are needed for any footage")
    if max_pixels >= 2**31:
        raise ConfigError(f"max_pixels is {max_pixels}; decoders take less than 2^31 ({2**31 - 1})")


def too_large(name: str, size: str, max_pixels: int) -> UnreadableSourceError:
    """What is raised for footage of larger pictures than are read."""
    return UnreadableSourceError(
        f"{name}: pictures of {size}, more than {max_pixels} pixels are not read; "
        "scale the footage down, or raise --max-pixels"
    )


def check_size(name: str, height: int, width: int, max_pixels: int) -> None:
    """Raise UnreadableSourceError for footage whose pictures are too large to read, or too small to show anything."""
    if width * height > max_pixels:
        raise too_large(name, f"{width}x{height}", max_pixels)
    if 0 < min(width, height) < MIN_SIDE_PX:
        raise UnreadableSourceError(
            f"{name}: pictures of {width}x{height}, at least {MIN_SIDE_PX}x{MIN_SIDE_PX} are needed to see anybody; "
            "give larger footage"
        )


@dataclass(frozen=True)
class Cut:
    """The part of the footage to read: start_s <= time < end_s, and of that every `stride`-th frame.

    Frames left out this way were left out on purpose: no report counts them.
    """

    start_s: float | None = None
    end_s: float | None = None
    stride: int = 1

    def __post_init__(self) -> None:
        _check_number("stride", self.stride, whole=True)
        _check_number("start", self.start_s)
        _check_number("end", self.end_s)
        if not 1 <= self.stride <= _MOST_STRIDE:
            raise ConfigError(f"stride is {self.stride}; it must be 1 (every frame) to {_MOST_STRIDE}")
        for name, value in (("start", self.start_s), ("end", self.end_s)):
            if value is not None and not (math.isfinite(value) and value >= 0):
                raise ConfigError(f"{name} is {value} s; it must be 0 or more")
            if value is not None and value > _LONGEST_S:
                raise ConfigError(f"{name} is {value:g} s; no footage is longer than {_LONGEST_S:g} s")
        if self.end_s is not None and self.end_s <= (self.start_s or 0.0):
            raise ConfigError(f"end is {self.end_s} s, which is not after the start at {self.start_s or 0.0} s")

    def is_before(self, time_s: float) -> bool:
        return self.start_s is not None and time_s < self.start_s - TIME_SLACK_S

    def is_past(self, time_s: float) -> bool:
        return self.end_s is not None and time_s >= self.end_s - TIME_SLACK_S


@dataclass(slots=True)
class Picture:
    """One place in the footage whose pixels have not been fetched yet.

    load: given whether colour is wanted, fetches the pixels; None where they cannot be read (the tally then knows why).
    broken: why nothing is to be followed into this picture, None where it goes on from the one before.
    fps: pictures a second from here on, repeats included; None: as before.
    """

    index: int
    time_s: float
    load: Callable[[bool], Pixels | None]
    broken: str | None = None
    fps: float | None = None


@dataclass(frozen=True)
class Playable:
    """A file that browsers play.  starts_s: when its first picture is shown, in seconds of the browser's clock."""

    path: Path
    suffix: str
    starts_s: float


class Joint:
    """Joins pictures to footage: `Frame.segment` counts up where it breaks, and the tally notes where and why.

    fps: frames a second that are handed out.  new_fps: of these the ones that do not repeat the one before; None: it is
    measured while frames come, and where it turns out another the footage breaks.
    """

    def __init__(self, tally: Tally, fps: float, new_fps: float | None) -> None:
        self._tally = tally
        self._measures = new_fps is None
        self.set_rate(fps, fps if new_fps is None else new_fps)
        self._last: tuple[tuple[int, ...], float, int] | None = None  # shape, time and segment

    def set_rate(self, fps: float, new_fps: float) -> None:
        """From the next frame on."""
        self.fps, self.new_fps = fps, new_fps
        self._repeats: RepeatFinder | None = None
        if self._measures or new_fps < fps:
            self._repeats = RepeatFinder(fps, new_fps, measures=self._measures)

    def frame(self, index: int, time_s: float, pixels: Pixels, broken: str | None = None) -> Frame:
        """The next frame.  broken: why nothing is to be tracked from the frame before to this one, or None."""
        luma, bgr = pixels
        repeated = self._repeats is not None and self._repeats.repeats(luma)
        if self._repeats is not None and self._repeats.new_fps != self.new_fps:
            self.new_fps = self._repeats.new_fps
            broken = broken or f"from here on about {self.new_fps:.3g} pictures a second are new"
        segment = 0
        if self._last is not None:
            shape, last_s, segment = self._last
            reason = self._break_reason(shape, luma.shape, time_s - last_s, broken)
            if reason is not None:
                segment += 1
                repeated = False
                self._tally.add_break(index, time_s, reason)
        self._last = (luma.shape, time_s, segment)
        self._tally.frames_read += 1
        self._tally.frames_repeated += repeated
        return Frame(index, time_s, luma, bgr, segment, self.new_fps, repeated)

    def _break_reason(
        self, last: tuple[int, ...], shape: tuple[int, ...], step_s: float, broken: str | None
    ) -> str | None:
        if shape != last:
            return f"size changes from {last[1]}x{last[0]} to {shape[1]}x{shape[0]}"
        if broken is not None:
            return broken
        return _gap(step_s) if step_s > longest_step_s(self.fps) else None


def longest_step_s(fps: float) -> float:
    """Where pictures lie further apart, the footage breaks."""
    return max(GAP_S, GAP_FRAMES / fps)


def _gap(step_s: float) -> str:
    return f"nothing was recorded for {step_s:.1f} s"


def file_stamp(path: Path) -> Hashable:
    """Which file it is, how long, and when it was last written.  Raises OSError."""
    known = path.stat()
    return known.st_dev, known.st_ino, known.st_size, known.st_mtime_ns


class Source(ABC):
    """Footage.  Each call of `frames` is a fresh pass from the start.

    A subclass gives `accepts`, `info` and `pictures`; cutting, counting and finding breaks happen here, once.
    held: what keeps the footage where it is for as long as the source lives.
    """

    def __init__(self, name: str, cut: Cut) -> None:
        self.name = name
        self.held: object = None
        self._cut = cut
        self._tally = Tally()
        self._notes: tuple[str, ...] = ()
        self._opened_as: Hashable = None

    @classmethod
    @abstractmethod
    def accepts(cls, spec: Any) -> bool:
        """Whether `spec` (a path, or whatever a library user hands in) is this kind of footage."""

    @property
    @abstractmethod
    def info(self) -> SourceInfo:
        """What is known of the whole footage before it is read, `start_s`, `end_s` and `stride` left aside.

        Raises SourceError where no frame can be had from it.
        """

    @property
    def fps(self) -> float:
        """Frames a second that `frames` hands out, `stride` taken into account."""
        return self.info.fps / self._cut.stride

    @property
    def new_fps(self) -> float:
        """Of these the ones that do not repeat the picture before; what motion is measured at."""
        return self.fps

    @property
    def expected_frames(self) -> int | None:
        """How many frames `frames` should hand out by what the container claims; None where it does not say."""
        info, cut = self.info, self._cut
        if info.frame_count is not None and cut.start_s is None and cut.end_s is None:
            return math.ceil(info.frame_count / cut.stride)
        length_s = info.duration_s if info.frame_count is None else info.frame_count / info.fps
        if length_s is None:
            return None
        end_s = length_s if cut.end_s is None else min(cut.end_s, length_s)
        return max(0, math.ceil((end_s - (cut.start_s or 0.0)) * self.fps - TIME_SLACK_S))

    @property
    def slowest_fps(self) -> float:
        """New pictures a second where they are fewest."""
        return self.new_fps

    @abstractmethod
    def pictures(self, tally: Tally) -> Iterator[Picture]:
        """Every picture in order, none of its pixels fetched; a generator that closes what it opens."""

    @property
    def report(self) -> ReadReport:
        """How the last pass went, or the running one up to now."""
        return self._tally.report(self._notes)

    def listing(self) -> Listing | None:
        """Every frame that `frames` hands out, told without decoding; None where only decoding can tell."""
        places = self._places()
        if places is None:
            return None
        index, time_s, keys = places
        cut = self._cut
        wanted = np.array([not (cut.is_before(s) or cut.is_past(s)) for s in time_s.tolist()], bool)
        kept = np.flatnonzero(wanted)[:: cut.stride]
        return Listing(index[kept], time_s[kept], longest_step_s(self.fps), keys)

    def listed_report(self, listing: Listing) -> ReadReport:
        """What `report` says after a pass that handed out all frames of the listing and met no damage."""
        tally = Tally()
        tally.frames_read = len(listing)
        for number in listing.breaks:
            time_s = float(listing.time_s[number])
            tally.add_break(int(listing.index[number]), time_s, _gap(time_s - float(listing.time_s[number - 1])))
        return tally.report(self._notes)

    def _places(self) -> Places | None:
        """All pictures: index, time, and `Listing.keys`; None where only decoding can tell."""
        return None

    def playable(self) -> Playable | None:
        """The footage's own file where browsers play it, whole; None where it takes a copy."""
        return None

    def sha256(self) -> str | None:
        """SHA-256 of the footage's bytes, hexadecimal; None where there are no bytes to read twice."""
        return None

    def _stamp(self) -> Hashable:
        """Another one whenever the footage's bytes are others; None for what cannot change.  Raises OSError."""
        return None

    @contextmanager
    def _unchanged(self) -> Iterator[None]:
        """Raise UnreadableSourceError where the footage is not what it was when it was opened, before or afterwards.

        Scores, overlay and hash would be of different footage, and nobody would know.
        """
        self._check_unchanged()
        try:
            yield
        except OSError:
            self._check_unchanged()
            raise
        self._check_unchanged()

    def _check_unchanged(self) -> None:
        if self._opened_as is None:
            return
        try:
            same = self._stamp() == self._opened_as
        except OSError:
            raise SourceNotFoundError(
                f"{self.name}: no such file any more, it was removed while it was read; put it back and score it again"
            ) from None
        if not same:
            raise UnreadableSourceError(
                f"{self.name}: changed while it was read (is it still being recorded or copied?); score it again once "
                "it is whole"
            )

    def _pictures_from(self, tally: Tally, entry: Entry) -> Iterator[Picture]:
        """The pictures, at least those from `entry` on."""
        return self.pictures(tally)

    def frames(self, color: bool = False, entry: Entry | None = None) -> Generator[Frame, None, None]:
        """Yield one `Frame` after the other; what was opened is closed also when the caller stops early or raises.

        `index` counts in the whole footage: a stride of 3 gives 0, 3, 6, ..; a start at 10 s of 25 fps gives 250, ..
        `luma` is the same whether colour is asked for or not.
        entry: of this source's `listing`: begin there, and decode no more of what comes before than it takes;
        `segment` then counts from there.
        Raises UnreadableSourceError where no frame can be decoded, TooShortError where none lies between start and end.
        """
        tally = self._tally = Tally()
        cut = self._cut
        joint = Joint(tally, self.fps, self.new_fps)
        next_index = -1 if entry is None else entry.index
        broken: str | None = None
        reached_s = None
        opened = self.pictures(tally) if entry is None else self._pictures_from(tally, entry)
        with self._unchanged(), closing(opened) as pictures:  # type: ignore[type-var]
            for picture in pictures:
                reached_s = picture.time_s
                if cut.is_past(picture.time_s):
                    break
                broken = broken or picture.broken
                if picture.fps is not None:
                    share = self.new_fps / self.fps
                    joint.set_rate(picture.fps / cut.stride, share * picture.fps / cut.stride)
                if cut.is_before(picture.time_s) or picture.index < next_index:
                    continue
                pixels = picture.load(color)
                if pixels is None:
                    continue
                late = 0 if next_index < 0 else (picture.index - next_index) % cut.stride
                next_index = picture.index - late + cut.stride
                yield joint.frame(picture.index, picture.time_s, pixels, broken)
                broken = None
        if next_index < 0:
            self._raise_nothing_read(tally, reached_s)

    def _raise_nothing_read(self, tally: Tally, reached_s: float | None) -> NoReturn:
        if reached_s is not None and (self._cut.is_before(reached_s) or self._cut.is_past(reached_s)):
            raise TooShortError(
                f"{self.name}: no frame from start {self._cut.start_s or 0.0:g} s to end "
                f"{'of footage' if self._cut.end_s is None else f'{self._cut.end_s:g} s'}; "
                f"the footage was read up to {reached_s:.2f} s, choose a start and end within it"
            )
        raise UnreadableSourceError(
            f"{self.name}: no frame can be decoded ({tally.frames_skipped} pictures, {tally.bad_packets} packets were "
            "unreadable); the footage is damaged or encrypted, use another copy"
        )
