"""Heatmap -> regions: the hot places of one frame."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import numpy.typing as npt
from scipy.ndimage import find_objects, label, maximum

from crowdad.records import Box, Heatmap, Region

__all__ = ["PersonHeight", "find_regions", "grown_regions"]

PersonHeight = Callable[[Any, Any], Any]
"""(x, y) in pixels -> height of a person there, in pixels."""

_EIGHT_CONNECTED = np.ones((3, 3), dtype=np.int8)
_THIN = 1 / 3


def find_regions(
    heatmap: Heatmap, frame_index: int, time_s: float, level: float = 0.5, low: float = 0.4
) -> list[Region]:
    """8-connected places of cells >= `low` that hold at least one cell >= `level`, from the top left on.

    Boxes are clipped to the displayed picture; `peak_anomaly` is the region's hottest cell.
    """
    return [region for region in grown_regions(heatmap, frame_index, time_s, low) if region.peak_anomaly >= level]


def grown_regions(
    heatmap: Heatmap,
    frame_index: int,
    time_s: float,
    low: float,
    person_px: PersonHeight | None = None,
    leading: npt.NDArray[np.uint8] | None = None,
) -> list[Region]:
    """As `find_regions`, without a level.

    leading: as in `FrameResult`.
    person_px: height of a person at pixel (x, y); strips along the border that are thinner than a third of it are left
    out then: too little is seen there to say anything of a subject.
    """
    labels, count = label(heatmap.anomaly >= low, structure=_EIGHT_CONNECTED)
    if not count:
        return []
    peaks = maximum(heatmap.anomaly, labels, np.arange(1, count + 1))
    height, width = heatmap.size_hw
    regions = []
    for number, (place, peak) in enumerate(zip(find_objects(labels), peaks, strict=True), 1):
        rows, columns = place
        x0, y0 = columns.start * heatmap.cell_px, rows.start * heatmap.cell_px
        x1, y1 = min(columns.stop * heatmap.cell_px, width), min(rows.stop * heatmap.cell_px, height)
        if x1 > x0 and y1 > y0:
            box = (float(x0), float(y0), float(x1), float(y1))
            if person_px is None or not _is_strip(box, heatmap.size_hw, person_px):
                stream = 0
                if leading is not None:
                    own = np.where(labels[place] == number, heatmap.anomaly[place], -1)
                    stream = int(leading[place].flat[own.argmax()])
                regions.append(Region(frame_index, time_s, box, float(peak), stream))
    return regions


def _is_strip(box_xyxy: Box, size_hw: tuple[int, int], person_px: PersonHeight) -> bool:
    x0, y0, x1, y1 = box_xyxy
    height, width = size_hw
    thin = _THIN * float(person_px((x0 + x1) / 2, (y0 + y1) / 2))
    return (x1 - x0 < thin and (x0 <= 0 or x1 >= width)) or (y1 - y0 < thin and (y0 <= 0 or y1 >= height))
