"""Scores and heat of a run, small enough to lie inside a page: eight bits a value, deflated, base64.

`inflate` in assets/heat.js reads what `deflated` writes.
"""

from __future__ import annotations

import base64
import zlib
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import numpy.typing as npt

from crowdad.outputs.heatmaps import MapChunk
from crowdad.outputs.tables import FrameTable
from crowdad.records import Event

__all__ = ["PackedHeat", "pack_heat", "pack_scores"]

Levels = npt.NDArray[np.uint8]
"""Anomaly * 255, rounded."""

MOST_SCORES = 250_000
"""Scores in a page; longer footage is pooled to the largest of several frames."""

HEAT_BUDGET = 2_400_000
"""Characters of heat in a page, about half of the 5 MB that it may have."""

_FINEST_PER_S = 8.0
_COARSEST_PER_S = 0.25
_FAINTEST = 26  # anomaly 0.1: below what any threshold of the page shows
_STEP = 4  # levels told apart: finer ones cannot be seen and cost a third more
_CHUNK_MAPS = 64
_AROUND_S = 2.0
_GATHERS_FROM = 102  # anomaly 0.4, down to which regions grow


def deflated(values: npt.NDArray[Any]) -> str:
    """The bytes of an array in row order, deflated (zlib), base64."""
    return base64.b64encode(zlib.compress(np.ascontiguousarray(values).tobytes(), 9)).decode("ascii")


def pack_scores(table: FrameTable) -> dict[str, Any]:
    """The score through time: `count` values of `pooled` frames each (the largest counts), times in steps of 1 ms."""
    pooled = max(1, -(-len(table) // MOST_SCORES))
    firsts = np.arange(0, len(table), pooled)
    anomaly = np.maximum.reduceat(table.anomaly, firsts)
    time_ms = np.rint(table.time_s[firsts] * 1000).astype(np.int64)
    return {
        "count": len(firsts),
        "pooled": pooled,
        "start_ms": int(time_ms[0]),
        "steps": deflated(np.diff(time_ms, prepend=time_ms[:1]).astype("<u4")),
        "levels": deflated(np.rint(np.clip(anomaly, 0, 1) * 255).astype(np.uint8)),
    }


@dataclass(frozen=True, eq=False)
class _Piece:
    """Maps that follow each other.  time_ms: int64 (n,).  levels: deflated uint8 (n, rows, columns), in `_STEP`s."""

    time_ms: npt.NDArray[np.int64]
    levels: bytes
    shape: tuple[int, int]
    at_event: bool

    def thinned(self) -> _Piece:
        """Every second map."""
        cells = np.frombuffer(zlib.decompress(self.levels), np.uint8).reshape(-1, *self.shape)[::2]
        return replace(self, time_ms=self.time_ms[::2], levels=zlib.compress(np.ascontiguousarray(cells).tobytes(), 9))

    def written(self) -> dict[str, Any]:
        steps = np.diff(self.time_ms).tolist()
        return {
            "start_ms": int(self.time_ms[0]),
            "steps": steps,
            "levels": base64.b64encode(self.levels).decode("ascii"),
        }

    def cost(self) -> int:
        return len(self.levels) * 4 // 3 + 4 * len(self.time_ms) + 48


@dataclass(frozen=True, eq=False)
class PackedHeat:
    """The heat of a run as it lies in a page.

    data: for JSON: `rows`, `columns`, `cell_px`, `per_s` (maps a second), `step` (levels a unit), `chunks`.
    per_s: maps a second that were kept.  only_events: heat is there around events only, the rest did not fit.
    gathered: float64 (rows, columns), mean anomaly of each cell over all frames, what lies below 0.4 counted as 0;
    None where there are no maps.
    """

    data: dict[str, Any] | None
    per_s: float = 0.0
    only_events: bool = False
    gathered: npt.NDArray[np.float64] | None = None


def pack_heat(
    chunks: Iterable[MapChunk], table: FrameTable, events: Sequence[Event], budget: int = HEAT_BUDGET
) -> PackedHeat:
    """The maps of a run, as many of them as `budget` characters hold.

    chunks: of `HeatmapReader.chunks`.  table: the run's frames.csv, for the frames' times.
    Maps are thinned to 8 a second and cells below anomaly 0.1 dropped; where that is too much, heat is kept around
    events only (2 s on either side), then at half the rate, and so on.
    """
    gathering = _Gathering(table, events)
    pieces = list(gathering.pieces(chunks))
    if gathering.like is None:
        return PackedHeat(None)
    per_s, only_events = _FINEST_PER_S, False
    if _cost(pieces) > budget:
        only_events, pieces = True, [piece for piece in pieces if piece.at_event]
    while _cost(pieces) > budget and per_s > _COARSEST_PER_S:
        per_s, pieces = per_s / 2, [piece.thinned() for piece in pieces]
    rows, columns = gathering.like.levels.shape[1:]
    data = {
        "rows": rows,
        "columns": columns,
        "cell_px": gathering.like.cell_px,
        "per_s": per_s,
        "step": _STEP,
        "chunks": [piece.written() for piece in pieces],
    }
    return PackedHeat(data, per_s, only_events, gathering.sum / (255 * max(gathering.frames, 1)))


def _cost(pieces: Sequence[_Piece]) -> int:
    return sum(piece.cost() for piece in pieces)


class _Gathering:
    """One pass over the maps.  like: the first chunk, None before it.  sum: of all cells from `_GATHERS_FROM` on."""

    def __init__(self, table: FrameTable, events: Sequence[Event]) -> None:
        self._table = table
        self._starts_s = np.sort([event.start_s - _AROUND_S for event in events])
        self._ends_s = np.sort([event.end_s + _AROUND_S for event in events])
        self._last_slot = -1
        self.like: MapChunk | None = None
        self.sum: npt.NDArray[np.float64] = np.zeros((0, 0))
        self.frames = 0

    def pieces(self, chunks: Iterable[MapChunk]) -> Iterator[_Piece]:
        for chunk in chunks:
            if self.like is None:
                self.like = chunk
                self.sum = np.zeros(chunk.levels.shape[1:])
            if chunk.levels.shape[1:] == self.sum.shape:
                self.frames += len(chunk.levels)
                self.sum += np.where(chunk.levels >= _GATHERS_FROM, chunk.levels, 0).sum(axis=0)
                yield from self._split(*self._kept(chunk))

    def _kept(self, chunk: MapChunk) -> tuple[npt.NDArray[np.float64], Levels]:
        """Times and levels of the maps that are kept: the first of each slot that is warm anywhere."""
        row = np.searchsorted(self._table.frame, chunk.frames)
        time_s = self._table.time_s[np.minimum(row, len(self._table) - 1)]
        slot = np.floor(time_s * _FINEST_PER_S + 1e-6).astype(np.int64)
        first = np.diff(slot, prepend=self._last_slot) > 0
        self._last_slot = int(slot[-1])
        levels = np.where(chunk.levels[first] >= _FAINTEST, chunk.levels[first], 0) // _STEP
        warm = levels.any(axis=(1, 2))
        return time_s[first][warm], levels[warm].astype(np.uint8)

    def _split(self, time_s: npt.NDArray[np.float64], levels: Levels) -> Iterator[_Piece]:
        """Pieces without a gap, each of at most `_CHUNK_MAPS` maps, each wholly at an event or away from all."""
        if not len(time_s):
            return
        at_event = np.searchsorted(self._starts_s, time_s, "right") > np.searchsorted(self._ends_s, time_s, "left")
        breaks = (np.diff(time_s) > 2 / _FINEST_PER_S) | (np.diff(at_event.astype(int)) != 0)
        for places in np.split(np.arange(len(time_s)), np.flatnonzero(breaks) + 1):
            for begin in range(0, len(places), _CHUNK_MAPS):
                part = places[begin : begin + _CHUNK_MAPS]
                time_ms = np.rint(time_s[part] * 1000).astype(np.int64)
                cells = zlib.compress(np.ascontiguousarray(levels[part]).tobytes(), 6)
                yield _Piece(time_ms, cells, levels.shape[1:], bool(at_event[part[0]]))
