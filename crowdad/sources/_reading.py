"""One way through an opened container: packets in, decoded frames out, damage counted."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from fractions import Fraction

import av
from av.container import InputContainer
from av.packet import Packet
from av.video.stream import VideoStream

from crowdad.sources._clock import FrameClock
from crowdad.sources._rates import MAX_FPS
from crowdad.sources._report import Tally

__all__ = ["MAX_BAD_IN_ROW", "Reading", "rotate_tag", "set_up_decoder", "stated_fps", "time_base"]

MAX_BAD_IN_ROW = 1000
"""After so many unreadable packets one after the other nothing good is expected any more."""


class Reading:
    """The frames of one stream, in the order in which they are shown.

    clock: told what goes in.  tally: bad packets are counted there.
    place_of: gives each packet's picture its place, which its frame then has for a timestamp; a packet for which it
    raises LookupError is left out.  Default: as the container tells it.
    end_s: up to where anything was read so far.
    """

    def __init__(
        self,
        container: InputContainer,
        stream: VideoStream,
        clock: FrameClock,
        tally: Tally,
        place_of: Callable[[Packet], int | None] | None = None,
    ) -> None:
        self.clock = clock
        self.tally = tally
        self.end_s = 0.0
        self.ended_badly = False
        self._place_of = place_of
        self._container = container
        self._stream = stream
        self._bad_in_row = 0

    def frames(self) -> Iterator[av.VideoFrame]:
        for packet in self.packets():
            if not self._expect(packet):
                continue
            yield from self._decoded(packet)
            if self._bad_in_row > MAX_BAD_IN_ROW:
                break
        yield from self._decoded(None)

    def packets(self) -> Iterator[Packet]:
        """The packets with anything in them."""
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

    def _expect(self, packet: Packet) -> bool:
        """Give the packet its place and tell the clock; False where it is left out."""
        if self._place_of is not None:
            try:
                packet.pts = self._place_of(packet)
            except LookupError:
                return False
        self.tally.hidden_frames += packet.is_discard
        if packet.pts is not None and not packet.is_discard:
            self.clock.expect(packet.pts)
            self.end_s = max(self.end_s, self.clock.seconds(packet.pts + (packet.duration or 0)))
        return True

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


def stated_fps(stream: VideoStream) -> list[float]:
    """Frames a second as the container says or its first packets tell, as far as that makes sense."""
    rates = (stream.average_rate, stream.guessed_rate, stream.base_rate)
    return [float(rate) for rate in rates if rate and 0 < rate <= MAX_FPS]


def rotate_tag(stream: VideoStream) -> int:
    """Degrees clockwise from a `rotate` tag, which some containers carry in place of a display matrix."""
    tag = next((value for key, value in stream.metadata.items() if key.lower() == "rotate"), "0")
    return int(tag) % 360 if tag.lstrip("-").isdigit() else 0
