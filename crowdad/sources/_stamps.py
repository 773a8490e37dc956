"""Timestamps of packets, put on one clock that is never set back: the one place that decides which picture is when."""

from __future__ import annotations

from collections import deque
from fractions import Fraction
from itertools import pairwise

__all__ = ["REORDERED_AT_MOST", "Stamps"]

REORDERED_AT_MOST = 16
"""Pictures are shown out of the order of their packets by up to a decoder's store; further back is another clock."""

_WRAPS = {Fraction(1, 90_000): 2**33, Fraction(1, 1000): 2**32}
"""Ticks after which the counters of MPEG streams and of FLV begin anew."""

_KEY_SLACK = 2  # steps: a keyframe is never shown before what was decoded before it, small jitter aside
_JUMPED_STEPS = 100  # forth and back at once: a damaged timestamp, not a pause


class Stamps:
    """Takes the timestamps of packets in the order of decoding and gives each its place, in ticks of `time_base`.

    step: ticks from picture to picture at first, as far as anybody knows; it is measured from then on.
    mends: a timestamp that leapt forward is taken back (`mended`) once the next one shows that it was damaged; for
    footage of which nothing was shown yet.

    restarts: places, in order, at which the clock was set back; the footage goes on there after one step.
    in_order: no picture is shown before one that was decoded earlier, as far as timestamps tell.
    mended: numbers of the packets, counted from 0, whose places turned out to be damaged.
    """

    def __init__(self, time_base: Fraction, step: int, *, mends: bool = False) -> None:
        self.restarts: list[int] = []
        self.mended: list[int] = []
        self.in_order = True
        self._wrap = _WRAPS.get(time_base)
        self._first_step = max(1, step)
        self._mends = mends
        self._offset = 0
        self._count = 0
        self._tops: deque[int] = deque(maxlen=2)
        self._latest: deque[int] = deque(maxlen=REORDERED_AT_MOST + 1)
        self._doubtful: int | None = None

    def add(self, pts: int | None, dts: int | None, is_key: bool, reorders: bool, lead: int = 0) -> int | None:
        """The place of the next packet's picture; None where its timestamp is missing or damaged.

        reorders: pictures may be shown in another order than their packets come in; dts then tells nothing of one.
        lead: ticks before it at which the first of the pictures is shown that come behind it (open groups), if known.
        """
        self._count += 1
        stamp = dts if pts is None and not reorders else pts
        if stamp is None:
            return None
        place = self._unwrapped(stamp + self._offset)
        if not self._tops:
            return self._taken(place)
        top = self._tops[-1]
        if place < top:
            if top - place > (_KEY_SLACK if is_key else REORDERED_AT_MOST) * self._step():
                return self._far_back(stamp, place, is_key, lead)
            self.in_order = False
        return self._taken(place)

    def _unwrapped(self, place: int) -> int:
        """The place where the counter of the container began anew, or had done so for pictures shown later."""
        if self._wrap is None or not self._tops:
            return place
        ahead = place - self._tops[-1]
        if ahead < -self._wrap // 2:
            self._offset += self._wrap
            return place + self._wrap
        return place - self._wrap if ahead > self._wrap // 2 else place

    def _far_back(self, stamp: int, place: int, is_key: bool, lead: int) -> int | None:
        top, before = self._tops[-1], self._tops[-2] if len(self._tops) > 1 else self._tops[-1]
        step = self._step()
        reach = REORDERED_AT_MOST * step
        leapt = top - before > _JUMPED_STEPS * step and abs(place - before) <= reach
        if leapt and self._mends:
            self.mended.append(self._count - 2)
            self._tops[-1] = before
            self._latest.pop()
            return self._taken(place)
        sure = is_key or leapt or (self._doubtful is not None and abs(stamp - self._doubtful) <= reach)
        self._doubtful = None if sure else stamp
        if not sure:
            return None
        first = top + step
        anew = first + (lead if lead <= reach else 0)
        self._offset += anew - place
        self.restarts.append(first)
        return self._taken(anew)

    def _taken(self, place: int) -> int:
        self._tops.append(max(place, self._tops[-1]) if self._tops else place)
        self._latest.append(place)
        return place

    def _step(self) -> int:
        """Ticks from picture to picture, by the last few."""
        places = sorted(set(self._latest))
        steps = sorted(later - earlier for earlier, later in pairwise(places))
        return steps[len(steps) // 2] if len(steps) > 2 else self._first_step
