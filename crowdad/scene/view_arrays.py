"""The arrays of a model file that describe the camera's view, each of a shape that a view can have."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt

__all__ = ["check_activity", "check_background"]

_MOST_SIDE_PX = 1024


def check_activity(activity: npt.NDArray[Any] | None) -> None:
    """Raise ValueError where it is no map of how much moved where."""
    if activity is None:
        return
    if activity.ndim != 2 or activity.dtype != np.float16 or not 0 < activity.size <= _MOST_SIDE_PX**2:
        raise ValueError(f"activity is {activity.dtype} {activity.shape}, float16 (rows, columns) is needed")
    if not (np.isfinite(activity).all() and activity.min() >= 0):
        raise ValueError("activity holds nan, inf or what is below 0")


def check_background(background: npt.NDArray[Any] | None) -> None:
    """Raise ValueError where it is no picture."""
    if background is None:
        return
    sides = background.shape
    if len(sides) != 2 or background.dtype != np.uint8 or not 8 <= min(sides) <= max(sides) <= _MOST_SIDE_PX:
        raise ValueError(f"background is {background.dtype} {background.shape}, uint8 (h, w) from 8x8 on is needed")
