"""heatmaps.npz: the anomaly of every cell of every frame, eight bits a cell, readable with plain `np.load`.

Members: `anomaly_00000` uint8 (n, rows, columns) = anomaly * 255 rounded, `frame_00000` int64 (n,) = frame indices, and
so on for each chunk of at most 256 frames; `meta`, a JSON text, gives cell size, picture size and count for each chunk.
"""

from __future__ import annotations

import json
import os
import tokenize
import zipfile
import zlib
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Annotated, Any, Literal

import numpy as np
import numpy.typing as npt
from pydantic import BaseModel, Field

from crowdad.errors import OutputNotReadableError
from crowdad.files import Npz
from crowdad.records import MOST_CELLS, Heatmap

__all__ = ["HeatmapReader", "HeatmapWriter", "MapChunk", "read_heatmaps"]

_CHUNK_FRAMES = 256
_LEVELS = 255
_FORMAT = 1
_MOST_BYTES = 2**40  # of which an array at a time is read
_LONG_AGO = (1980, 1, 1, 0, 0, 0)
_DAMAGE = (
    OSError,
    ValueError,
    LookupError,
    TypeError,
    EOFError,
    zipfile.BadZipFile,
    zlib.error,
    RuntimeError,
    MemoryError,
    SyntaxError,
    tokenize.TokenError,
)


class HeatmapWriter:
    """Writes heatmaps.npz chunk by chunk; holds at most one chunk.

    Use as a context manager: the file can be read once it is closed.
    """

    def __init__(self, path: str | os.PathLike[str]) -> None:
        self._zip = zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED, compresslevel=6)
        self._frames: list[int] = []
        self._cells: list[npt.NDArray[np.uint8]] = []
        self._like: Heatmap | None = None
        self._chunks: list[dict[str, Any]] = []

    def write(self, frame_index: int, heatmap: Heatmap) -> None:
        """Append one frame; another cell size or picture size starts a new chunk."""
        if len(self._cells) == _CHUNK_FRAMES or (self._like is not None and not _alike(self._like, heatmap)):
            self._flush()
        self._like = heatmap
        self._frames.append(frame_index)
        # 0.5 lies between two levels (127.5), so a cell stays on its side of the threshold.
        self._cells.append(np.rint(np.clip(heatmap.anomaly, 0, 1) * _LEVELS).astype(np.uint8))

    def close(self) -> None:
        """Write what is left and the directory; a second call does nothing."""
        if self._zip.fp is None:
            return
        self._flush()
        meta = {
            "format": _FORMAT,
            "n_frames": sum(chunk["n_frames"] for chunk in self._chunks),
            "quantisation": f"anomaly = cell / {_LEVELS}",
            "chunks": self._chunks,
        }
        self._member("meta", np.array(json.dumps(meta)))
        self._zip.close()

    def __enter__(self) -> HeatmapWriter:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def _flush(self) -> None:
        if not self._cells or self._like is None:
            return
        number = len(self._chunks)
        # Column order puts a cell's values through time side by side, which deflates to a tenth less or better.
        self._member(f"anomaly_{number:05d}", np.asfortranarray(np.stack(self._cells)))
        self._member(f"frame_{number:05d}", np.asarray(self._frames, dtype=np.int64))
        self._chunks.append(
            {
                "n_frames": len(self._cells),
                "first_frame": self._frames[0],
                "cell_px": self._like.cell_px,
                "size_hw": list(self._like.size_hw),
            }
        )
        self._frames, self._cells = [], []

    def _member(self, name: str, values: npt.NDArray[Any]) -> None:
        # A fixed date: the same maps give the same bytes.
        info = zipfile.ZipInfo(f"{name}.npy", _LONG_AGO)
        info.compress_type = zipfile.ZIP_DEFLATED
        with self._zip.open(info, "w", force_zip64=True) as member:
            np.lib.format.write_array(member, values, allow_pickle=False)


Count = Annotated[int, Field(ge=1, le=2**31)]


class _Chunk(BaseModel):
    n_frames: Count
    first_frame: int
    cell_px: float = Field(gt=0, allow_inf_nan=False)
    size_hw: tuple[Count, Count]


class _Meta(BaseModel):
    """What `meta` says; the last chunk of footage without a frame is none."""

    format: Literal[1]
    n_frames: int = Field(ge=0)
    chunks: list[_Chunk]


@dataclass(frozen=True, eq=False)
class MapChunk:
    """Maps of frames that follow each other.

    frames: int64 (n,), their indices.  levels: uint8 (n, rows, columns), anomaly * 255 rounded.
    cell_px, size_hw: as in `Heatmap`.
    """

    frames: npt.NDArray[np.int64]
    levels: npt.NDArray[np.uint8]
    cell_px: float
    size_hw: tuple[int, int]


class HeatmapReader:
    """Reads heatmaps.npz frame by frame; holds one chunk.

    Raises OutputNotReadableError when the file is missing, unfinished or another format.
    """

    def __init__(self, path: str | os.PathLike[str]) -> None:
        self._path = path
        if not os.path.isfile(path):
            raise OutputNotReadableError(
                f"{path}: no heatmaps here; run crowdad detect on the footage without --no-heatmaps"
            )
        try:
            self._arrays = Npz(path, _MOST_BYTES, _CHUNK_FRAMES * MOST_CELLS)
        except _DAMAGE as error:
            raise self._unreadable() from error
        try:
            self._meta = _Meta.model_validate_json(str(self._arrays["meta"].item()))
        except _DAMAGE as error:
            self.close()
            raise self._unreadable() from error

    def __len__(self) -> int:
        """Frames in the file."""
        return self._meta.n_frames

    def chunks(self) -> Iterator[MapChunk]:
        """All maps as they lie in the file, in order."""
        for number, chunk in enumerate(self._meta.chunks):
            try:
                frames = self._arrays[f"frame_{number:05d}"]
                cells = np.ascontiguousarray(self._arrays[f"anomaly_{number:05d}"])
            except _DAMAGE as error:
                raise self._unreadable() from error
            if (frames.dtype, cells.dtype) != (np.int64, np.uint8) or cells.ndim != 3 or not cells.size:
                raise self._unreadable()
            if frames.shape != cells.shape[:1] or len(frames) != chunk.n_frames:
                raise self._unreadable()
            yield MapChunk(frames, cells, chunk.cell_px, chunk.size_hw)

    def __iter__(self) -> Iterator[tuple[int, Heatmap]]:
        """Each frame's index and map, in order."""
        for chunk in self.chunks():
            for frame_index, levels in zip(chunk.frames, chunk.levels, strict=True):
                anomaly = levels.astype(np.float32) / np.float32(_LEVELS)
                yield int(frame_index), Heatmap(anomaly, chunk.cell_px, chunk.size_hw)

    def close(self) -> None:
        """Close the file."""
        self._arrays.close()

    def __enter__(self) -> HeatmapReader:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def _unreadable(self) -> OutputNotReadableError:
        return OutputNotReadableError(f"{self._path}: not a whole heatmaps.npz of a run; run crowdad detect again")


def read_heatmaps(path: str | os.PathLike[str]) -> Iterator[tuple[int, Heatmap]]:
    """Read heatmaps.npz of a run back, one map after the other, in bounded memory.

    Parameters
    ----------
    path : path or str

    Yields
    ------
    index : int
        Place of the frame in the footage, counted from 0.
    heatmap : Heatmap
        Its anomaly in steps of 1/255.

    Raises
    ------
    OutputError
        For a file that is missing, unfinished or damaged (OutputNotReadableError).

    Examples
    --------
    >>> for index, heatmap in crowdad.read_heatmaps("runs/monday/heatmaps.npz"):
    ...     hottest = heatmap.anomaly.max()
    """
    with HeatmapReader(path) as maps:
        yield from maps


def _alike(first: Heatmap, second: Heatmap) -> bool:
    return (
        first.anomaly.shape == second.anomaly.shape
        and first.cell_px == second.cell_px
        and first.size_hw == second.size_hw
    )
