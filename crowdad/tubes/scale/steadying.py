"""Pictures as a camera that neither drifts nor adapts to the light would have seen them."""

from __future__ import annotations

import math

import cv2
import numpy as np
import numpy.typing as npt

from crowdad.tubes.flow import in_the_same_light

__all__ = ["laid_onto"]

Luma = npt.NDArray[np.uint8]

_LEAST_SHIFT_PX = 0.3
_ALIGNING_STEPS = 20
_BLOCKS, _BETTER, _WORSE_OF_BETTER = 12, 0.3, 0.4  # a side of the picture; shares of the blocks that a shift changes


def laid_onto(luma: Luma, reference: Luma) -> Luma:
    """`luma` in the light of `reference`, and moved onto it where its ground lies elsewhere; uint8 (H, W) each."""
    luma = in_the_same_light(luma, reference)
    x, y = _shift(luma, reference)
    if math.hypot(x, y) < _LEAST_SHIFT_PX:
        return luma
    back = np.array([[1, 0, -x], [0, 1, -y]])
    moved = cv2.warpAffine(luma, back, luma.shape[::-1], flags=cv2.INTER_CUBIC, borderMode=cv2.BORDER_REPLICATE)
    before, after = (
        cv2.resize(cv2.absdiff(picture, reference).astype(np.float32), (_BLOCKS, _BLOCKS), interpolation=cv2.INTER_AREA)
        for picture in (luma, moved)
    )
    # The ground is all over the picture; people before a plain one are not.
    better, worse = (after < 0.95 * before).mean(), (after > 1.05 * before).mean()
    return np.asarray(moved, np.uint8) if better > _BETTER and worse < _WORSE_OF_BETTER * better else luma


def _shift(luma: Luma, reference: Luma) -> tuple[float, float]:
    """How far the whole of `luma` lies to the right of and below `reference` (Evangelidis and Psarakis 2008, ECC)."""
    small, small_reference = (
        cv2.resize(x, None, fx=0.5, fy=0.5, interpolation=cv2.INTER_AREA) for x in (luma, reference)
    )
    stop = (cv2.TERM_CRITERIA_COUNT | cv2.TERM_CRITERIA_EPS, _ALIGNING_STEPS, 1e-3)
    try:
        start = np.eye(2, 3, dtype=np.float32)
        _, moved = cv2.findTransformECC(small_reference, small, start, cv2.MOTION_TRANSLATION, stop)
    except cv2.error:  # nothing in common, or nothing to hold on to
        return 0.0, 0.0
    return 2 * float(moved[0, 2]), 2 * float(moved[1, 2])
