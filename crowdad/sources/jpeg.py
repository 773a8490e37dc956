"""Pictures packed as JPEG: a twentieth of the memory, and what browsers and clips take."""

from __future__ import annotations

import cv2
import numpy as np
import numpy.typing as npt

__all__ = ["packed", "shrunk", "unpacked"]

_QUALITY = 85


def packed(picture: npt.NDArray[np.uint8]) -> bytes:
    """A picture, uint8 (H, W) or (H, W, 3) BGR, as JPEG."""
    whole, encoded = cv2.imencode(".jpg", picture, [cv2.IMWRITE_JPEG_QUALITY, _QUALITY])
    assert whole, "JPEG takes any picture of up to 65,500 pixels a side, and larger ones are not read"
    return encoded.tobytes()


def unpacked(jpeg: bytes) -> npt.NDArray[np.uint8]:
    """The picture of `packed`, uint8 (H, W, 3) BGR, but for what JPEG loses."""
    return np.asarray(cv2.imdecode(np.frombuffer(jpeg, np.uint8), cv2.IMREAD_COLOR), np.uint8)


def shrunk(jpeg: bytes, width_px: int) -> bytes:
    """The picture of `packed`, `width_px` wide, its shape kept."""
    picture = unpacked(jpeg)
    height_px = max(1, round(picture.shape[0] * width_px / picture.shape[1]))
    return packed(np.asarray(cv2.resize(picture, (width_px, height_px), interpolation=cv2.INTER_AREA), np.uint8))
