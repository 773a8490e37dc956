"""Regions of the ground: what the camera sees, the stage around it where people come and go, and lawns."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from crowdad.synthetic.camera import Camera

__all__ = ["Lawn", "Region"]

Floats = npt.NDArray[np.float64]


@dataclass(frozen=True, eq=False)
class Region:
    """Half-planes normals @ place <= offsets.  normals: (n, 2), outward, unit length.  offsets: (n,), metres."""

    normals: Floats
    offsets: Floats

    @classmethod
    def of_view(cls, camera: Camera, body_m: float = 0.0) -> Region:
        """The ground on which the feet, or any part of a body of `body_m`, can be seen."""
        height, width = camera.size_hw
        below = float(camera.person_height_px(width / 2, height, height_m=body_m)) if body_m else 0.0
        corners = camera.ground(np.array([[0, 0], [width, 0], [width, height + below], [0, height + below]], float))
        following = np.roll(corners, -1, axis=0) - corners
        normals = np.stack([-following[:, 1], following[:, 0]], axis=1)
        normals /= np.linalg.norm(normals, axis=1, keepdims=True)
        inward = ((corners.mean(axis=0) - corners) * normals).sum(axis=1) > 0
        normals[inward] *= -1
        return cls(normals, (corners * normals).sum(axis=1))

    def grown(self, by_m: float) -> Region:
        """The same region with every side moved outward."""
        return Region(self.normals, self.offsets + by_m)

    def contains(self, place: Floats) -> bool:
        """Whether a place (2,) lies inside."""
        return bool((self.normals @ place <= self.offsets).all())

    def chord(self, place: Floats, way: Floats) -> tuple[Floats, Floats]:
        """First and last point inside on the line through a place inside, in direction `way`: (2,), (2,)."""
        start, end = self._span(place, way)
        return place + start * way, place + end * way

    def inside(self, start: Floats, end: Floats) -> tuple[float, float]:
        """From where to where, metres from the start, a segment lies inside; equal where nowhere."""
        way = end - start
        length = float(np.linalg.norm(way)) + 1e-9
        low, high = self._span(start, way / length)
        low = min(max(low, 0.0), length)
        return low, max(low, min(high, length))

    def _span(self, place: Floats, way: Floats) -> tuple[float, float]:
        rate = self.normals @ way
        room = self.offsets - self.normals @ place
        with np.errstate(divide="ignore", invalid="ignore"):
            reach = room / rate
        start = reach[rate < -1e-9].max(initial=-1e6)
        end = reach[rate > 1e-9].min(initial=1e6)
        return float(start), float(end)


@dataclass(frozen=True)
class Lawn:
    """A rectangle of grass that ordinary people never enter, in metres."""

    x0_m: float
    y0_m: float
    x1_m: float
    y1_m: float

    def contains(self, place: Floats, grown_m: float = 0.0) -> bool:
        """Whether a place (2,) lies on it, or on the same grown on every side."""
        x, y = place
        in_x = self.x0_m - grown_m < x < self.x1_m + grown_m
        return bool(in_x and self.y0_m - grown_m < y < self.y1_m + grown_m)

    def meets(self, start: Floats, end: Floats, grown_m: float) -> bool:
        """Whether a segment between places (2,) comes within `grown_m` of it."""
        first, last = 0.0, 1.0
        for axis, low, high in ((0, self.x0_m, self.x1_m), (1, self.y0_m, self.y1_m)):
            way = float(end[axis] - start[axis]) or 1e-9
            enters, leaves = sorted(((low - grown_m - start[axis]) / way, (high + grown_m - start[axis]) / way))
            first, last = max(first, enters), min(last, leaves)
        return first < last

    def nearest_outside(self, place: Floats) -> Floats:
        """The place (2,) on its border that is nearest to one on it."""
        x, y = place.tolist()
        borders = [(self.x0_m, y), (self.x1_m, y), (x, self.y0_m), (x, self.y1_m)]
        return np.array(min(borders, key=lambda border: abs(border[0] - x) + abs(border[1] - y)))
