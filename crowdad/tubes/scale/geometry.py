"""What follows from people's height: foreshortening, from the horizon, and walking speed, from how far they move."""

from __future__ import annotations

import math

import numpy as np
import numpy.typing as npt

from crowdad.tubes.scale.figures import Figures
from crowdad.tubes.scale.scene_scale import SceneScale

__all__ = ["USUAL_WALK_S", "foreshortening_of", "walk_of"]

Array = npt.NDArray[np.float64]

USUAL_WALK_S = 0.75
"""Walking speed in person heights a second."""

_FOCAL = 1.1  # focal length of a usual lens, of the longest side
_ASSUMED, _MOST_AT_CENTRE = 1.7, 4.0  # looking down by 36 and by 15 degrees
_BRISK = 1.15  # upper quartile of a walking crowd's speeds, of its usual one
_TRUST = 0.5  # in the usual speed, against the measured one
_BELIEVED, _DISBELIEVED = 2.0, 2.2  # ratio of usual and measured speed: beyond, the times are not the real ones


def foreshortening_of(person: tuple[float, float, float], size_hw: tuple[int, int]) -> float:
    """How many times slower the same walk looks along the line of sight, at the picture's centre.

    People's height falls to zero at the horizon; how far above the centre that lies tells how far the camera looks
    down, the lens taken for a usual one.  People who are hardly taller nearby are seen from high above or through a
    long lens, and which of the two cannot be told: the assumed foreshortening, between both, is the least.
    """
    centre, _, down = person
    if down <= 0:
        return _ASSUMED
    tilt = math.atan(centre / down / (_FOCAL * max(size_hw)))
    return min(max(1 / math.sin(tilt), _ASSUMED), _MOST_AT_CENTRE)


def walk_of(figures: Figures, scale: SceneScale) -> float:
    """Walking speed across the picture in person heights a frame, from at least one figure.

    People hardly ever walk much slower or faster than usual.  Where they seem to, the times of the frames are not real
    (UCSD Ped1 and Ped2 carry an assumed frame rate), and what was measured stands.
    """
    along = scale.foreshortening_at(figures.x, figures.y) * figures.dy
    moves = np.hypot(figures.dx, along) / scale.person_px(figures.x, figures.y)
    measured = max(float(np.quantile(moves, 0.75)) / _BRISK, 1e-5)
    usual = USUAL_WALK_S / scale.fps
    apart = abs(math.log(usual / measured))
    trust = _TRUST * min(max((_DISBELIEVED - math.exp(apart)) / (_DISBELIEVED - _BELIEVED), 0.0), 1.0)
    return measured ** (1 - trust) * usual**trust
