"""Grid patches: they stay where they are and see things pass, as the classical methods do."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from crowdad.config import TubeSettings
from crowdad.tubes.flow import MotionMaps
from crowdad.tubes.patches._sampling import channels, seeds

__all__ = ["channels", "previous_place", "propose"]

Array = npt.NDArray[np.float32]


def propose(maps: MotionMaps, person_px: float, settings: TubeSettings) -> Array:
    """Grid points around which something moves, float32 (N, 2), in pixels of the view."""
    return seeds(maps, person_px, settings)


def previous_place(maps: MotionMaps, points_xy: Array) -> Array:
    """A grid patch was where it is."""
    return points_xy
