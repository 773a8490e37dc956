"""Who passes where, which way and how fast: tubes counted by place, direction and speed, in parts of the footage."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
from scipy.ndimage import gaussian_filter

from crowdad.records import Tubes
from crowdad.scene.streams.people import people_among
from crowdad.tubes.scale import SceneScale

__all__ = [
    "BINS",
    "DIRECTIONS",
    "DOUBT",
    "PASSAGE_PH",
    "PassageCounter",
    "PlaceGrid",
    "Ways",
    "apart_from",
    "cell_of",
    "density",
    "passages_of",
    "shares_by_place",
    "ways_of",
]

Array = npt.NDArray[np.float32]
Floats = npt.NDArray[np.float64]

DIRECTIONS = 8
SPEEDS = (1.5, 2.3)
"""Walking speeds that part the classes of speed."""

BINS = 1 + DIRECTIONS * (len(SPEEDS) + 1)
"""What hardly moves, then the directions, clockwise from the right, of each class of speed."""

PASSAGE_PH = 8.0
"""Person heights that somebody walks through the picture, about: what counts as one passage."""

DOUBT = 40.0
"""Passages: with so few a level of alarm is twice what the footage itself asks for."""

_CELL_PH = 0.5
_MOST_CELLS = 8192
_HARDLY = 0.45  # walking speeds: less has no direction that could be told
_LEAST_SPEED = 0.3  # what hardly moves counts as this, so that who stands is counted at all
_FEWEST_ALIVE = 3
_REGION_PH, _PLACE_PH, _DENSITY_PH = 3.0, 0.75, 0.5
_LEVEL_RATIO = 1.2  # sigmas of a blur that changes over the picture, one to the next
_PARTS = 8
_FIRST_PART_STEPS = 25
_TAUGHT = 20.0  # times that what a person called normal counts
_COUNTED_EVERY = 8  # steps: tubes a person are counted in some of them


@dataclass(frozen=True)
class PlaceGrid:
    """Cells over the picture.  cell_px: their side, in pixels.  shape: (rows, columns)."""

    cell_px: float
    shape: tuple[int, int]

    @classmethod
    def of(cls, scale: SceneScale) -> PlaceGrid:
        """Cells of half a person, larger where that were too many."""
        height, width = scale.size_hw
        columns, rows = np.meshgrid(np.linspace(0, width, 9), np.linspace(0, height, 9))
        cell_px = max(
            _CELL_PH * float(scale.person_px(columns, rows).min()), math.sqrt(height * width / _MOST_CELLS), 1.0
        )
        return cls(cell_px, (math.ceil(height / cell_px), math.ceil(width / cell_px)))

    @classmethod
    def like(cls, shape: tuple[int, int], scale: SceneScale) -> PlaceGrid:
        """The cells of that shape over the picture of a scene, of whatever size it is now."""
        return cls(max(scale.size_hw[0] / shape[0], scale.size_hw[1] / shape[1]), shape)

    def person_cells(self, scale: SceneScale) -> Floats:
        """Height of a person at each cell, in cells: float64 (rows, columns)."""
        rows, columns = (np.indices(self.shape) + 0.5) * self.cell_px
        return np.asarray(scale.person_px(columns, rows) / self.cell_px)


def cell_of(grid: PlaceGrid, place_xy: npt.NDArray[np.floating]) -> npt.NDArray[np.int64]:
    """Number of the cell at each pixel (N, 2): int64 (N,), row by row; places outside count to the nearest cell."""
    rows, columns = grid.shape
    column = np.clip(place_xy[:, 0] / grid.cell_px, 0, columns - 1).astype(np.int64)
    row = np.clip(place_xy[:, 1] / grid.cell_px, 0, rows - 1).astype(np.int64)
    return np.asarray(row * columns + column)


@dataclass(frozen=True, eq=False)
class Ways:
    """Which way tubes go: all (N,).

    known: bool, followed for long enough to tell.  first, second: bins of `BINS`, that of their direction and that of
    the nearest other one.  share: of the second, in [0, 0.5].  speed: in walking speeds of the place.
    """

    known: npt.NDArray[np.bool_]
    first: npt.NDArray[np.int64]
    second: npt.NDArray[np.int64]
    share: Floats
    speed: Floats


def ways_of(tubes: Tubes, scale: SceneScale) -> Ways:
    """Direction and speed of each tube along its path."""
    steps = tubes.alive.sum(axis=1) - 1
    last = np.maximum(steps, 0)
    end = tubes.path_xy[np.arange(len(tubes)), last]
    moved = (tubes.path_xy[:, 0] - end).astype(np.float64) / np.maximum(steps, 1)[:, None]
    across, down = moved.T
    x, y = tubes.path_xy[:, 0].T
    down = down * scale.foreshortening_at(x, y)
    speed = np.hypot(across, down) / (tubes.person_px * scale.walk * scale.gap)
    turn = np.arctan2(down, across) / (2 * math.pi) * DIRECTIONS % DIRECTIONS
    nearest = np.rint(turn)
    other = nearest + np.where(turn >= nearest, 1, -1)
    offset = 1 + DIRECTIONS * np.searchsorted(SPEEDS, speed, side="right")
    hardly = speed < _HARDLY
    first, second = (np.where(hardly, 0, offset + bins.astype(np.int64) % DIRECTIONS) for bins in (nearest, other))
    return Ways(steps >= _FEWEST_ALIVE - 1, first, second, np.abs(turn - nearest), speed)


class PassageCounter:
    """Counts tubes by cell and bin, in up to twice `_PARTS` successive parts of the footage of equal length."""

    def __init__(self, scale: SceneScale) -> None:
        self.grid = PlaceGrid.of(scale)
        self._scale = scale
        self._steps = 0
        self._part_steps = _FIRST_PART_STEPS
        self._parts: list[Floats] = []
        self._taught = np.zeros((*self.grid.shape, BINS))
        self._tubes = self._people = 0.0

    def add(self, tubes: Tubes | None) -> None:
        """Count the tubes that end at the next step."""
        place = self._steps // self._part_steps
        self._steps += 1
        if place >= 2 * _PARTS:
            self._parts = [first + second for first, second in zip(self._parts[::2], self._parts[1::2], strict=True)]
            self._part_steps *= 2
            place //= 2
        if place == len(self._parts):
            self._parts.append(np.zeros((*self.grid.shape, BINS)))
        if tubes is None or not len(tubes):
            return
        if self._steps % _COUNTED_EVERY == 0:
            self._count_people(tubes)
        self._walk(self._parts[place], tubes)

    def _walk(self, walked: Floats, tubes: Tubes) -> None:
        """Add what tubes walk in a step to a table by cell and bin."""
        ways = ways_of(tubes, self._scale)
        weight = np.maximum(ways.speed, _LEAST_SPEED) * (self._scale.walk * self._scale.gap) * ways.known
        cell = cell_of(self.grid, tubes.path_xy[:, 0]) * BINS
        counts = walked.reshape(-1)
        for bins, share in ((ways.first, 1 - ways.share), (ways.second, ways.share)):
            counts += np.bincount(cell + bins, weight * share, counts.size)

    def teach(self, tubes: Tubes) -> None:
        """Count what a person called normal as often as if it passed again and again, in all of the footage."""
        self._walk(self._taught, tubes)

    def _count_people(self, tubes: Tubes) -> None:
        """Tubes that see one subject lie close together."""
        self._tubes += len(tubes)
        self._people += people_among(tubes)

    @property
    def _tubes_per_person(self) -> float:
        return self._tubes / max(self._people, 1e-9) if self._tubes else 1.0

    def parts(self) -> list[Floats]:
        """Person heights walked by cell and bin, (rows, columns, BINS), in each part of the footage."""
        tubes_per_person = self._tubes_per_person
        taught = self._taught * (_TAUGHT / max(len(self._parts), 1))
        return [(part + taught) / tubes_per_person for part in self._parts]

    @property
    def passages(self) -> float:
        """How many people passed, what was taught left out."""
        walked = sum(float(part.sum()) for part in self._parts)
        return walked / self._tubes_per_person / PASSAGE_PH

    def part_of(self, step: int) -> int:
        """The part that a step is in, counted from 1."""
        return min((step - 1) // self._part_steps, len(self._parts) - 1)


def apart_from(parts: Sequence[Floats], at: int) -> Sequence[Floats]:
    """The parts that neither are that one nor lie beside it, who would share people with it; all where none is left."""
    return [part for place, part in enumerate(parts) if abs(place - at) > 1] or parts


def shares_by_place(walked: Floats, person_cells: Floats) -> Floats:
    """Share of each bin in what passes at each cell, (rows, columns, BINS), all above 0.

    walked: person heights walked by cell and bin, (rows, columns, BINS).  person_cells: as the grid gives it.
    Little evidence at a place leaves the shares of the region around it, and there those of the whole picture.
    """
    passages = walked.sum() / PASSAGE_PH
    whole = (walked.sum(axis=(0, 1)) / PASSAGE_PH + 2 / BINS) / (passages + 2)
    shares = np.broadcast_to(whole, walked.shape)
    for sigma_ph in (_REGION_PH, _PLACE_PH):
        around = _gathered(walked, sigma_ph * person_cells)
        shares = (around + shares) / (around.sum(axis=-1, keepdims=True) + 1)
    return np.asarray(shares)


def passages_of(array: npt.NDArray[np.floating]) -> float:
    """How many passages a model file tells of.  Raises ValueError for what no footage can give."""
    if array.shape != (1,) or not 0 < array[0] < math.inf:
        raise ValueError(f"passages is {array}, which no footage can give")
    return float(array[0])


def density(walked: Floats, person_cells: Floats) -> Floats:
    """Person heights walked around each cell, as if the picture did not end at its border: (rows, columns)."""
    sigma = _DENSITY_PH * person_cells
    inside = _gathered(np.ones((*person_cells.shape, 1)), sigma)[..., 0]
    return np.asarray(_gathered(walked.sum(axis=-1, keepdims=True), sigma)[..., 0] / inside * (2 * math.pi * sigma**2))


def _gathered(values: Floats, sigma: Floats) -> Floats:
    """Sum of values (rows, columns, K) around each cell, weighted by a Gaussian of peak 1 and this sigma in cells."""
    low, high = float(sigma.min()), float(sigma.max())
    count = 1 + math.ceil(math.log(high / low) / math.log(_LEVEL_RATIO))
    levels = np.geomspace(low, high, count)
    nearest = np.rint(np.log(sigma / low) / max(math.log(high / low), 1e-9) * (count - 1)).astype(int)
    found = np.empty_like(values)
    for number, level in enumerate(levels):
        here = nearest == number
        if here.any():
            blurred = gaussian_filter(values, (level, level, 0), mode="constant", truncate=3)
            found[here] = blurred[here] * (2 * math.pi * level**2)
    return found
