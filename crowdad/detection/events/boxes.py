"""Boxes of regions, alone and in pairs."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
import numpy.typing as npt

from crowdad.records import Box, Velocity

__all__ = ["Boxes", "centres", "overlap_sides", "union", "velocity_of"]

Boxes = npt.NDArray[np.float64]
"""(N, 4) boxes, xyxy, in pixels of the displayed picture."""

_AROUND_S, _LEAST_S = 0.5, 0.25


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


def velocity_of(boxes: Mapping[int, Box], at_frame: int, fps: float) -> Velocity | None:
    """Of the boxes' middles in half a second before and after a frame; None where they span less than a quarter.

    boxes: by frame.  A straight line is laid through the middles: boxes of heat grow and shrink.
    """
    near = sorted(frame for frame in boxes if abs(frame - at_frame) <= _AROUND_S * fps)
    if not near or near[-1] - near[0] < _LEAST_S * fps:
        return None
    x, y = np.polyfit(np.array(near) / fps, centres(np.array([boxes[frame] for frame in near])), 1)[0]
    return float(x), float(y)
