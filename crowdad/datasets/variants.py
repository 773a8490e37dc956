"""A data set's clips seen by another camera: larger, smaller, slower, or along a steep perspective."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Literal

import cv2
import numpy as np
import numpy.typing as npt

from crowdad.datasets.ucsd import ASSUMED_FPS, Clip
from crowdad.sources import ArraySource, Source, open_source

__all__ = ["VARIANTS", "VariantName", "VariedClip", "vary"]

Luma = npt.NDArray[np.uint8]
VariantName = Literal["native", "double", "half", "every2", "warp"]

VARIANTS: dict[VariantName, str] = {
    "native": "as published",
    "double": "pictures twice as wide and high",
    "half": "pictures half as wide and high",
    "every2": "every second frame",
    "warp": "the top edge squeezed to its middle third (3:1 perspective)",
}
"""Each variant and what it does to the footage; ground truth follows by the same rule."""

_ZOOM = {"double": 2.0, "half": 0.5}
_STRIDE = {"every2": 2}


@dataclass(frozen=True, eq=False)
class VariedClip:
    """A clip of a variant.  labels: bool (T,).  masks: bool (T, H, W), or None where only frames are labelled."""

    name: str
    source: Source
    labels: npt.NDArray[np.bool_]
    masks: npt.NDArray[np.bool_] | None


def vary(clip: Clip, variant: VariantName = "native", *, truth: bool = True) -> VariedClip:
    """The clip as `variant` shows it.  truth: read its ground truth; without, labels are all False and masks None."""
    stride = _STRIDE.get(variant, 1)
    source = open_source(clip.folder, fps=ASSUMED_FPS)
    if variant != "native":
        source = ArraySource(_reader(clip, variant), ASSUMED_FPS / stride, clip.name)
    labels = (clip.labels() if truth else np.zeros(len(clip), np.bool_))[::stride]
    masks = clip.masks() if truth else None
    if masks is not None:
        masks = np.stack([_changed(mask.astype(np.uint8) * 255, variant, mask=True) >= 128 for mask in masks[::stride]])
    return VariedClip(clip.name, source, labels, masks)


def _reader(clip: Clip, variant: VariantName) -> Callable[[], Iterator[Luma]]:
    def frames() -> Iterator[Luma]:
        for frame in open_source(clip.folder, fps=ASSUMED_FPS, stride=_STRIDE.get(variant, 1)).frames():
            yield _changed(frame.luma, variant, mask=False)

    return frames


def _changed(picture: Luma, variant: VariantName, *, mask: bool) -> Luma:
    height, width = picture.shape
    if variant in _ZOOM:
        zoom = _ZOOM[variant]
        enlarge = cv2.INTER_NEAREST if mask else cv2.INTER_CUBIC
        size = (round(width * zoom), round(height * zoom))
        return np.asarray(cv2.resize(picture, size, interpolation=enlarge if zoom > 1 else cv2.INTER_AREA), np.uint8)
    if variant == "warp":
        corners = np.array([(0, 0), (width, 0), (width, height), (0, height)], np.float32)
        squeezed = np.array([(width / 3, 0), (2 * width / 3, 0), (width, height), (0, height)], np.float32)
        shift = cv2.getPerspectiveTransform(corners, squeezed)
        # Black outside: border pixels repeated outwards would move with whoever walks there.
        return np.asarray(cv2.warpPerspective(picture, shift, (width, height), flags=cv2.INTER_LINEAR), np.uint8)
    return picture
