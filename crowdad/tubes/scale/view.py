"""Bands of the picture, each resized so that the people in it have about the working height."""

from __future__ import annotations

import math
from dataclasses import dataclass

import cv2
import numpy as np
import numpy.typing as npt

from crowdad.config import ScaleSettings
from crowdad.tubes.scale.scene_scale import SceneScale

__all__ = ["View", "views"]

Luma = npt.NDArray[np.uint8]

_MOST_OF_PICTURE, _MOST_PX, _SMALL_PX = 2.0, 8_000_000, 300_000  # of all views; a small picture may take the last
_FAR_ABOVE = 1.0  # person heights beyond the farthest people: what is there is nobody


@dataclass(frozen=True)
class View:
    """A band of rows, resized so that the people in it have about the working height.

    seen: rows (first, end) of the displayed picture that are looked at.  owned: the rows whose tubes it scores.
    size_hw: of the resized band.  zoom_xy: view pixels per picture pixel.  person_px: working height of a person.
    """

    seen: tuple[int, int]
    owned: tuple[float, float]
    size_hw: tuple[int, int]
    zoom_xy: tuple[float, float]
    person_px: float

    def cut(self, luma: Luma) -> Luma:
        """The view's picture, uint8 `size_hw`, out of a whole frame."""
        band = luma[self.seen[0] : self.seen[1]]
        if band.shape == self.size_hw:
            return band
        shrinks = self.size_hw[0] < band.shape[0]
        how = cv2.INTER_AREA if shrinks else cv2.INTER_LINEAR
        return np.asarray(cv2.resize(band, self.size_hw[::-1], interpolation=how), np.uint8)

    def to_picture(self, points_xy: npt.NDArray[np.float32]) -> npt.NDArray[np.float32]:
        """View pixels (..., 2) -> pixels of the displayed picture."""
        zoom, origin = np.array(self.zoom_xy, np.float32), np.array((0, self.seen[0]), np.float32)
        return (points_xy / zoom + origin).astype(np.float32, copy=False)

    def local_foreshortening(self, scale: SceneScale, points_xy: npt.NDArray[np.float32]) -> npt.NDArray[np.float32]:
        """Foreshortening at view positions (..., 2)."""
        place = self.to_picture(points_xy)
        return scale.foreshortening_at(place[..., 0], place[..., 1]).astype(np.float32)

    def local_person_px(self, scale: SceneScale, points_xy: npt.NDArray[np.float32]) -> npt.NDArray[np.float32]:
        """Height of a person at view positions (..., 2), in view pixels."""
        place = self.to_picture(points_xy)
        return (scale.person_px(place[..., 0], place[..., 1]) * self.zoom_xy[1]).astype(np.float32)


def views(scale: SceneScale, settings: ScaleSettings) -> tuple[View, ...]:
    """Cut the picture into bands in which people's heights differ by at most `view_ratio`, from the top down.

    What lies far above all people who were seen is in none of them.  The bands have at most twice the picture's pixels
    in all: where small people would need more, they stay smaller than the working height.
    """
    height, width = scale.size_hw
    top, bottom = scale.rows
    ends = [float(scale.person_px(width / 2, y)) for y in (top, bottom)]
    count = max(1, math.ceil(abs(math.log(ends[1] / ends[0])) / math.log(settings.view_ratio) - 1e-9))
    levels = np.geomspace(ends[0], ends[1], count + 1)
    slope = scale.person[2]
    edges = [height / 2 + (level - scale.person[0]) / slope for level in levels] if count > 1 else [0.0, height]
    edges[0] = max(0.0, top - _FAR_ABOVE * ends[0]) if slope > 0 else 0.0
    edges[-1] = float(height)
    typical = [float(math.sqrt(levels[i] * levels[i + 1])) for i in range(count)]
    bands = [(edges[i], edges[i + 1]) for i in range(count)]
    seen = [_seen(scale, settings, band, person_px) for band, person_px in zip(bands, typical, strict=True)]
    zooms = _affordable(
        [min(settings.person_px / person_px, settings.max_upscale) for person_px in typical],
        [(last - first) * width for first, last in seen],
        max(min(_MOST_OF_PICTURE * height * width, _MOST_PX), _SMALL_PX),
    )
    return tuple(_view(scale, *parts) for parts in zip(seen, bands, zooms, typical, strict=True))


def _seen(scale: SceneScale, settings: ScaleSettings, band: tuple[float, float], person_px: float) -> tuple[int, int]:
    margin = settings.margin * person_px
    return max(0, math.floor(band[0] - margin)), min(scale.size_hw[0], math.ceil(band[1] + margin))


def _affordable(zooms: list[float], areas: list[int], most_px: float) -> list[float]:
    """The zooms, the largest ones lowered to one that all bands together can be looked at with."""
    low, high = 0.0, max(zooms)
    if sum(area * zoom**2 for area, zoom in zip(areas, zooms, strict=True)) <= most_px:
        return zooms
    for _ in range(40):
        middle = (low + high) / 2
        if sum(area * min(zoom, middle) ** 2 for area, zoom in zip(areas, zooms, strict=True)) <= most_px:
            low = middle
        else:
            high = middle
    return [min(zoom, low) for zoom in zooms]


def _view(scale: SceneScale, seen: tuple[int, int], owned: tuple[float, float], zoom: float, person_px: float) -> View:
    if abs(math.log(zoom)) < math.log(1.08):
        zoom = 1.0
    rows = max(16, 2 * round((seen[1] - seen[0]) * zoom / 2))
    columns = max(16, 2 * round(scale.size_hw[1] * zoom / 2))
    zoom_xy = (columns / scale.size_hw[1], rows / (seen[1] - seen[0]))
    return View(seen, owned, (rows, columns), zoom_xy, person_px * zoom_xy[1])
