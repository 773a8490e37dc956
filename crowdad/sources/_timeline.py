"""The time line of a file: every packet's place on it, known before any is decoded."""

from __future__ import annotations

from dataclasses import dataclass, replace
from fractions import Fraction
from functools import cached_property
from itertools import pairwise

import numpy as np
import numpy.typing as npt
from av.container import InputContainer
from av.packet import Packet
from av.video.stream import VideoStream

from crowdad.sources._clock import FrameClock
from crowdad.sources._reading import Reading, time_base
from crowdad.sources._report import Tally
from crowdad.sources._stamps import REORDERED_AT_MOST, Stamps

__all__ = ["MISSING", "Numbers", "Timeline", "read_timeline"]

MISSING = np.iinfo(np.int64).min
"""In place of a timestamp that a packet lacks."""


@dataclass(frozen=True, eq=False)
class Timeline:
    """Where the pictures of a stream are, as its packets tell it.

    places: int64 (N,), of each packet in the order of decoding, in ticks; MISSING where it does not tell.
    restarts: places at which the container's clock was set back.
    in_order: places rise from packet to packet.
    keys: (timestamp, position in the file) of each keyframe -> its number among the packets.
    key_stamps: int64 (K, 2), number and decoding timestamp of each keyframe, in order.
    end: where the last packet ends by the container's own clock.
    end_byte: where the last but one ends in the file; the last may have swallowed what follows.
    sound: no packet is damaged.
    """

    places: npt.NDArray[np.int64]
    restarts: tuple[int, ...]
    in_order: bool
    keys: dict[tuple[int | None, int | None], int]
    key_stamps: npt.NDArray[np.int64]
    end: int | None
    end_byte: int
    sound: bool

    @cached_property
    def shown(self) -> npt.NDArray[np.int64]:
        """int64 (M,): all known places in the order of display."""
        return np.sort(self.places[self.places != MISSING])

    @property
    def is_whole(self) -> bool:
        """Whether each picture has a place of its own, and the first one can be decoded by itself."""
        known = self.sound and len(self.shown) == len(self.places) > 0 and bool(np.all(np.diff(self.shown) > 0))
        return known and len(self.key_stamps) > 0 and self.key_stamps[0, 0] == 0 and self.places[0] == self.shown[0]

    def steps(self) -> npt.NDArray[np.int64]:
        """int64: ticks from picture to picture, those where the clock was set back left out.

        Where pictures are reordered, some around such a place may stand on the wrong side of it: left out, too.
        """
        steps = np.diff(self.shown)
        if not self.restarts:
            return steps
        at = np.searchsorted(self.shown, self.restarts) - 1
        reach = 0 if self.in_order else REORDERED_AT_MOST
        around = (at[:, None] + np.arange(-reach, reach + 1)).ravel()
        sure = np.delete(steps, around[(around >= 0) & (around < len(steps))])
        return sure if len(sure) else np.delete(steps, at)

    def in_order_of_decoding(self) -> Timeline:
        """The same places, each packet given the next one: for timestamps that tell when, but not which."""
        places = self.places.copy()
        places[places != MISSING] = self.shown
        return replace(self, places=places)

    def rank(self, place: int) -> int:
        """How many pictures are shown before this place."""
        return int(np.searchsorted(self.shown, place))


class Numbers:
    """Counts the packets of a pass and gives each the place that the time line knows for it.

    first: number of the first packet; None: the pass begins at a keyframe that is still to be recognised, and what
    comes before is left out.
    """

    def __init__(self, timeline: Timeline, first: int | None = 0) -> None:
        self._timeline = timeline
        self.next = first

    def __call__(self, packet: Packet) -> int | None:
        if self.next is None:
            self.next = self._timeline.keys.get((packet.pts, packet.pos)) if packet.is_keyframe else None
            if self.next is None:
                raise LookupError
        number = self.next
        self.next += 1
        places = self._timeline.places
        place = int(places[number]) if number < len(places) else MISSING
        return None if place == MISSING else place


def read_timeline(container: InputContainer, stream: VideoStream, fps: float) -> Timeline:
    """Read all packets of the stream, and decode none.  fps: as stated, for what a step is at first."""
    base = time_base(stream)
    tally, clock = Tally(), FrameClock(base, fps, None)
    told: list[_Told] = []
    key_stamps, keys = [], {}
    end, end_byte, last_byte, sound = None, 0, 0, True
    for number, packet in enumerate(Reading(container, stream, clock, tally).packets()):
        pts, dts = packet.pts, packet.dts
        told.append((pts, dts, packet.is_keyframe))
        sound &= not packet.is_corrupt and not packet.is_discard
        if packet.is_keyframe:
            known = (pts, packet.pos)
            keys[known] = -1 if known in keys else number
            key_stamps.append((number, dts if dts is not None else pts or 0))
        stamp = pts if pts is not None else dts
        if stamp is not None:
            end = max(stamp + (packet.duration or 0), stamp if end is None else end)
        if packet.pos is not None and not packet.is_corrupt:
            end_byte, last_byte = last_byte, max(last_byte, packet.pos + packet.size)
    places, stamps = _stamped(told, base, fps, reorders=stream.codec_context.has_b_frames)
    return Timeline(
        places,
        tuple(stamps.restarts),
        stamps.in_order,
        {known: number for known, number in keys.items() if number >= 0},
        np.array(key_stamps, np.int64).reshape(-1, 2),
        end,
        end_byte,
        sound and not tally.bad_packets,
    )


_Told = tuple[int | None, int | None, bool]
"""Of a packet: pts, dts, and whether it is a keyframe."""


def _stamped(told: list[_Told], base: Fraction, fps: float, *, reorders: bool) -> tuple[npt.NDArray[np.int64], Stamps]:
    places, stamps = _placed(told, base, fps, reorders)
    dts = [dts for _, dts, _ in told if dts is not None]
    if not stamps.in_order and not reorders and len(dts) == len(told):
        early = any(pts is not None and pts < dts for pts, dts, _ in told if dts is not None)
        if early and all(first < second for first, second in pairwise(dts)):
            # No picture of such a stream is shown out of order, so that pts are wrong.
            places, stamps = _placed([(None, dts, is_key) for _, dts, is_key in told], base, fps, reorders)
    return _apart(places) if stamps.in_order else places, stamps


def _placed(told: list[_Told], base: Fraction, fps: float, reorders: bool) -> tuple[npt.NDArray[np.int64], Stamps]:
    stamps = Stamps(base, round(1 / fps / base), mends=True)
    leads = _leads(told) if reorders else [0] * len(told)
    found = (stamps.add(*packet, reorders, lead) for packet, lead in zip(told, leads, strict=True))
    places = np.array([MISSING if place is None else place for place in found], np.int64)
    places[stamps.mended] = MISSING
    return places, stamps


def _leads(told: list[_Told]) -> list[int]:
    """Ticks by which pictures that come behind each packet, up to the next keyframe, are shown before it."""
    leads = [0] * len(told)
    key = 0
    for number, (pts, _, is_key) in enumerate(told):
        key = number if is_key else key
        shown = told[key][0]
        if pts is not None and shown is not None and number - key <= REORDERED_AT_MOST:
            leads[key] = max(leads[key], shown - pts)
    return leads


def _apart(places: npt.NDArray[np.int64]) -> npt.NDArray[np.int64]:
    """Places in order, those that several packets have in common spread evenly up to the next one."""
    known = np.flatnonzero(places != MISSING)
    told = places[known]
    firsts = np.flatnonzero(np.r_[True, np.diff(told) != 0])
    if len(firsts) == len(told) or len(firsts) < 2:
        return places
    counts = np.diff(np.r_[firsts, len(told)])
    usual = max(1, int(np.median(np.diff(told[firsts]))))
    room = np.r_[np.diff(told[firsts]), usual * counts[-1]]
    within = np.arange(len(told)) - np.repeat(firsts, counts)
    step = np.minimum(np.repeat(room, counts) / np.repeat(counts, counts), usual)
    places = places.copy()
    places[known] = told + np.floor(within * step).astype(np.int64)
    return places
