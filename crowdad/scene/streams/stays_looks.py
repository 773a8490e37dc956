"""Looks at what stands still: once a second, is the structure of each place the background's, and was it a second ago?

Structure is what is left of a small window once its own mean and gain are taken out, so that light alone is none.
"""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass

import cv2
import numpy as np
import numpy.typing as npt

from crowdad.records import Tubes
from crowdad.tubes.flow import in_the_same_light
from crowdad.tubes.scale import SceneScale

__all__ = ["LOOKS_BACK", "LOOK_S", "MOST_PX", "Ground", "Look", "Looker", "Sight", "Structure", "Windows", "work_size"]

Array = npt.NDArray[np.float32]
Luma = npt.NDArray[np.uint8]
Mask = npt.NDArray[np.bool_]

LOOK_S = 1.0
_PERSON_PX, _MOST_ZOOM, MOST_PX, _LEAST_SIDE_PX = 16.0, 0.5, 48_000, 16
_WINDOW = (0.6, 0.4)  # height and width, in person heights
_AROUND = (0.8, 0.5)  # of a tube: what it explains
_GAIN, _OWN_GAIN = (0.35, 2.5), (0.7, 1.3)  # of a window's mean; of its structure beside that
_NOISES, _LEAST_STRUCTURE, _MOST_NOISIER = 4.0, 6.0, 3.0  # grey values
_UNCROWDED = 2.0  # times the lower quartile of what a place deviates by: more is people
_ANOTHER, _STIRS = 0.7, 0.5  # change within a look: of what stands out, where it is something else; of the limit
_VANISHED = 0.9  # of the background's structure, where less is left
_PASSES = 0.15  # person heights along a tube: what moves less stays
_SHAKE_SIGMA_PX, _SHAKE_ROUNDS, _LEAST_SHIFT_PX, _MOST_SHIFT_PX, _MOST_STEP = 1.5, 3, 0.02, 4.0, 15.0
_BETTER = 0.95  # of the difference that is left after a shift, at most

_STILL_EVERY, _STILL_AGES = 5, (25, 55)  # looks between pictures for the recent background, and how old they are
_FEWEST_STILLS = 4
_CREEP_PX = 0.6  # that a shadow's edge may have crept on by since then
_CREEPS = _CREEP_PX * np.array([(0, 0), (-1, 0), (1, 0), (0, -1), (0, 1)])
LOOKS_BACK = _STILL_AGES[1] + 2 * _STILL_EVERY
"""Looks before a look that it may depend on."""

_MOST_OF_PICTURE = 0.15  # of all cells: more is a change of light or view
_SHADE, _SHADE_AROUND, _MOST_SHADE = 0.12, 4.0, 0.15  # change of light, in logarithms; person heights; share of that
_CLEAR, _HIDDEN = -3, -1  # looks that a stay loses where nothing stands out; where somebody passes, too


def work_size(scale: SceneScale) -> tuple[int, int]:
    """Height and width of the pictures that are looked at, both even: bounded, and a person is some 16 pixels tall."""
    height, width = scale.size_hw
    zoom = min(_MOST_ZOOM, _PERSON_PX / _person_px(scale), (MOST_PX / (height * width)) ** 0.5)
    rows, columns = (2 * max(_LEAST_SIDE_PX // 2, round(side * zoom / 2)) for side in (height, width))
    return rows, columns


def _person_px(scale: SceneScale) -> float:
    """The middle of people's heights where they were seen, in pixels of the displayed picture."""
    return float(np.sqrt(np.prod(scale.person_px(scale.size_hw[1] / 2, np.array(scale.rows)))))


@dataclass(frozen=True)
class Windows:
    """Sizes in cells; a cell is 2 x 2 pixels of the small picture.

    shape: (rows, columns) of cells.  person: height of one.  window, around: (width, height), see `_WINDOW`, `_AROUND`.
    """

    shape: tuple[int, int]
    person: float
    window: tuple[int, int]
    around: tuple[int, int]

    @classmethod
    def of(cls, scale: SceneScale, work_hw: tuple[int, int]) -> Windows:
        person = _person_px(scale) * work_hw[0] / scale.size_hw[0] / 2
        sizes = [(max(2, round(wide * person)), max(3, round(tall * person))) for tall, wide in (_WINDOW, _AROUND)]
        return cls((work_hw[0] // 2, work_hw[1] // 2), person, sizes[0], sizes[1])

    def mean(self, picture: Array) -> Array:
        """Mean over the window around each cell of a small picture (h, w): float32 `shape`."""
        cells = cv2.resize(picture, self.shape[::-1], interpolation=cv2.INTER_AREA)
        return np.asarray(cv2.blur(cells, self.window, borderType=cv2.BORDER_REFLECT), np.float32)


class Structure:
    """A small picture, float32 (h, w), with the mean and the variance of the window around each cell."""

    def __init__(self, picture: Array, windows: Windows) -> None:
        self.picture = picture
        self._windows = windows
        self.mean = windows.mean(picture)
        self.variance = np.maximum(windows.mean(picture * picture) - self.mean**2, 0)

    def beyond(self, other: Structure) -> Array:
        """Deviation of what of each window is not the other's in another light, grey values: float32 `shape`."""
        together = self._windows.mean(self.picture * other.picture) - self.mean * other.mean
        light = np.clip((self.mean + 4) / (other.mean + 4), *_GAIN)
        gain = np.clip(together / np.maximum(other.variance, 1e-3), _OWN_GAIN[0] * light, _OWN_GAIN[1] * light)
        left = self.variance - 2 * gain * together + gain * gain * other.variance
        return np.asarray(np.sqrt(np.maximum(left, 0)), np.float32)

    def lighter(self, other: Structure) -> Array:
        """Logarithm of each window's light relative to the other's: float32 `shape`."""
        return np.asarray(np.log((self.mean + 4) / (other.mean + 4)), np.float32)

    def less_than(self, other: Structure) -> Mask:
        """Where most of the other's structure is missing: bool `shape`."""
        light = np.clip((self.mean + 4) / (other.mean + 4), *_GAIN)
        return np.asarray(self.variance < (_VANISHED * light) ** 2 * other.variance)


def _moved(picture: Array, shift: npt.NDArray[np.float64]) -> Array:
    """The picture with what is at (x, y) - shift at (x, y)."""
    move = np.array([[1, 0, shift[0]], [0, 1, shift[1]]])
    return np.asarray(cv2.warpAffine(picture, move, picture.shape[::-1], borderMode=cv2.BORDER_REPLICATE), np.float32)


class Ground:
    """The place without people.

    picture: uint8 (h, w).  noise: float32 `windows.shape`, what its structure usually deviates by, in grey values.
    """

    def __init__(self, picture: Luma, noise: Array, windows: Windows) -> None:
        self.picture = picture
        self.noise = noise
        self.structure = Structure(picture.astype(np.float32), windows)
        self.limit = np.maximum(_NOISES * noise, _LEAST_STRUCTURE)
        self._usual = max(float(np.median(noise)), 0.5)
        self._smooth = cv2.GaussianBlur(self.structure.picture, (0, 0), _SHAKE_SIGMA_PX)
        down, right = np.gradient(self._smooth)
        self._slopes = np.stack([right.ravel(), down.ravel()]).astype(np.float32)
        self._normal = np.linalg.pinv((self._slopes @ self._slopes.T).astype(np.float64), rcond=1e-3)

    @classmethod
    def learned(cls, pictures: npt.NDArray[np.uint8], windows: Windows) -> Ground:
        """The median of pictures, uint8 (N, h, w), and how they usually deviate from it."""
        median = np.median(pictures, axis=0).astype(np.uint8)
        ground = cls(median, np.zeros(windows.shape, np.float32), windows)
        beyond = np.stack([Structure(ground.laid(one), windows).beyond(ground.structure) for one in pictures])
        low, middle = np.quantile(beyond, (0.25, 0.5), axis=0)
        return cls(median, np.minimum(middle, _UNCROWDED * low).astype(np.float32), windows)

    def laid(self, small: Luma) -> Array:
        """A small picture laid onto the ground's, whose camera may shake or sag: float32 (h, w)."""
        picture = np.asarray(small, np.float32)
        even = in_the_same_light(small, self.picture).astype(np.float32)
        smooth = np.asarray(cv2.GaussianBlur(even, (0, 0), _SHAKE_SIGMA_PX), np.float32)
        shift = np.zeros(2)
        first = step = self._step(smooth)
        for _ in range(_SHAKE_ROUNDS):
            shift = shift + self._normal @ (self._slopes @ step.ravel())
            if not _LEAST_SHIFT_PX < np.abs(shift).max() < _MOST_SHIFT_PX:
                return picture
            step = self._step(_moved(smooth, shift))
        return _moved(picture, shift) if np.abs(step).sum() < _BETTER * np.abs(first).sum() else picture

    def _step(self, smooth: Array) -> Array:
        return np.asarray(np.clip(smooth - self._smooth, -_MOST_STEP, _MOST_STEP), np.float32)

    def limits(self, beyond: Array) -> Array:
        """What deviates by more stands out: float32 `shape`; where the whole picture is noisier than it was, more."""
        noisier = float(np.clip(np.median(beyond) / self._usual, 1.0, _MOST_NOISIER))
        return np.asarray(self.limit * noisier, np.float32)


@dataclass(frozen=True, eq=False)
class Look:
    """What a look adds to each cell's stay.

    added: int8 `shape`, looks: 1 where the same stands out, 0 where it is hidden, less where nothing stands out.
    calm, stirs, less: bool, nothing else moves there; it moves a little itself; the background's structure is missing.
    strength: float32, by how much something stands out: it does from 1 on.
    flood: bool, of it what is too much at once for people and things.
    light: of the whole picture, in logarithms.
    """

    added: npt.NDArray[np.int8]
    calm: Mask
    stirs: Mask
    less: Mask
    strength: Array
    flood: Mask
    light: float


class Looker:
    """Looks at one run of frames against a ground and against what the place looked like a minute ago."""

    def __init__(self, windows: Windows) -> None:
        self._windows = windows
        self.reset()

    def reset(self) -> None:
        """Begin a run of frames that follow each other."""
        self._before: Structure | None = None
        self._calm = np.zeros(self._windows.shape, bool)
        self._stills: deque[tuple[int, Luma]] = deque()
        self._recent: list[Structure] = []

    def look(self, number: int, small: Luma, passing: Mask, ground: Ground) -> Look:
        """One look, numbered by the clock.  small: uint8 (h, w).  passing: bool `windows.shape`, where people do."""
        now = Structure(ground.laid(small), self._windows)
        beyond = now.beyond(ground.structure)
        limit = ground.limits(beyond)
        lighter = now.lighter(ground.structure)
        light = float(np.median(lighter))
        darker = np.abs(lighter - light)
        if self._recent:
            beyond = np.minimum.reduce([beyond, *map(now.beyond, self._recent)])
            lighter = now.lighter(self._recent[0])
            darker = np.minimum(darker, np.abs(lighter - np.median(lighter)))
        out = beyond > limit
        change = np.zeros_like(beyond) if self._before is None else now.beyond(self._before)
        same = out & ~passing & (change < np.maximum(_ANOTHER * beyond, limit))
        self._keep(number, now)
        added = np.where(out, same, np.where(passing, _HIDDEN, _CLEAR)).astype(np.int8)
        busy = cv2.dilate((passing | (out & ~same)).astype(np.uint8), np.ones(self._windows.around[::-1], np.uint8)) > 0
        calm = same & self._calm & ~busy
        self._calm = same & ~busy
        return Look(
            added,
            calm,
            calm & (change > _STIRS * limit),
            now.less_than(ground.structure),
            beyond / limit,
            self._flood(same, (darker > _SHADE) & ~out),
            light,
        )

    def _keep(self, number: int, now: Structure) -> None:
        self._before = now
        if self._stills and number // _STILL_EVERY == self._stills[-1][0] // _STILL_EVERY:
            return
        self._stills.append((number, np.rint(now.picture).clip(0, 255).astype(np.uint8)))
        while self._stills[0][0] < number - _STILL_AGES[1]:
            self._stills.popleft()
        old = [still for at, still in self._stills if at <= number - _STILL_AGES[0]]
        self._recent = []
        if len(old) >= _FEWEST_STILLS:
            middle = np.partition(np.stack(old), len(old) // 2, axis=0)[len(old) // 2]
            shifted = (_moved(middle.astype(np.float32), shift) for shift in _CREEPS)
            self._recent = [Structure(picture, self._windows) for picture in shifted]

    def _flood(self, same: Mask, shade: Mask) -> Mask:
        """Of what stands out and stays, what is light or another view: too much at once, or where ground that looks the
        same as ever is much darker or brighter."""
        if not same.any() or same.mean() > _MOST_OF_PICTURE:
            return same
        side = max(3, round(_SHADE_AROUND * self._windows.person))
        shaded = cv2.blur(shade.astype(np.float32), (side, side), borderType=cv2.BORDER_REFLECT)
        return np.asarray(same & (shaded > _MOST_SHADE))


class Sight:
    """Where people pass, gathered between two looks."""

    def __init__(self, scale: SceneScale, windows: Windows) -> None:
        self._scale, self._windows = scale, windows
        self.reset()

    def reset(self) -> None:
        """Forget all tubes."""
        self._ends = np.zeros(self._windows.shape, np.uint8)

    def add(self, tubes: Tubes | None) -> None:
        """Note the tubes of a step that move on."""
        if tubes is None or not len(tubes):
            return
        way = np.hypot(*(tubes.path_xy[:, 0] - tubes.path_xy[:, -1]).T)
        ends = tubes.path_xy[way >= _PASSES * tubes.person_px, 0, ::-1]
        place = (ends * (np.array(self._windows.shape) / np.array(self._scale.size_hw))).astype(np.int64)
        row, column = (np.clip(place[:, axis], 0, self._windows.shape[axis] - 1) for axis in range(2))
        self._ends[row, column] = 1

    def taken(self) -> Mask:
        """Where somebody passed since the last call: bool `windows.shape`."""
        passing = np.asarray(cv2.dilate(self._ends, np.ones(self._windows.around[::-1], np.uint8)) > 0)
        self.reset()
        return passing
