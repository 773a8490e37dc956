"""One way through an opened container: packets in, decoded frames out, damage counted."""

from __future__ import annotations

from collections.abc import Iterator
from fractions import Fraction

import av
from av.container import InputContainer
from av.packet import Packet
from av.video.stream import VideoStream

from crowdad.sources._clock import FrameClock
from crowdad.sources._report import Tally

__all__ = ["MAX_BAD_IN_ROW", "Reading", "rotate_tag", "set_up_decoder", "stated_fps", "time_base"]

MAX_BAD_IN_ROW = 1000
"""After so many unreadable packets one after the other nothing good is expected any more."""

_MAX_FPS = 1000.0


class Reading:
    """The frames of one stream, in the order in which they are shown.

    clock: told what goes in.  tally: bad packets are counted there.  packets, end_s: how many, and up to where, so far.
    """

    def __init__(self, container: InputContainer, stream: VideoStream, clock: FrameClock, tally: Tally) -> None:
        self.clock = clock
        self.tally = tally
        self.packets = 0
        self.end_s = 0.0
        self.ended_badly = False
        self._container = container
        self._stream = stream
        self._bad_in_row = 0

    def frames(self) -> Iterator[av.VideoFrame]:
        for packet in self._read():
            self.packets += 1
            self._expect(packet)
            yield from self._decoded(packet)
            if self._bad_in_row > MAX_BAD_IN_ROW:
                break
        yield from self._decoded(None)

    def _read(self) -> Iterator[Packet]:
        packets = self._container.demux(self._stream)
        while self._bad_in_row <= MAX_BAD_IN_ROW:
            try:
                packet = next(packets)
            except (StopIteration, IndexError):
                # PyAV 14 to 18 ends with an IndexError where a stream first shows up on the way.
                return
            except av.FFmpegError:
                self._bad()
                self.ended_badly = True
                # The generator is spent once it has raised; the container goes on behind the bad packet.
                packets = self._container.demux(self._stream)
                continue
            if packet.size:
                self.ended_badly = packet.is_corrupt
                yield packet

    def _expect(self, packet: Packet) -> None:
        if packet.pts is None or packet.is_discard:
            return
        self.clock.expect(packet.pts)
        end_s = self.clock.seconds(packet.pts + (packet.duration or 0))
        self.end_s = max(self.end_s, end_s)

    def _decoded(self, packet: Packet | None) -> list[av.VideoFrame]:
        try:
            frames = self._stream.codec_context.decode(packet)
        except EOFError:
            return []
        except av.FFmpegError:
            self._bad()
            self.clock.failed()
            return []
        self._bad_in_row = 0
        return frames

    def _bad(self) -> None:
        self._bad_in_row += 1
        self.tally.bad_packets += 1
        if self._bad_in_row > MAX_BAD_IN_ROW:
            self.ended_badly = True
            self.tally.gave_up_s = self.end_s


def set_up_decoder(stream: VideoStream, max_pixels: int) -> None:
    """One thread, no memory for pictures larger than asked for, and no half pictures of codecs whose stand alone.

    What such a codec's decoder cannot read of a picture it leaves as it finds the memory, with whatever was there.
    """
    options = {"max_pixels": str(max_pixels)}
    codec = stream.codec_context.codec
    if codec.intra_only or codec.canonical_name == "ffv1":
        options["err_detect"] = "crccheck+explode"
    stream.thread_type = "NONE"
    stream.codec_context.options = options


def time_base(stream: VideoStream) -> Fraction:
    """Seconds for each unit of the stream's timestamps."""
    assert stream.time_base is not None
    return stream.time_base


def stated_fps(stream: VideoStream) -> float | None:
    """Frames a second as the container says or its first packets tell; None where that makes no sense."""
    for rate in (stream.average_rate, stream.guessed_rate):
        if rate and 0 < rate <= _MAX_FPS:
            return float(rate)
    return None


def rotate_tag(stream: VideoStream) -> int:
    """Degrees clockwise from a `rotate` tag, which some containers carry in place of a display matrix."""
    tag = next((value for key, value in stream.metadata.items() if key.lower() == "rotate"), "0")
    return int(tag) % 360 if tag.lstrip("-").isdigit() else 0
