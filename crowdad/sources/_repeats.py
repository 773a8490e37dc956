"""Pictures that a recorder writes more than once, as it is given fewer than it writes."""

from __future__ import annotations

from collections import deque
from collections.abc import Sequence

import cv2
import numpy as np
import numpy.typing as npt

__all__ = ["RepeatFinder", "change_between", "hardly_differ", "is_settled", "new_rate"]

Luma = npt.NDArray[np.uint8]

_SMALL = 240  # pixels, about: the shorter side of the picture that is compared
_NOISE = 4.0  # grey values of a place, its neighbours included: what a codec adds to a picture told once more
_STILL = 2e-4  # mean change: nothing moves, and a new picture looks like a repeat
_AROUND_S = 0.25
_REPEAT, _UNCLEAR = 0.02, 0.2  # of the largest change around: a repeat is under the first, little lies between the two
_MOST_UNCLEAR = 0.35
_LEAST_REPEATS = 0.03  # of the frames in which something moves
_LEAST_FRAMES, _LEAST_SEEN = 20, 3  # in which something moves, and repeats among them
_LEAST_SPACES = 10
_OFTEN, _EVEN = 0.15, 0.7  # of the spaces between new pictures: such as belong to the rhythm, and as many as must
_ALL_NEW = 0.97
_REPEAT_AT_MOST = 0.05  # of the largest change lately, once it is known that there are repeats

_THIN, _SAME = 4, 4  # pixels looked at, and grey values

_MEASURED_S, _ANOTHER = 3.0, 1.12  # of a stream, again and again; another rate is told that was found twice


def change_between(luma: Luma, earlier: Luma) -> float:
    """How much two pictures of one size differ beyond a codec's noise: mean, in grey values."""
    step = max(1, min(luma.shape) // _SMALL)
    difference = luma[::step, ::step].astype(np.float32) - earlier[::step, ::step]
    return float(np.maximum(np.abs(cv2.blur(difference, (3, 3))) - _NOISE, 0).mean())


def hardly_differ(luma: Luma, earlier: Luma) -> bool:
    """Whether two pictures nowhere differ, also not by noise: one of them tells nothing that the other does not."""
    if luma.shape != earlier.shape:
        return False
    return int(cv2.absdiff(luma[::_THIN, ::_THIN], earlier[::_THIN, ::_THIN]).max()) < _SAME


def is_settled(changes: Sequence[Sequence[float]], fps: float) -> bool:
    """Whether enough moved, and nothing was repeated: no more need to be looked at."""
    share, _ = _shares(changes, fps)
    return len(share) >= 2 * _LEAST_FRAMES and not (share < _REPEAT).any()


def new_rate(changes: Sequence[Sequence[float]], fps: float) -> float | None:
    """How many new pictures come a second; None where too little moves to tell.

    changes: of each picture from the one before, in stretches of footage.  fps: pictures a second, repeats included.

    A repeat hardly differs from the picture before while those around it do.  Slow or paused movement makes small
    changes, too, but of every size; a recorder's repeats leave little between, and come in an even rhythm.
    """
    share, space = _shares(changes, fps)
    if len(share) < _LEAST_FRAMES or len(space) < _LEAST_SPACES:
        return None
    repeats, unclear = int((share < _REPEAT).sum()), int(((share >= _REPEAT) & (share < _UNCLEAR)).sum())
    if repeats < max(_LEAST_SEEN, _LEAST_REPEATS * len(share)) or unclear > _MOST_UNCLEAR * repeats:
        return fps
    usual = float(np.median(space))
    often = [count for count in np.unique(space) if (space == count).mean() > _OFTEN]
    even = ((space >= usual / 1.5) & (space <= max(1.5 * usual, usual + 1))) | np.isin(space, often)
    if even.mean() < _EVEN:
        return None
    rate = fps / float(space[even].mean())
    return fps if rate > _ALL_NEW * fps else rate


def _shares(changes: Sequence[Sequence[float]], fps: float) -> tuple[npt.NDArray[np.float64], npt.NDArray[np.int64]]:
    """Of the pictures around which something moves: their change as a share of the largest around, float64 (N,); and
    the spaces between those that are new, in pictures, int64 (M,)."""
    around = max(2, round(_AROUND_S * fps))
    shares, spaces = [np.zeros(0)], [np.zeros(0, np.int64)]
    for stretch in changes:
        row = np.asarray(stretch, float)
        largest = np.array([row[max(0, i - around) : i + around + 1].max() for i in range(len(row))])
        moving = largest > _STILL
        share = row / np.maximum(largest, _STILL)
        shares.append(share[moving])
        spaces.append(np.diff(np.flatnonzero(moving & (share >= _REPEAT))))
    return np.concatenate(shares), np.concatenate(spaces)


class RepeatFinder:
    """Tells the repeats among pictures as they come.

    fps: pictures a second.  new_fps: of these new ones.  measures: it is measured again and again.

    What is still for two spaces between new pictures counts as new.
    """

    def __init__(self, fps: float, new_fps: float, *, measures: bool = False) -> None:
        self.new_fps = new_fps
        self._fps = fps
        length = max(2 * _LEAST_FRAMES, round(_MEASURED_S * fps))
        self._seen: deque[float] | None = deque(maxlen=length) if measures else None
        self._due = length
        self._judged: float | None = None
        self._last: Luma | None = None
        self._since = 0
        self._expect()

    def _expect(self) -> None:
        space = self._fps / self.new_fps
        self._longest = max(2, round(2 * space))
        self._lately: deque[float] = deque(maxlen=max(4, round(2 * space), round(2 * _AROUND_S * self._fps)))

    def repeats(self, luma: Luma) -> bool:
        """Whether the next picture is the one before once more; `new_fps` may be another from it on."""
        last, self._last = self._last, luma
        if last is None or last.shape != luma.shape:
            self._since = 0
            self._lately.clear()
            return False
        change = change_between(luma, last)
        if self._seen is not None and self._measured(self._seen, change):
            self._expect()
        self._lately.append(change)
        self._since += 1
        is_new = change > max(_REPEAT_AT_MOST * max(self._lately), _STILL) or self._since >= self._longest
        if is_new or self.new_fps >= self._fps:
            self._since = 0
            return False
        return True

    def _measured(self, seen: deque[float], change: float) -> bool:
        """Take note of a change; whether another rate than `new_fps` was found twice in a row."""
        seen.append(change)
        self._due -= 1
        if self._due > 0:
            return False
        self._due = len(seen) // 2
        found, before = new_rate([list(seen)], self._fps), self._judged
        self._judged = found
        if found is None or before is None or not _alike(found, before) or _alike(found, self.new_fps):
            return False
        self.new_fps = found
        return True


def _alike(one: float, other: float) -> bool:
    return 1 / _ANOTHER < one / other < _ANOTHER
