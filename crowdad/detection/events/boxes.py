"""Boxes of regions, alone and in pairs."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from crowdad.records import Box

__all__ = ["Boxes", "centres", "overlap_sides", "union"]

Boxes = npt.NDArray[np.float64]
"""(N, 4) boxes, xyxy, in pixels of the displayed picture."""


def overlap_sides(first_xyxy: Boxes, second_xyxy: Boxes) -> npt.NDArray[np.float64]:
    """(N, M, 2) width and height of the overlap of every pair of boxes; negative = the gap between them."""
    upper = np.minimum(first_xyxy[:, None, 2:], second_xyxy[None, :, 2:])
    lower = np.maximum(first_xyxy[:, None, :2], second_xyxy[None, :, :2])
    return upper - lower


def centres(boxes_xyxy: Boxes) -> npt.NDArray[np.float64]:
    """(..., 2) middles."""
    return (boxes_xyxy[..., :2] + boxes_xyxy[..., 2:]) / 2


def union(first: Box, second: Box) -> Box:
    """The box around both."""
    return (
        min(first[0], second[0]),
        min(first[1], second[1]),
        max(first[2], second[2]),
        max(first[3], second[3]),
    )
