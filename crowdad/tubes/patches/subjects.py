"""What a tube shows, small enough to keep and to look at."""

from __future__ import annotations

import cv2
import numpy as np
import numpy.typing as npt

from crowdad.records import Tubes

__all__ = ["SUBJECT_HW", "motion_of", "subject_of"]

SUBJECT_HW = (36, 24)
"""Height and width of a subject's picture."""

_FASTEST = 5.0
_SPEED = 1  # of the channels that tubes have, see MotionMaps


def subject_of(luma: npt.NDArray[np.uint8], tubes: Tubes, index: int) -> npt.NDArray[np.uint8]:
    """The subject of a tube where it ends, about 1.2 person heights tall: uint8 `SUBJECT_HW`."""
    height = 1.2 * float(tubes.person_px[index])
    width = height * SUBJECT_HW[1] / SUBJECT_HW[0]
    x, y = (float(value) for value in tubes.path_xy[index, 0])
    zoom = SUBJECT_HW[0] / height
    shift = np.array([[zoom, 0, -zoom * (x - width / 2)], [0, zoom, -zoom * (y - height / 2)]])
    size = SUBJECT_HW[::-1]
    crop = cv2.warpAffine(luma, shift, size, flags=cv2.INTER_LINEAR, borderMode=cv2.BORDER_REPLICATE)
    return np.asarray(crop, np.uint8)


def motion_of(features: npt.NDArray[np.float32]) -> npt.NDArray[np.uint8]:
    """How fast the parts of each subject move, newest step first: uint8 (N, T, rows, columns), 255 = 5 walking speeds.

    features: float32 (N, C, T, rows, columns), as in `Tubes`.
    """
    share = np.clip(features[:, _SPEED] / _FASTEST, 0, 1)
    return np.rint(255 * share).astype(np.uint8)
