"""Pixel-level AUC, the 40 % rule (Mahadevan et al., CVPR 2010)."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from crowdad.evaluation.metrics.frames import FrameScores, frame_auc_micro
from crowdad.evaluation.metrics.registry import metric

__all__ = ["ClipMaps", "PixelScores", "cell_of_pixel", "pixel_auc", "pixel_scores"]

_FOUND_TENTHS = 4


@dataclass(frozen=True, eq=False)
class ClipMaps:
    """One clip's anomaly maps beside its true masks.

    anomaly: float (T, rows, columns), any finite range, higher = abnormal.
    masks: bool (T, H, W) in pixels, True where anomalous.
    cell_px: side of a cell in pixels; cell (r, c) holds the pixels whose centre lies in
        [c * cell_px, (c + 1) * cell_px) x [r * cell_px, (r + 1) * cell_px).  The last row and column may reach
        past the picture.  1 for maps of full size.
    Raises ValueError for other shapes, NaN or infinity, and maps that do not cover the picture.
    """

    name: str
    anomaly: npt.NDArray[np.floating]
    masks: npt.NDArray[np.bool_]
    cell_px: float

    def __post_init__(self) -> None:
        if (
            self.anomaly.ndim != 3
            or self.masks.ndim != 3
            or len(self.anomaly) != len(self.masks)
            or not self.masks.size
        ):
            raise ValueError(
                f"{self.name}: maps {self.anomaly.shape} and masks {self.masks.shape}; "
                "(T, rows, columns) and (T, H, W) with one T >= 1 are needed"
            )
        if self.masks.dtype != np.bool_:
            raise ValueError(f"{self.name}: masks are {self.masks.dtype}; bool is needed")
        if not self.cell_px >= 1:
            raise ValueError(f"{self.name}: cell_px is {self.cell_px}; at least 1 is needed")
        for cells, pixels in zip(self.anomaly.shape[1:], self.masks.shape[1:], strict=True):
            needed = math.floor((pixels - 0.5) / self.cell_px) + 1
            if cells < needed or (cells - 1) * self.cell_px >= pixels:
                raise ValueError(
                    f"{self.name}: maps of {self.anomaly.shape[1:]} cells of {self.cell_px} px do not fit "
                    f"a picture of {self.masks.shape[1:]}; give cell_px as the maps were made"
                )
        if not np.isfinite(self.anomaly).all():
            raise ValueError(f"{self.name}: maps hold NaN or infinity; score every cell")


class PixelScores(FrameScores):
    """Per frame, the highest threshold at which the 40 % rule still counts the frame as detected.

    anomaly: (T,), in the unit of the maps; see `pixel_scores`.
    """


def cell_of_pixel(n_pixels: int, cell_px: float) -> npt.NDArray[np.int64]:
    """Index of the cell in which each pixel's centre lies: int64 (n_pixels,)."""
    return np.floor((np.arange(n_pixels) + 0.5) / cell_px).astype(np.int64)


def pixel_scores(clip: ClipMaps) -> PixelScores:
    """Turns one clip's maps into one score per frame under the 40 % rule.

    A pixel is detected where its cell >= threshold.  An anomalous frame (any true pixel) is found where detected
    pixels cover at least 40 % of its true pixels, so its score is the ceil(0.4 n)-th largest of its n true pixels'
    values.  In a normal frame any detection is a false positive, so its score is the map's maximum.
    Detections outside the true pixels of an anomalous frame cost nothing (the protocol's known weakness).
    """
    height, width = clip.masks.shape[1:]
    row_of, column_of = cell_of_pixel(height, clip.cell_px), cell_of_pixel(width, clip.cell_px)
    anomalous = np.asarray(clip.masks.any(axis=(1, 2)))
    levels = clip.anomaly.max(axis=(1, 2)).astype(np.float64)
    for t in np.flatnonzero(anomalous):
        ys, xs = np.nonzero(clip.masks[t])
        values = clip.anomaly[t][row_of[ys], column_of[xs]]
        needed = -(-_FOUND_TENTHS * len(values) // 10)  # rounded up, in whole numbers so that no rounding decides
        levels[t] = np.partition(values, len(values) - needed)[len(values) - needed]
    return PixelScores(clip.name, levels, anomalous)


@metric("pixel AUC, 40 % rule", "micro; found: 40 % of the true pixels (Mahadevan 2010)", over=PixelScores)
def pixel_auc(clips: Sequence[PixelScores]) -> float:
    """Area under the ROC over frames, where a frame is detected under the 40 % rule; in [0, 1].

    Level: pixel (rates over frames).  Pooling: micro.  Exact: every threshold is swept.
    Unlike a frame AUC it stays below 1 where an anomaly is noticed in the wrong place.
    Raises UndefinedMetricError where all frames are of one class.
    """
    return frame_auc_micro(clips)
