"""One connection to a camera: opened, read until it is lost, closed."""

from __future__ import annotations

import errno
import time
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from fractions import Fraction
from functools import partial
from itertools import chain
from types import TracebackType

import av
import numpy as np
from av.container import InputContainer
from av.packet import Packet
from av.video.stream import VideoStream

from crowdad.errors import UnreadableSourceError
from crowdad.sources import _reading
from crowdad.sources._address import Address
from crowdad.sources._base import MAX_PIXELS, Pixels, check_max_pixels, check_size, longest_step_s
from crowdad.sources._clock import FrameClock
from crowdad.sources._container import video_stream
from crowdad.sources._pixels import PixelReader
from crowdad.sources._rates import RateMeter, confirmed, measured_fps
from crowdad.sources._reading import Reading, rotate_tag, set_up_decoder, stated_fps, time_base
from crowdad.sources._report import Tally
from crowdad.sources._stamps import Stamps

__all__ = ["Connection", "LostError", "Shot", "StreamLimits"]

ASSUMED_FPS = 25.0
MEASURED_S = 1.0
MEASURED_FRAMES = 40
"""Up to there frames of a stream are held back and their rate is measured."""

_FASTEST_FPS = 120.0
_NO_TIMESTAMPS = 0x80  # AVFMT_NOTIMESTAMPS of libavformat
_MICROSECOND = Fraction(1, 1_000_000)
_LOST = "could not be decoded"

_REFUSED: tuple[tuple[type[av.FFmpegError], str], ...] = (
    (av.error.HTTPUnauthorizedError, "the login is refused (401); give it before the host, as user:password@"),
    (av.error.HTTPForbiddenError, "access is forbidden (403); give a user who may watch the camera"),
    (av.error.HTTPNotFoundError, "there is no such stream (404); look its path up in the camera's manual"),
    (av.error.PermissionError, "may not be opened (permission denied); a webcam takes a user of the group video"),
)
"""What a second try does not mend."""


class LostError(Exception):
    """The connection is gone, or was never made.  reason: one clause for a person, nothing of the address in it."""

    def __init__(self, reason: str) -> None:
        super().__init__(reason)
        self.reason = reason


@dataclass(frozen=True)
class StreamLimits:
    """How large a camera's pictures may be, and how long is waited for it.

    max_pixels: larger pictures are refused.
    open_timeout_s, read_timeout_s: a camera that does not answer, or sends nothing, for longer is lost.
    stall_s: so is one that sends, but no picture.
    Raises ConfigError for a size without pixels.
    """

    max_pixels: int = MAX_PIXELS
    open_timeout_s: float = 10.0
    read_timeout_s: float = 10.0
    stall_s: float = 20.0

    def __post_init__(self) -> None:
        check_max_pixels(self.max_pixels)


@dataclass(slots=True)
class Shot:
    """A picture as it came.

    index, stream_s: its place within the connection.  arrived_s, captured_s: when it was taken off the wire, by
    `time.monotonic` and by `time.time`.  load: given whether colour is wanted, makes the arrays.
    n_bytes: what it holds in memory.  broken: why nothing is to be followed into it, None where it goes on.
    """

    index: int
    stream_s: float
    arrived_s: float
    captured_s: float
    load: Callable[[bool], Pixels | None]
    n_bytes: int
    broken: str | None = None


class Connection:
    """An open stream; use it in a `with` block.

    fps: frames a second, known once the first shot came: as asked, or measured on the times of the first, and again
    where they change; what the stream states counts where they confirm it.
    Raises UnreadableSourceError for what no second try mends (a refused login, no such stream, no video, pictures that
    are too large), LostError for all else, in opening and in reading.
    """

    def __init__(self, address: Address, tally: Tally, limits: StreamLimits, fps: float | None) -> None:
        self.fps = fps or ASSUMED_FPS
        self._address = address
        self._tally = tally
        self._limits = limits
        self._asked_fps = fps
        self._lost = ""
        self._container = _opened(address, limits)
        try:
            self._stream = video_stream(address.name, self._container)
            set_up_decoder(self._stream, limits.max_pixels)
            height, width = self._stream.codec_context.height, self._stream.codec_context.width
            check_size(address.name, height, width, limits.max_pixels)
        except BaseException:
            self._container.close()
            raise
        self._timed = not self._container.format.flags & _NO_TIMESTAMPS
        self._pixels = PixelReader(rotate_tag(self._stream))

    def __enter__(self) -> Connection:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._container.close()

    @property
    def bursts(self) -> bool:
        """Whether the stream waits for its reader, who then has to keep its pace."""
        return self._address.bursts and self._timed

    def shots(self, in_stream_s: Callable[[float], float]) -> Iterator[Shot]:
        """Each picture in order, until the connection is lost, which raises LostError.

        in_stream_s: from seconds within the connection to those that the tally is told.
        """
        self.fps = self._asked_fps or next(iter(stated_fps(self._stream)), ASSUMED_FPS)
        shots = self._read(in_stream_s)
        if self._asked_fps is not None:
            yield from shots
        else:
            held = self._measured(shots)
            yield from self._metered(chain(held, shots))
        raise LostError(self._lost)

    def _measured(self, shots: Iterator[Shot]) -> list[Shot]:
        """The first shots, held back until their rate is known."""
        held = []
        for shot in shots:
            held.append(shot)
            if shot.stream_s - held[0].stream_s >= MEASURED_S or len(held) == MEASURED_FRAMES:
                break
        steps_s = np.diff([shot.stream_s for shot in held])
        if not self._timed:
            # What was waiting when we came arrives at once; it says nothing of the rate.
            steps_s = steps_s[steps_s > 1 / _FASTEST_FPS]
        measured = measured_fps(steps_s)
        self.fps = self.fps if measured is None else self._exactly(measured)
        return held

    def _exactly(self, measured: float) -> float:
        return confirmed(measured, stated_fps(self._stream)) if self._timed else round(measured, 2)

    def _metered(self, shots: Iterable[Shot]) -> Iterator[Shot]:
        """The shots; where they come at another rate for a while, the stream breaks."""
        meter, last_s = RateMeter(self.fps), None
        for shot in shots:
            step_s = None if last_s is None else shot.stream_s - last_s
            last_s = shot.stream_s
            if step_s is not None and step_s > longest_step_s(self.fps):
                meter.forget()
            elif step_s is not None and meter.push(step_s):
                assert meter.fps is not None, "it was just measured"
                self.fps = self._exactly(meter.fps)
                shot.broken = shot.broken or f"from here on there are {self.fps:.4g} frames a second"
            yield shot

    def _read(self, in_stream_s: Callable[[float], float]) -> Iterator[Shot]:
        unit_s = time_base(self._stream) if self._timed else _MICROSECOND
        stamps = Stamps(unit_s, round(1 / self.fps / unit_s))
        clock = FrameClock(unit_s, self.fps, None, stamps.restarts)

        def place_of(packet: Packet) -> int | None:
            reorders = self._timed and self._stream.codec_context.has_b_frames
            place = stamps.add(packet.pts, packet.dts, packet.is_keyframe, reorders)
            clock.ranked = reorders and stamps.in_order
            return place

        reading = _LiveReading(self._container, self._stream, clock, self._tally, self._limits, self._timed, place_of)
        for frame in reading.frames():
            reading.alive_s = time.monotonic()
            clock.fps = self.fps
            placed = clock.place(frame.pts)
            for lost_s in placed.lost_s:
                self._tally.skip(_LOST, in_stream_s(lost_s))
            self._tally.damaged_frames += frame.is_corrupt
            yield Shot(
                placed.index,
                placed.time_s,
                reading.arrived_s,
                reading.captured_s,
                partial(self._pixels.read, frame),
                sum(plane.buffer_size for plane in frame.planes),
                "the clock of the stream was set anew" if placed.restarted else None,
            )
            # A shot may have been held up by who takes it, for the pace of the stream.
            reading.alive_s = time.monotonic()
        for unshown_s in clock.unshown_s():
            self._tally.skip(_LOST, in_stream_s(unshown_s))
        self._lost = reading.lost


class _LiveReading(Reading):
    """Reads a stream that may fall silent, and that may carry no times.

    arrived_s, captured_s: when the last packet came.  alive_s: when the last frame came, set by who takes it.
    lost: why no more came.
    """

    def __init__(
        self,
        container: InputContainer,
        stream: VideoStream,
        clock: FrameClock,
        tally: Tally,
        limits: StreamLimits,
        timed: bool,
        place_of: Callable[[Packet], int | None],
    ) -> None:
        super().__init__(container, stream, clock, tally, place_of)
        self.arrived_s = self.alive_s = time.monotonic()
        self.captured_s = time.time()
        self.lost = "the stream ended"
        self._limits = limits
        self._timed = timed

    def packets(self) -> Iterator[Packet]:
        # All streams: where only sound still comes, the reader would wait for a picture without end.
        packets = self._container.demux()
        silence = f"nothing came for {self._limits.read_timeout_s:g} s"
        while self._bad_in_row <= _reading.MAX_BAD_IN_ROW:
            asked_s = time.monotonic()
            try:
                packet = next(packets)
            except (StopIteration, IndexError):
                return
            except av.error.InvalidDataError:
                self._bad()
                packets = self._container.demux()
                continue
            except av.FFmpegError as error:
                self.lost = _reason(error, silence)
                return
            self.arrived_s, self.captured_s = time.monotonic(), time.time()
            if self.arrived_s - asked_s >= self._limits.read_timeout_s:
                # When its time is over a read may first give what was still held back, and no error.
                self.lost = silence
                return
            if self.arrived_s - self.alive_s > self._limits.stall_s:
                self.lost = f"no picture came for {self._limits.stall_s:g} s"
                return
            if packet.size and packet.stream.index == self._stream.index:
                if not self._timed:
                    packet.pts = packet.dts = int(self.arrived_s / _MICROSECOND)
                yield packet
        self.lost = "nothing but unreadable packets came"

    def _bad(self) -> None:
        self._bad_in_row += 1
        self.tally.bad_packets += 1


def _opened(address: Address, limits: StreamLimits) -> InputContainer:
    try:
        return av.open(
            address.target,
            format=address.format,
            options={**address.options, "max_pixels": str(limits.max_pixels)},
            timeout=(limits.open_timeout_s, limits.read_timeout_s),
            metadata_errors="replace",
        )
    except av.FFmpegError as error:
        for kind, what in _REFUSED:
            if isinstance(error, kind):
                raise UnreadableSourceError(f"{address.name}: {what}") from None
        no_video = isinstance(error, av.error.InvalidDataError) or error.errno == errno.EINVAL
        if address.format is None and no_video:
            raise UnreadableSourceError(
                f"{address.name}: what it sends is no video, nor a playlist of what may be opened; "
                "give the address of the stream itself"
            ) from None
        if error.errno == errno.EIO:  # all that libavformat says of a name that no server knows
            raise LostError("its host is not known, or breaks off") from None
        raise LostError(_reason(error, f"no answer within {limits.open_timeout_s:g} s")) from None


def _reason(error: Exception, silence: str) -> str:
    """What went wrong, without the address, which the error's own text shows with its login."""
    if isinstance(error, av.error.ExitError | TimeoutError):
        return silence
    known = getattr(error, "strerror", None)
    return str(known).lower() if known else "cannot be read"
