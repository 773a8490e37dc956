"""The crowd as a whole: how many people move, how fast, and whether they make for a place or away from it."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, ClassVar, Self

import numpy as np
import numpy.typing as npt

from crowdad.config import Settings
from crowdad.records import Event, OpenEvent, Tubes
from crowdad.scene.calibration import Calibration
from crowdad.scene.heatmap import StepMap, voter_of
from crowdad.scene.streams._base import Lesson, MapStream, Step, Told
from crowdad.scene.streams.crowd_places import box_of, place_of, thinned
from crowdad.scene.streams.crowd_sums import SUMS, CrowdCounter
from crowdad.scene.streams.crowd_told import KINDS, UNTOLD, Happening, happening_of, told_of
from crowdad.scene.streams.crowd_usual import (
    CHANGE_S,
    LEAST_PEOPLE,
    LONG_S,
    MEASURES,
    Usual,
    distances,
    measured,
    raw_of,
    tail_of,
    usual_of,
)
from crowdad.scene.streams.people import people_among
from crowdad.scene.streams.tails import Tail
from crowdad.tubes.scale import SceneScale

__all__ = ["Crowd", "CrowdLearner", "CrowdRun"]

_LEAST_FOOTAGE_S = 60.0
_SHARE_OF_ALARMS = 0.1
_FEWEST_PEOPLE = 3.0
_MOST_PEOPLE = 1e5
_LEAST_SPEED = 0.1  # walking speeds: patches that stay put tell of no speed
_PEOPLE_EVERY_S = 2.0
_BEFORE_S = 60.0  # more people, or fewer, for so long are no news any more
_AHEAD_S = 0.7  # a tube tells of the steps before its end: so much later ones tell of a moment
_PLACES_S = 2.0
_LAST_PLACES_S = 10.0  # where hardly anybody is left: where people were
_CAUSE_S = 15.0  # a place that people have fled from so lately is not told of as empty
_MOST = 9.0  # of the level: beyond, what began is not outshone by what came of it
_FAINT = 0.25  # of the level: less is not put into a map
_AT_ONCE_S = 0.8  # and half of a tube's length
_STILL_THERE, _HARDLY_THERE = 0.6, 0.3  # of the people before
_LEAVING = 0.6  # if this share of the missing people was near the picture's sides before, they walked out


@dataclass(eq=False)
class Crowd(MapStream):
    """What is usual of a crowd.

    usual: see `crowd_usual`.  tail: of the raw anomaly of folds of the footage, each judged by the others.
    box: (x0, y0, x1, y1) of most people who move, in shares of the picture's width and height.
    """

    usual: Usual
    tail: Tail
    box: tuple[float, float, float, float]

    name: ClassVar[str] = "crowd"
    kinds: ClassVar[tuple[str, ...]] = (*KINDS, UNTOLD)
    ranks: ClassVar[bool] = False
    memory_s: ClassVar[float] = _BEFORE_S + LONG_S + _CAUSE_S + 5.0

    @classmethod
    def learner(cls, scale: SceneScale, settings: Settings) -> CrowdLearner:
        return CrowdLearner(scale, settings)

    def arrays(self) -> dict[str, npt.NDArray[Any]]:
        numbers = np.array([self.usual.tubes_per_person, *self.box])
        return {
            "middle": self.usual.middle,
            "spread": self.usual.spread,
            "numbers": numbers,
            "tail": self.tail.array(),
        }

    @classmethod
    def restored(cls, arrays: Mapping[str, npt.NDArray[Any]], settings: Settings) -> Self:
        shapes = {"middle": (len(MEASURES),), "spread": (len(MEASURES),), "numbers": (5,), "tail": (6,)}
        if arrays.keys() != shapes.keys():
            raise ValueError(f"a crowd's arrays are {', '.join(sorted(arrays))}; {', '.join(shapes)} are needed")
        for name, shape in shapes.items():
            if arrays[name].shape != shape or arrays[name].dtype != np.float64:
                raise ValueError(f"{name} is {arrays[name].dtype} {arrays[name].shape}, float64 {shape} is needed")
            if not np.isfinite(arrays[name]).all():
                raise ValueError(f"{name} holds nan or inf")
        tubes_per_person, x0, y0, x1, y1 = arrays["numbers"].tolist()
        usual = Usual(arrays["middle"], arrays["spread"], tubes_per_person)
        possible = {
            "spread": bool((usual.spread >= 0).all()),
            "middle": bool((np.abs(usual.middle) < np.log(_MOST_PEOPLE)).all()) and usual.people > 0,
            "number of tubes per person": 1 <= tubes_per_person < _MOST_PEOPLE,
            "box": 0 <= x0 < x1 <= 1 and 0 <= y0 < y1 <= 1,
        }
        for name, holds in possible.items():
            if not holds:
                raise ValueError(f"a crowd's {name} is what no footage can give")
        return cls(usual, Tail.from_array(arrays["tail"]), (x0, y0, x1, y1))

    def run(self, scale: SceneScale, settings: Settings, lag: int | None) -> CrowdRun:
        return CrowdRun(self, scale, settings, lag)

    def level(self, calibration: Calibration, settings: Settings) -> float:
        return self.least(settings)

    def least(self, settings: Settings) -> float:
        """Raw anomaly at which it raises an event, >= 1."""
        return max(1.0, self.tail.level(_SHARE_OF_ALARMS * settings.calibration.false_alarms_per_hour))

    def told(self, event: Event | OpenEvent, scale: SceneScale) -> Told:
        return told_of(Happening.of_note(event.note), self.usual) if event.note else Told(UNTOLD, "acts unusually")


class CrowdLearner:
    """Counts a crowd in all the footage."""

    def __init__(self, scale: SceneScale, settings: Settings) -> None:
        self._size_hw = scale.size_hw
        self._settings = settings
        self._step_s = scale.gap / scale.fps
        self._counter = CrowdCounter(scale, settings.tubes.steps)
        self._runs: list[list[npt.NDArray[np.float32]]] = []
        self._seen = 0
        self._among: list[tuple[int, float]] = []  # tubes and people of some steps
        self._places: list[npt.NDArray[np.float32]] = []
        self._is_new = True

    def see(self, step: Step) -> None:
        counted = self._counter.count(step)
        if counted is None:
            self._is_new = True
            return
        if self._is_new:
            self._runs.append([])
            self._is_new = False
        sums, places = counted
        self._runs[-1].append(sums.astype(np.float32))
        if self._seen % max(1, round(_PEOPLE_EVERY_S / self._step_s)) == 0 and step.tubes is not None:
            self._among.append((len(step.tubes), people_among(step.tubes)))
            self._places.append(thinned(places))
        self._seen += 1

    def teach(self, tubes: Tubes) -> None:
        """Nothing: a few moments say nothing of it."""

    def learned(self, lesson: Lesson) -> Crowd | None:
        tubes, people = np.array(self._among).reshape(-1, 2).sum(axis=0)
        if self._seen * self._step_s < _LEAST_FOOTAGE_S or not people:
            return None
        tubes_per_person = tubes / people
        runs = [self._measures(np.array(run, np.float64), tubes_per_person) for run in self._runs]
        runs = [run for run in runs if len(run)]
        if not runs:
            return None
        usual = usual_of(np.concatenate(runs), tubes_per_person, self._step_s)
        if usual.people < _FEWEST_PEOPLE or usual.speed < _LEAST_SPEED:
            return None
        tail = tail_of(runs, tubes_per_person, self._step_s, self._settings.calibration, lesson.unlabelled)
        height, width = self._size_hw
        box = np.clip(box_of(np.concatenate(self._places)) / (width, height, width, height), 0, 1)
        return Crowd(usual, tail, tuple(box.tolist()))

    def _measures(self, sums: npt.NDArray[np.float64], tubes_per_person: float) -> npt.NDArray[np.float64]:
        """(N, MEASURES) of every second of one run's sums, (steps, SUMS)."""
        second, change, longer = (max(1, round(length / self._step_s)) for length in (1.0, CHANGE_S, LONG_S))
        total = np.concatenate([np.zeros((1, SUMS)), sums.cumsum(axis=0)])
        seconds = total[second:] - total[:-second]
        earlier, longest = np.full((2, *seconds.shape), np.nan)
        earlier[change:] = seconds[:-change]
        longest[longer - second :] = total[longer:] - total[:-longer]
        return measured(seconds, earlier, longest, tubes_per_person)


class CrowdRun:
    """A crowd at work on one run of steps after the other."""

    def __init__(self, crowd: Crowd, scale: SceneScale, settings: Settings, lag: int | None) -> None:
        voter = voter_of(scale, settings, lag)
        self._crowd, self._scale = crowd, scale
        self._least = crowd.least(settings)
        self._counter = CrowdCounter(scale, settings.tubes.steps)
        self._lag, self._shape, self._cell_px = voter.lag, voter.shape, voter.cell_px
        step_s = scale.gap / scale.fps
        lengths_s = (1.0, CHANGE_S, LONG_S, _BEFORE_S, _CAUSE_S)
        lengths = (max(1, round(length_s / step_s)) for length_s in lengths_s)
        self._second, self._change, self._long, self._before, self._cause = lengths
        self._at_once = round(_AT_ONCE_S / step_s) + settings.tubes.steps // 2
        self._ahead = min(voter.lag, round(_AHEAD_S / step_s))
        self._placed, self._last_placed = (max(1, round(s / step_s)) for s in (_PLACES_S, _LAST_PLACES_S))
        self._nothing = np.zeros(self._shape, np.float32)
        height, width = scale.size_hw
        x0, y0, x1, y1 = np.array(crowd.box) * (width, height, width, height)
        corners = np.array([(x0, y0), (x1, y0), (x1, y1), (x0, y1)], np.float32)
        self._usual_place = place_of([corners], self._shape, self._cell_px)
        self.reset()

    def reset(self) -> None:
        self._waiting: deque[StepMap] = deque()
        self._restart()

    def _restart(self) -> None:
        """Forget what came before."""
        self._counter.reset()
        self._sums = np.zeros((self._long, SUMS))  # the newest last
        self._counted = 0
        self._causes: deque[tuple[int, float, Happening]] = deque()  # (step, raw anomaly, what happened)
        self._places: deque[npt.NDArray[np.float32]] = deque(maxlen=self._last_placed)
        usual = float(self._crowd.usual.middle[4])
        self._people = np.full(self._before + self._long, usual)  # logarithms, the newest last

    def push(self, steps: Sequence[Step]) -> Iterator[StepMap]:
        for step in steps:
            self._waiting.append(self._map(step))
            if len(self._waiting) > self._lag:
                yield self._due()

    def finish(self) -> Iterator[StepMap]:
        while self._waiting:
            yield self._due()
        self._restart()

    def _due(self) -> StepMap:
        due = self._waiting[min(self._ahead, len(self._waiting) - 1)]
        self._waiting.popleft()
        return due

    def _map(self, step: Step) -> StepMap:
        counted = self._counter.count(step)
        if counted is None:
            if self._counted:
                self._restart()
            return StepMap(self._nothing, 1.0, 0)
        sums, places = counted
        self._sums[:-1] = self._sums[1:]
        self._sums[-1] = sums
        self._counted += 1
        self._places.append(thinned(places))
        if self._counted < self._second:
            return StepMap(self._nothing, 1.0, 0)
        raw, happening = self._judged()
        if happening is None:
            return StepMap(self._nothing, 1.0, 0)
        happening = self._caused(happening, raw)
        place = self._place()
        note = np.where(place, np.uint8(happening.note), np.uint8(0))
        return StepMap(place * np.float32(raw), 1.0, 0, note=note)

    def _judged(self) -> tuple[float, Happening | None]:
        """Raw anomaly of the last second and what it is; None where it is too faint to be shown."""
        usual = self._crowd.usual
        second = self._sums[-self._second :].sum(axis=0, keepdims=True)
        earlier, longer = np.full((2, 1, SUMS), np.nan)
        if self._counted >= self._second + self._change:
            earlier = self._sums[-self._second - self._change : -self._change].sum(axis=0, keepdims=True)
        if self._counted >= self._long:
            longer = self._sums.sum(axis=0, keepdims=True)
        measures = measured(second, earlier, longer, usual.tubes_per_person)
        before = self._people[: self._before].mean(keepdims=True)
        self._people[:-1] = self._people[1:]
        self._people[-1] = measures[0, 4]
        away = distances(measures, usual, before)
        raw = min(float(raw_of(away)[0]), _MOST * self._least)
        if raw < _FAINT * self._least:
            return raw, None
        return raw, happening_of(away[0], measures[0], self._is_at_once(), usual)

    def _caused(self, happening: Happening, raw: float) -> Happening:
        """What lately made people leave, if their absence is all that is unusual now."""
        while self._causes and self._causes[0][0] < self._counted - self._cause:
            self._causes.popleft()
        if not happening.is_of_absence:
            if raw >= self._least:
                self._causes.append((self._counted, raw, happening))
            return happening
        causes = [cause for cause in self._causes if happening.comes_of(cause[2])]
        return max(causes, key=lambda cause: cause[1])[2] if causes else happening

    def _is_at_once(self) -> bool:
        """Whether most people stopped, or were gone from the middle of the picture, within about a second."""
        seen = min(self._counted - self._second + 1, len(self._people))
        people = np.exp(self._people[-seen:]) - LEAST_PEOPLE
        usual = self._crowd.usual.people
        there = np.flatnonzero(people >= _STILL_THERE * usual)
        if not len(there):
            return False
        gone = np.flatnonzero(people[there[-1] :] <= _HARDLY_THERE * usual)
        if not len(gone) or int(gone[0]) > self._at_once:
            return False
        missing = 1 - people[there[-1] + gone[0]] / people[there[-1]]
        until = len(self._places) - (len(people) - 1 - int(there[-1]))
        before = list(self._places)[max(0, until - 1 - self._second) : max(0, until)]
        return not before or self._near_border(np.concatenate(before)) < _LEAVING * missing

    def _near_border(self, places: npt.NDArray[np.float32]) -> float:
        """Share of places, (N, 2), within a person's height of the picture's sides."""
        x, y = places.T
        height, width = self._scale.size_hw
        away = np.minimum.reduce([x, width - x, y, height - y])
        return float((away < self._scale.person_px(x, y)).mean()) if len(away) else 0.0

    def _place(self) -> npt.NDArray[np.bool_]:
        """Where the crowd is; where hardly anybody is left, where it was, or is usually."""
        usual = self._crowd.usual
        for steps in (self._placed, self._last_placed):
            if self._sums[-steps:, 0].mean() >= _HARDLY_THERE * usual.people * usual.tubes_per_person:
                return place_of(list(self._places)[-steps:], self._shape, self._cell_px)
        return self._usual_place
