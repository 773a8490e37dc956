"""From the container's timestamps to (index, time): each packet that is lost costs its own place and no other."""

from __future__ import annotations

import heapq
from bisect import bisect_right
from collections.abc import Sequence
from dataclasses import dataclass
from fractions import Fraction

__all__ = ["FrameClock", "Placed"]

WAITING_AT_MOST = 4096
"""Timestamps held at once; a decoder holds back far fewer, so more than that means they are of no use."""

UNSHOWN_AT_MOST = 24
"""Packets that a decoder holds back, reordering and its own delay included."""


@dataclass(frozen=True)
class Placed:
    """Where a decoded frame belongs.  lost_s: times of the frames before it that never came out of the decoder."""

    index: int
    time_s: float
    lost_s: tuple[float, ...] = ()
    restarted: bool = False


class FrameClock:
    """Counts decoded frames and gives each its time.

    time_base: seconds for each unit of a timestamp.  fps: spaces frames that carry no timestamp.
    origin_pts: timestamp of the footage's first frame, from which times and indices count; None: the first one placed.
    restarts: timestamps at which the footage breaks, as its container's clock was set back; may grow.
    first_index: of the first frame, for a pass that begins within the footage.
    ranked: timestamps tell when pictures are shown, but not which: they come in the order of decoding.

    The decoder hands frames out in the order of their timestamps, so a timestamp that went in (`expect`) and is
    overtaken by a later one coming out belongs to no frame: either it was lost, or it was never to be shown (second
    fields, hidden frames).  It counts as lost where the decoder complained (`failed`) or the time line has a hole.
    """

    def __init__(
        self,
        time_base: Fraction,
        fps: float,
        origin_pts: int | None,
        restarts: Sequence[int] = (),
        first_index: int = 0,
    ) -> None:
        self.fps = fps
        self.ranked = False
        self._time_base = time_base
        self._origin_pts = origin_pts
        self._restarts = restarts
        self._first_index = first_index
        self._shift_s = 0.0
        self._waiting: list[int] = []
        self._errors = 0
        self._index: int | None = None
        self._time_s = 0.0
        self._passed_restarts = 0
        self._anchor: tuple[int, float] = (0, 0.0)
        self._hidden = 0

    def expect(self, pts: int | None) -> None:
        """A packet that should give a frame goes to the decoder."""
        if pts is None:
            return
        if len(self._waiting) >= WAITING_AT_MOST:
            self._waiting.clear()
        heapq.heappush(self._waiting, pts)

    def failed(self) -> None:
        """The decoder refused a packet."""
        self._errors += 1

    def place(self, pts: int | None) -> Placed:
        """Index and time of the next frame; times never decrease."""
        if self.ranked and self._waiting:
            return self._place_ranked()
        if self._index is None:
            return self._place_first(pts)
        if pts is None:
            return self._place_untimed(self._index)
        overtaken = self._overtaken(pts)
        time_s = self._time(pts)
        lost = self._count_lost(len(overtaken), time_s)
        self._hidden += len(overtaken) - lost
        return self._placed(self._index + 1 + lost, time_s, tuple(map(self.seconds, overtaken[:lost])), pts)

    def unshown_s(self) -> tuple[float, ...]:
        """Times still waited for after the last frame; empty where frames and packets never matched one to one."""
        if self._hidden:
            return ()
        return tuple(self.seconds(pts) for pts in sorted(self._waiting))

    def seconds(self, pts: int) -> float:
        """Time of a timestamp, in seconds since the first frame."""
        origin = self._origin_pts or 0
        # Whole numbers to the last step: the quotient is then the nearest float to the exact time.
        return (pts - origin) * self._time_base.numerator / self._time_base.denominator + self._shift_s

    def _placed(self, index: int, time_s: float, lost_s: tuple[float, ...], pts: int) -> Placed:
        self._index, self._time_s, self._anchor = index, time_s, (index, time_s)
        passed = bisect_right(self._restarts, pts)
        restarted, self._passed_restarts = passed > self._passed_restarts, max(passed, self._passed_restarts)
        return Placed(index, time_s, lost_s, restarted)

    def _place_first(self, pts: int | None) -> Placed:
        self._overtaken(pts)
        self._errors = 0
        self._index = self._first_index
        if pts is not None:
            self._origin_pts = pts if self._origin_pts is None else self._origin_pts
            self._time_s = max(0.0, self.seconds(pts))
            self._passed_restarts = bisect_right(self._restarts, pts)
        self._anchor = (self._index, self._time_s)
        return Placed(self._index, self._time_s)

    def _place_ranked(self) -> Placed:
        """The next timestamp that waits, whichever packet the frame is of; refused and stuck packets had theirs."""
        lost = min(max(self._errors, len(self._waiting) - UNSHOWN_AT_MOST), len(self._waiting) - 1)
        self._errors = 0
        overtaken = [heapq.heappop(self._waiting) for _ in range(lost)]
        pts = heapq.heappop(self._waiting)
        if self._index is None:
            return self._place_first(pts)
        time_s = self._time(pts)
        return self._placed(self._index + 1 + lost, time_s, tuple(map(self.seconds, overtaken)), pts)

    def _place_untimed(self, last_index: int) -> Placed:
        """Evenly spaced from the last timestamp; only the decoder's complaints tell how many frames are missing."""
        self._index = last_index + 1 + self._errors
        self._errors = 0
        self._time_s = self._evenly(self._index)
        return Placed(self._index, self._time_s, tuple(map(self._evenly, range(last_index + 1, self._index))))

    def _evenly(self, index: int) -> float:
        return self._anchor[1] + (index - self._anchor[0]) / self.fps

    def _overtaken(self, pts: int | None) -> list[int]:
        overtaken: list[int] = []
        while pts is not None and self._waiting and self._waiting[0] <= pts:
            waited = heapq.heappop(self._waiting)
            if waited < pts:
                overtaken.append(waited)
        return overtaken

    def _count_lost(self, overtaken: int, time_s: float) -> int:
        hole = round((time_s - self._time_s) * self.fps) - 1
        lost = min(overtaken, max(hole, self._errors))
        self._errors -= min(lost, self._errors)
        return lost

    def _time(self, pts: int) -> float:
        if self._origin_pts is None:
            self._origin_pts = pts
            self._shift_s = self._time_s + 1 / self.fps
        return max(self.seconds(pts), self._time_s)
