"""One time line for a camera, over any number of connections to it."""

from __future__ import annotations

from dataclasses import dataclass

__all__ = ["AHEAD_AT_MOST_S", "LATE_AT_MOST_S", "LiveClock", "LivePlace"]

AHEAD_AT_MOST_S = 10.0
"""A stream's clock further ahead of ours was set anew; less may be what it had sent before we looked."""

LATE_AT_MOST_S = 30.0
"""A stream that fell back further, by a clock that runs slow or was set back, is taken to be as late as it comes."""


@dataclass(frozen=True)
class LivePlace:
    """index, time_s: as in `records.Frame`.  anew: the stream's own clock could not be followed any more."""

    index: int
    time_s: float
    anew: bool = False


class LiveClock:
    """Gives each frame its place: within a connection by the stream's own times, over connections by the wall clock.

    Times are seconds since the first frame of all and never decrease.
    """

    def __init__(self) -> None:
        self._zero_s: float | None = None
        self._offset_s: float | None = None
        self._last_s = 0.0
        self._first_index = 0
        self._last_index = -1

    def connect(self) -> None:
        """A new connection begins; its own times and indices start anew."""
        self._offset_s = None
        self._first_index = self._last_index + 1

    def place(self, index: int, stream_s: float, now_s: float, *, trusted: bool) -> LivePlace:
        """Where a frame belongs.

        index, stream_s: its place within its connection.  now_s: when it came, of a clock that is never set.
        trusted: the stream's times are kept whatever the wall clock says, as those of a file are.
        """
        self._zero_s = now_s if self._zero_s is None else self._zero_s
        wall_s = now_s - self._zero_s
        anew = False
        if self._offset_s is None:
            self._offset_s = max(wall_s, self._last_s) - stream_s
        elif not trusted:
            ahead_s = stream_s + self._offset_s - wall_s
            anew = not -LATE_AT_MOST_S <= ahead_s <= AHEAD_AT_MOST_S
            self._offset_s = max(wall_s, self._last_s) - stream_s if anew else self._offset_s
        self._last_s = max(self._last_s, stream_s + self._offset_s)
        self._last_index = max(self._last_index, self._first_index + index)
        return LivePlace(self._last_index, self._last_s, anew)

    def seconds(self, stream_s: float) -> float:
        """Time of a place within the connection that gave no frame."""
        return max(0.0, stream_s + (self._last_s if self._offset_s is None else self._offset_s))

    def due_s(self, place: LivePlace) -> float:
        """When a stream that is played at its own pace shows the frame, on the clock that `place` was given."""
        assert self._zero_s is not None, "a frame was placed"
        return self._zero_s + place.time_s
