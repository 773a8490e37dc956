"""Solid bodies as lists of parts; a part is the hull of a few spheres that hang on joints."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

import numpy as np
import numpy.typing as npt

from crowdad.synthetic.gait import JOINTS

__all__ = ["WHEEL_X", "WHEEL_Z", "Assembly", "Colour", "Model"]

Colour = tuple[float, float, float]
"""Blue, green, red in 0..255."""

Floats = npt.NDArray[np.float64]

WHEEL_X, WHEEL_Z = "wheel_x", "wheel_z"
"""Two pseudo-joints, the unit vectors of a turning wheel: a spoke is centre + r (cos k * WHEEL_X + sin k * WHEEL_Z)."""

_ROW = {name: row for row, name in enumerate([*JOINTS, WHEEL_X, WHEEL_Z])}

Anchor = str | Mapping[str, float] | None
Ball = tuple[Anchor, tuple[float, float, float], float]
"""Anchor (a joint, weighted joints, or None for the body's own origin), offset and radius."""


@dataclass(frozen=True, eq=False)
class Model:
    """A body that can be posed.

    weights: (M, J), offsets: (M, 3), radii: (M,), of M spheres in units of `scale_m` metres.
    starts: int (P + 1,), part p is made of spheres starts[p] to starts[p + 1].  colours: P.  bias_m: (P,) metres nearer
    to the camera than drawn, for painting order.  sheen: P, whether a part is lit.  shadow_parts: those that throw one.
    """

    scale_m: float
    weights: Floats
    offsets: Floats
    radii_m: Floats
    starts: npt.NDArray[np.int64]
    colours: tuple[Colour, ...]
    bias_m: Floats
    sheen: tuple[bool, ...]
    shadow_parts: tuple[int, ...]

    def place(self, pose: Floats, xy: Floats, heading: float, wheel_angle: float = 0.0) -> Floats:
        """Sphere centres in the world: float64 (M, 3), metres.

        pose: (J, 3) in units of scale_m.  xy: place on the ground.  heading: radians, 0 = +X.
        """
        cos, sin = np.cos(-wheel_angle), np.sin(-wheel_angle)
        joints = np.concatenate([pose, [[cos, 0.0, sin], [-sin, 0.0, cos]]])
        body = (self.weights @ joints + self.offsets) * self.scale_m
        cos, sin = np.cos(heading), np.sin(heading)
        world = np.empty_like(body)
        world[:, 0] = xy[0] + cos * body[:, 0] - sin * body[:, 1]
        world[:, 1] = xy[1] + sin * body[:, 0] + cos * body[:, 1]
        world[:, 2] = body[:, 2]
        return world


@dataclass
class Assembly:
    """Collects parts into a `Model`."""

    scale_m: float = 1.0
    _balls: list[Ball] = field(default_factory=list)
    _starts: list[int] = field(default_factory=lambda: [0])
    _colours: list[Colour] = field(default_factory=list)
    _bias: list[float] = field(default_factory=list)
    _casts: list[bool] = field(default_factory=list)
    _sheen: list[bool] = field(default_factory=list)

    def add(
        self, colour: Colour, *balls: Ball, bias_m: float = 0.0, casts: bool = False, sheen: bool = False
    ) -> Assembly:
        """One part, the hull of the given spheres."""
        self._balls.extend(balls)
        self._starts.append(len(self._balls))
        self._colours.append(colour)
        self._bias.append(bias_m)
        self._casts.append(casts)
        self._sheen.append(sheen)
        return self

    def build(self) -> Model:
        """The finished model."""
        weights = np.zeros((len(self._balls), len(_ROW)))
        for row, (anchor, _, _) in enumerate(self._balls):
            parts = {anchor: 1.0} if isinstance(anchor, str) else anchor or {}
            for name, weight in parts.items():
                weights[row, _ROW[name]] = weight
        return Model(
            self.scale_m,
            weights,
            np.array([offset for _, offset, _ in self._balls], dtype=np.float64),
            np.array([radius for _, _, radius in self._balls]) * self.scale_m,
            np.array(self._starts),
            tuple(self._colours),
            np.array(self._bias),
            tuple(self._sheen),
            tuple(part for part, casts in enumerate(self._casts) if casts),
        )
