"""resume.part: the results of a run so far, exact and on disk, so that a run that was killed can go on where it was.

After a first line come records: length and CRC-32 (two uint32, little-endian), then the record itself.  The first one
says in JSON what is run on what; each other is safetensors: the results of some frames in order and, in its metadata,
where the detector stood after them.  A record that was cut short by the end of the process counts as not written.
"""

from __future__ import annotations

import json
import math
import os
import struct
import zlib
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict
from pathlib import Path
from types import TracebackType
from typing import Any, BinaryIO

import numpy as np
import numpy.typing as npt
from safetensors import SafetensorError
from safetensors.numpy import load, save

from crowdad.errors import OutputExistsError, OutputNotReadableError
from crowdad.files import open_file, parse_json
from crowdad.outputs.tables import COLUMNS
from crowdad.records import MOST_CELLS, Checkpoint, FrameResult, Heatmap

__all__ = ["Journal", "journaled_run"]

_FIRST_LINE = b"crowdad journal 1\n"
_FRAME = struct.Struct("<II")
_LARGEST_RECORD = 2**30
_BLOCK_FRAMES = 64
_MOST_BYTES = 2**40  # of which a record at a time is read
_DAMAGE = (SafetensorError, ValueError, LookupError, TypeError, AttributeError, OverflowError, zlib.error)
_COLUMNS: tuple[tuple[str, type[Any]], ...] = (
    *((column.of, column.dtype) for column in COLUMNS),
    ("segment", np.int64),
)
_MAPS: tuple[tuple[str, type[Any], tuple[int, ...]], ...] = (
    ("leading", np.uint8, ()),
    ("note", np.uint8, ()),
    ("velocity_px_s", np.float16, (2,)),
)
"""Maps that a result may lack: name, type, and what each cell holds."""


class Journal:
    """The results of a run so far.

    path: of the file; one that is there already is gone on with, and must be of the same run.
    run: what is run on what, as far as results depend on it; plain JSON.

    `told` results are in it, `results` gives them, `checkpoint` is where the detector stood after them (None at the
    start).  `add` takes the next result; every 64th writes what was gathered.
    Raises OutputExistsError where the file is of another run, OutputNotReadableError where it is no journal.
    """

    def __init__(self, path: str | os.PathLike[str], run: Mapping[str, Any]) -> None:
        self._path = Path(path)
        self._gathered: list[FrameResult] = []
        self.told = 0
        self.checkpoint: Checkpoint | None = None
        self._file: BinaryIO = open(path, "a+b")  # noqa: SIM115
        try:
            self._begin(json.dumps(run, sort_keys=True).encode())
        except BaseException:
            self._file.close()
            raise

    def _begin(self, run: bytes) -> None:
        self._file.seek(0)
        first = self._file.readline(len(_FIRST_LINE))
        known = _record(self._file) if first == _FIRST_LINE else None
        if known is None:
            if first and not _FIRST_LINE.startswith(first) and first != _FIRST_LINE:
                raise OutputNotReadableError(f"{self._path}: not the journal of a run; use --overwrite to start afresh")
            self._file.truncate(0)
            self._file.write(_FIRST_LINE + _framed(run))
            self._file.flush()
        elif known != run:
            raise OutputExistsError(
                f"{self._path.parent}: holds an unfinished run of {_differs(known, run)}; give the command that began "
                "it, choose another folder, or --overwrite to start afresh"
            )
        else:
            whole = self._file.tell()
            for record in iter(lambda: _record(self._file), None):
                try:
                    self.checkpoint = _checkpoint(record)
                except _DAMAGE as error:
                    raise OutputNotReadableError(
                        f"{self._path}: is damaged; use --overwrite to start afresh"
                    ) from error
                self.told = self.checkpoint.told
                whole = self._file.tell()
            self._file.truncate(whole)

    def results(self) -> Iterator[FrameResult]:
        """The results that were in the journal when it was opened, in order; holds one block."""
        with self._path.open("rb") as file:
            file.readline()
            _record(file)
            told = 0
            while told < self.told and (record := _record(file)) is not None:
                for result in _unpacked(record):
                    yield result
                    told += 1

    def add(self, result: FrameResult) -> bool:
        """Take the next result; True where a block is full, which `write` should then be told the checkpoint of."""
        self._gathered.append(result)
        return len(self._gathered) >= _BLOCK_FRAMES

    def write(self, checkpoint: Checkpoint) -> None:
        """Put what was gathered on disk; it then survives the process.  Raises OSError where the disk refuses."""
        self._file.write(_framed(_packed(self._gathered, checkpoint)))
        self._file.flush()
        self._gathered = []

    def close(self) -> None:
        """Close the file; what was gathered since the last `write` is not kept."""
        self._file.close()

    def __enter__(self) -> Journal:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self.close()


def journaled_run(path: str | os.PathLike[str]) -> dict[str, Any] | None:
    """What an unfinished run is run on, as `Journal` was told; None where there is none that can be read."""
    try:
        with open_file(path, _MOST_BYTES) as file:
            known = _record(file) if file.readline(len(_FIRST_LINE)) == _FIRST_LINE else None
            return None if known is None else dict(parse_json(known))
    except (OSError, ValueError, TypeError):
        return None


def _framed(record: bytes) -> bytes:
    return _FRAME.pack(len(record), zlib.crc32(record)) + record


def _record(file: BinaryIO) -> bytes | None:
    """The next whole record, or None at the end or where the rest was cut short or damaged."""
    head = file.read(_FRAME.size)
    if len(head) < _FRAME.size:
        return None
    length, checksum = _FRAME.unpack(head)
    left = os.fstat(file.fileno()).st_size - file.tell()
    record = file.read(length) if length <= min(_LARGEST_RECORD, left) else b""
    return record if len(record) == length and zlib.crc32(record) == checksum else None


def _differs(known: bytes, run: bytes) -> str:
    """In words, what two runs differ in."""
    there, here = parse_json(known), json.loads(run)
    source = there.get("source", {}) if isinstance(there, dict) else {}
    name = source.get("name", "something else") if isinstance(source, dict) else "something else"
    if name != here.get("source", {}).get("name"):
        return str(name)
    names = [name for name in here if there.get(name) != here[name]]
    return f"the same footage with another {', '.join(names) or 'command'}"


def _packed(results: list[FrameResult], checkpoint: Checkpoint) -> bytes:
    heat = np.stack([result.heatmap.anomaly for result in results])
    arrays: dict[str, npt.NDArray[Any]] = {
        name: np.asarray([getattr(result, name) for result in results], dtype) for name, dtype in _COLUMNS
    }
    arrays["heat"] = np.frombuffer(zlib.compress(heat.tobytes(), 1), np.uint8)
    for name, kind, _ in _MAPS:
        maps = [getattr(result, name) for result in results]
        if any(each is not None for each in maps):
            none = np.zeros_like(next(each for each in maps if each is not None))
            stacked = np.stack([none if each is None else each for each in maps]).astype(kind)
            arrays[name] = np.frombuffer(zlib.compress(stacked.tobytes(), 1), np.uint8)
    last = results[-1].heatmap
    known = {"shape": heat.shape, "cell_px": last.cell_px, "size_hw": last.size_hw, "checkpoint": asdict(checkpoint)}
    return save(arrays, {"crowdad": json.dumps(known)})


def _known(record: bytes) -> dict[str, Any]:
    length = int.from_bytes(record[:8], "little")
    return dict(parse_json(parse_json(record[8 : 8 + length])["__metadata__"]["crowdad"]))


def _checkpoint(record: bytes) -> Checkpoint:
    known = _known(record)["checkpoint"]
    return Checkpoint(**{**known, "motion": tuple(known["motion"])})


def _unpacked(record: bytes) -> Iterator[FrameResult]:
    try:
        known, arrays = _known(record), load(record)
        heat = _maps(known["shape"], arrays["heat"].tobytes(), np.float32)
        shape = known["shape"]
        others = {
            name: _maps([*shape, *depth], arrays[name].tobytes(), kind) for name, kind, depth in _MAPS if name in arrays
        }
        size_hw = (int(known["size_hw"][0]), int(known["size_hw"][1]))
        for row, anomaly in enumerate(heat):
            values = {name: arrays[name][row].item() for name, _ in _COLUMNS}
            maps = {name: found[row] for name, found in others.items()}
            yield FrameResult(**values, heatmap=Heatmap(anomaly, known["cell_px"], size_hw), **maps)
    except _DAMAGE as error:
        raise OutputNotReadableError("the journal of the run is damaged; use --overwrite to start afresh") from error


def _maps(shape: Sequence[int], packed: bytes, kind: type[Any]) -> npt.NDArray[Any]:
    """Maps of a record, of `shape`; no more is unpacked than they take."""
    frames, rows, columns = shape[:3]
    if not (0 < frames <= _BLOCK_FRAMES and 0 < rows * columns <= MOST_CELLS):
        raise ValueError(f"maps of {shape}")
    cells = zlib.decompressobj().decompress(packed, np.dtype(kind).itemsize * math.prod(shape))
    return np.frombuffer(cells, kind).reshape(shape)
