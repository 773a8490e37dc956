"""Heatmap -> regions: the hot places of one frame."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import numpy.typing as npt
from scipy.ndimage import find_objects, label

from crowdad.records import Box, FrameResult, Region, Velocity

__all__ = ["PersonHeight", "find_regions"]

PersonHeight = Callable[[Any, Any], Any]
"""(x, y) in pixels -> height of a person there, in pixels."""

_EIGHT_CONNECTED = np.ones((3, 3), dtype=np.int8)
_THIN = 1 / 3


def find_regions(result: FrameResult, low: float = 0.4, person_px: PersonHeight | None = None) -> list[Region]:
    """8-connected places of cells >= `low` in one frame, from the top left on.

    person_px: height of a person at pixel (x, y); strips along the border that are thinner than a third of it are left
    out then: too little is seen there to say anything of a subject.
    Boxes are clipped to the displayed picture; `peak_anomaly` is the region's hottest cell, and of that cell are its
    stream, velocity and note.
    """
    heatmap = result.heatmap
    labels, count = label(heatmap.anomaly >= low, structure=_EIGHT_CONNECTED)
    if not count:
        return []
    height, width = heatmap.size_hw
    regions = []
    for number, place in enumerate(find_objects(labels), 1):
        rows, columns = place
        x0, y0 = columns.start * heatmap.cell_px, rows.start * heatmap.cell_px
        x1, y1 = min(columns.stop * heatmap.cell_px, width), min(rows.stop * heatmap.cell_px, height)
        if x1 > x0 and y1 > y0:
            box = (float(x0), float(y0), float(x1), float(y1))
            if person_px is None or not _is_strip(box, heatmap.size_hw, person_px):
                regions.append(_region(result, labels, number, place, box))
    return regions


def _region(
    result: FrameResult, labels: npt.NDArray[np.integer], number: int, place: tuple[slice, slice], box_xyxy: Box
) -> Region:
    """The region with this label, within the cells of `place`."""
    own = np.where(labels[place] == number, result.heatmap.anomaly[place], -1)
    row, column = np.unravel_index(int(own.argmax()), own.shape)
    hottest = place[0].start + int(row), place[1].start + int(column)
    return Region(
        result.index,
        result.time_s,
        box_xyxy,
        float(own[row, column]),
        0 if result.leading is None else int(result.leading[hottest]),
        None if result.velocity_px_s is None else _velocity(*result.velocity_px_s[hottest]),
        0 if result.note is None else int(result.note[hottest]),
    )


def _velocity(across: float, down: float) -> Velocity | None:
    return (float(across), float(down)) if across or down else None


def _is_strip(box_xyxy: Box, size_hw: tuple[int, int], person_px: PersonHeight) -> bool:
    x0, y0, x1, y1 = box_xyxy
    height, width = size_hw
    thin = _THIN * float(person_px((x0 + x1) / 2, (y0 + y1) / 2))
    return (x1 - x0 < thin and (x0 <= 0 or x1 >= width)) or (y1 - y0 < thin and (y0 <= 0 or y1 >= height))
