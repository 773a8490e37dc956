"""Tube scores voted along their paths: a map of anomaly for every step.  The only place where the sign flips."""

from __future__ import annotations

import math
from collections import deque
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import islice

import cv2
import numpy as np
import numpy.typing as npt

from crowdad.config import HeatmapSettings, Settings
from crowdad.records import Tubes
from crowdad.tubes.scale import SceneScale, views

__all__ = ["CellGrid", "StepMap", "Voter", "anomaly_of", "voter_of"]

Array = npt.NDArray[np.float32]

_HALF_BODY = (0.2, 0.45)
"""Half-width and half-height of a body, in person heights."""

_LEAST_ANOMALY = 1e-6  # of all tubes around a cell, to tell of their velocity


def anomaly_of(normality: Array) -> Array:
    """Raw anomaly of a tube, in [0, 2], higher = abnormal, from its normality in [-1, 1], higher = normal."""
    return 1.0 - normality


def _seen_share(tubes: Tubes, size_hw: tuple[int, int]) -> Array:
    """Share of a tube that was seen, float32 (N,): of the body, where least of it was in the picture, and of the path.

    What comes in is half seen for as long as its tube is, and half of a body moves like nothing that was learned.
    """
    share = np.ones(tubes.path_xy.shape[:2], np.float32)
    for axis, (half, side) in enumerate(zip(_HALF_BODY, size_hw[::-1], strict=True)):
        reach = half * tubes.person_px[:, None]
        middle = tubes.path_xy[..., axis]
        share *= np.clip((np.minimum(middle + reach, side) - np.maximum(middle - reach, 0)) / (2 * reach), 0, 1)
    return np.asarray(share.min(axis=1) * tubes.alive.mean(axis=1), np.float32)


@dataclass(frozen=True)
class CellGrid:
    """Cells over a band of the picture: row r covers pixels [top + r * cell_px, top + (r + 1) * cell_px)."""

    top: float
    cell_px: float
    shape: tuple[int, int]


@dataclass(frozen=True, eq=False)
class StepMap:
    """What the votes say of one step.

    raw: float32 (rows, columns), smoothed votes before calibration, >= 0.  normality: of the least normal tube that
    formed the map's maximum, 1.0 where nothing voted.  n_tubes: tubes that voted at this step.
    leading: uint8 (rows, columns), of several streams' the one that a cell's raw anomaly is of; None: the first.
    velocity: float32 (rows, columns, 2), pixels a step, mean of the tubes that voted around a cell, by their anomaly; 0
    where none did.  None: nothing is known of it.
    note: uint8 (rows, columns), what a stream has to say of a cell, in numbers of its own for `Stream.told`, 0 where it
    says nothing; None: nowhere.
    beside: float32 (K, rows, columns), smoothed votes by the K other scores that tubes had, >= 0.
    """

    raw: Array
    normality: float
    n_tubes: int
    leading: npt.NDArray[np.uint8] | None = None
    velocity: Array | None = None
    note: npt.NDArray[np.uint8] | None = None
    beside: Array | None = None


class _Cells:
    """The cells of all views in one row, view after view, each row by row.

    first: int64 (V + 1,), where each view's begin, and their number.
    """

    def __init__(self, grids: Sequence[CellGrid]) -> None:
        self._shapes = [grid.shape for grid in grids]
        self._sides = np.array(self._shapes)
        self._tops = np.array([grid.top for grid in grids])
        self._px = np.array([grid.cell_px for grid in grids])
        self.first = np.concatenate([[0], self._sides.prod(axis=1).cumsum()])

    def at(self, place_xy: Array, view: npt.NDArray[np.int64]) -> npt.NDArray[np.int64]:
        """Number of the cell at each pixel, float32 (N, 2), of a view, (N,): int64 (N,)."""
        px = self._px[view]
        rows, columns = self._sides[view].T
        column = np.clip(place_xy[:, 0] / px, 0, columns - 1).astype(np.int64)
        row = np.clip((place_xy[:, 1] - self._tops[view]) / px, 0, rows - 1).astype(np.int64)
        return np.asarray(self.first[view] + row * columns + column)

    def of(self, values: Array, view: int) -> Array:
        """A view's part of what all cells hold, (cells, ...), as a picture (rows, columns, ...)."""
        part = values[self.first[view] : self.first[view + 1]]
        return part.reshape(*self._shapes[view], *values.shape[1:])


class _Ballot:
    """Votes at one step by cell of all views: sums and number, least normality, and sums of velocity by anomaly.

    votes: float32 (cells, K + 2): of anomaly, of the K other scores, and the number.
    going: float32 (cells, 3), x and y times anomaly, and anomaly.  least: float32 (cells,).  count: tubes that voted.
    """

    def __init__(self, cells: int, beside: int) -> None:
        self.votes = np.zeros((cells, beside + 2), np.float32)
        self.going = np.zeros((cells, 3), np.float32)
        self.least = np.ones(cells, np.float32)
        self.count = 0


@dataclass(frozen=True, eq=False)
class _Smooth:
    """Votes of one step as a ballot holds them, those of `votes` smoothed in space."""

    votes: Array
    least: Array
    going: Array
    count: int


class Voter:
    """Collects the tubes of successive steps and gives each step's map once all its votes are in.

    grids: one per view.  size_hw: the displayed picture.  steps: length of a tube.
    lag: a map comes so many steps late, with the votes that are in by then; default: once none can come any more.
    With 0 nothing later than the step itself has a say in its map.
    beside: how many other scores tubes have.

    reach: steps before its own from which on votes have a say in a map.
    """

    def __init__(
        self,
        grids: Sequence[CellGrid],
        size_hw: tuple[int, int],
        steps: int,
        settings: HeatmapSettings,
        lag: int | None = None,
        beside: int = 0,
    ) -> None:
        self._grids = tuple(grids)
        self._cells = _Cells(self._grids)
        self._size_hw = size_hw
        self._settings = settings
        self._steps = steps
        self._beside = beside
        self.reach = math.ceil(3 * settings.sigma_steps)
        self._kernel = np.exp(-0.5 * (np.arange(-self.reach, self.reach + 1) / settings.sigma_steps) ** 2)
        complete = steps - 1 + self.reach
        self.lag = complete if lag is None else min(lag, complete)
        self.cell_px = min(grid.cell_px for grid in grids)
        self.shape = (math.ceil(size_hw[0] / self.cell_px), math.ceil(size_hw[1] / self.cell_px))
        self.reset()

    def reset(self) -> None:
        """Forget all votes."""
        self._open: deque[_Ballot] = deque()  # steps that tubes may still vote on, oldest first
        self._closed: deque[_Smooth] = deque()  # the steps before those that a map still needs, oldest first
        self._waiting = 0  # steps at the end, closed and open, whose map was not given yet

    def push(self, tubes: Tubes | None, normality: Array | None, beside: Array | None = None) -> Iterator[StepMap]:
        """Add one step (None: a step without tubes); yields the map of every step that is now due.

        normality: (N,), in [-1, 1], higher = normal.  beside: (N, K), raw anomaly >= 0 by the other scores.
        """
        self._open.append(_Ballot(int(self._cells.first[-1]), self._beside))
        self._waiting += 1
        if tubes is not None and normality is not None:
            self._vote(tubes, normality, np.zeros((len(tubes), 0), np.float32) if beside is None else beside)
        if len(self._open) > self._steps - 1:
            self._close()
        if self._waiting > self.lag:
            yield self._map()

    def finish(self) -> Iterator[StepMap]:
        """The maps of the remaining steps, at the end of the footage or of a segment."""
        while self._open:
            self._close()
        while self._waiting:
            yield self._map()
        self.reset()

    def _vote(self, tubes: Tubes, normality: Array, beside: Array) -> None:
        """Count votes at all places of the tubes; what of a subject is outside of the picture is taken for normal."""
        ages = min(self._steps if self._settings.vote else 1, len(self._open))
        voting, age = np.nonzero(tubes.alive[:, :ages])
        cell = self._cells.at(tubes.path_xy[voting, age], tubes.view[voting])
        cells = int(self._cells.first[-1])
        seen = _seen_share(tubes, self._size_hw)
        anomaly = seen * anomaly_of(normality)
        velocity = (tubes.path_xy[:, 0] - tubes.path_xy[:, -1]) / max(tubes.path_xy.shape[1] - 1, 1)
        others = [seen * score for score in beside.T]

        def sums(values: Array) -> npt.NDArray[np.float64]:
            """By age and cell: (ages, cells)."""
            by_cell = np.bincount(age * cells + cell, values[voting], ages * cells)
            return np.asarray(by_cell.reshape(ages, cells), np.float64)

        votes = [sums(each) for each in (anomaly, *others, np.ones_like(anomaly))]
        going = [sums(anomaly * velocity[:, axis]) for axis in range(2)]
        for back in range(ages):
            ballot, here = self._open[-1 - back], age == back
            for place, of_ages in enumerate(votes):
                ballot.votes[:, place] += of_ages[back]
            for axis, of_ages in enumerate([*going, votes[0]]):
                ballot.going[:, axis] += of_ages[back]
            np.minimum.at(ballot.least, cell[here], normality[voting[here]])
            ballot.count += int(here.sum())

    def _close(self) -> None:
        self._closed.append(self._smooth(self._open.popleft()))

    def _smooth(self, ballot: _Ballot) -> _Smooth:
        sigma = self._settings.sigma_cells
        smooth = np.empty_like(ballot.votes)
        for view in range(len(self._grids)):
            votes = self._cells.of(ballot.votes, view)
            self._cells.of(smooth, view)[:] = cv2.GaussianBlur(votes, (0, 0), sigma, borderType=cv2.BORDER_REFLECT)
        return _Smooth(smooth, ballot.least, ballot.going, ballot.count)

    def _map(self) -> StepMap:
        """The map of the oldest waiting step: its own votes and its neighbours', weighted by distance in time."""
        at = len(self._closed) + len(self._open) - self._waiting
        last = min(len(self._closed) + len(self._open), at + self.reach + 1)
        steps = [*self._closed, *map(self._smooth, islice(self._open, max(0, last - len(self._closed))))]
        window = range(max(0, at - self.reach), last)
        weights = np.array([self._kernel[i - at + self.reach] for i in window], np.float32)
        weights /= weights.sum()
        votes = sum(weight * steps[i].votes for weight, i in zip(weights, window, strict=True))
        gone = sum(weight * steps[i].going for weight, i in zip(weights, window, strict=True))
        lowest = np.minimum.reduce([steps[i].least for i in window])
        votes = votes[:, :-1] / (votes[:, -1:] + self._settings.prior_votes)
        raw = np.zeros((self._beside + 1, *self.shape), np.float32)
        least = np.ones(self.shape, np.float32)
        going = np.zeros((*self.shape, 3), np.float32)
        for view, grid in enumerate(self._grids):
            for place, of_place in enumerate(np.moveaxis(self._cells.of(votes, view), -1, 0)):
                self._lay(raw[place], of_place, grid, np.maximum)
            around = np.asarray(cv2.erode(self._cells.of(lowest, view), np.ones((5, 5), np.uint8)), np.float32)
            self._lay(least, around, grid, np.minimum)
            self._lay(going, np.asarray(cv2.blur(self._cells.of(gone, view), (5, 5)), np.float32), grid, np.add)
        self._waiting -= 1
        while len(self._closed) + len(self._open) - self._waiting > self.reach and self._closed:
            self._closed.popleft()
        peak = np.unravel_index(int(np.argmax(raw[0])), self.shape)
        velocity = np.asarray(going[..., :2] / np.maximum(going[..., 2:], _LEAST_ANOMALY), np.float32)
        return StepMap(raw[0], float(least[peak]), steps[at].count, velocity=velocity, beside=raw[1:])

    def _lay(self, target: Array, values: Array, grid: CellGrid, combine: np.ufunc) -> None:
        """Put one view's cells onto the picture's grid."""
        if grid.shape == target.shape and grid.cell_px == self.cell_px:
            combine(target, values, out=target)
            return
        first = round(grid.top / self.cell_px)
        rows = min(round(grid.shape[0] * grid.cell_px / self.cell_px), target.shape[0] - first)
        columns = round(grid.shape[1] * grid.cell_px / self.cell_px)
        fine = cv2.resize(values, (max(columns, 1), max(rows, 1)), interpolation=cv2.INTER_LINEAR)
        part = target[first : first + fine.shape[0], : fine.shape[1]]
        combine(part, fine[: part.shape[0], : part.shape[1]], out=part)


def voter_of(scale: SceneScale, settings: Settings, lag: int | None = None, beside: int = 0) -> Voter:
    """A fresh voter with one grid of cells per view, a cell being `heatmap.cell` person heights wide.

    lag: steps by which its maps come late; default: once all their votes are in.  beside: other scores of tubes.
    """
    grids = []
    for view in views(scale, settings.scale):
        cell_px = settings.heatmap.cell * view.person_px / view.zoom_xy[1]
        rows = math.ceil((view.seen[1] - view.seen[0]) / cell_px)
        grids.append(CellGrid(view.seen[0], cell_px, (rows, math.ceil(scale.size_hw[1] / cell_px))))
    return Voter(grids, scale.size_hw, settings.tubes.steps, settings.heatmap, lag, beside)
