"""Tube scores voted along their paths: a map of anomaly for every step.  The only place where the sign flips."""

from __future__ import annotations

import math
from collections import deque
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import partial
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


def _seen_share(place_xy: Array, person_px: Array, size_hw: tuple[int, int]) -> Array:
    """Share of a body that is inside the picture: float32 (N,), for its middle at pixels (N, 2)."""
    share = np.ones(len(place_xy), np.float32)
    for axis, (half, side) in enumerate(zip(_HALF_BODY, size_hw[::-1], strict=True)):
        reach = half * person_px
        first, last = np.maximum(place_xy[:, axis] - reach, 0), np.minimum(place_xy[:, axis] + reach, side)
        share *= np.clip((last - first) / (2 * reach), 0, 1)
    return share


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
    note: uint8 (rows, columns), what the stream has to say of a cell, in numbers of its own for `Stream.told`; 0 where
    it says nothing.  None: nowhere.
    """

    raw: Array
    normality: float
    n_tubes: int
    leading: npt.NDArray[np.uint8] | None = None
    velocity: Array | None = None
    note: npt.NDArray[np.uint8] | None = None


class _Ballot:
    """Votes of one view at one step by cell: sum and number, least normality, and sums of velocity by anomaly.

    going: float32 (rows, columns, 3), x and y times anomaly, and anomaly.
    """

    def __init__(self, shape: tuple[int, int]) -> None:
        self.votes = np.zeros((*shape, 2), np.float32)
        self.going = np.zeros((*shape, 3), np.float32)
        self.least = np.ones(shape, np.float32)

    def add(
        self,
        rows: npt.NDArray[np.int64],
        columns: npt.NDArray[np.int64],
        normality: Array,
        seen_share: Array,
        velocity: Array,
    ) -> None:
        """Count votes; what of a subject is outside of the picture is taken for normal.  velocity: (N, 2)."""
        shape = self.least.shape
        cell = rows * shape[1] + columns
        anomaly = seen_share * anomaly_of(normality)
        by_cell = partial(np.bincount, cell, minlength=shape[0] * shape[1])
        sums = by_cell(anomaly).reshape(shape)
        self.votes[..., 0] += sums
        self.votes[..., 1] += by_cell().reshape(shape)
        for axis in range(2):
            self.going[..., axis] += by_cell(anomaly * velocity[:, axis]).reshape(shape)
        self.going[..., 2] += sums
        np.minimum.at(self.least, (rows, columns), normality)


@dataclass(frozen=True, eq=False)
class _Smooth:
    """Votes of one step, smoothed in space, least normality and sums of velocity, by view; how many tubes voted."""

    votes: list[Array]
    least: list[Array]
    going: list[Array]
    count: int


class Voter:
    """Collects the tubes of successive steps and gives each step's map once all its votes are in.

    grids: one per view.  size_hw: the displayed picture.  steps: length of a tube.
    lag: a map comes so many steps late, with the votes that are in by then; default: once none can come any more.
    With 0 nothing later than the step itself has a say in its map.

    reach: steps before its own from which on votes have a say in a map.
    """

    def __init__(
        self,
        grids: Sequence[CellGrid],
        size_hw: tuple[int, int],
        steps: int,
        settings: HeatmapSettings,
        lag: int | None = None,
    ) -> None:
        self._grids = tuple(grids)
        self._size_hw = size_hw
        self._settings = settings
        self._steps = steps
        self.reach = math.ceil(3 * settings.sigma_steps)
        self._kernel = np.exp(-0.5 * (np.arange(-self.reach, self.reach + 1) / settings.sigma_steps) ** 2)
        complete = steps - 1 + self.reach
        self.lag = complete if lag is None else min(lag, complete)
        self.cell_px = min(grid.cell_px for grid in grids)
        self.shape = (math.ceil(size_hw[0] / self.cell_px), math.ceil(size_hw[1] / self.cell_px))
        self.reset()

    def reset(self) -> None:
        """Forget all votes."""
        self._open: deque[list[_Ballot]] = deque()  # steps that tubes may still vote on, oldest first
        self._closed: deque[_Smooth] = deque()  # the steps before those that a map still needs, oldest first
        self._counts: deque[int] = deque()
        self._waiting = 0  # steps at the end, closed and open, whose map was not given yet

    def push(self, tubes: Tubes | None, normality: Array | None) -> Iterator[StepMap]:
        """Add one step (None: a step without tubes); yields the map of every step that is now due."""
        self._open.append([_Ballot(grid.shape) for grid in self._grids])
        self._counts.append(0)
        self._waiting += 1
        if tubes is not None and normality is not None:
            self._vote(tubes, normality)
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

    def _vote(self, tubes: Tubes, normality: Array) -> None:
        velocity = (tubes.path_xy[:, 0] - tubes.path_xy[:, -1]) / max(tubes.path_xy.shape[1] - 1, 1)
        for age in range(min(self._steps if self._settings.vote else 1, len(self._open))):
            counted = 0
            for view, (grid, ballot) in enumerate(zip(self._grids, self._open[-1 - age], strict=True)):
                voting = tubes.alive[:, age] & (tubes.view == view)
                place = tubes.path_xy[voting, age]
                columns = np.clip(place[:, 0] / grid.cell_px, 0, grid.shape[1] - 1).astype(np.int64)
                rows = np.clip((place[:, 1] - grid.top) / grid.cell_px, 0, grid.shape[0] - 1).astype(np.int64)
                seen = _seen_share(place, tubes.person_px[voting], self._size_hw)
                ballot.add(rows, columns, normality[voting], seen, velocity[voting])
                counted += len(rows)
            self._counts[-1 - age] += counted

    def _close(self) -> None:
        self._closed.append(self._smooth(self._open.popleft(), self._counts.popleft()))

    def _smooth(self, ballots: list[_Ballot], count: int) -> _Smooth:
        sigma = self._settings.sigma_cells
        blurred = (cv2.GaussianBlur(b.votes, (0, 0), sigma, borderType=cv2.BORDER_REFLECT) for b in ballots)
        votes = [np.asarray(each, np.float32) for each in blurred]
        return _Smooth(votes, [b.least for b in ballots], [b.going for b in ballots], count)

    def _map(self) -> StepMap:
        """The map of the oldest waiting step: its own votes and its neighbours', weighted by distance in time."""
        at = len(self._closed) + len(self._open) - self._waiting
        last = min(len(self._closed) + len(self._open), at + self.reach + 1)
        unfinished = zip(self._open, self._counts, strict=True)
        steps = [*self._closed, *(self._smooth(*step) for step in islice(unfinished, max(0, last - len(self._closed))))]
        window = range(max(0, at - self.reach), last)
        weights = np.array([self._kernel[i - at + self.reach] for i in window], np.float32)
        weights /= weights.sum()
        raw = np.zeros(self.shape, np.float32)
        least = np.ones(self.shape, np.float32)
        going = np.zeros((*self.shape, 3), np.float32)
        for view, grid in enumerate(self._grids):
            votes = sum(weight * steps[i].votes[view] for weight, i in zip(weights, window, strict=True))
            ratio = votes[..., 0] / (votes[..., 1] + self._settings.prior_votes)
            lowest = np.minimum.reduce([steps[i].least[view] for i in window])
            self._lay(raw, ratio, grid, np.maximum)
            around = np.asarray(cv2.erode(lowest, np.ones((5, 5), np.uint8)), np.float32)
            self._lay(least, around, grid, np.minimum)
            gone = sum(weight * steps[i].going[view] for weight, i in zip(weights, window, strict=True))
            self._lay(going, np.asarray(cv2.blur(gone, (5, 5)), np.float32), grid, np.add)
        self._waiting -= 1
        while len(self._closed) + len(self._open) - self._waiting > self.reach and self._closed:
            self._closed.popleft()
        peak = np.unravel_index(int(np.argmax(raw)), raw.shape)
        velocity = np.asarray(going[..., :2] / np.maximum(going[..., 2:], _LEAST_ANOMALY), np.float32)
        return StepMap(raw, float(least[peak]), steps[at].count, velocity=velocity)

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


def voter_of(scale: SceneScale, settings: Settings, lag: int | None = None) -> Voter:
    """A fresh voter with one grid of cells per view, a cell being `heatmap.cell` person heights wide.

    lag: steps by which its maps come late; default: once all their votes are in.
    """
    grids = []
    for view in views(scale, settings.scale):
        cell_px = settings.heatmap.cell * view.person_px / view.zoom_xy[1]
        rows = math.ceil((view.seen[1] - view.seen[0]) / cell_px)
        grids.append(CellGrid(view.seen[0], cell_px, (rows, math.ceil(scale.size_hw[1] / cell_px))))
    return Voter(grids, scale.size_hw, settings.tubes.steps, settings.heatmap, lag)
