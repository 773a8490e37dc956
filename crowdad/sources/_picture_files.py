"""One picture from a file: how much is read and decoded is bounded first, and 16 bits become 8 without losing most."""

from __future__ import annotations

import warnings
from collections.abc import Iterable
from io import BytesIO
from pathlib import Path

import cv2
import numpy as np
import numpy.typing as npt
from PIL import Image

from crowdad.files import MB, read_bytes

__all__ = ["PictureTooLargeError", "bits_used", "blob_of", "decoded", "mask_of"]

_BYTES_A_PIXEL = 8  # four channels of 16 bits, not packed at all
_BESIDE_PIXELS = 16 * MB  # profiles, previews, remarks
_DEPTHS = (8, 10, 12, 14, 16)

Gray = npt.NDArray[np.uint8]


class PictureTooLargeError(Exception):
    """A picture has more pixels than are read; the message is its size."""


def blob_of(path: Path, max_pixels: int) -> bytes:
    """What the file holds, nothing where it cannot be read or is too long for a picture that may be decoded.

    Raises PictureTooLargeError where its header tells of more pixels.
    Pictures are decoded from bytes, not by name: OpenCV's own file access fails on some names.
    """
    try:
        blob = read_bytes(path, _BYTES_A_PIXEL * max_pixels + _BESIDE_PIXELS)
    except OSError:
        return b""
    _check_header(blob, max_pixels)
    return blob


def decoded(blob: bytes, color: bool, max_pixels: int, bits: int = 16) -> Gray | None:
    """uint8 (H, W), or BGR (H, W, 3) with `color`, turned as EXIF asks; None where it is no picture.

    bits: that pictures of 16 bits make use of, see `bits_used`.  Raises PictureTooLargeError.
    """
    flag = cv2.IMREAD_COLOR if color else cv2.IMREAD_GRAYSCALE
    picture = _decoded(blob, flag if bits == 16 else flag | cv2.IMREAD_ANYDEPTH, max_pixels)
    return None if picture is None else _in_8_bits(picture, bits)


def bits_used(blobs: Iterable[bytes], max_pixels: int) -> int | None:
    """Bits that pictures of 16 bits make use of, as cameras of 10, 12 and 14 bits leave the upper ones empty.

    None where the first is no picture of 16 bits.  Raises PictureTooLargeError.
    """
    most = None
    for blob in blobs:
        picture = _decoded(blob, cv2.IMREAD_GRAYSCALE | cv2.IMREAD_ANYDEPTH, max_pixels)
        if picture is None:
            continue
        if picture.dtype != np.uint16:
            break
        most = max(most or 0, int(picture.max()))
    return None if most is None else next(bits for bits in _DEPTHS if most < 2**bits)


def mask_of(path: Path, max_pixels: int) -> Gray | None:
    """uint8 (H, W), 255 where a mask is painted, 0 where it is black or transparent; None where it is no picture.

    A mask of one colour throughout is told by its transparency alone.  Raises PictureTooLargeError.
    """
    blob = blob_of(path, max_pixels)
    whole = _decoded(blob, cv2.IMREAD_UNCHANGED, max_pixels)
    bits = bits_used([blob], max_pixels) or 16
    if whole is None:
        return None
    if whole.ndim != 3 or whole.shape[2] not in (2, 4):
        return decoded(blob, False, max_pixels, bits)
    whole = _in_8_bits(whole, bits)
    opaque = whole[..., -1]
    if (whole[..., :-1] == whole[0, 0, :-1]).all():
        return opaque
    grey = whole[..., 0] if whole.shape[2] == 2 else cv2.cvtColor(whole, cv2.COLOR_BGRA2GRAY)
    return np.minimum(grey, opaque).astype(np.uint8)


def _in_8_bits(picture: npt.NDArray[np.generic], bits: int) -> Gray:
    if picture.dtype != np.uint16:
        return picture  # type: ignore[return-value]
    return np.minimum(picture >> (bits - 8), 255).astype(np.uint8)  # type: ignore[operator]


def _decoded(blob: bytes, flag: int, max_pixels: int) -> npt.NDArray[np.generic] | None:
    try:
        picture = cv2.imdecode(np.frombuffer(blob, np.uint8), flag) if blob else None
    except cv2.error:
        return None
    if picture is not None:
        _check_pixels(picture.shape[0], picture.shape[1], max_pixels)
    return picture  # type: ignore[return-value]


def _check_header(blob: bytes, max_pixels: int) -> None:
    """Raise PictureTooLargeError where the header tells so; what it does not tell is for OpenCV to find."""
    most = 2 * (Image.MAX_IMAGE_PIXELS or 0)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", Image.DecompressionBombWarning)
            with Image.open(BytesIO(blob)) as header:
                height, width = header.height, header.width
    except Image.DecompressionBombError:
        if max_pixels <= most:
            raise PictureTooLargeError(f"more than {most} pixels") from None
        return
    except Exception:  # whatever a parser of foreign bytes comes upon
        return
    _check_pixels(height, width, max_pixels)


def _check_pixels(height: int, width: int, max_pixels: int) -> None:
    if height * width > max_pixels:
        raise PictureTooLargeError(f"{width}x{height}")
