"""Somebody or something that stays where others pass: a stopper, a thing left behind, a thing taken away."""

from __future__ import annotations

import math
from collections import deque
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, ClassVar, Self

import cv2
import numpy as np
import numpy.typing as npt

from crowdad.config import Settings
from crowdad.records import Event, OpenEvent, Tubes
from crowdad.scene.calibration import Calibration
from crowdad.scene.heatmap import StepMap, voter_of
from crowdad.scene.streams._base import Lesson, MapStream, Step, Told
from crowdad.scene.streams.stays_looks import LOOK_S, MOST_PX, Ground, Looker, Sight, Windows, work_size
from crowdad.scene.streams.stays_spans import LEFT, MEMORY_S, MOST_S, STAYS, TAKEN, Stayed
from crowdad.tubes.scale import SceneScale

__all__ = ["Stays", "StaysLearner", "StaysRun"]

Array = npt.NDArray[np.float32]
Luma = npt.NDArray[np.uint8]
Mask = npt.NDArray[np.bool_]

_STAYS_WALKS, _STAYS_S = 6.6, (8.0, 20.0)  # person heights walked in the time from which on somebody stays; seconds
_LONGER_THAN_SEEN = 1.5  # times what people were seen to stay at a place
_SILENT = 0.5  # of that time, up to which a stay is nothing
_PLACE = 0.5  # person heights around a place where people stayed, in which others may
_MOST_RAW, _INNER = 10.0, 0.01
_SHARE_OF_ALARMS = 0.1  # of the false alarms wanted of all streams together

_PICTURES = 64
_LEAST_LOOKS, _LEAST_PASSAGES, _PASSAGE = 60, 30, 4.0  # person heights walked in a passage
_TUBES_PER_PERSON = 11.0
_MOST_WAITING, _AT_ONCE, _BLOCK_LOOKS, _MOST_PEAKS = 240, 60, 30, 4096
_LEAST_EXCESS = 0.1


@dataclass(eq=False)
class Stays(MapStream):
    """What does not move on, though it is no part of the place.

    background: uint8 (h, w), the place without people.  noise: float32 (h // 2, w // 2), what
    the structure of a cell usually deviates by, in grey values.
    stood: float32 (h // 2, w // 2), seconds that people were seen to stay around a cell.
    tail: float32 (2,), stays an hour that passed half of what was known by then, and their mean excess.
    """

    background: Luma
    noise: Array
    stood: Array
    tail: Array

    name: ClassVar[str] = "stays"
    kinds: ClassVar[tuple[str, ...]] = ("stays", "left behind", "taken away")
    looks: ClassVar[bool] = True
    ranks: ClassVar[bool] = False
    of_place: ClassVar[bool] = True
    memory_s: ClassVar[float] = MEMORY_S

    @classmethod
    def learner(cls, scale: SceneScale, settings: Settings) -> StaysLearner:
        return StaysLearner(scale)

    def arrays(self) -> dict[str, npt.NDArray[Any]]:
        return {name: getattr(self, name) for name in ("background", "noise", "stood", "tail")}

    @classmethod
    def restored(cls, arrays: Mapping[str, npt.NDArray[Any]], settings: Settings) -> Self:
        stays = cls(**arrays)
        _check(stays)
        return stays

    def run(self, scale: SceneScale, settings: Settings, lag: int | None) -> StaysRun:
        return StaysRun(self, scale, settings, lag)

    def level(self, calibration: Calibration, settings: Settings) -> float:
        rate, excess = self.tail.tolist()
        wanted = _SHARE_OF_ALARMS * settings.calibration.false_alarms_per_hour
        above = excess * math.log(max(rate / wanted, 1.0))
        return min(max(above / (1 - _SILENT), 1.0), _MOST_RAW)

    def told(self, event: Event | OpenEvent, scale: SceneScale) -> Told:
        x0, y0, x1, y1 = event.box_xyxy
        rows, columns = self.stood.shape
        row = min(int((y0 + y1) / 2 / scale.size_hw[0] * rows), rows - 1)
        column = min(int((x0 + x1) / 2 / scale.size_hw[1] * columns), columns - 1)
        until_s = event.end_s if isinstance(event, Event) else event.peak_s
        stayed_s = float(self.known(scale)[row, column]) + until_s - event.start_s
        kind = max(event.note - 1, STAYS)
        sentences = {
            STAYS: f"has stood here for at least {stayed_s:.0f} s; others pass in {max(1.0, _walk_s(scale)):.0f} s",
            LEFT: f"was left here at least {stayed_s:.0f} s ago and has not moved since",
            TAKEN: f"was taken away from here at least {stayed_s:.0f} s ago",
        }
        return Told(self.kinds[kind], sentences[kind])

    def known(self, scale: SceneScale) -> Array:
        """Seconds from which on a stay at a cell is none that is known: float32, as `stood`."""
        return _known(self.stood, scale)

    def without_pictures(self) -> None:
        """None: without the place's picture, whatever stands there cannot be told from it."""


def _known(stood: Array, scale: SceneScale) -> Array:
    least_s = float(np.clip(_STAYS_WALKS * _walk_s(scale), *_STAYS_S))
    return np.asarray(np.maximum(_LONGER_THAN_SEEN * stood, least_s), np.float32)


def _walk_s(scale: SceneScale) -> float:
    """Seconds in which somebody walks one person height."""
    return 1 / (scale.walk * scale.fps)


def _check(stays: Stays) -> None:
    """Raise ValueError where the arrays fit not each other, or hold what no fit gives."""
    shape = stays.stood.shape
    if len(shape) != 2 or not 8 <= min(shape) <= max(shape) <= MOST_PX:
        raise ValueError(f"stood is {shape}, (rows, columns) from 8x8 on is needed")
    needed: dict[str, tuple[tuple[int, ...], Any]] = {
        "noise": (shape, np.float32),
        "stood": (shape, np.float32),
        "tail": ((2,), np.float32),
        "background": ((2 * shape[0], 2 * shape[1]), np.uint8),
    }
    for name, (size, dtype) in needed.items():
        array = getattr(stays, name)
        if array.shape != size or array.dtype != dtype:
            raise ValueError(f"{name} is {array.dtype} {array.shape}, {np.dtype(dtype)} {size} is needed")
        if not (np.isfinite(array).all() and array.min() >= 0):
            raise ValueError(f"{name} holds nan, inf or what is below 0")
    if math.prod(shape) > MOST_PX:
        raise ValueError(f"stood is {shape}, at most {MOST_PX} cells are needed")
    if stays.stood.max() > MOST_S or stays.noise.max() > 255:
        raise ValueError("stood or noise holds more than a fit can find")


@dataclass(frozen=True, eq=False)
class _View:
    """What one look sees.  number: by the clock.  small: uint8 (h, w).  passing: bool, where people do."""

    number: int
    small: Luma
    passing: Mask


class _Watch:
    """Steps -> what is looked at, once in `LOOK_S` by the clock, whenever the footage began."""

    def __init__(self, scale: SceneScale, work_hw: tuple[int, int]) -> None:
        self._size_hw, self._work_hw = scale.size_hw, work_hw
        self.windows = Windows.of(scale, work_hw)
        self._sight = Sight(scale, self.windows)
        self.reset()

    def reset(self) -> None:
        """Begin a run of frames that follow each other."""
        self._last: int | None = None
        self._sight.reset()

    def see(self, step: Step) -> _View | None:
        """Look at the next step; None where no look is due."""
        self._sight.add(step.tubes)
        number = math.floor(step.time_s / LOOK_S)
        if number == self._last or step.luma is None or step.luma.shape != self._size_hw:
            return None
        self._last = number
        small = cv2.resize(step.luma, self._work_hw[::-1], interpolation=cv2.INTER_AREA)
        return _View(number, np.asarray(small, np.uint8), self._sight.taken())


class StaysLearner:
    """Keeps some pictures for the background, and notes where people stay while nobody calls it unusual.

    scale: of the footage.  Looks wait for some minutes before they count, so that the background is known by then.
    """

    def __init__(self, scale: SceneScale) -> None:
        self._scale = scale
        self._watch = _Watch(scale, work_size(scale))
        windows = self._watch.windows
        self._looker, self._stayed = Looker(windows), Stayed(windows)
        self._pictures: list[Luma] = []
        self._every = 1
        self._waiting: deque[tuple[bool, _View]] = deque()
        self._last: Step | None = None
        self._fresh = True
        self._looks = self._counted = 0
        self._walked = 0.0  # person heights, by everybody
        self._stood = np.zeros(windows.shape, np.float32)
        self._lately = np.zeros(windows.shape, np.float32)
        self._peaks: deque[float] = deque(maxlen=_MOST_PEAKS)

    def see(self, step: Step) -> None:
        """Look at the next step."""
        last, self._last = self._last, replace(step, luma=None)
        if last is not None and not self._follows(last, step):
            self._watch.reset()
            self._fresh = True
        if step.tubes is not None and len(step.tubes):
            way = np.hypot(*(step.tubes.path_xy[:, 0] - step.tubes.path_xy[:, -1]).T) / step.tubes.person_px
            self._walked += float(way.sum()) / max(step.tubes.path_xy.shape[1] - 1, 1) / _TUBES_PER_PERSON
        view = self._watch.see(step)
        if view is None:
            return
        if self._looks % self._every == 0:
            if len(self._pictures) == _PICTURES:
                self._pictures = self._pictures[::2]
                self._every *= 2
            self._pictures.append(view.small)
        self._looks += 1
        self._waiting.append((self._fresh, view))
        self._fresh = False
        if len(self._waiting) >= _MOST_WAITING:
            self._count(_AT_ONCE)

    def teach(self, tubes: Tubes) -> None:
        """Nothing: a few moments say nothing of it."""

    def learned(self, lesson: Lesson) -> Stays | None:
        """What was learned; None of less than a minute, or of fewer than thirty passages."""
        if self._looks < _LEAST_LOOKS or self._walked < _LEAST_PASSAGES * _PASSAGE:
            return None
        ground = self._count(len(self._waiting))
        peaks = np.array(self._peaks)
        passed = peaks[peaks > _SILENT] - _SILENT
        hours = len(peaks) * _BLOCK_LOOKS * LOOK_S / 3600
        excess = float(passed.sum() + _LEAST_EXCESS) / (len(passed) + 1)
        tail = np.array([len(passed) / max(hours, 1e-3), excess], np.float32)
        return Stays(ground.picture, ground.noise, self._stood, tail)

    @staticmethod
    def _follows(last: Step, step: Step) -> bool:
        """Whether nothing lies between the two: after a break there are no tubes at first."""
        broken = step.tubes is None and last.tubes is not None
        return 0 < step.time_s - last.time_s < 2 * LOOK_S and not broken

    def _count(self, looks: int) -> Ground:
        """Count the stays in the oldest looks that wait, by the background that is known now."""
        ground = Ground.learned(np.stack(self._pictures), self._watch.windows)
        for _ in range(looks):
            fresh, view = self._waiting.popleft()
            if fresh:
                self._looker.reset()
                self._stayed.reset()
            stayed_s, _ = self._stayed.add(self._looker.look(view.number, view.small, view.passing, ground))
            if self._counted % _BLOCK_LOOKS == 0:
                self._learn_places()
                self._peaks.append(0.0)
            self._counted += 1
            self._peaks[-1] = max(self._peaks[-1], float((stayed_s / _known(self._stood, self._scale)).max()))
            np.maximum(self._lately, stayed_s, out=self._lately)
        self._learn_places()
        return ground

    def _learn_places(self) -> None:
        """From now on the stays of the last looks are known, and may happen around there."""
        side = 1 + 2 * round(_PLACE * self._watch.windows.person)
        around = np.asarray(cv2.dilate(self._lately, np.ones((side, side), np.uint8)), np.float32)
        np.maximum(self._stood, around, out=self._stood)
        self._lately[:] = 0


class StaysRun:
    """Looks at one run of frames after the other, and tells how long something has stayed at each place."""

    def __init__(self, stays: Stays, scale: SceneScale, settings: Settings, lag: int | None) -> None:
        voter = voter_of(scale, settings, lag)
        self._lag = voter.lag
        rows, columns = stays.stood.shape
        self._watch = _Watch(scale, (2 * rows, 2 * columns))
        windows = self._watch.windows
        self._ground = Ground(stays.background, stays.noise, windows)
        self._known = stays.known(scale)
        self._looker, self._stayed = Looker(windows), Stayed(windows)
        self._at = np.ix_(
            *(
                np.minimum(((np.arange(cells) + 0.5) * voter.cell_px / side * own).astype(np.int64), own - 1)
                for cells, side, own in zip(voter.shape, scale.size_hw, (rows, columns), strict=True)
            )
        )
        self._side = max(3, round(windows.person))
        self._quiet = StepMap(np.zeros(voter.shape, np.float32), 1.0, 0)
        self.reset()

    def reset(self) -> None:
        """Begin a run of frames that follow each other."""
        self._watch.reset()
        self._looker.reset()
        self._stayed.reset()
        self._map = self._quiet
        self._waiting: deque[StepMap] = deque()

    def push(self, steps: Sequence[Step]) -> Iterator[StepMap]:
        """Look at the next steps; gives the map of every step that is due."""
        for step in steps:
            view = self._watch.see(step)
            if view is not None:
                look = self._looker.look(view.number, view.small, view.passing, self._ground)
                self._map = self._mapped(*self._stayed.add(look))
            self._waiting.append(self._map)
            if len(self._waiting) > self._lag:
                yield self._waiting.popleft()

    def finish(self) -> Iterator[StepMap]:
        """The maps of the steps that are left."""
        yield from self._waiting
        self.reset()

    def _mapped(self, stayed_s: Array, kind: npt.NDArray[np.uint8]) -> StepMap:
        """By the cells of the heatmap, raw anomaly: 0 up to half of what is known, 1 there; and the kind, from 1 on."""
        raw = np.clip((stayed_s / self._known - _SILENT) / (1 - _SILENT), 0, _MOST_RAW).astype(np.float32)
        if not raw.any():
            return self._quiet
        inner = np.asarray(cv2.blur(raw, (self._side, self._side)), np.float32)
        raw += _INNER * inner * (raw > 0)  # the hottest cell is in the middle
        note = (1 + kind) * (raw > 0)
        return StepMap(raw[self._at], 1.0, 0, note=note[self._at].astype(np.uint8))
