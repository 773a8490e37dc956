"""What people ride, push or drive: bicycle, skateboard, wheelchair, cart; each with its person."""

from __future__ import annotations

import math
from itertools import pairwise

import numpy as np

from crowdad.synthetic.figures import add_person
from crowdad.synthetic.model import WHEEL_X, WHEEL_Z, Assembly, Ball, Colour, Model

__all__ = ["BICYCLE_WHEEL_M", "CART_WHEEL_M", "CHAIR_WHEEL_M", "bicycle", "cart", "skater", "wheelchair"]

BICYCLE_WHEEL_M, CHAIR_WHEEL_M, CART_WHEEL_M = 0.34, 0.3, 0.25
"""Wheel radii in metres."""

_RIDER_M = 1.75
_RUBBER: Colour = (38, 38, 40)
_METAL: Colour = (150, 152, 156)


def _own(x: float, y: float, z: float, radius: float = 0.0) -> Ball:
    """A sphere fixed to the body, in metres, for a model whose unit is the rider's height."""
    return (None, (x / _RIDER_M, y / _RIDER_M, z / _RIDER_M), radius / _RIDER_M)


def _on_wheel(x: float, y: float, wheel_m: float, turn: float, radius: float) -> Ball:
    """A sphere on a turning wheel that stands at (x, y), in metres; ends at its rim."""
    reach = (wheel_m - radius) / _RIDER_M
    anchor = {WHEEL_X: reach * math.cos(turn), WHEEL_Z: reach * math.sin(turn)}
    return (anchor, (x / _RIDER_M, y / _RIDER_M, wheel_m / _RIDER_M), radius / _RIDER_M)


def _add_wheel(body: Assembly, x: float, y: float, wheel_m: float, *, spokes: int = 6, tyre_m: float = 0.022) -> None:
    """Tyre as a ring of short tubes that turn with the wheel, and spokes."""
    turns = np.linspace(0, 2 * math.pi, 15)
    for start, end in pairwise(turns):
        first, second = (_on_wheel(x, y, wheel_m, turn, tyre_m) for turn in (start, end))
        body.add(_RUBBER, first, second, casts=True)
    for turn in np.arange(spokes) * math.pi / spokes:
        ends = (_on_wheel(x, y, wheel_m, turn + half, 0.006) for half in (0.0, math.pi))
        body.add(_METAL, *ends)
    body.add(_METAL, _own(x, y, wheel_m, 0.03))


def bicycle(rng: np.random.Generator) -> Model:
    """Bicycle and rider; pose from `pedal_table`."""
    body = Assembly(_RIDER_M)
    colours: tuple[Colour, ...] = ((40, 44, 160), (140, 84, 36), (60, 62, 64), (80, 130, 70))
    paint = colours[rng.integers(len(colours))]
    rear, front, crank = (-0.48, 0.34), (0.6, 0.34), (0.05, 0.29)
    seat, head = (-0.16, 0.86), (0.45, 0.86)
    _add_wheel(body, rear[0], 0.0, BICYCLE_WHEEL_M)
    _add_wheel(body, front[0], 0.0, BICYCLE_WHEEL_M)
    for start, end in ((rear, crank), (rear, seat), (crank, seat), (crank, head), (seat, head), (head, front)):
        body.add(paint, _own(start[0], 0, start[1], 0.022), _own(end[0], 0, end[1], 0.022), casts=True)
    body.add(_RUBBER, _own(-0.28, 0, 0.92, 0.04), _own(-0.06, 0, 0.92, 0.03))
    body.add(_RUBBER, _own(0.44, 0.25, 1.08, 0.018), _own(0.44, -0.25, 1.08, 0.018))
    body.add(paint, _own(head[0], 0, head[1], 0.02), _own(0.44, 0, 1.08, 0.02))
    return add_person(body, rng, plain=True).build()


def skater(rng: np.random.Generator) -> Model:
    """A person on a skateboard; pose `glide_pose`."""
    body = Assembly(_RIDER_M)
    for x in (-0.28, 0.28):
        body.add(_RUBBER, _own(x, 0.07, 0.03, 0.03), _own(x, -0.07, 0.03, 0.03))
    body.add((40, 70, 120), *(_own(x, y, 0.09, 0.015) for x in (-0.4, 0.4) for y in (-0.07, 0.07)), casts=True)
    return add_person(body, rng, plain=True).build()


def wheelchair(rng: np.random.Generator) -> Model:
    """A wheelchair and its driver; pose `sit_pose`."""
    body = Assembly(_RIDER_M)
    for y in (-0.3, 0.3):
        _add_wheel(body, -0.05, y, CHAIR_WHEEL_M, spokes=4)
        body.add(_RUBBER, _own(0.42, y * 0.8, 0.08, 0.07), casts=True)
        body.add(_METAL, _own(-0.2, y * 0.8, 0.95, 0.02), _own(-0.18, y * 0.8, 0.5, 0.02))
        body.add(_METAL, _own(-0.18, y * 0.8, 0.5, 0.02), _own(0.4, y * 0.8, 0.5, 0.02))
        body.add(_METAL, _own(0.4, y * 0.8, 0.5, 0.02), _own(0.55, y * 0.5, 0.14, 0.02))
    seat: Colour = (70, 50, 40)
    body.add(seat, *(_own(x, y, 0.49, 0.03) for x in (-0.2, 0.32) for y in (-0.22, 0.22)), casts=True)
    body.add(seat, *(_own(-0.23, y, z, 0.03) for z in (0.5, 0.95) for y in (-0.22, 0.22)), casts=True)
    return add_person(body, rng, plain=True).build()


def _add_box(body: Assembly, low: tuple[float, float, float], high: tuple[float, float, float], paint: Colour) -> None:
    """A box of six flat faces, each with its own light; sides in metres."""
    corners = [[(x, y, z) for z in (low[2], high[2]) for y in (low[1], high[1])] for x in (low[0], high[0])]
    flat = [corner for pair in corners for corner in pair]
    faces = {0: (0.82, 1.0), 1: (0.7, 0.9), 2: (0.5, 1.12)}
    for axis, (below, above) in faces.items():
        for end, light in ((low[axis], below), (high[axis], above)):
            face = [corner for corner in flat if corner[axis] == end]
            blue, green, red = (min(value * light, 250.0) for value in paint)
            body.add((blue, green, red), *(_own(*corner, 0.03) for corner in face), casts=axis == 2)


def cart(rng: np.random.Generator) -> Model:
    """A small utility cart with a driver under a roof and a loading box; pose `sit_pose`."""
    body = Assembly(_RIDER_M)
    paints: tuple[Colour, ...] = ((206, 210, 212), (70, 150, 90), (60, 170, 214))
    paint = paints[rng.integers(len(paints))]
    for x in (-0.75, 0.85):
        for y in (-0.55, 0.55):
            sides = (y - 0.09, y + 0.09)
            rim = [_on_wheel(x, side, CART_WHEEL_M, turn * math.tau / 12, 0.0) for side in sides for turn in range(12)]
            body.add(_RUBBER, *rim, bias_m=0.05)
            body.add(_METAL, _own(x, y * 1.17, CART_WHEEL_M, 0.12), bias_m=0.1)
            for turn in (0.0, math.pi / 2):
                ends = (_on_wheel(x, y * 1.2, CART_WHEEL_M, turn + half, 0.02) for half in (0.0, math.pi))
                body.add(_RUBBER, *ends, bias_m=0.12)
    _add_box(body, (-1.15, -0.55, 0.3), (1.2, 0.55, 0.5), paint)
    _add_box(body, (-1.15, -0.55, 0.5), (-0.35, 0.55, 1.05), paint)
    _add_box(body, (0.7, -0.5, 0.5), (1.15, 0.5, 0.95), paint)
    for x in (-0.4, 0.85):
        for y in (-0.5, 0.5):
            body.add(_METAL, _own(x, y, 0.6, 0.025), _own(x * 0.9, y, 1.9, 0.025), bias_m=0.02)
    body.add(
        (226, 228, 228), *(_own(x, y, 1.92, 0.04) for x in (-0.55, 0.9) for y in (-0.55, 0.55)),
        bias_m=0.6, casts=True, sheen=True,
    )  # fmt: skip
    return add_person(body, rng, plain=True).build()
