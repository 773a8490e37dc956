"""Optical flow between two steps, and what the moving pixels around each place do."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import cv2
import numpy as np
import numpy.typing as npt

from crowdad.config import MotionSettings

__all__ = ["BackwardFlow", "MotionMaps", "ground_shift", "in_the_same_light", "motion_maps", "steadied"]

Array = npt.NDArray[np.float32]

_PRESETS = {
    "ultrafast": cv2.DISOPTICAL_FLOW_PRESET_ULTRAFAST,
    "fast": cv2.DISOPTICAL_FLOW_PRESET_FAST,
    "medium": cv2.DISOPTICAL_FLOW_PRESET_MEDIUM,
}

_STILL_PX = 0.5  # flow of a still ground, noise included
_GROUND_SHARE, _CLEARLY_MORE = 0.3, 0.05  # of the texture, at least, and more than stands still, for a common shift
_LEAST_TEXTURE = 2.0  # grey values a pixel
_BLOCKS, _LEAST_OF_BLOCK = 12, 0.02  # a side of the picture, and share of one
_LIMB_MOVES = 0.3  # walking speeds
_SAME_LIGHT = 0.003  # relative: under one grey value
_LEAST_CHANGE = 1.5  # grey values, of a smoothed picture
_REACH = 17  # half-size pixels around a change that it speaks for
_LEAST_SUPPORT = 0.02  # share of them that must change


class BackwardFlow:
    """Dense flow from a step back to the one before it (Kroeger et al. 2016, DIS), at half size.

    preset: "ultrafast", "fast" or "medium".
    """

    def __init__(self, preset: str = "medium") -> None:
        self._dis = cv2.DISOpticalFlow.create(_PRESETS[preset])

    def __call__(self, luma: npt.NDArray[np.uint8], earlier_luma: npt.NDArray[np.uint8]) -> Array:
        """Displacement of each pixel of `luma` back to where it was in `earlier_luma`; 0 where the two look the same.

        luma, earlier_luma: uint8 (H, W), both sides at least 16.  A change of light between the two is evened out.
        Returns float32 (H // 2, W // 2, 2): x and y, in pixels of the full-size picture.
        """
        height, width = luma.shape
        size = (width // 2, height // 2)
        earlier_luma = in_the_same_light(earlier_luma, luma)
        later, earlier = (
            cv2.resize(x, size, interpolation=cv2.INTER_AREA).astype(np.float32) for x in (luma, earlier_luma)
        )
        change = _difference(later, earlier)
        if not _around(change > _LEAST_CHANGE).any():  # most of a night: the flow need not be known
            return np.zeros((*later.shape, 2), np.float32)
        flow = self._dis.calc(np.ascontiguousarray(luma), np.ascontiguousarray(earlier_luma), None)  # type: ignore[call-overload]
        half = np.asarray(cv2.resize(flow, size, interpolation=cv2.INTER_AREA), np.float32)
        changed = _around(change > max(4 * _noise(later, earlier, half), _LEAST_CHANGE))
        return np.asarray(half * changed[..., None], np.float32)


def in_the_same_light(luma: npt.NDArray[np.uint8], like: npt.NDArray[Any]) -> npt.NDArray[np.uint8]:
    """`luma` with the brightness of `like`, by the ratio of the two that most of the picture has; (H, W) each."""
    gain = float(np.median((like[::4, ::4] + np.float32(8)) / (luma[::4, ::4] + np.float32(8))))
    if abs(gain - 1) < _SAME_LIGHT:
        return luma
    return np.asarray(cv2.convertScaleAbs(luma, alpha=gain, beta=8 * (gain - 1)), np.uint8)


def _difference(later: Array, earlier: Array) -> Array:
    return np.abs(cv2.GaussianBlur(later - earlier, (0, 0), 1.0))


def _around(places: npt.NDArray[np.bool_]) -> Array:
    """1 where enough of the pixels around are such places, else 0: float32 (h, w)."""
    return np.asarray(cv2.blur(places.astype(np.float32), (_REACH, _REACH)) > _LEAST_SUPPORT, np.float32)


def _noise(later: Array, earlier: Array, flow: Array) -> float:
    """What the flow leaves unexplained in most of the picture, grey values: a moving camera is not taken for noise."""
    rows, columns = np.indices(flow.shape[:2], np.float32)
    moved = cv2.remap(
        earlier, columns + flow[..., 0] / 2, rows + flow[..., 1] / 2, cv2.INTER_LINEAR, None, cv2.BORDER_REPLICATE
    )
    return 1.4826 * float(np.median(_difference(later, np.asarray(moved, np.float32))[::2, ::2]))


def ground_shift(flow: Array, luma: npt.NDArray[np.uint8]) -> Array:
    """The shift that the textured ground has in common, float32 (2,): that of a shaking camera.

    flow: float32 (h, w, 2) of `BackwardFlow`.  luma: uint8 (H, W), the picture it belongs to.
    (0, 0) where as much of the texture stands still, or no shift is common enough to be the ground's.
    """
    none = np.zeros(2, np.float32)
    if not flow.any():
        return none
    small = cv2.resize(luma, flow.shape[1::-1], interpolation=cv2.INTER_AREA)[::2, ::2].astype(np.float32)
    down, right = np.gradient(small)
    texture = np.abs(right) + np.abs(down)
    textured = texture >= max(np.quantile(texture, 0.6), _LEAST_TEXTURE)
    known = flow[::2, ::2][textured]
    if not len(known):
        return none
    shift = np.median(known, axis=0)
    for radius in (4, 2, 1, _STILL_PX, _STILL_PX):
        near = _length(*(known - shift).T) < radius
        if not near.any():
            return none
        shift = known[near].mean(axis=0)
    still = (_length(*known.T) < _STILL_PX).mean()
    if near.mean() <= max(_GROUND_SHARE, still + _CLEARLY_MORE):
        return none
    # The ground is all over the picture; people before a plain one are not.
    textured[textured] = near
    blocks = cv2.resize(textured.astype(np.float32), (_BLOCKS, _BLOCKS), interpolation=cv2.INTER_AREA)
    return shift if (blocks > _LEAST_OF_BLOCK).mean() >= 0.5 else none


def steadied(flow: Array, luma: npt.NDArray[np.uint8]) -> Array:
    """The flow without the camera's own shake, see `ground_shift`."""
    return flow - ground_shift(flow, luma)


@dataclass(frozen=True, eq=False)
class MotionMaps:
    """Local statistics of the moving pixels of one step, at half size, in walking speeds of the place.

    channels: float32 (h, w, 4): length of the mean velocity, mean speed, spread of the speed, square root of the
        share of moving pixels.
    density: float32 (h, w) in [0, 1], share of moving pixels over a body.
    velocity: float32 (h, w, 2), the body's velocity back in time, in full-size pixels a step.
    centre_shift: float32 (h, w, 2), from each place to the centre of the motion around it, in full-size pixels.
    limbs: float32 (h, w), speed of what moves, smoothed so little that a leg is seen beside the other.
    """

    channels: Array
    density: Array
    velocity: Array
    centre_shift: Array
    limbs: Array


def _blur(image: Array, sigma_x: float, sigma_y: float) -> Array:
    blurred = cv2.GaussianBlur(image, (0, 0), sigmaX=sigma_x, sigmaY=sigma_y, borderType=cv2.BORDER_REPLICATE)
    return np.asarray(blurred, np.float32)


def _length(x: npt.NDArray[Any], y: npt.NDArray[Any]) -> Array:
    """Length of the vectors (x, y); cv2.magnitude rounds by where in memory its arrays happen to lie."""
    return np.asarray(np.sqrt(x * x + y * y), np.float32)


def motion_maps(
    flow: Array, unit_px: Array | float, person_px: float, foreshortening: Array | float, settings: MotionSettings
) -> MotionMaps:
    """Reduce a flow field to statistics over its moving pixels (normalised convolution).

    flow: float32 (h, w, 2) of `BackwardFlow`.  unit_px: walking speed, in pixels a step, one number or (h, w).
    person_px: height of a person in full-size pixels.  foreshortening: factor on vertical motion, one number or (h, w),
    so that a walk towards the camera counts as much as one across the picture.
    """
    shortening = np.broadcast_to(np.asarray(foreshortening, np.float32), flow.shape[:2])
    across, along = flow[..., 0], flow[..., 1] * shortening
    speed = _length(across, along)
    moving = (speed > settings.moving * unit_px).astype(np.float32)
    if not moving.any():
        still = np.zeros((*flow.shape[:2], 4), np.float32)
        return MotionMaps(still, still[..., 0], still[..., :2], still[..., :2], still[..., 0])
    stacked = np.dstack([across * moving, along * moving, speed * moving, speed * speed * moving, moving])
    half = person_px / 2

    near = _blur(stacked, settings.local_sigma * half, settings.local_sigma * half)
    weight = near[..., 4]
    safe = np.maximum(weight, 1e-3)
    mean_u, mean_v, mean_speed, mean_square = (near[..., i] / safe for i in range(4))
    spread = np.sqrt(np.maximum(mean_square - mean_speed**2, 0))
    channels = np.dstack([_length(mean_u, mean_v), mean_speed, spread]) / np.atleast_3d(unit_px)
    channels = np.dstack([channels, np.sqrt(weight)]).astype(np.float32)

    sigma_x, sigma_y = settings.body_sigma_x * half / 2, settings.body_sigma_y * half / 2
    size = (flow.shape[1], flow.shape[0])
    coarse_size = (max(size[0] // 2, 1), max(size[1] // 2, 1))
    coarse = cv2.resize(stacked[..., [0, 1, 4]], coarse_size, interpolation=cv2.INTER_AREA)
    body = _blur(np.asarray(coarse, np.float32), sigma_x, sigma_y)
    share = np.maximum(body[..., 2], 1e-3)
    velocity = body[..., :2] / share[..., None]
    velocity[..., 1] /= cv2.resize(shortening, coarse_size, interpolation=cv2.INTER_AREA)
    gradient = np.dstack(
        [
            cv2.Sobel(body[..., 2], cv2.CV_32F, 1, 0, ksize=1) * (0.5 * sigma_x**2),
            cv2.Sobel(body[..., 2], cv2.CV_32F, 0, 1, ksize=1) * (0.5 * sigma_y**2),
        ]
    )
    shift = gradient / share[..., None] * 4  # coarse pixels -> full-size pixels
    wide = np.asarray(cv2.resize(np.dstack([velocity, shift]), size, interpolation=cv2.INTER_LINEAR), np.float32)
    moving_limbs = np.where(speed > _LIMB_MOVES * unit_px, speed / unit_px, 0).astype(np.float32)
    limbs = _blur(moving_limbs, settings.limb_sigma * half, settings.limb_sigma * half)
    return MotionMaps(channels, weight, wide[..., :2], wide[..., 2:], limbs)
