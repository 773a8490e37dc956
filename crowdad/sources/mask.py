"""The region of interest: a picture that is black where nothing is to be scored."""

from __future__ import annotations

import os
from pathlib import Path

import cv2
import numpy as np
import numpy.typing as npt

from crowdad.errors import ConfigError
from crowdad.sources._base import MAX_PIXELS
from crowdad.sources._picture_files import PictureTooLargeError, mask_of

__all__ = ["read_mask"]

_SHAPE_SLACK = 0.03


def read_mask(path: str | os.PathLike[str], size_hw: tuple[int, int]) -> npt.NDArray[np.bool_]:
    """bool (H, W) of `size_hw`, True where the picture at `path` is at least half as bright as white, and opaque.

    A mask of another size but the same shape is resized.  Raises ConfigError for an unreadable picture, one of another
    shape, and one that is black all over.
    """
    path = Path(path)
    try:
        grey = mask_of(path, MAX_PIXELS) if os.path.isfile(path) else None
    except PictureTooLargeError as error:
        raise ConfigError(f"{path}: a mask of {error}; draw it on a frame of the footage") from None
    if grey is None:
        what = "not a picture" if os.path.isfile(path) else "the mask cannot be read (there is no such file)"
        raise ConfigError(f"{path}: {what}; --roi needs one that is white where the footage is to be scored")
    height, width = size_hw
    if abs(grey.shape[1] / grey.shape[0] * height / width - 1) > _SHAPE_SLACK:
        raise ConfigError(
            f"{path}: a mask of {grey.shape[1]}x{grey.shape[0]} for footage of {width}x{height}; draw it on a frame"
        )
    mask = np.asarray(cv2.resize(grey, (width, height), interpolation=cv2.INTER_NEAREST) >= 128)
    if not mask.any():
        raise ConfigError(
            f"{path}: black all over (or transparent), nothing would be scored; paint white what is to be scored"
        )
    return mask
