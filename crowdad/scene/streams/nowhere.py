"""Where nobody goes: somebody at a place through which hardly anybody passed."""

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
from crowdad.scene.streams.passages import (
    DOUBT,
    PASSAGE_PH,
    PassageCounter,
    PlaceGrid,
    apart_from,
    cell_of,
    density,
    passages_of,
)
from crowdad.scene.streams.tails import Tail, tail_of_parts
from crowdad.tubes.scale import SceneScale

__all__ = ["Nowhere"]

Array = npt.NDArray[np.float32]
Floats = npt.NDArray[np.float64]

_FEWEST_PASSAGES = 70.0
_SHARE_OF_ALARMS = 0.1
_MOST_SURPRISE = 100.0  # far beyond the logarithm of all people there are


@dataclass(eq=False)
class Nowhere(TubeStream):
    """Surprise of a tube's place alone.

    surprise: float32 (rows, columns), >= 0: minus the logarithm of the share of all passages that are at places where
    at most as many pass.  passages: of people through the picture that it was read from.  tail: of the raw anomaly of
    folds of the footage, each scored by the passages of the others.
    """

    surprise: Array
    passages: float
    tail: Tail

    name: ClassVar[str] = "nowhere"
    kinds: ClassVar[tuple[str, ...]] = ("where nobody goes",)
    ranks: ClassVar[bool] = False
    of_place: ClassVar[bool] = True

    @classmethod
    def learner(cls, scale: SceneScale, settings: Settings) -> _Learner:
        return _Learner(scale, settings)

    def arrays(self) -> dict[str, npt.NDArray[Any]]:
        return {"surprise": self.surprise, "passages": np.array([self.passages]), "tail": self.tail.array()}

    @classmethod
    def restored(cls, arrays: Mapping[str, npt.NDArray[Any]], settings: Settings) -> Self:
        nowhere = cls(arrays["surprise"], passages_of(arrays["passages"]), Tail.from_array(arrays["tail"]))
        surprise = nowhere.surprise
        if surprise.ndim != 2 or surprise.dtype != np.float32 or not surprise.size:
            raise ValueError(f"surprise is {surprise.dtype} {surprise.shape}, float32 (rows, columns) is needed")
        if not (np.isfinite(surprise).all() and 0 <= surprise.min() <= surprise.max() <= _MOST_SURPRISE):
            raise ValueError("surprise holds what no footage can give")
        return nowhere

    def run(self, scale: SceneScale, settings: Settings) -> _Run:
        return _Run(self.surprise, PlaceGrid.like(self.surprise.shape, scale))

    def level(self, calibration: Calibration, settings: Settings) -> float:
        alarms_per_hour = _SHARE_OF_ALARMS * settings.calibration.false_alarms_per_hour
        return self.tail.level(alarms_per_hour) * (1 + DOUBT / self.passages)

    def told(self, event: Event | OpenEvent, scale: SceneScale) -> Told:
        return Told("where nobody goes", f"is where hardly any of about {_rounded(self.passages)} people went")


def _rounded(count: float) -> int:
    """To two digits."""
    digits = max(math.floor(math.log10(max(count, 1))) - 1, 0)
    return round(count / 10**digits) * 10**digits


def _surprise_of(walked: Floats, people: Floats) -> Floats:
    """Surprise of each cell, (rows, columns), from person heights walked by cell and bin."""
    by_place = density(walked, people)
    mass = walked.sum(axis=2).ravel() / PASSAGE_PH
    order = np.argsort(by_place, axis=None)
    no_denser = np.cumsum(mass[order])
    surprise = np.empty(mass.size)
    surprise[order] = -np.log((no_denser + 1) / (mass.sum() + 1))
    return np.maximum(surprise.reshape(by_place.shape), 0)


class _Run:
    """Surprise of the places of tubes."""

    def __init__(self, surprise: Array, grid: PlaceGrid) -> None:
        self._surprise = surprise.ravel()
        self._grid = grid

    def reset(self) -> None:
        """Nothing is remembered."""

    def anomaly(self, tubes: Tubes) -> Array:
        return np.asarray(self._surprise[cell_of(self._grid, tubes.path_xy[:, 0])], np.float32)


class _Learner:
    def __init__(self, scale: SceneScale, settings: Settings) -> None:
        self._scale, self._settings = scale, settings
        self._counter = PassageCounter(scale)

    def see(self, step: Step) -> None:
        self._counter.add(step.tubes)

    def teach(self, tubes: Tubes) -> None:
        self._counter.teach(tubes)

    def learned(self, lesson: Lesson) -> Nowhere | None:
        parts = self._counter.parts()
        walked = np.sum(parts, axis=0)
        passages = self._counter.passages
        if passages < _FEWEST_PASSAGES:
            return None
        people = self._counter.grid.person_cells(self._scale)

        def without(part: int) -> _Run:
            surprise = _surprise_of(np.sum(apart_from(parts, part), axis=0), people)
            return _Run(surprise.astype(np.float32), self._counter.grid)

        tail = tail_of_parts(lesson, self._counter.part_of, without, self._scale, self._settings)
        surprise = _surprise_of(walked, people)
        return None if tail is None else Nowhere(surprise.astype(np.float32), passages, tail)
