"""How long the same has stayed at each place, from the last looks alone, and whether it came as people do."""

from __future__ import annotations

from collections import deque
from itertools import islice

import cv2
import numpy as np
import numpy.typing as npt

from crowdad.scene.streams.stays_looks import LOOK_S, LOOKS_BACK, Look, Windows

__all__ = ["LEFT", "MEMORY_S", "MOST_S", "STAYS", "TAKEN", "Stayed"]

Array = npt.NDArray[np.float32]
Mask = npt.NDArray[np.bool_]

STAYS, LEFT, TAKEN = range(3)
"""What stays moves a little, what was left does not, and of what was taken away only the place is seen."""

_SPAN = 45  # looks that a stay is counted over
_DOUBTED = 20  # looks for which a place is not believed after what was no person or thing
MOST_S = _SPAN * LOOK_S
MEMORY_S = (_SPAN + _DOUBTED + LOOKS_BACK) * LOOK_S
"""Seconds before a moment that anything said of it may depend on."""

_LATELY = 4  # looks within which it was seen to be the same
_ARRIVES, _SUDDEN = 6, 0.6  # looks before and after a stay begins, between which it must gain so much strength
_SETTLES, _SAME_LIGHT = 3, 0.08  # looks around one at which something comes; in logarithms, of the whole picture
_LEAST_PERSON = 4.0  # cells
_BRIDGED, _LONGEST = 1.0, 6.0  # person heights between pieces that are one; more is a shadow's edge
_MOST_LESS, _LEAST_STIRS = 0.4, 0.12  # of the time: more is missing; whoever is alive moves a little


class Stayed:
    """How long the same has stayed at each place, from the last looks alone."""

    def __init__(self, windows: Windows) -> None:
        self._windows = windows
        self._shape, self._side = windows.shape, max(3, round(windows.person))
        least = 3 if windows.person >= _LEAST_PERSON else 1
        self._least = np.ones((least, least), np.uint8)  # a cell or a line by itself is nobody
        self.reset()

    def reset(self) -> None:
        """Begin a run of looks."""
        self._looks: deque[Look] = deque(maxlen=_SPAN)
        self._flooded = np.zeros(self._shape, np.int64)  # looks for which a cell is still not believed

    def add(self, look: Look) -> tuple[Array, npt.NDArray[np.uint8]]:
        """Take the next look: how long something has stayed at each cell, float32 seconds, 0 where nothing does now;
        and what it is, uint8, `STAYS`, `LEFT` or `TAKEN`."""
        self._looks.append(look)
        stayed, kind = self._seconds()
        flood = look.flood | self._long(stayed > 0)
        self._flooded = np.where(flood, _DOUBTED, np.maximum(self._flooded - 1, 0))
        return np.where(self._flooded > 0, np.float32(0), stayed), kind

    def _long(self, stays: Mask) -> Mask:
        """Pieces that are longer than vehicles."""
        if not stays.any():
            return stays
        reach = max(3, round(_BRIDGED * self._windows.person))
        joined = cv2.dilate(stays.astype(np.uint8), np.ones((reach, reach), np.uint8))  # people hide parts
        _, labels, stats, _ = cv2.connectedComponentsWithStats(joined, connectivity=8)
        sides = np.maximum(stats[:, cv2.CC_STAT_WIDTH], stats[:, cv2.CC_STAT_HEIGHT]) / self._windows.person
        sides[0] = 0
        return np.asarray((sides > _LONGEST)[labels])

    def _seconds(self) -> tuple[Array, npt.NDArray[np.uint8]]:
        """The same without a veto of what is too long."""
        stayed, kind = np.zeros(self._shape, np.float32), np.zeros(self._shape, np.uint8)
        lately = np.max([look.added for look in islice(self._looks, max(0, len(self._looks) - _LATELY), None)], axis=0)
        cells = np.nonzero((lately > 0) & (self._looks[-1].strength > 1))
        if not len(cells[0]):
            return stayed, kind
        flat = np.ravel_multi_index(cells, self._shape)
        added, strength, *signs = (
            np.stack([getattr(look, name).ravel()[flat] for look in self._looks])
            for name in ("added", "strength", "less", "calm", "stirs")
        )
        sums = np.cumsum(np.concatenate([np.zeros((1, added.shape[1])), added]), axis=0)
        since = len(sums) - 1 - sums[::-1].argmin(axis=0)
        stayed[cells] = LOOK_S * (sums[-1] - sums.min(axis=0)) * _came(strength, since)
        steady = _steady(np.array([look.light for look in self._looks]))
        stayed[cells] *= steady[np.minimum(since, len(steady) - 1)]
        stayed = np.asarray(cv2.morphologyEx(stayed, cv2.MORPH_OPEN, self._least), np.float32)
        during = (np.arange(len(added))[:, None] >= since) & (added == 1)
        shares = np.zeros((*self._shape, 4), np.float32)
        for place, sign in enumerate([during, *signs]):
            shares[cells[0], cells[1], place] = (sign & during).sum(axis=0)
        times, less, calm, stirs = np.moveaxis(cv2.blur(shares, (self._side, self._side)), -1, 0)
        kind[stirs < _LEAST_STIRS * calm] = LEFT
        kind[less > _MOST_LESS * times] = TAKEN
        return stayed, kind


def _came(strength: Array, since: npt.NDArray[np.int64]) -> Mask:
    """Whether what stays came within sight and at once, as people and things do, and shadows that creep do not.

    strength: (N, cells), of the last looks.  since: (cells,), the look that each stay begins with.
    """
    cells = np.arange(strength.shape[1])
    before, after = np.full(len(cells), np.inf, np.float32), np.zeros(len(cells), np.float32)
    for away in range(_ARRIVES):
        before = np.where(since > away, np.minimum(before, strength[np.maximum(since - 1 - away, 0), cells]), before)
        after = np.maximum(after, strength[np.minimum(since + away, len(strength) - 1), cells])
    return np.asarray(after - before > _SUDDEN)


def _steady(light: npt.NDArray[np.float64]) -> Mask:
    """Whether the light of the whole picture was about the same all around each look: bool (N,)."""
    around = np.lib.stride_tricks.sliding_window_view(np.pad(light, _SETTLES, mode="edge"), 2 * _SETTLES + 1)
    return np.asarray(np.ptp(around, axis=1) < _SAME_LIGHT)
