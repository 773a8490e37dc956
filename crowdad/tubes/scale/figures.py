"""What stands out from the background and moves: blobs of which some are whole people, most are not."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

import cv2
import numpy as np
import numpy.typing as npt

from crowdad.tubes.flow import BackwardFlow, steadied
from crowdad.tubes.scale.scene_scale import MIN_PERSON_PX
from crowdad.tubes.scale.steadying import laid_onto

__all__ = ["Figures", "Pair", "Seen", "find_figures"]

Luma = npt.NDArray[np.uint8]
Array = npt.NDArray[np.float64]
Mask = npt.NDArray[np.bool_]

_STILLS = 160  # pictures that the background is the median of
_MOST_MAD = 12.0  # grey values: where people stand most of the time, they are the spread
_MADS, _NOISES, _MOST_NOISE, _LEAST_CONTRAST = 3.5, 3.0, 15.0, 10.0
_SHADOW, _EVEN = (0.55, 0.97), 0.03  # brightness of a shaded ground relative to the lit one, and its deviation
_SUN, _SUN_LEVELS, _SUN_DOUBT = (0.3, 0.8), 25, 0.05  # brightness in a shadow that the sun casts
_SUN_SHARE, _SUN_LEAST, _SUN_STILLS = 0.35, 5e-4, 40  # of the even dark places; of all pixels; pictures looked at
_MOVING_PX = 0.5
_UPRIGHT = (1.2, 5.0)  # height over width
_FILL, _MOVING_SHARE, _COHERENCE, _OF_PICTURE, _LEAST_AREA = 0.33, 0.5, 0.6, 0.85, 12
_BORDER_PX = 1


@dataclass(frozen=True, eq=False)
class Pair:
    """Two pictures of one moment, uint8 (H, W): `later`, `elapsed` frames after `earlier`; at frame `at`."""

    earlier: Luma
    later: Luma
    elapsed: int
    at: int

    @property
    def size_hw(self) -> tuple[int, int]:
        """Height and width of both pictures."""
        return self.later.shape[0], self.later.shape[1]


@dataclass(frozen=True, eq=False)
class Figures:
    """N blobs, float64 (N,) each: middle and box in pixels, area, mean velocity in pixels a frame, and when (frame)."""

    x: Array
    y: Array
    width: Array
    height: Array
    area: Array
    dx: Array
    dy: Array
    at: Array

    def __len__(self) -> int:
        return len(self.x)

    @property
    def speed(self) -> Array:
        """Pixels a frame."""
        return np.hypot(self.dx, self.dy)

    def where(self, kept: Mask | npt.NDArray[np.intp]) -> Figures:
        """Some of the blobs."""
        return Figures(**{name: getattr(self, name)[kept] for name in self.__dataclass_fields__})


@dataclass(frozen=True, eq=False)
class Seen:
    """What was seen in all pairs.

    upright: what may be one person.  lying: as whole and as steady in its motion, but wider than tall.
    everything: all blobs of the plainest of the three cuts, whatever they are.
    """

    upright: Figures
    lying: Figures
    everything: Figures


def find_figures(pairs: Sequence[Pair]) -> Seen:
    """Blobs that stand out from the background and move, in each pair.

    The mask of what is foreground is cut into blobs in three ways, and all of them are kept: which of them fits a
    figure best depends on the footage, and whole people agree in height where scraps and groups do not.
    """
    reference = pairs[len(pairs) // 2].later
    laid = [
        Pair(laid_onto(pair.earlier, reference), laid_onto(pair.later, reference), pair.elapsed, pair.at)
        for pair in pairs
    ]
    ground = _Ground.of([pair.later for pair in laid])
    flow_of = BackwardFlow()
    parts: list[list[Figures]] = [[], [], []]
    for pair in laid:
        flow = steadied(flow_of(pair.later, pair.earlier), pair.later)
        wide = cv2.resize(flow, pair.later.shape[::-1], interpolation=cv2.INTER_LINEAR)
        for index, mask in enumerate(ground.foregrounds(pair.later, wide)):
            blobs, upright, lying = _blobs(mask, wide, pair)
            parts[0].append(blobs.where(upright))
            parts[1].append(blobs.where(lying))
            if index == 0:
                parts[2].append(blobs)
    return Seen(*(_joined(part) for part in parts))


def _joined(parts: Sequence[Figures]) -> Figures:
    return Figures(*(np.concatenate([getattr(part, name) for part in parts]) for name in Figures.__dataclass_fields__))


@dataclass(frozen=True, eq=False)
class _Ground:
    """The picture without people, and how much each pixel of it varies: float32 (H, W) each.

    sun: brightness of the ground in shadows with a sharp edge, relative to the lit one; None where there are none.
    """

    median: npt.NDArray[np.float32]
    spread: npt.NDArray[np.float32]
    sun: float | None = None

    @classmethod
    def of(cls, pictures: Sequence[Luma]) -> _Ground:
        stills = np.stack(pictures[:: -(-len(pictures) // _STILLS)])
        median = np.empty(stills.shape[1:], np.float32)
        spread = np.empty_like(median)
        for row in range(0, len(median), 32):  # in strips: the whole stack of differences would take 4 bytes a pixel
            strip = stills[:, row : row + 32].astype(np.float32)
            median[row : row + 32] = np.median(strip, axis=0)
            spread[row : row + 32] = 1.4826 * np.median(np.abs(strip - median[row : row + 32]), axis=0)
        ground = cls(median, np.minimum(cv2.GaussianBlur(spread, (0, 0), 1.5), _MOST_MAD))
        return replace(ground, sun=ground._sun(stills[:: max(1, len(stills) // _SUN_STILLS)]))

    def foregrounds(self, luma: Luma, flow: npt.NDArray[Any]) -> list[npt.NDArray[np.uint8]]:
        """Masks of what stands out and moves: with gaps closed, as it is, and what stands out clearly, closed."""
        bright = luma.astype(np.float32)
        difference = cv2.GaussianBlur(np.abs(bright - self.median), (3, 3), 0)
        noise = 1.4826 * float(np.median(difference))
        limit = np.maximum(_MADS * self.spread, max(min(_NOISES * noise, _MOST_NOISE), _LEAST_CONTRAST))
        moving = (np.hypot(flow[..., 0], flow[..., 1]) > _MOVING_PX).astype(np.uint8)
        may_be = (cv2.dilate(moving, np.ones((5, 5), np.uint8)) > 0) & ~self._shaded(bright)
        loose, clear = (
            cv2.morphologyEx(
                ((difference > level) & may_be).astype(np.uint8), cv2.MORPH_OPEN, np.ones((2, 2), np.uint8)
            )
            for level in (limit, 2 * limit)
        )
        upwards = np.ones((5, 3), np.uint8)
        closed = (np.asarray(cv2.morphologyEx(x, cv2.MORPH_CLOSE, upwards), np.uint8) for x in (loose, clear))
        first, last = closed
        return [first, np.asarray(loose, np.uint8), last]

    def _ratio(self, bright: npt.NDArray[np.float32]) -> tuple[npt.NDArray[np.float32], Mask]:
        """Brightness relative to the ground's, over a few pixels, and where it is even."""
        ratio = (bright + 4) / (self.median + 4)
        mean = cv2.blur(ratio, (5, 5))
        deviation = np.sqrt(np.maximum(cv2.blur(ratio * ratio, (5, 5)) - mean * mean, 0))
        return np.asarray(mean, np.float32), np.asarray(deviation < _EVEN)

    def _sun(self, stills: npt.NDArray[np.uint8]) -> float | None:
        """One sun darkens the ground by one share: where many even places have it, it is there."""
        counts = np.zeros(_SUN_LEVELS)
        for luma in stills:
            mean, even = self._ratio(luma.astype(np.float32))
            counts += np.histogram(mean[even], _SUN_LEVELS, _SUN)[0]
        around = np.convolve(counts, np.ones(3), "same")
        at = int(around.argmax())
        if around[at] < _SUN_SHARE * counts.sum() or around[at] < _SUN_LEAST * stills.size:
            return None
        return float(_SUN[0] + (_SUN[1] - _SUN[0]) * (at + 0.5) / _SUN_LEVELS)

    def _shaded(self, bright: npt.NDArray[np.float32]) -> Mask:
        """Where the ground only looks darker: all by the same share, as in a soft shadow, or as the sun has it."""
        mean, even = self._ratio(bright)
        soft = even & (mean > _SHADOW[0]) & (mean < _SHADOW[1])
        if self.sun is None:
            return soft
        core = (even & (np.abs(mean - self.sun) < _SUN_DOUBT)).astype(np.uint8)
        around = cv2.dilate(core, np.ones((9, 9), np.uint8)) > 0
        here = cv2.blur((bright + 4) / (self.median + 4), (3, 3))
        edge = around & (here > self.sun - _SUN_DOUBT) & (here < 1 + _SUN_DOUBT)
        return np.asarray(soft | edge)


def _blobs(mask: npt.NDArray[np.uint8], flow: npt.NDArray[Any], pair: Pair) -> tuple[Figures, Mask, Mask]:
    """Connected blobs of one mask, which of them may be one person, and which lie as a person stands."""
    height, width = mask.shape
    count, labels, stats, _ = cv2.connectedComponentsWithStats(mask, connectivity=8)
    x, y, w, h, area = stats[1:].T.astype(float)
    foreground = labels > 0
    of, along_x, along_y = labels[foreground], flow[..., 0][foreground], flow[..., 1][foreground]
    speed = np.hypot(along_x, along_y)
    moves = speed > _MOVING_PX
    motion, total, sum_x, sum_y = (
        np.bincount(of[moves], None if weights is None else weights[moves], minlength=count)[1:]
        for weights in (None, speed, along_x, along_y)
    )
    inside = (x > _BORDER_PX) & (y > _BORDER_PX) & (x + w < width - _BORDER_PX) & (y + h < height - _BORDER_PX)
    whole = inside & (area >= _FILL * w * h) & (area >= _LEAST_AREA) & (motion > _MOVING_SHARE * area)
    whole &= np.hypot(sum_x, sum_y) > _COHERENCE * np.maximum(total, 1e-9)
    upright = whole & (h >= _UPRIGHT[0] * w) & (h <= _UPRIGHT[1] * w)
    upright &= (h >= MIN_PERSON_PX) & (h < _OF_PICTURE * height)
    pixels = np.maximum(motion, 1) * pair.elapsed
    # The flow goes back in time; which way a figure walks does not matter here, how far does.
    found = Figures(x + w / 2, y + h / 2, w, h, area, sum_x / pixels, sum_y / pixels, np.full(len(x), float(pair.at)))
    return found, upright, whole & (w >= _UPRIGHT[0] * h)
