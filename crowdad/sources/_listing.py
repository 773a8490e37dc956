"""Every frame of footage told without decoding it, so that a part of it can be read without what comes before."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

import numpy as np
import numpy.typing as npt

__all__ = ["Entry", "Listing"]


@dataclass(frozen=True)
class Entry:
    """Where a pass begins.

    index: of the first frame to hand out.  key_index, key_place, key_dts: of the keyframe to decode it from, its place
    on the time line and the timestamp to seek it by, in ticks; None where frames stand alone.
    """

    index: int
    key_index: int | None = None
    key_place: int | None = None
    key_dts: int | None = None


@dataclass(frozen=True, eq=False)
class Listing:
    """The frames that a pass hands out, in order.

    index: int64 (N,).  time_s: float64 (N,).  gap_s: footage breaks where frames lie further apart.
    keys: int64 (K, 3), index, place and decoding timestamp of each keyframe, in order; (0, 3) where frames stand
    alone.
    """

    index: npt.NDArray[np.int64]
    time_s: npt.NDArray[np.float64]
    gap_s: float
    keys: npt.NDArray[np.int64]

    def __len__(self) -> int:
        return len(self.index)

    @cached_property
    def breaks(self) -> npt.NDArray[np.int64]:
        """int64 (B,): numbers, counted from 0, of the frames before which nothing was recorded for a while."""
        return np.flatnonzero(np.diff(self.time_s) > self.gap_s) + 1

    def entry(self, number: int) -> Entry:
        """Where to begin for the frame of this number, counted from 0, to be the first."""
        index = int(self.index[number])
        if not len(self.keys):
            return Entry(index)
        place = int(np.searchsorted(self.keys[:, 0], index, side="right")) - 1
        return Entry(index, *map(int, self.keys[place]))
