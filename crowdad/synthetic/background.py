"""The place itself: paving, lawn, beds, trees and lamp posts, drawn once per scene and light."""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np
import numpy.typing as npt

from crowdad.synthetic.camera import Camera
from crowdad.synthetic.model import Assembly, Model
from crowdad.synthetic.region import Lawn
from crowdad.synthetic.render import POLYGON_UNIT, SUN, SUPERSAMPLING, Outlines, fill, outline, shadow

__all__ = ["Background", "Fixture", "Occluder", "Place"]

Floats = npt.NDArray[np.float64]
Canvas = npt.NDArray[np.uint8]

_BAND = np.array([0.88, 0.89, 0.95])
_GRASS = np.array([66.0, 122.0, 104.0])
_KERB = np.array([168.0, 174.0, 178.0])
_SHADE = 0.6


@dataclass(frozen=True)
class Fixture:
    """Something that stands on the ground: kind is lamp, tree, bed, bench or crate; radius_m is kept free by walkers.

    A crate is not part of the background: it can be taken away.
    """

    kind: str
    x_m: float
    y_m: float
    radius_m: float


@dataclass(frozen=True, eq=False)
class Occluder:
    """Pixels of the background that stand before whatever is farther away than depth_m.

    mask: uint8 (h, w), 255 where it stands, at canvas rows `rows` and columns `columns`.
    """

    depth_m: float
    rows: slice
    columns: slice
    mask: Canvas


@dataclass(frozen=True, eq=False)
class Background:
    """The empty scene on the canvas (H, W, 3), the same in full shade, and what can hide people."""

    lit: Canvas
    shaded: Canvas
    occluders: tuple[Occluder, ...]


def _grain(rng: np.random.Generator, places: Floats, size_m: float) -> Floats:
    """Smooth random values in about [-1, 1] that lie on the ground with detail of size_m."""
    noise = np.pad(rng.normal(0, 1, (256, 256)).astype(np.float32), 6, mode="wrap")
    table = np.asarray(cv2.GaussianBlur(noise, (0, 0), 1.2)[6:-5, 6:-5])
    where = ((places / size_m) % 256).astype(np.float32)
    return np.asarray(
        cv2.remap(table / np.abs(table).max(), where[..., 0], where[..., 1], cv2.INTER_LINEAR), np.float64
    )


def _joints(places: Floats, slab_m: tuple[float, float], width_m: float, footprint: Floats) -> tuple[Floats, Floats]:
    """How much of each pixel is a joint between slabs (0..1), and a number for each slab."""
    row = np.floor(places[..., 1] / slab_m[1])
    shifted = places[..., 0] / slab_m[0] + 0.5 * (row % 2)
    inside_x = np.abs(shifted - np.rint(shifted)) * slab_m[0]
    inside_y = np.abs(places[..., 1] / slab_m[1] - np.rint(places[..., 1] / slab_m[1])) * slab_m[1]
    cover_x, cover_y = (
        np.clip((width_m - inside) / size + 0.5, 0, 1) * np.minimum(width_m * 2 / size, 1)
        for inside, size in ((inside_x, footprint[..., 0]), (inside_y, footprint[..., 1]))
    )
    return np.maximum(cover_x, cover_y), np.floor(shifted) * 127.1 + row * 311.7


def _slab_tint(number: Floats) -> Floats:
    value = np.sin(number) * 43758.5453
    return (value - np.floor(value)) * 2 - 1


def _ground(
    camera: Camera, rng: np.random.Generator, fixtures: tuple[Fixture, ...], paving: Floats, lawn: Lawn | None
) -> Floats:
    """Colour of the ground without shadows: float64 (H, W, 3) on the canvas."""
    height, width = camera.size_hw[0] * SUPERSAMPLING, camera.size_hw[1] * SUPERSAMPLING
    grid = np.stack(np.meshgrid(np.arange(width), np.arange(height)), axis=-1)
    places = camera.ground((grid + 0.5) / SUPERSAMPLING - 0.5)
    footprint = np.maximum(np.abs(np.gradient(places[..., 0], axis=1)), 1e-3)
    footprint = np.stack([footprint, np.maximum(np.abs(np.gradient(places[..., 1], axis=0)), 1e-3)], axis=-1)
    bands = _grain(rng, places, 9.0)
    joint, slab = _joints(places, (1.2, 0.8), 0.012, footprint)
    tint = _slab_tint(slab) * np.clip(0.35 / footprint[..., 1], 0, 1)
    colour = paving * (1 + 0.035 * tint + 0.05 * bands + 0.03 * _grain(rng, places, 0.35))[..., None]
    colour *= (1 - 0.22 * joint)[..., None]
    period = np.abs((places[..., 1] / 7.0) % 1 - 0.5) * 7.0
    stripe = np.clip((0.45 - period) / footprint[..., 1] + 0.5, 0, 1)[..., None]
    colour = colour * (1 - stripe) + stripe * paving * _BAND * (1 + 0.05 * tint - 0.15 * joint)[..., None]
    for fixture in fixtures:
        if fixture.kind == "bed":
            radius = np.hypot(places[..., 0] - fixture.x_m, places[..., 1] - fixture.y_m)
            _lay_grass(colour, places, fixture.radius_m - radius, footprint, rng)
    if lawn is not None:
        x, y = places[..., 0], places[..., 1]
        inside = np.minimum(np.minimum(x - lawn.x0_m, lawn.x1_m - x), np.minimum(y - lawn.y0_m, lawn.y1_m - y))
        _lay_grass(colour, places, inside, footprint, rng)
    return colour


def _lay_grass(colour: Floats, places: Floats, inside_m: Floats, footprint: Floats, rng: np.random.Generator) -> None:
    """Grass with a kerb, drawn into `colour`.  inside_m: (H, W), how far within its border each pixel lies."""
    blur = footprint.max(axis=-1)
    kerb = np.clip(inside_m / blur + 0.5, 0, 1)[..., None]
    lawn = np.clip((inside_m - 0.25) / blur + 0.5, 0, 1)[..., None]
    grass = _GRASS * (1 + 0.16 * _grain(rng, places, 0.25) + 0.14 * _grain(rng, places, 1.7))[..., None]
    colour += kerb * (_KERB - colour)
    colour += lawn * (grass - colour)


def _model(fixture: Fixture, rng: np.random.Generator) -> Model:
    body = Assembly()
    if fixture.kind == "lamp":
        body.add((62, 64, 62), (None, (0, 0, 0), 0.07), (None, (0, 0, 4.2), 0.045), casts=True, sheen=True)
        body.add((58, 58, 56), (None, (0, 0, 0.0), 0.14), (None, (0, 0, 0.35), 0.11), casts=True, sheen=True)
        body.add((214, 228, 232), (None, (0, 0, 4.35), 0.2), bias_m=0.1, casts=True, sheen=True)
        body.add((62, 64, 62), (None, (-0.2, 0, 4.56), 0.04), (None, (0.2, 0, 4.56), 0.04), bias_m=0.2)
    elif fixture.kind == "tree":
        body.add((46, 66, 84), (None, (0, 0, 0), 0.17), (None, (0, 0, 2.4), 0.12), casts=True, sheen=True)
        for _ in range(46):
            x, y, z = rng.normal(0, 0.62, 3)
            light = 0.78 + 0.16 * (z - x) + rng.uniform(-0.07, 0.07)
            green = tuple(float(np.clip(value * light, 20, 210)) for value in (58, 118, 92))
            body.add((green[0], green[1], green[2]), (None, (x, y, 3.2 + z * 0.8), rng.uniform(0.25, 0.5)), casts=True)
    elif fixture.kind == "bench":
        for x in (-0.7, 0.7):
            body.add((60, 60, 60), (None, (x, 0.15, 0), 0.04), (None, (x, 0.15, 0.42), 0.04))
            body.add((60, 60, 60), (None, (x, -0.15, 0), 0.04), (None, (x, -0.15, 0.42), 0.04))
        seat = [(None, (x, y, 0.45), 0.03) for x in (-0.9, 0.9) for y in (-0.22, 0.22)]
        body.add((70, 104, 140), *seat, casts=True, sheen=True)
        back = [(None, (x, 0.24, z), 0.03) for x in (-0.9, 0.9) for z in (0.6, 0.85)]
        body.add((62, 94, 128), *back, casts=True, bias_m=-0.05, sheen=True)
    return body.build()


class Place:
    """A place without people.  The same seed is the same place."""

    def __init__(
        self,
        camera: Camera,
        fixtures: tuple[Fixture, ...],
        paving_bgr: tuple[float, float, float],
        seed: int,
        lawn: Lawn | None = None,
    ) -> None:
        rng = np.random.default_rng(seed)
        ground = _ground(camera, rng, fixtures, np.array(paving_bgr), lawn)
        self._camera = camera
        self._shaded = np.clip(ground * _SHADE * (1.06, 1.0, 0.96), 0, 255).astype(np.uint8)
        self._lit = np.clip(ground, 0, 255).astype(np.uint8)
        standing = [(fixture, _model(fixture, rng)) for fixture in fixtures if fixture.kind not in ("bed", "crate")]
        pose = np.zeros((18, 3))
        self._standing = [(model, model.place(pose, np.array([f.x_m, f.y_m]), 0.0)) for f, model in standing]
        placed = zip((f for f, _ in standing), self._standing, strict=True)
        self._shapes: list[Outlines] = []
        for fixture, (model, world) in sorted(placed, key=lambda item: -item[0].y_m):
            _, depth = camera.project((fixture.x_m, fixture.y_m, 0.0))
            self._shapes.append(outline(camera, model, world, float(depth)))
        size_hw = (self._lit.shape[0], self._lit.shape[1])
        found = (_occluder(shape.polygons, shape.box_xyxy, shape.depth_m, size_hw) for shape in self._shapes)
        self._occluders = tuple(occluder for occluder in found if occluder is not None)

    def seen(self, sun_m: Floats = SUN, wall_shade_m: float | None = None, cloud: float = 0.0) -> Background:
        """The place in a light.

        sun_m: (2,), where a point one metre up throws its shadow.  wall_shade_m: up to which X a long wall on the left
        shades the ground, None without a wall.  cloud: share of the sun that clouds take, 0..1.
        """
        lit, shaded = self._lit, self._shaded.copy()
        shade = np.zeros(lit.shape[:2], np.uint8)
        for model, world in self._standing:
            fill(shade, shadow(self._camera, model, world, sun_m), 255)
        if wall_shade_m is not None:
            fill(shade, [self._left_of(wall_shade_m)], 255)
        soft = cv2.GaussianBlur(shade, (0, 0), 1.2)[..., None] / 255.0
        soft = soft if not cloud else np.maximum(soft, cloud)
        lit = (lit * (1 - soft) + shaded * soft).astype(np.uint8)
        for shape in (shape.darkened(cloud) for shape in self._shapes):
            fill(lit, shape.polygons, shape.colours)
            fill(shaded, shape.polygons, shape.colours)
        return Background(lit, shaded, self._occluders)

    def _left_of(self, x_m: float) -> npt.NDArray[np.int32]:
        """The ground left of a line that leads away from the camera, as a polygon on the canvas."""
        height, width = self._camera.size_hw
        near, far = (float(self._camera.ground((width / 2, row))[1]) for row in (height + 4.0, -4.0))
        border, _ = self._camera.project([(x_m, near, 0.0), (x_m, far, 0.0)])
        left = np.minimum(border[::-1], -8.0) * (1, 0) + border[::-1] * (0, 1)
        corners = np.concatenate([border, left])
        return np.rint(((corners + 0.5) * SUPERSAMPLING - 0.5) * POLYGON_UNIT).astype(np.int32)


def _occluder(
    polygons: list[npt.NDArray[np.int32]],
    box: tuple[float, float, float, float],
    depth_m: float,
    size_hw: tuple[int, int],
) -> Occluder | None:
    mask = np.zeros(size_hw, np.uint8)
    fill(mask, polygons, 255)
    x0, y0 = max(int(box[0]) - 1, 0), max(int(box[1]) - 1, 0)
    x1, y1 = min(int(box[2]) + 2, size_hw[1]), min(int(box[3]) + 2, size_hw[0])
    if x1 <= x0 or y1 <= y0:
        return None
    return Occluder(depth_m, slice(y0, y1), slice(x0, x1), np.ascontiguousarray(mask[y0:y1, x0:x1]))
