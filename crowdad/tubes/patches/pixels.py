"""Patches that follow their subject as tubes do and read what it looks like, not how it moves: for comparison."""

from __future__ import annotations

import cv2
import numpy as np
import numpy.typing as npt

from crowdad.tubes.flow import MotionMaps
from crowdad.tubes.patches.tubes import previous_place, propose

__all__ = ["channels", "previous_place", "propose"]

Array = npt.NDArray[np.float32]

_FAINTEST = 4.0  # grey levels: noise is not brought to the strength of an outline
_AROUND = 0.25  # of a person height: how far around the usual strength of a gradient is read


def channels(maps: MotionMaps, picture: npt.NDArray[np.uint8], person_px: float) -> Array:
    """Strength of the gradient across and down by what is usual around, and the foreground twice: (h, w, 4).

    Neither a mirrored picture nor one with light and dark exchanged reads otherwise.
    """
    height, width = maps.density.shape
    half = cv2.resize(picture, (width, height), interpolation=cv2.INTER_AREA).astype(np.float32)
    across, down = (np.abs(cv2.Sobel(half, cv2.CV_32F, *axis, ksize=3)) / 4 for axis in ((1, 0), (0, 1)))
    usual = cv2.GaussianBlur(across * across + down * down, (0, 0), sigmaX=max(_AROUND * person_px / 2, 1.0))
    strength = np.sqrt(usual) + _FAINTEST
    foreground = maps.channels[..., 3]
    return np.dstack([across / strength, down / strength, foreground, foreground]).astype(np.float32)
