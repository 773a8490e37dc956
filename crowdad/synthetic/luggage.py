"""Things that are carried and put down: boxes, suitcases, bags."""

from __future__ import annotations

import numpy as np

from crowdad.synthetic.model import Assembly, Ball, Colour, Model

__all__ = ["luggage"]

_PAINTS: tuple[Colour, ...] = (
    (60, 96, 148), (44, 44, 48), (126, 70, 40), (48, 48, 140), (70, 110, 74), (80, 128, 170),
)  # fmt: skip
_SIZES_M = ((0.55, 0.42, 0.5), (0.5, 0.28, 0.68), (0.62, 0.34, 0.4))
_LIGHT = ((0.82, 1.0), (0.7, 0.9), (0.5, 1.14))
"""How light the lower and the upper face along x, y and z are."""


def _corner(x: float, y: float, z: float) -> Ball:
    """Hung on a joint, so that a pose can lift it."""
    return ("hip_l", (x, y, z), 0.03)


def luggage(rng: np.random.Generator) -> Model:
    """A box, a suitcase or a bag, 0.4 to 0.7 m high; pose: all joints at its height above the ground, in metres."""
    body = Assembly()
    size = np.array(_SIZES_M[rng.integers(len(_SIZES_M))]) * rng.uniform(0.92, 1.12)
    paint = np.clip(np.array(_PAINTS[rng.integers(len(_PAINTS))]) * rng.uniform(0.85, 1.15), 20, 230)
    low, high = np.array([-size[0] / 2, -size[1] / 2, 0.04]), np.array([size[0] / 2, size[1] / 2, size[2]])
    corners = [
        (float(x), float(y), float(z)) for x in (low[0], high[0]) for y in (low[1], high[1]) for z in (low[2], high[2])
    ]
    for axis, lights in enumerate(_LIGHT):
        for end, light in zip((low[axis], high[axis]), lights, strict=True):
            blue, green, red = np.clip(paint * light, 0, 250).tolist()
            face = [_corner(*corner) for corner in corners if corner[axis] == end]
            body.add((blue, green, red), *face, casts=True)
    handle = (0.1, 0.0, float(size[2]) + 0.06)
    body.add((40, 40, 42), _corner(-0.1, 0.0, handle[2]), _corner(*handle), bias_m=0.05)
    return body.build()
