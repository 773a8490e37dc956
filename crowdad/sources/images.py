"""Folders of numbered pictures, as UCSD's clips are."""

from __future__ import annotations

import hashlib
import re
import warnings
from collections.abc import Iterator
from functools import cached_property, partial
from io import BytesIO
from os import PathLike
from pathlib import Path, PurePath
from typing import Any

import cv2
import numpy as np
import numpy.typing as npt
from PIL import Image

from crowdad.errors import SourceNotFoundError, UnreadableSourceError
from crowdad.records import SourceInfo
from crowdad.sources._base import (
    MAX_PIXELS,
    Cut,
    Picture,
    Pixels,
    Places,
    Source,
    check_fps,
    check_max_pixels,
    check_size,
    too_large,
)
from crowdad.sources._report import Tally

__all__ = ["PICTURE_SUFFIXES", "ImageFolder", "is_picture", "natural_order"]

PICTURE_SUFFIXES = frozenset({".tif", ".tiff", ".jpg", ".jpeg", ".png", ".bmp", ".webp", ".pgm", ".ppm", ".jp2"})

ASSUMED_FPS = 10.0
"""UCSD's rate, and the one used where none is given: pictures carry no time."""


def natural_order(path: PurePath) -> list[tuple[int, int, str]]:
    """Sort key by which 2.png stands before 10.png."""
    parts = re.split(r"(\d+)", path.name.lower())
    return [(0, int(part), "") if part.isdecimal() else (1, 0, part) for part in parts if part]


def is_picture(path: PurePath) -> bool:
    """Whether the name is that of a picture; `._*`, which macOS leaves beside each file, is none."""
    return path.suffix.lower() in PICTURE_SUFFIXES and not path.name.startswith(".")


class ImageFolder(Source):
    """The pictures of one folder in natural order (2.png before 10.png), one for each frame.

    fps: frames a second; 10 where it is not given, and the report says so.
    start_s, end_s, stride: the part to read; pictures left out are not opened.
    max_pixels: larger pictures count as unreadable.

    A picture that cannot be read keeps its place in the count and is reported by name, as are files that are no
    pictures.  A change of size starts a new `Frame.segment`.  Only the folder's own files count, not its subfolders.
    """

    def __init__(
        self,
        path: str | PathLike[str],
        *,
        fps: float | None = None,
        start_s: float | None = None,
        end_s: float | None = None,
        stride: int = 1,
        max_pixels: int = MAX_PIXELS,
    ) -> None:
        check_fps(fps)
        check_max_pixels(max_pixels)
        self.path = Path(path)
        super().__init__(self.path.resolve().name or str(self.path), Cut(start_s, end_s, stride))
        self._fps = float(fps or ASSUMED_FPS)
        self._max_pixels = max_pixels
        if fps is None:
            self._notes = (f"pictures carry no times; {ASSUMED_FPS:g} frames a second are assumed",)

    @classmethod
    def accepts(cls, spec: Any) -> bool:
        return isinstance(spec, Path) and spec.is_dir()

    @cached_property
    def info(self) -> SourceInfo:
        pictures, _ = self._listed()
        try:
            most = self._max_pixels
            found = (_decoded(_blob(path, most), cv2.IMREAD_GRAYSCALE, most) for path in pictures)
            first = next((luma for luma in found if luma is not None), None)
        except _TooLargeError as error:
            raise too_large(self.name, str(error), self._max_pixels) from None
        if first is None:
            raise UnreadableSourceError(
                f"{self.name}: none of its {len(pictures)} pictures can be read; use another copy of the folder"
            )
        height, width = first.shape
        check_size(self.name, height, width, self._max_pixels)
        return SourceInfo(
            name=self.name,
            kind="images",
            size_hw=(height, width),
            fps=self._fps,
            frame_count=len(pictures),
            duration_s=len(pictures) / self._fps,
            size_bytes=sum(path.stat().st_size for path in pictures),
            codec=pictures[0].suffix.lower().lstrip("."),
        )

    def sha256(self) -> str:
        """SHA-256 over each picture's name and SHA-256, in order."""
        whole = hashlib.sha256()
        for path in self._listed()[0]:
            whole.update(f"{path.name}\0{hashlib.sha256(path.read_bytes()).hexdigest()}\n".encode(errors="replace"))
        return whole.hexdigest()

    def pictures(self, tally: Tally) -> Iterator[Picture]:
        pictures, others = self._listed()
        for path in others:
            tally.skip("not a picture", name=path.name)
        for index, path in enumerate(pictures):
            time_s = index / self._fps
            yield Picture(index, time_s, partial(_load, path, time_s, self._max_pixels, tally))

    def _places(self) -> Places:
        index = np.arange(len(self._listed()[0]))
        return index, index / self._fps, np.zeros((0, 3), np.int64)

    def _listed(self) -> tuple[list[Path], list[Path]]:
        """(pictures, other files), each in natural order.

        Raises SourceNotFoundError without the folder, UnreadableSourceError without a picture in it.
        """
        try:
            files = sorted((p for p in self.path.iterdir() if p.is_file()), key=natural_order)
        except (FileNotFoundError, NotADirectoryError):
            raise SourceNotFoundError(f"{self.path}: no such folder") from None
        except OSError as error:
            raise UnreadableSourceError(f"{self.path}: the folder cannot be listed ({error.strerror})") from None
        pictures = [path for path in files if is_picture(path)]
        if not pictures:
            raise UnreadableSourceError(
                f"{self.path}: holds no pictures ({', '.join(sorted(PICTURE_SUFFIXES))}); "
                "give a folder of numbered frames or a video file"
            )
        return pictures, [path for path in files if not is_picture(path) and not path.name.startswith("._")]


class _TooLargeError(Exception):
    """A picture has more pixels than are read; the message is its size."""


def _load(path: Path, time_s: float, max_pixels: int, tally: Tally, color: bool) -> Pixels | None:
    try:
        blob = _blob(path, max_pixels)
        luma = _decoded(blob, cv2.IMREAD_GRAYSCALE, max_pixels)
    except _TooLargeError:
        tally.skip(f"picture of more than {max_pixels} pixels", time_s, path.name)
        return None
    # Decoded a second time for colour: brightness made from colours differs by a level or two from what the codec
    # itself gives, and scores must not depend on whether somebody also wants a picture.
    bgr = _decoded(blob, cv2.IMREAD_COLOR, max_pixels) if color and luma is not None else None
    if luma is None or (color and bgr is None):
        tally.skip("picture cannot be read", time_s, path.name)
        return None
    return luma, bgr


def _blob(path: Path, max_pixels: int) -> bytes:
    """What the file holds, nothing where it cannot be read; raises _TooLargeError where its header tells so.

    Pictures are decoded from bytes, not by name: OpenCV's own file access fails on some names.
    """
    try:
        blob = path.read_bytes()
    except OSError:
        return b""
    _check_header(blob, max_pixels)
    return blob


def _decoded(blob: bytes, flag: int, max_pixels: int) -> npt.NDArray[np.uint8] | None:
    """uint8 (H, W) or BGR (H, W, 3), turned as EXIF asks; None where it is no picture.  Raises _TooLargeError."""
    try:
        picture = cv2.imdecode(np.frombuffer(blob, np.uint8), flag) if blob else None
    except cv2.error:
        return None
    if picture is not None:
        _check_pixels(picture.shape[0], picture.shape[1], max_pixels)
    return picture  # type: ignore[return-value]


def _check_header(blob: bytes, max_pixels: int) -> None:
    """Raise _TooLargeError where the header tells of too many pixels; what it does not tell is for OpenCV to find."""
    most = 2 * (Image.MAX_IMAGE_PIXELS or 0)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", Image.DecompressionBombWarning)
            with Image.open(BytesIO(blob)) as header:
                height, width = header.height, header.width
    except Image.DecompressionBombError:
        if max_pixels <= most:
            raise _TooLargeError(f"more than {most} pixels") from None
        return
    except Exception:  # whatever a parser of foreign bytes comes upon
        return
    _check_pixels(height, width, max_pixels)


def _check_pixels(height: int, width: int, max_pixels: int) -> None:
    if height * width > max_pixels:
        raise _TooLargeError(f"{width}x{height}")
