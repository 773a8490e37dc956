"""How many pictures come a second, measured on their times."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable
from fractions import Fraction
from typing import Any

import numpy as np
import numpy.typing as npt

__all__ = ["MAX_FPS", "RateMeter", "changes_of", "confirmed", "measured_fps"]

_PAUSE = 3.0  # medians: what is longer is a pause, or pictures are missing
_LIKE_STATED = 0.01  # relative; timestamps are rounded, what a container states is not
MAX_FPS = 1000.0

_BLOCK_S, _BLOCK_STEPS, _BLOCKS = 1.0, 8, 3  # a rate that so many blocks, so long, have in common is told
_ALIKE, _ANOTHER = 1.15, 1.3


def measured_fps(steps_s: npt.NDArray[Any], unit_s: Fraction = Fraction(1)) -> float | None:
    """Frames a second, from the steps between pictures in the order of display; None where there are none.

    unit_s: seconds of a step of 1.
    The mean of all steps but pauses: rounded timestamps and every other length of step give the right rate by it.
    """
    steps = np.asarray(steps_s)
    steps = steps[steps > 0]
    if not len(steps):
        return None
    usual = steps[steps <= _PAUSE * np.median(steps)]
    # Of whole steps exact to the last digit.
    return min(float(len(usual) / (Fraction(usual.sum().item()) * unit_s)), MAX_FPS)


def confirmed(measured: float, stated: Iterable[float]) -> float:
    """The stated rate that the measured one confirms, or the measured one."""
    nearest = min(stated, key=lambda fps: abs(fps / measured - 1), default=measured)
    return nearest if abs(nearest / measured - 1) < _LIKE_STATED else measured


class RateMeter:
    """Notices where the rate of pictures becomes another one and stays so.

    fps: the rate, None before anything is known of it.
    """

    def __init__(self, fps: float | None = None) -> None:
        self.fps = fps
        self._block: list[float] = []
        self._rates: deque[float] = deque(maxlen=_BLOCKS)

    def push(self, step_s: float) -> bool:
        """Take the step from the last picture to the next; whether `fps` is another from now on."""
        self._block.append(step_s)
        if len(self._block) < _BLOCK_STEPS or sum(self._block) < _BLOCK_S:
            return False
        rate = measured_fps(np.array(self._block))
        self._block = []
        if rate is None:
            return False
        self._rates.append(rate)
        if len(self._rates) < _BLOCKS or max(self._rates) > _ALIKE * min(self._rates):
            return False
        now = float(np.median(self._rates))
        another = self.fps is None or max(now / self.fps, self.fps / now) > _ANOTHER
        self.fps = now if another else self.fps
        return another

    def forget(self) -> None:
        """A break: steps before and after it have nothing in common."""
        self._block = []
        self._rates.clear()


def changes_of(time_s: npt.NDArray[np.float64], fps: float, longest_s: float) -> tuple[float, list[tuple[int, float]]]:
    """The rate that footage begins with, and (number of a picture, rate from there on) where it changes.

    time_s: of all pictures, in order.  fps: of the footage as a whole.  longest_s: a longer step is a break.
    """
    steps = np.diff(time_s)
    if not _varies(steps, fps):
        return fps, []
    meter = RateMeter()
    first, changes = fps, []
    for number, step_s in enumerate(steps.tolist(), start=1):
        if step_s > longest_s:
            meter.forget()
            continue
        before = meter.fps
        if meter.push(step_s):
            now = meter.fps or fps
            if before is None:
                first = now
            else:
                changes.append((_beginning(steps, number - 1, before, now), now))
    return first, changes


def _varies(steps: npt.NDArray[np.float64], fps: float) -> bool:
    """Whether any few steps in a row make another rate than all of them: a cheap look at footage that has but one."""
    whole = len(steps) // _BLOCK_STEPS * _BLOCK_STEPS
    means = steps[:whole].reshape(-1, _BLOCK_STEPS).mean(axis=1) * fps
    return bool(len(means)) and bool((means.max() > _ALIKE) or (means.min() < 1 / _ALIKE))


def _beginning(steps: npt.NDArray[np.float64], last: int, before: float, now: float) -> int:
    """Number of the first picture of the new rate, of which the step `last` is known to be: back over its likes."""
    middle_s = (before * now) ** -0.5
    likes = (steps[: last + 1] > middle_s) == (now < before)
    return last + 1 - _run(likes[::-1].tolist())


def _run(values: Iterable[bool]) -> int:
    """How many of the first are True, single exceptions among them counted."""
    length = misses = 0
    for count, value in enumerate(values, start=1):
        misses = 0 if value else misses + 1
        if misses > 1:
            break
        if value:
            length = count
    return length
