"""Posed bodies to pixels: outlines, shadows, painting by depth, and what of a body can be seen."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import cast

import cv2
import numpy as np
import numpy.typing as npt

from crowdad.synthetic.camera import Camera
from crowdad.synthetic.model import Colour, Model

__all__ = ["POLYGON_UNIT", "SUN", "SUPERSAMPLING", "Outlines", "fill", "outline", "shadow"]

SUPERSAMPLING = 2
"""Canvas pixels per picture pixel, each way."""

SUN = np.array([0.62, 0.3])
"""Where a point one metre up throws its shadow on the ground, in metres."""

Floats = npt.NDArray[np.float64]
Canvas = npt.NDArray[np.uint8]
Polygon = npt.NDArray[np.int32]

_SHIFT = 4
POLYGON_UNIT = 1 << _SHIFT
"""Units of a polygon's coordinates in one canvas pixel."""

_TURNS = np.arange(12) * math.tau / 12
_CIRCLE = np.stack([np.cos(_TURNS), np.sin(_TURNS)], axis=-1)
_SUN_SIDE = np.array([-0.35, -0.3])
_SHEEN = 1.13
_BODY_SHADE = 0.36


@dataclass(frozen=True, eq=False)
class Outlines:
    """Filled polygons of one body in canvas pixels, first to last.

    polygons: int32 (n, 1, 2) each, in 1/16 canvas pixel.  colours: one each.
    box_xyxy: of everything, canvas pixels.  depth_m: of the body's foot, for the order among bodies.
    """

    polygons: list[Polygon]
    colours: list[Colour]
    box_xyxy: tuple[float, float, float, float]
    depth_m: float

    def darkened(self, shade: float) -> Outlines:
        """The same body in the shade.  shade: share of the sun that is taken, 0..1."""
        if not shade:
            return self
        left = 1 - _BODY_SHADE * shade
        return replace(self, colours=[(blue * left, green * left, red * left) for blue, green, red in self.colours])


def _circles(camera: Camera, world: Floats, radii_m: Floats) -> tuple[Floats, Floats, Floats]:
    """Centres (M, 2) and radii (M,) of projected spheres in canvas pixels, and depths (M,)."""
    xy, depth = camera.project(world)
    radii = np.maximum(radii_m * camera.focal_px / depth * SUPERSAMPLING, 0.35)
    return (xy + 0.5) * SUPERSAMPLING - 0.5, radii, depth


def _fixed(points: Floats) -> Polygon:
    """All points in one column: int32 (n, 2), in polygon units."""
    return np.rint(points * POLYGON_UNIT).astype(np.int32).reshape(-1, 2)


def _hull(points: Polygon) -> Polygon:
    return cast(Polygon, cv2.convexHull(points))


def outline(camera: Camera, model: Model, world: Floats, foot_depth_m: float) -> Outlines:
    """The polygons of a body, far parts first.  world: (M, 3), from `Model.place`."""
    centres, radii, depth = _circles(camera, world, model.radii_m)
    rims = centres[:, None] + radii[:, None, None] * _CIRCLE
    lit = centres[:, None] + radii[:, None, None] * (0.58 * _CIRCLE + _SUN_SIDE)
    points, bright = _fixed(rims), _fixed(lit)
    starts = model.starts
    near = np.add.reduceat(depth, starts[:-1]) / np.diff(starts) - model.bias_m
    polygons, colours = [], []
    corners = (starts * len(_CIRCLE)).tolist()
    for part in np.argsort(-near, kind="stable").tolist():
        start, end = corners[part], corners[part + 1]
        polygons.append(_hull(points[start:end]))
        colours.append(model.colours[part])
        if model.sheen[part]:
            polygons.append(_hull(bright[start:end]))
            blue, green, red = model.colours[part]
            colours.append((min(blue * _SHEEN + 3, 250), min(green * _SHEEN + 4, 250), min(red * _SHEEN + 5, 250)))
    low, high = (centres - radii[:, None]).min(axis=0), (centres + radii[:, None]).max(axis=0)
    return Outlines(polygons, colours, (low[0], low[1], high[0] + 1, high[1] + 1), foot_depth_m)


def shadow(camera: Camera, model: Model, world: Floats, sun_m: Floats = SUN) -> list[Polygon]:
    """The polygons of a body's shadow on the ground.  sun_m: (2,), where a point one metre up throws its shadow."""
    ground = np.zeros_like(world)
    ground[:, :2] = world[:, :2] + world[:, 2:] * sun_m
    centres, radii, _ = _circles(camera, ground, model.radii_m)
    points = _fixed(centres[:, None] + radii[:, None, None] * _CIRCLE * (1.0, 0.75))
    corners = (model.starts * len(_CIRCLE)).tolist()
    return [_hull(points[corners[part] : corners[part + 1]]) for part in model.shadow_parts]


def fill(canvas: Canvas, polygons: Sequence[Polygon], colours: Sequence[Colour] | int) -> None:
    """Fill polygons in place, one colour each or one value for all."""
    if isinstance(colours, int):
        for polygon in polygons:
            cv2.fillConvexPoly(canvas, polygon, (colours,), cv2.LINE_8, _SHIFT)
        return
    for polygon, colour in zip(polygons, colours, strict=True):
        cv2.fillConvexPoly(canvas, polygon, colour, cv2.LINE_AA, _SHIFT)
