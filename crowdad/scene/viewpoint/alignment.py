"""Where the view of one background lies in another: a shift, a rotation and a zoom."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import cv2
import numpy as np
import numpy.typing as npt

__all__ = ["Alignment", "Structure"]

Array = npt.NDArray[np.float32]

_SMOOTH_PX = 1.0
_AROUND_PX = 6.0  # an edge counts by how it stands out from what is so far around
_FLOOR, _PLAIN = 0.75, 0.35  # grey levels a pixel: weaker edges fade out, those of the model and those of the footage
_LEAST_SHARE = 0.5  # of the model's structure that must lie in sight of the other view

_ANGLES = np.arange(-12.0, 12.1, 3.0)
_ZOOMS = 1.08 ** np.arange(-3.0, 4.0)
_FINER = ((1.5, 1.04), (0.75, 1.02))  # steps of angle and zoom
_MOST_ANGLE, _MOST_ZOOM = 14.0, 1.28


@dataclass(frozen=True)
class Alignment:
    """The movement of footage that lays it onto the model's background, and how well it then fits.

    shift_xy: of the picture's centre, in pixels of the background.  angle: counterclockwise, degrees.  zoom: times.
    agreement: mean cosine between the directions of their edges, weighted by the model's, in [-1, 1].
    distinctness: how far the agreement stands above that of all other shifts, in standard deviations.
    """

    shift_xy: tuple[float, float]
    angle: float
    zoom: float
    agreement: float
    distinctness: float

    def matrix(self, size_hw: tuple[int, ...]) -> npt.NDArray[np.float64]:
        """float64 (2, 3), as `cv2.warpAffine` takes it for a background of this size."""
        height, width = size_hw
        turn = cv2.getRotationMatrix2D(((width - 1) / 2, (height - 1) / 2), self.angle, self.zoom)
        turn[:, 2] += np.array(self.shift_xy)
        return np.asarray(turn, np.float64)

    def farthest(self, size_hw: tuple[int, ...]) -> float:
        """How far the corner that moves most is moved, in widths of the picture."""
        height, width = size_hw
        corners = np.array([(x, y, 1.0) for x in (0, width - 1) for y in (0, height - 1)])
        moved = corners @ self.matrix(size_hw).T
        return float(np.hypot(*(moved - corners[:, :2]).T).max() / width)


class Structure:
    """The edges of a model's background, whatever the light.

    background: (h, w), in [0, 255].
    """

    def __init__(self, background: npt.NDArray[np.generic]) -> None:
        self.size_hw = background.shape
        height, width = self.size_hw
        self._padded = (cv2.getOptimalDFTSize(2 * height), 2 * cv2.getOptimalDFTSize(width))
        edges = _edges(background.astype(np.float32))
        strength = np.hypot(*edges)
        edges /= strength + cv2.GaussianBlur(strength, (0, 0), _AROUND_PX) + _FLOOR
        edges[:, [0, -1]] = edges[:, :, [0, -1]] = 0
        self._weights = np.hypot(*edges)
        self._spectra = np.fft.rfft2(np.stack([*edges, self._weights]), self._padded)

    @property
    def amount(self) -> float:
        """Mean weight of a pixel's edge, in [0, 1); 0 for a plain wall."""
        return float(self._weights.mean())

    def seen_in(self, picture: Array) -> float:
        """Share of the structure at whose places the picture has edges, too, in [0, 1]."""
        there = np.hypot(*_directions(picture))
        return float((there * self._weights).sum() / max(self._weights.sum(), 1e-6))

    def nearby(self, picture: Array, most_px: float) -> Alignment:
        """The best fit of a picture of the same size that is shifted by `most_px` pixels at most."""
        return self._best_shift(picture, 0.0, 1.0, most_px)

    def anywhere(self, picture: Array) -> Alignment:
        """The best fit of all shifts, rotations and zooms."""
        tried = (self._best_shift(picture, float(angle), float(zoom)) for angle in _ANGLES for zoom in _ZOOMS)
        best = max(tried, key=_agreement)
        for angle_step, zoom_step in _FINER:
            around = _around(best, angle_step, zoom_step)
            best = max([best, *(self._best_shift(picture, *place) for place in around)], key=_agreement)
        return best

    def _best_shift(self, picture: Array, angle: float, zoom: float, most_px: float | None = None) -> Alignment:
        turn = Alignment((0.0, 0.0), angle, zoom, 0.0, 0.0).matrix(self.size_hw)
        size_wh = self.size_hw[::-1]
        turned = cv2.warpAffine(picture, turn, size_wh, borderMode=cv2.BORDER_REPLICATE)
        inside = cv2.warpAffine(np.ones(self.size_hw, np.float32), turn, size_wh)
        inside = (cv2.erode(inside, np.ones((3, 3))) > 0.99).astype(np.float32)
        inside[[0, -1]] = inside[:, [0, -1]] = 0
        own = self._spectra
        other = np.fft.rfft2(np.stack([*(_directions(turned) * inside), inside]), self._padded).conj()
        products = np.stack([own[0] * other[0] + own[1] * other[1], own[2] * other[2]])
        agreeing, in_sight = np.fft.irfft2(products, self._padded)
        enough = in_sight > _LEAST_SHARE * self._weights.sum()
        agreement = np.where(enough, agreeing / np.maximum(in_sight, 1e-6), -1.0)
        shift_xy, highest = _peak(agreement, most_px)
        usual = agreement[enough] if enough.any() else np.zeros(1)
        distinctness = (highest - usual.mean()) / max(usual.std(), 1e-6)
        return Alignment(shift_xy, angle, zoom, highest, float(distinctness))


def _agreement(alignment: Alignment) -> float:
    return alignment.agreement


def _around(best: Alignment, angle_step: float, zoom_step: float) -> Iterator[tuple[float, float]]:
    for angle in (best.angle - angle_step, best.angle, best.angle + angle_step):
        for zoom in (best.zoom / zoom_step, best.zoom, best.zoom * zoom_step):
            if abs(angle) <= _MOST_ANGLE and 1 / _MOST_ZOOM <= zoom <= _MOST_ZOOM:
                yield angle, zoom


def _edges(picture: npt.NDArray[Any]) -> Array:
    """Gradient float32 (2, h, w), grey levels a pixel, to the right and down."""
    smooth = cv2.GaussianBlur(picture, (0, 0), _SMOOTH_PX)
    right, down = cv2.Sobel(smooth, cv2.CV_32F, 1, 0, scale=1 / 8), cv2.Sobel(smooth, cv2.CV_32F, 0, 1, scale=1 / 8)
    return np.stack([right, down])


def _directions(picture: npt.NDArray[Any]) -> Array:
    """The same with all but faint edges of length 1."""
    edges = _edges(picture)
    return np.asarray(edges / (np.hypot(*edges) + _PLAIN), np.float32)


def _peak(surface: npt.NDArray[np.float64], most_px: float | None) -> tuple[tuple[float, float], float]:
    """Where the surface, periodic, is highest, to a fraction of a pixel, and how high."""
    height, width = surface.shape
    searched = surface
    if most_px is not None:
        rows, columns = (np.abs(np.fft.fftfreq(side, 1 / side)) <= most_px for side in surface.shape)
        searched = np.where(rows[:, None] & columns, surface, -2.0)
    row, column = divmod(int(searched.argmax()), width)
    right = _fraction(*(surface[row, (column + step) % width] for step in (-1, 0, 1)))
    down = _fraction(*(surface[(row + step) % height, column] for step in (-1, 0, 1)))
    column, row = (place if place < side / 2 else place - side for place, side in ((column, width), (row, height)))
    return (column + right, row + down), float(searched.max())


def _fraction(before: float, at: float, after: float) -> float:
    """Where the parabola through three neighbours peaks."""
    bend = before - 2 * at + after
    return 0.0 if bend >= 0 or min(before, after) <= -1 else float(np.clip((before - after) / (2 * bend), -0.5, 0.5))
