"""Folders of numbered pictures, as UCSD's clips are."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Hashable, Iterator
from functools import cached_property, partial
from os import PathLike
from pathlib import Path
from typing import Any, Protocol

import numpy as np

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
    file_stamp,
    too_large,
)
from crowdad.sources._picture_files import PictureTooLargeError, bits_used, blob_of, decoded
from crowdad.sources._report import Tally

__all__ = ["PICTURE_SUFFIXES", "ImageFolder", "Named", "is_picture", "natural_order"]

PICTURE_SUFFIXES = frozenset({".tif", ".tiff", ".jpg", ".jpeg", ".png", ".bmp", ".webp", ".pgm", ".ppm", ".jp2"})

_LOOKED_AT = 9

ASSUMED_FPS = 10.0
"""UCSD's rate, and the one used where none is given: pictures carry no time."""


class Named(Protocol):
    """A path, here or in a store, of which only the name counts."""

    @property
    def name(self) -> str: ...
    @property
    def suffix(self) -> str: ...


def natural_order(path: Named) -> list[tuple[int, int, str]]:
    """Sort key by which 2.png stands before 10.png."""
    parts = re.split(r"(\d+)", path.name.lower())
    return [(0, int(part), "") if part.isdecimal() else (1, 0, part) for part in parts if part]


def is_picture(path: Named) -> bool:
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
        self._bits = 16
        if fps is None:
            self._notes = (f"pictures carry no times; {ASSUMED_FPS:g} frames a second are assumed",)

    @classmethod
    def accepts(cls, spec: Any) -> bool:
        return isinstance(spec, Path) and spec.is_dir()

    @cached_property
    def info(self) -> SourceInfo:
        pictures, _ = self._listed()
        most = self._max_pixels
        try:
            self._opened_as = self._stamp()
            found = (decoded(blob_of(path, most), False, most) for path in pictures)
            first = next((luma for luma in found if luma is not None), None)
            self._look_at_depth(pictures)
        except PictureTooLargeError as error:
            raise too_large(self.name, str(error), most) from None
        except OSError:
            raise UnreadableSourceError(f"{self.name}: changes while it is read; score it once it is whole") from None
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
        with self._unchanged():
            for path in self._listed()[0]:
                digest = _digest(path)
                whole.update(f"{path.name}\0{digest}\n".encode(errors="replace"))
        return whole.hexdigest()

    def _stamp(self) -> Hashable:
        return tuple((path.name, file_stamp(path)) for path in self._listed()[0])

    def _look_at_depth(self, pictures: list[Path]) -> None:
        """See how many bits pictures of 16 bits make use of, by a few spread over all of them."""
        places = np.unique(np.linspace(0, len(pictures) - 1, _LOOKED_AT).astype(int))
        bits = bits_used((blob_of(pictures[place], self._max_pixels) for place in places), self._max_pixels)
        if bits is not None and bits < 16:
            self._bits = bits
            self._notes += (f"pictures of 16 bits that make use of {bits}: brightness is taken from those",)

    def pictures(self, tally: Tally) -> Iterator[Picture]:
        _ = self.info  # how many bits they use
        pictures, others = self._listed()
        for path in others:
            tally.skip("not a picture", name=path.name)
        for index, path in enumerate(pictures):
            time_s = index / self._fps
            yield Picture(index, time_s, partial(_load, path, time_s, self._max_pixels, self._bits, tally))

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


def _digest(path: Path) -> str:
    """SHA-256 of a picture; of one that may not be read, that it is so."""
    try:
        with path.open("rb") as file:
            return hashlib.file_digest(file, "sha256").hexdigest()
    except PermissionError:
        return "may not be read"


def _load(path: Path, time_s: float, max_pixels: int, bits: int, tally: Tally, color: bool) -> Pixels | None:
    try:
        blob = blob_of(path, max_pixels)
        luma = decoded(blob, False, max_pixels, bits)
    except PictureTooLargeError:
        tally.skip(f"picture of more than {max_pixels} pixels", time_s, path.name)
        return None
    # Decoded a second time for colour: brightness made from colours differs by a level or two from what the codec
    # itself gives, and scores must not depend on whether somebody also wants a picture.
    bgr = decoded(blob, True, max_pixels, bits) if color and luma is not None else None
    if luma is None or (color and bgr is None):
        tally.skip("picture cannot be read", time_s, path.name)
        return None
    return luma, bgr
