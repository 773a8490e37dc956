"""A camera's view without the people in it: a small median picture, of all footage or of a first look at it."""

from __future__ import annotations

import cv2
import numpy as np
import numpy.typing as npt

__all__ = ["LONGEST_PX", "BackgroundKeeper", "SightCheck"]

Luma = npt.NDArray[np.uint8]

LONGEST_PX = 160
"""Longer side of a background."""

_MOST = 32
_LOOK_S = 5.0
_LOOK_PICTURES = 9


class BackgroundKeeper:
    """Keeps small pictures spread over footage of any length, whose median is the background."""

    def __init__(self) -> None:
        self._every = 1
        self._seen = 0
        self._kept: list[npt.NDArray[np.float32]] = []

    def __len__(self) -> int:
        return len(self._kept)

    def add(self, luma: Luma) -> None:
        """Offer the next picture, uint8 (H, W); all are of one size."""
        if self._seen % self._every == 0:
            if len(self._kept) == _MOST:
                self._kept = self._kept[::2]
                self._every *= 2
            self._kept.append(_small(luma))
        self._seen += 1

    def background(self) -> npt.NDArray[np.uint8]:
        """uint8 (h, w), `LONGEST_PX` on its longer side.  Raises ValueError where no picture was added."""
        if not self._kept:
            raise ValueError("no picture was added")
        return np.rint(np.median(np.stack(self._kept), axis=0)).clip(0, 255).astype(np.uint8)


class SightCheck:
    """Takes a look at footage that passes by: a few pictures of its first seconds."""

    def __init__(self) -> None:
        self._keeper = BackgroundKeeper()
        self._began_s: float | None = None

    def see(self, luma: Luma, time_s: float) -> npt.NDArray[np.uint8] | None:
        """Look at the next frame; the background once, as soon as enough was seen."""
        if self._began_s is None or time_s < self._began_s:
            self._began_s = time_s
            self._keeper = BackgroundKeeper()
        if time_s - self._began_s >= len(self._keeper) * _LOOK_S / _LOOK_PICTURES:
            self._keeper.add(luma)
        return None if len(self._keeper) < _LOOK_PICTURES else self._keeper.background()

    def so_far(self) -> npt.NDArray[np.uint8] | None:
        """The background of what was seen; None before the first frame."""
        return self._keeper.background() if len(self._keeper) else None


def _small(luma: Luma) -> npt.NDArray[np.float32]:
    height, width = (max(8, round(side * LONGEST_PX / max(luma.shape))) for side in luma.shape)
    return np.asarray(cv2.resize(luma, (width, height), interpolation=cv2.INTER_AREA), np.float32)
