"""Where a crowd is: one connected place of a map."""

from __future__ import annotations

from collections.abc import Sequence

import cv2
import numpy as np
import numpy.typing as npt

__all__ = ["box_of", "place_of", "thinned"]

Places = npt.NDArray[np.float32]

_MOST = 64  # places of one step
_ASIDE = 4.0  # per cent of tubes at each side that are not of the crowd


def thinned(places: Places) -> Places:
    """Some of the places, (N, 2), of one step."""
    return places[:: max(1, -(-len(places) // _MOST))]


def box_of(places: Places) -> npt.NDArray[np.float64]:
    """(x0, y0, x1, y1) around most of the places, (N, 2), N >= 1."""
    low, high = np.percentile(places, (_ASIDE, 100 - _ASIDE), axis=0)
    return np.concatenate([low, high])


def place_of(steps: Sequence[Places], shape: tuple[int, int], cell_px: float) -> npt.NDArray[np.bool_]:
    """Cells of a map that most of the places of several steps, each (N, 2), N >= 1 in all, lie around: bool `shape`."""
    places = np.concatenate(steps)
    x0, y0, x1, y1 = box_of(places)
    x, y = places.T
    inside = places[(x >= x0) & (x <= x1) & (y >= y0) & (y <= y1)]
    cells = np.floor((inside if len(inside) else places) / cell_px).astype(np.int32)
    filled = np.zeros(shape, np.uint8)
    cv2.fillConvexPoly(filled, cv2.convexHull(cells), 1)
    return np.asarray(cv2.dilate(filled, np.ones((3, 3), np.uint8)), bool)
