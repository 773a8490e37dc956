"""Which way and how fast people go here: what is rare at its place, as far as there is evidence of it."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, ClassVar, Self

import numpy as np
import numpy.typing as npt

from crowdad.config import Settings
from crowdad.records import Event, OpenEvent, Tubes
from crowdad.scene.calibration import Calibration
from crowdad.scene.streams._base import Lesson, Step, Told, TubeStream
from crowdad.scene.streams.pace import pace_of, picture_turn, towards
from crowdad.scene.streams.passages import (
    BINS,
    DIRECTIONS,
    DOUBT,
    PassageCounter,
    PlaceGrid,
    apart_from,
    cell_of,
    passages_of,
    shares_by_place,
    ways_of,
)
from crowdad.scene.streams.tails import Tail, tail_of_parts
from crowdad.tubes.scale import SceneScale

__all__ = ["Place"]

Array = npt.NDArray[np.float32]
Floats = npt.NDArray[np.float64]

_FEWEST_PASSAGES = 20.0
_SHARE_OF_ALARMS = 0.1
_HARDLY = 0.2  # walking speeds: no more than shifting from foot to foot
_OWN_PAST_PH, _OWN_DOUBT_PH = 1.5, 0.3  # walked by a subject: what its surprise is averaged over, and doubted for
_TRACE_PH = 0.4
_MAIN = 0.6  # share of a way: what goes the other way goes against the stream
_FAST = 1.4  # walking speeds
_COMMON = 0.15  # share of a way that is not what is unusual
_UNIT_SLACK = 1e-3


@dataclass(eq=False)
class Place(TubeStream):
    """Surprise of a tube's direction and speed at its place.

    shares: float32 (rows, columns, BINS), of each bin in what passes at each cell; rows of sum 1.
    passages: of people through the picture that they were read from.  tail: of the raw anomaly of folds of the footage,
    each scored by the shares of the others.

    Surprise is minus the logarithm of the share of all that is at most as common here as this: near 0 where people go
    every way, and bounded by how many were seen.
    """

    shares: Array
    passages: float
    tail: Tail

    name: ClassVar[str] = "place"
    kinds: ClassVar[tuple[str, ...]] = ("against the stream", "goes an unusual way", "fast", "unusual pace")
    of_place: ClassVar[bool] = True
    memory_s: ClassVar[float] = 40.0  # twenty times as long as the mean of its past takes to walk

    @classmethod
    def learner(cls, scale: SceneScale, settings: Settings) -> _Learner:
        return _Learner(scale, settings)

    def arrays(self) -> dict[str, npt.NDArray[Any]]:
        return {"shares": self.shares, "passages": np.array([self.passages]), "tail": self.tail.array()}

    @classmethod
    def restored(cls, arrays: Mapping[str, npt.NDArray[Any]], settings: Settings) -> Self:
        place = cls(arrays["shares"], passages_of(arrays["passages"]), Tail.from_array(arrays["tail"]))
        shares = place.shares
        if shares.ndim != 3 or shares.shape[2] != BINS or shares.dtype != np.float32 or not shares.size:
            raise ValueError(f"shares is {shares.dtype} {shares.shape}, float32 (rows, columns, {BINS}) is needed")
        if not (np.isfinite(shares).all() and shares.min() > 0 and np.abs(shares.sum(axis=2) - 1).max() < _UNIT_SLACK):
            raise ValueError("shares holds what is no share")
        return place

    def run(self, scale: SceneScale, settings: Settings) -> _Surprise:
        return _Surprise(self.shares, scale)

    def level(self, calibration: Calibration, settings: Settings) -> float:
        alarms_per_hour = _SHARE_OF_ALARMS * settings.calibration.false_alarms_per_hour
        return self.tail.level(alarms_per_hour) * (1 + DOUBT / self.passages)

    def told(self, event: Event | OpenEvent, scale: SceneScale) -> Told:
        pace = pace_of(event, scale)
        if pace is None:
            return Told("goes an unusual way", "goes a way that people here usually do not")
        ways = self._ways(event, scale)
        own, main = ways[round(pace.ground_turn * DIRECTIONS) % DIRECTIONS], int(ways.argmax())
        if own >= _COMMON:
            kind = "fast" if pace.times >= _FAST else "unusual pace"
            speed = f"moves at {pace.times:.1f} times walking speed {pace.towards}"
            return Told(kind, f"{speed if pace.times >= _HARDLY else 'hardly moves'}, which is rare here")
        if ways[main] >= _MAIN and abs((pace.ground_turn - main / DIRECTIONS + 0.5) % 1 - 0.5) > 0.25:
            usual = towards(picture_turn(main / DIRECTIONS, _foreshortening(event, scale)))
            return Told("against the stream", f"goes {pace.towards}, where {round(100 * ways[main])} in 100 go {usual}")
        return Told("goes an unusual way", f"goes {pace.towards}, as {_in_100(own)} do here")

    def _ways(self, event: Event | OpenEvent, scale: SceneScale) -> Array:
        """Share of those that go each way at the event's place, within an eighth of a turn: (DIRECTIONS,)."""
        grid = PlaceGrid.like(self.shares.shape[:2], scale)
        here = self.shares.reshape(-1, BINS)[cell_of(grid, np.array([_middle(event)]))[0]]
        ways = here[1:].reshape(-1, DIRECTIONS).sum(axis=0)
        within = ways + np.roll(ways, 1) + np.roll(ways, -1)
        return np.asarray(within / ways.sum(), np.float32)


def _middle(event: Event | OpenEvent) -> tuple[float, float]:
    x0, y0, x1, y1 = event.box_xyxy
    return (x0 + x1) / 2, (y0 + y1) / 2


def _foreshortening(event: Event | OpenEvent, scale: SceneScale) -> float:
    return float(scale.foreshortening_at(*_middle(event)))


def _in_100(share: float) -> str:
    return "fewer than 1 in 100" if share < 0.01 else f"about {round(100 * share)} in 100"


class _Surprise:
    """Surprise of tubes, float32 (N,), >= 0: that of now, or of the subject's own past where that is less."""

    def __init__(self, shares: Array | Floats, scale: SceneScale) -> None:
        self._scale = scale
        self._grid = PlaceGrid.like((shares.shape[0], shares.shape[1]), scale)
        order = np.argsort(shares, axis=2)
        at_most = np.cumsum(np.take_along_axis(shares, order, axis=2), axis=2)
        table = np.empty_like(at_most)
        np.put_along_axis(table, order, -np.log(np.minimum(at_most, 1)), axis=2)
        self._table = np.maximum(table, 0).reshape(-1, BINS)
        height, width = scale.size_hw
        people = scale.person_px(*np.meshgrid(np.linspace(0, width, 9), np.linspace(0, height, 9)))
        trace_px = max(_TRACE_PH * float(people.min()), 1.0)
        self._trace = PlaceGrid(trace_px, (math.ceil(height / trace_px), math.ceil(width / trace_px)))
        step_ph = scale.walk * scale.gap
        self._most = _OWN_PAST_PH / step_ph
        self._doubt = _OWN_DOUBT_PH / step_ph
        self.reset()

    def reset(self) -> None:
        """Forget all subjects."""
        self._mean = self._count = np.zeros(self._trace.shape[0] * self._trace.shape[1])

    def anomaly(self, tubes: Tubes) -> Array:
        """Surprise of the tubes of the next step."""
        ways = ways_of(tubes, self._scale)
        cell = cell_of(self._grid, tubes.path_xy[:, 0])
        now = (1 - ways.share) * self._table[cell, ways.first] + ways.share * self._table[cell, ways.second]
        now *= ways.known
        before = cell_of(self._trace, tubes.path_xy[:, min(1, tubes.path_xy.shape[1] - 1)])
        count = np.minimum(self._count[before] + 1, self._most)
        mean = self._mean[before] + (now - self._mean[before]) / count
        here, size = cell_of(self._trace, tubes.path_xy[:, 0]), self._mean.size
        held = np.maximum(np.bincount(here, minlength=size), 1)
        self._mean = np.bincount(here, mean, size) / held
        self._count = np.bincount(here, count, size) / held
        return np.minimum(now, mean * count / (count + self._doubt)).astype(np.float32)


class _Learner:
    def __init__(self, scale: SceneScale, settings: Settings) -> None:
        self._scale, self._settings = scale, settings
        self._counter = PassageCounter(scale)

    def see(self, step: Step) -> None:
        self._counter.add(step.tubes)

    def teach(self, tubes: Tubes) -> None:
        self._counter.teach(tubes)

    def learned(self, lesson: Lesson) -> Place | None:
        parts = self._counter.parts()
        walked = np.sum(parts, axis=0)
        passages = self._counter.passages
        if passages < _FEWEST_PASSAGES:
            return None
        people = self._counter.grid.person_cells(self._scale)

        def without(part: int) -> _Surprise:
            return _Surprise(shares_by_place(np.sum(apart_from(parts, part), axis=0), people), self._scale)

        tail = tail_of_parts(lesson, self._counter.part_of, without, self._scale, self._settings)
        shares = shares_by_place(walked, people)
        return None if tail is None else Place(shares.astype(np.float32), passages, tail)
