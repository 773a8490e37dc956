"""Heatmap -> regions: the hot places of one frame."""

from __future__ import annotations

import numpy as np
from scipy.ndimage import find_objects, label, maximum

from crowdad.records import Heatmap, Region

__all__ = ["find_regions", "grown_regions"]

_EIGHT_CONNECTED = np.ones((3, 3), dtype=np.int8)


def find_regions(
    heatmap: Heatmap, frame_index: int, time_s: float, level: float = 0.5, low: float = 0.4
) -> list[Region]:
    """8-connected places of cells >= `low` that hold at least one cell >= `level`, from the top left on.

    Boxes are clipped to the displayed picture; `peak_anomaly` is the region's hottest cell.
    """
    return [region for region in grown_regions(heatmap, frame_index, time_s, low) if region.peak_anomaly >= level]


def grown_regions(heatmap: Heatmap, frame_index: int, time_s: float, low: float) -> list[Region]:
    labels, count = label(heatmap.anomaly >= low, structure=_EIGHT_CONNECTED)
    if not count:
        return []
    peaks = maximum(heatmap.anomaly, labels, np.arange(1, count + 1))
    height, width = heatmap.size_hw
    regions = []
    for place, peak in zip(find_objects(labels), peaks, strict=True):
        rows, columns = place
        x0, y0 = columns.start * heatmap.cell_px, rows.start * heatmap.cell_px
        x1, y1 = min(columns.stop * heatmap.cell_px, width), min(rows.stop * heatmap.cell_px, height)
        if x1 > x0 and y1 > y0:
            box = (float(x0), float(y0), float(x1), float(y1))
            regions.append(Region(frame_index, time_s, box, float(peak)))
    return regions
