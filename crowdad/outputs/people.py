"""People's size in a scene, as it is shown: the outline of a person, where to draw some, and one line of text."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

__all__ = ["People", "outline", "svg_path"]

Array = npt.NDArray[np.float64]

_HEAD_Y, _HEAD_RADIUS = -0.435, 0.065
_SIDE = (
    (0.03, -0.36),
    (0.11, -0.33),
    (0.135, -0.28),
    (0.15, -0.08),
    (0.14, 0.03),
    (0.11, 0.03),
    (0.1, -0.12),
    (0.09, 0.05),
    (0.08, 0.46),
    (0.1, 0.5),
    (0.02, 0.5),
    (0.012, 0.1),
)
"""From the neck down to the crotch at one side of a person of height 1, whose middle is at (0, 0)."""


@dataclass(frozen=True)
class People:
    """What is shown of people's size in one scene.

    text: how tall they are and how sure that is.  places: of people to draw, far ones first: (x, y) of the middle and
    height, in pixels of the displayed picture.
    """

    text: str
    places: Sequence[tuple[float, float, float]]


def outline(place: tuple[float, float, float] = (0.0, 0.0, 1.0)) -> Array:
    """Corners of a person's outline (N, 2), in pixels of the picture; place: (x, y) of the middle and height."""
    angle = np.linspace(-np.pi / 2, 0.38 * np.pi, 9)
    head = np.stack([np.cos(angle), np.sin(angle)], axis=1) * _HEAD_RADIUS + (0.0, _HEAD_Y)
    side = np.concatenate([head, np.array(_SIDE)])
    x, y, height = place
    return np.concatenate([side, side[::-1] * (-1, 1)]) * height + (x, y)


def svg_path() -> str:
    """The outline of a person of height 1 around (0, 0), as the `d` of an SVG path."""
    return "M" + "L".join(f"{x:.3f} {y:.3f}" for x, y in outline()) + "Z"
