"""Motion tubes: patches that follow the thing they look at back through time."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from crowdad.config import TubeSettings
from crowdad.tubes.flow import MotionMaps
from crowdad.tubes.patches._sampling import channels, look_up, seeds

__all__ = ["channels", "previous_place", "propose"]

Array = npt.NDArray[np.float32]


def propose(maps: MotionMaps, person_px: float, settings: TubeSettings) -> Array:
    """Centres of motion in one step.

    Seeds every `spacing` where something moves climb to the centre of the motion around them; duplicates are merged.
    Returns float32 (N, 2), x and y in pixels of the view, in a fixed order; N = 0 where the scene is still.
    """
    points = seeds(maps, person_px, settings)
    for _ in range(settings.mean_shifts):
        if len(points):
            points = points + look_up(maps.centre_shift, points)
    pitch = settings.spacing * person_px / 2
    merged = np.unique(np.round(points / pitch), axis=0, return_index=True)[1]
    return points[np.sort(merged)]


def previous_place(maps: MotionMaps, points_xy: Array) -> Array:
    """Where the body at each point (N, 2) was one step earlier."""
    return points_xy + look_up(maps.velocity, points_xy)
