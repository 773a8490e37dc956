"""Every n-th frame where the machine is too slow for all: evenly thinned footage has its own frame rate, while frames
that are dropped here and there make everybody look faster."""

from __future__ import annotations

import time
from collections.abc import Callable

from crowdad.sources import LiveFrame

__all__ = ["Breaks", "Thinning"]

_WINDOW_S = 10.0
_SHARE = 0.1
_MOST = 10
_LOST_AT_MOST = 2
_PATIENCE_S = 60.0
_LONGEST_PATIENCE_S = 3600.0


class Thinning:
    """Decides which frames are scored: fewer where many are dropped, more again after a minute without a dropped one.

    Where more turn out too many, the next try comes after twice the time, an hour at most.

    dropped: how many frames were dropped up to now because scoring was late.  count: told the reason for each frame
    that is left out.  notice: told when more, or fewer, are left out from now on.

    stride: every so many-th frame is scored.
    """

    def __init__(self, dropped: Callable[[], int], count: Callable[[str], None], notice: Callable[[str], None]) -> None:
        self._dropped = dropped
        self._count = count
        self._notice = notice
        self.stride = 1
        self._window: tuple[float, int, int] | None = None  # when it began, index and dropped then
        self._calm_from_s = 0.0  # nothing was dropped since, and the stride stayed
        self._patience_s = _PATIENCE_S
        self._eased_s: float | None = None  # when more frames were tried last

    def scores(self, frame: LiveFrame) -> bool:
        """Whether the frame is to be scored; the stride may change here."""
        self._look(frame.index)
        if frame.index % self.stride == 0:
            return True
        self._count("left out, the machine is too slow for every frame")
        return False

    def _look(self, index: int) -> None:
        now_s = time.monotonic()
        if self._window is None:
            self._window = (now_s, index, self._dropped())
            self._calm_from_s = now_s
            return
        began_s, first, before = self._window
        if now_s - began_s < _WINDOW_S:
            return
        lost = self._dropped() - before
        self._window = (now_s, index, before + lost)
        if lost:
            self._calm_from_s = now_s
        if lost > _SHARE * max(index - first, 1) and self.stride < _MOST:
            failed = self._eased_s is not None and now_s - self._eased_s < self._patience_s
            self._patience_s = min(2 * self._patience_s, _LONGEST_PATIENCE_S) if failed else _PATIENCE_S
            self.stride += 1
            self._notice(f"this machine is too slow for every frame; from now on {_which(self.stride)} is scored")
        elif self.stride > 1 and now_s - self._calm_from_s >= self._patience_s:
            self._calm_from_s = self._eased_s = now_s
            self.stride -= 1
            self._notice(f"this machine has time again; from now on {_which(self.stride)} is scored")


class Breaks:
    """Finds where frames must not be followed across: over a gap everybody would seem to run."""

    def __init__(self) -> None:
        self._last: tuple[int, int] | None = None

    def before(self, index: int, stride: int) -> bool:
        """Whether tubes begin anew at this frame: the stride is another one, or more than two frames are missing."""
        last, self._last = self._last, (index, stride)
        return last is not None and (stride != last[1] or index - last[0] > stride + _LOST_AT_MOST)


def _which(stride: int) -> str:
    ordinal = {2: "2nd", 3: "3rd"}.get(stride, f"{stride}th")
    return "every frame" if stride == 1 else f"every {ordinal} one"
