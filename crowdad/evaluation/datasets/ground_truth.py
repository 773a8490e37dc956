"""The forms in which ground truth of clips is published, behind one face: labels per frame, masks per pixel."""

from __future__ import annotations

import os
import re
import zlib
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import ClassVar, Protocol

import cv2
import numpy as np
import numpy.typing as npt
from scipy.io import loadmat
from scipy.io.matlab import MatReadError

from crowdad.errors import DataError
from crowdad.files import MB, open_file, read_bytes

__all__ = [
    "GroundTruth",
    "LabelVector",
    "LabelsAndMasks",
    "MaskArray",
    "MaskCells",
    "MaskPictures",
    "Unknown",
    "map_npy",
    "read_mat_ranges",
    "read_ranges",
    "read_vector",
]

Labels = npt.NDArray[np.bool_]
"""bool (n_frames,), True where the frame holds an anomaly."""
Masks = npt.NDArray[np.bool_]
"""bool (n_frames, H, W), True where the pixel is anomalous."""

_LOSSY = {".jpg", ".jpeg"}
_ASSIGNMENT = re.compile(r"gt_frame\s*=\s*(?:\[([^\]]*)\]|([^;\n]*))")
_NO_MAT = (OSError, ValueError, TypeError, LookupError, NotImplementedError, MatReadError, zlib.error)
"""What scipy raises over a file that is no MATLAB file, a damaged one, or one of version 7.3."""
_MAT_HEADER, _MAT_PACKED, _MOST_UNPACKED = 128, 15, 4096 * MB
_RANGE = re.compile(r"(\d+)(?::(\d+))?")


class GroundTruth(Protocol):
    """What is known of one clip.  masks() is None where only frames are labelled: where not has_masks."""

    @property
    def has_masks(self) -> bool: ...

    def labels(self) -> Labels: ...

    def masks(self) -> Masks | None: ...


@dataclass(frozen=True)
class Unknown:
    """A test clip without ground truth; asking for it raises DataError with `message`."""

    has_masks: ClassVar[bool] = False
    message: str

    def labels(self) -> Labels:
        raise DataError(self.message)

    def masks(self) -> None:
        return None


@dataclass(frozen=True, eq=False)
class LabelVector:
    """Frame labels alone: bool (n_frames,)."""

    has_masks: ClassVar[bool] = False
    anomalous: Labels

    def labels(self) -> Labels:
        return self.anomalous.copy()

    def masks(self) -> None:
        return None


@dataclass(frozen=True)
class MaskPictures:
    """One mask picture per frame, in order of frames.  A pixel is anomalous where it is not 0 (above half in a JPEG,
    whose black is not exactly 0); a frame is where any pixel is.

    Raises DataError for an unreadable picture and for pictures of different sizes.
    """

    has_masks: ClassVar[bool] = True
    paths: tuple[Path, ...]

    def labels(self) -> Labels:
        return np.array([mask.any() for mask in self._read()])

    def masks(self) -> Masks:
        return np.stack(list(self._read()))

    def _read(self) -> Iterator[npt.NDArray[np.bool_]]:
        size = None
        for path in self.paths:
            mask = _read_mask(path)
            size = size or mask.shape
            if mask.shape != size:
                raise DataError(f"{path}: a mask of {mask.shape} after ones of {size}; one size per clip is needed")
            yield mask


@dataclass(frozen=True)
class MaskArray:
    """All masks of a clip in one .npy of shape (n_frames, H, W); not 0 = anomalous.  Raises DataError.

    The file is mapped, not loaded, so that labels need no memory for it.
    """

    has_masks: ClassVar[bool] = True
    path: Path
    n_frames: int

    def labels(self) -> Labels:
        return np.array([np.any(mask) for mask in self._mapped()], dtype=bool)

    def masks(self) -> Masks:
        return np.asarray(self._mapped() != 0)

    def _mapped(self) -> npt.NDArray[np.generic]:
        masks = map_npy(self.path)
        if masks.ndim != 3 or len(masks) != self.n_frames:
            raise DataError(f"{self.path}: shape {masks.shape}; ({self.n_frames}, height, width) is needed")
        return masks


@dataclass(frozen=True)
class MaskCells:
    """All masks of a clip in one MATLAB file: `variable`, a cell array of one (H, W) mask a frame; not 0 = anomalous.

    Raises DataError for another file, another variable and masks of different sizes.
    """

    has_masks: ClassVar[bool] = True
    path: Path
    variable: str

    def labels(self) -> Labels:
        return np.array([mask.any() for mask in self._cells()], dtype=bool)

    def masks(self) -> Masks:
        return np.stack([mask != 0 for mask in self._cells()])

    def _cells(self) -> list[npt.NDArray[np.generic]]:
        masks = _read_cells(self.path, self.variable)
        if any(mask.ndim != 2 or mask.shape != masks[0].shape or mask.dtype.kind not in "buif" for mask in masks):
            raise DataError(f"{self.path}: {self.variable} holds other than masks (height, width) of one size")
        return masks


@dataclass(frozen=True)
class LabelsAndMasks:
    """Frame labels and masks that are published side by side; each is taken from its own."""

    has_masks: ClassVar[bool] = True
    of_frames: LabelVector
    of_pixels: MaskArray

    def labels(self) -> Labels:
        return self.of_frames.labels()

    def masks(self) -> Masks:
        return self.of_pixels.masks()


def _read_cells(path: Path, variable: str) -> list[npt.NDArray[np.generic]]:
    """The arrays in cell array `variable` of a MATLAB file, in order.  Raises DataError where there is none."""
    try:
        _check_mat(path)
        cells = loadmat(path, variable_names=[variable]).get(variable)
    except _NO_MAT as error:
        raise DataError(f"{path}: no readable MATLAB file ({_first_line(error)}); get the data set again") from error
    if cells is None or cells.dtype != object or not cells.size:
        raise DataError(f"{path}: holds no cell array {variable!r}; get the data set again")
    return list(cells.ravel())


def _check_mat(path: Path) -> None:
    """Raise ValueError where a MATLAB file unpacks to more than any data set's masks.

    Source: MAT-File Format, version 5: after 128 bytes, elements of type and length (two uint32), each packed by zlib.
    """
    with open_file(path, 1024 * MB) as file:
        file.seek(_MAT_HEADER)
        unpacked = 0
        while len(head := file.read(8)) == 8:
            kind, length = (int.from_bytes(head[place : place + 4], "little") for place in (0, 4))
            if kind != _MAT_PACKED:
                file.seek(length, os.SEEK_CUR)
                continue
            unzip, packed = zlib.decompressobj(), file.read(min(length, 1024 * MB))
            while packed and not unzip.eof:
                unpacked += len(unzip.decompress(packed, MB))
                packed = unzip.unconsumed_tail
                if unpacked > _MOST_UNPACKED:
                    raise ValueError(f"it unpacks to more than {_MOST_UNPACKED:,} bytes")


def map_npy(path: Path) -> npt.NDArray[np.generic]:
    """A numeric array from a .npy file, read as it is used, never unpickled.  Raises DataError."""
    try:
        array = np.load(path, mmap_mode="r", allow_pickle=False)
    except (OSError, EOFError, ValueError) as error:
        raise DataError(f"{path}: no plain numeric .npy file ({_first_line(error)}); save labels as numbers") from error
    if not isinstance(array, np.ndarray) or array.dtype.kind not in "buif":
        raise DataError(f"{path}: holds no single numeric array; save labels as numbers with numpy.save")
    return array


def read_vector(path: Path, n_frames: int) -> Labels:
    """Frame labels 0 / 1 of n_frames frames, from .npy of shape (n_frames,) or (1, n_frames).  Raises DataError."""
    mapped = map_npy(path)
    if mapped.size != n_frames or mapped.squeeze().shape != (n_frames,):
        raise DataError(
            f"{path}: labels of shape {mapped.squeeze().shape} for {n_frames} frames; one for each is needed"
        )
    values = np.array(mapped).squeeze()
    if not np.isin(values, (0, 1)).all():
        raise DataError(f"{path}: labels from {values.min()} to {values.max()}; 0 (normal) and 1 are needed")
    return values == 1


def read_ranges(path: Path) -> list[list[tuple[int, int]]]:
    """Ranges of anomalous frame numbers per clip, first and last included, as the archive's .m file lists them.

    One `...gt_frame = [5:90, 140:200];` per clip, in order of clips.  Raises DataError.
    """
    text = re.sub(r"%.*", "", read_bytes(path, 16 * MB).decode("utf-8", "replace"))
    text = re.sub(r"\.\.\.[^\n]*\n", " ", text)
    clips = []
    for bracketed, bare in _ASSIGNMENT.findall(text):
        written = re.sub(r"\s*:\s*", ":", bracketed or bare)
        ranges = []
        for item in re.split(r"[\s,;]+", written.strip()):
            matched = _RANGE.fullmatch(item)
            if item and not matched:
                raise DataError(f"{path}: {item!r} is no range of frames; first:last is needed")
            if matched:
                first, last = int(matched[1]), int(matched[2] or matched[1])
                ranges.append((first, last))
        clips.append(ranges)
    return clips


def read_mat_ranges(path: Path, variable: str) -> list[list[tuple[int, int]]]:
    """Ranges of anomalous frame numbers per clip, first and last included, from a MATLAB file.

    variable: a cell array with one array a clip, (2, N): N first numbers, N last ones.  Raises DataError.
    """
    clips = []
    for place, ranges in enumerate(_read_cells(path, variable), start=1):
        if ranges.size and (ranges.ndim != 2 or len(ranges) != 2 or ranges.dtype.kind not in "buif"):
            raise DataError(f"{path}: {variable} of clip {place} is {ranges.dtype} {ranges.shape}; (2, N) is needed")
        clips.append([(int(first), int(last)) for first, last in ranges.reshape(2, -1).T])
    return clips


def _read_mask(path: Path) -> npt.NDArray[np.bool_]:
    try:
        encoded = np.frombuffer(read_bytes(path, 64 * MB), np.uint8)
        grey = cv2.imdecode(encoded, cv2.IMREAD_GRAYSCALE) if len(encoded) else None
    except (OSError, cv2.error) as error:
        raise DataError(f"{path}: mask cannot be read ({_first_line(error)})") from error
    if grey is None:
        raise DataError(f"{path}: not a readable picture; a mask is needed, get the data set again")
    return grey > (127 if path.suffix.lower() in _LOSSY else 0)


def _first_line(error: Exception) -> str:
    return (str(error) or type(error).__name__).splitlines()[0]
