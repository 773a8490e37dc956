"""People in the footage, as blobs that stand out from the background and move."""

from __future__ import annotations

import math
from collections.abc import Sequence

import cv2
import numpy as np
import numpy.typing as npt

from crowdad.errors import TooLittleMotionError
from crowdad.motion import BackwardFlow, in_the_same_light, steadied
from crowdad.scale.scene_scale import MIN_PERSON_PX

__all__ = ["GAPS", "MIN_FIGURES", "displacement", "find_figures"]

Luma = npt.NDArray[np.uint8]
Array = npt.NDArray[np.float64]

GAPS = (1, 2, 3, 4, 6, 8, 12, 16)
"""Frames between two pictures of a burst that are compared."""

MIN_FIGURES = 12
"""Fewer tell nothing about the scene."""

_FEW_BURSTS = 8  # enough to see which gap suits
_GOOD_MOVE = 0.1  # person heights: far enough against the flow's noise
_MIN_CONTRAST = 7.0
_MIN_SPEED_PX = 0.7
_LEAST_SHIFT_PX = 0.3
_ALIGNING_STEPS = 20
_BLOCKS, _BETTER, _MOST_WORSE = 12, 0.3, 0.1  # a side of the picture; shares of the blocks that a shift may change


def find_figures(recorded: Sequence[dict[int, Luma]]) -> tuple[Array, int]:
    """What stands out from the median background and moves, at the shortest gap over which it moves far enough.

    Returns rows of (x, y of the centre, w, h, area, dx, dy), in pixels, and the gap in frames.
    """
    bursts = [_Settled(burst, recorded[len(recorded) // 2][0]) for burst in recorded]
    ends = [(burst, place) for burst in bursts for place in (burst.places[0], burst.places[-1])]
    stills = [burst[place] for burst, place in ends[:: max(1, len(ends) // 48)]]
    background = np.median(np.stack(stills), axis=0).astype(np.float32)
    flow_of = BackwardFlow()

    def seen(some: Sequence[_Settled], gap: int) -> Array:
        pairs = [pair for burst in some for pair in _pairs(burst, gap)]
        found = (_moving_blobs(luma, background, steadied(flow_of(luma, earlier), luma)) for luma, earlier in pairs)
        return np.concatenate([np.zeros((0, 7)), *found])

    best, most = 0, 0
    few = bursts[:: max(1, len(bursts) // _FEW_BURSTS)]
    for gap in GAPS:
        figures = seen(few, gap)
        if len(figures) > most // 2:
            best, most = gap, len(figures)
            if np.median(displacement(figures) / figures[:, 3]) >= _GOOD_MOVE:
                break
    figures = seen(bursts, best)
    if len(figures) < MIN_FIGURES:
        raise TooLittleMotionError(
            "hardly anybody moves in the footage, so neither people's size nor their speed can be measured; "
            "give footage with people walking, or a fitted scene with --model"
        )
    return figures, best


def _pairs(burst: _Settled, gap: int) -> list[tuple[Luma, Luma]]:
    """The first and the last two pictures of a burst that lie `gap` frames apart: (later, earlier)."""
    starts = [place for place in burst.places if place + gap in burst.places]
    return [(burst[start + gap], burst[start]) for start in {*starts[:1], *starts[-1:]}]


def _moving_blobs(luma: Luma, background: npt.NDArray[np.float32], flow: npt.NDArray[np.float32]) -> Array:
    """Connected blobs of one picture that may be one person: (x, y of the centre, w, h, area, dx, dy) each.

    Hysteresis (weak pixels that touch strong ones) keeps a figure whole where its clothes match the ground; what does
    not move is foliage, flicker or a change of light.
    """
    height, width = background.shape
    difference = luma - background
    difference = cv2.GaussianBlur(np.abs(difference - np.median(difference)), (3, 3), 0)
    noise = 1.4826 * float(np.median(difference))
    weak = (difference > max(3 * noise, _MIN_CONTRAST)).astype(np.uint8)
    strong = difference > max(6 * noise, 2 * _MIN_CONTRAST)
    flow = np.asarray(cv2.resize(flow, (width, height), interpolation=cv2.INTER_LINEAR), np.float32)
    moving = np.hypot(flow[..., 0], flow[..., 1]) > _MIN_SPEED_PX
    count, labels, stats, _ = cv2.connectedComponentsWithStats(weak, connectivity=8)
    strength = np.bincount(labels[strong], minlength=count)[1:]
    motion, *sums = (
        np.bincount(labels[moving], weights, minlength=count)[1:] for weights in (None, *flow[moving].T.astype(float))
    )
    dx, dy = (total / np.maximum(motion, 1) for total in sums)
    x, y, w, h, area = stats[1:].T
    inside = (x > 0) & (y > 0) & (x + w < width) & (y + h < height)
    upright = (h >= w) & (h <= 4 * w) & (h >= MIN_PERSON_PX) & (area >= 12)
    solid = (area >= 0.25 * w * h) & (strength >= 0.15 * area) & (motion >= 0.5 * area)
    return np.stack([x + w / 2, y + h / 2, w, h, area, dx, dy], axis=1)[inside & upright & solid]


def displacement(figures: Array) -> Array:
    """How far each figure moved in the picture, in pixels."""
    return np.hypot(figures[:, 5], figures[:, 6])


class _Settled:
    """A burst's pictures as a camera that neither shakes nor adapts to the light would have seen them.

    Each is made when it is first asked for: most gaps, and most bursts of each, are never looked at.
    """

    def __init__(self, burst: dict[int, Luma], reference: Luma) -> None:
        self.places = sorted(burst)
        self._burst = burst
        self._reference = reference
        self._made: dict[int, Luma] = {}

    def __getitem__(self, place: int) -> Luma:
        if place not in self._made:
            self._made[place] = _like(self._burst[place], self._reference)
        return self._made[place]


def _like(luma: Luma, reference: Luma) -> Luma:
    """`luma` in the light of `reference`, and moved onto it where its ground lies elsewhere."""
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
    return np.asarray(moved, np.uint8) if better > _BETTER and worse < _MOST_WORSE else luma


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
