"""From the container's timestamps to (index, time): each packet that is lost costs its own place and no other."""

from __future__ import annotations

import heapq
from dataclasses import dataclass
from fractions import Fraction

__all__ = ["FrameClock", "Placed"]

WAITING_AT_MOST = 4096
"""Timestamps held at once; a decoder holds back far fewer, so more than that means they are of no use."""

REORDERED_AT_MOST = 16
"""Damaged footage comes out of order by up to a decoder's store of pictures; a longer way back is another clock."""


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
    may_restart: whether the container's clock may be set back half way, as in joined transport streams.
    from_s: up to here indices follow from times, for a pass that began by seeking; behind it frames are counted.
    first_index: of the first frame, where that is known.

    The decoder hands frames out in the order of their timestamps, so a timestamp that went in (`expect`) and is
    overtaken by a later one coming out belongs to no frame: either it was lost, or it was never to be shown (second
    fields, hidden frames).  It counts as lost where the decoder complained (`failed`) or the time line has a hole.
    """

    def __init__(
        self,
        time_base: Fraction,
        fps: float,
        origin_pts: int | None,
        may_restart: bool = False,
        from_s: float = 0.0,
        first_index: int | None = None,
    ) -> None:
        self._time_base = time_base
        self._fps = fps
        self._origin_pts = origin_pts
        self._may_restart = may_restart
        self._from_s = from_s
        self._first_index = first_index
        self._shift_s = 0.0
        self._waiting: list[int] = []
        self._errors = 0
        self._index: int | None = None
        self._time_s = 0.0
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
        if self._index is None:
            return self._place_first(pts)
        if pts is None:
            return self._place_untimed(self._index)
        overtaken = self._overtaken(pts)
        time_s, restarted = self._time(pts)
        lost = self._count_lost(len(overtaken), time_s)
        self._hidden += len(overtaken) - lost
        sought = self._time_s < self._from_s
        self._index = round(time_s * self._fps) if sought else self._index + 1 + lost
        self._time_s = time_s
        self._anchor = (self._index, time_s)
        return Placed(self._index, time_s, tuple(self.seconds(waited) for waited in overtaken[:lost]), restarted)

    def unshown_s(self) -> tuple[float, ...]:
        """Times still waited for after the last frame; empty where frames and packets never matched one to one."""
        if self._hidden:
            return ()
        return tuple(self.seconds(pts) for pts in sorted(self._waiting))

    def _place_first(self, pts: int | None) -> Placed:
        self._overtaken(pts)
        self._errors = 0
        self._index = 0
        if pts is not None:
            self._origin_pts = pts if self._origin_pts is None else self._origin_pts
            self._time_s = max(0.0, self.seconds(pts))
            self._index = round(self._time_s * self._fps) if self._first_index is None else self._first_index
        self._anchor = (self._index, self._time_s)
        return Placed(self._index, self._time_s)

    def _place_untimed(self, last_index: int) -> Placed:
        """Evenly spaced from the last timestamp; only the decoder's complaints tell how many frames are missing."""
        self._index = last_index + 1 + self._errors
        self._errors = 0
        self._time_s = self._evenly(self._index)
        return Placed(self._index, self._time_s, tuple(map(self._evenly, range(last_index + 1, self._index))))

    def _evenly(self, index: int) -> float:
        return self._anchor[1] + (index - self._anchor[0]) / self._fps

    def _overtaken(self, pts: int | None) -> list[int]:
        overtaken: list[int] = []
        while pts is not None and self._waiting and self._waiting[0] <= pts:
            waited = heapq.heappop(self._waiting)
            if waited < pts:
                overtaken.append(waited)
        return overtaken

    def _count_lost(self, overtaken: int, time_s: float) -> int:
        hole = round((time_s - self._time_s) * self._fps) - 1
        lost = min(overtaken, max(hole, self._errors))
        self._errors -= min(lost, self._errors)
        return lost

    def _time(self, pts: int) -> tuple[float, bool]:
        step_s = 1 / self._fps
        if self._origin_pts is None:
            self._origin_pts = pts
            self._shift_s = self._time_s + step_s
        time_s = self.seconds(pts)
        if time_s >= self._time_s:
            return time_s, False
        if not self._may_restart or self._time_s - time_s <= REORDERED_AT_MOST * step_s:
            return self._time_s, False
        self._shift_s += self._time_s + step_s - time_s
        return self.seconds(pts), True

    def seconds(self, pts: int) -> float:
        """Time of a timestamp, in seconds since the first frame."""
        origin = self._origin_pts or 0
        # Whole numbers to the last step: the quotient is then the nearest float to the exact time.
        return (pts - origin) * self._time_base.numerator / self._time_base.denominator + self._shift_s
