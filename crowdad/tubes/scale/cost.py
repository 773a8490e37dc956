"""What settings cost on one camera's picture, before memory and time are spent on it."""

from __future__ import annotations

import math
from collections.abc import Sequence

from crowdad.config import Settings
from crowdad.errors import ConfigError
from crowdad.files import MB
from crowdad.records import MOST_CELLS
from crowdad.tubes.scale.scene_scale import SceneScale
from crowdad.tubes.scale.view import View, views

__all__ = ["check_cost", "most_tubes"]

_MOST_BYTES = 2048 * MB
_MOST_SIGMA_PX = 1000.0
_MAP_BYTES, _TUBE_BYTES, _VOTE_BYTES = 36, 16, 12  # of a pixel at half size, of a sample of a tube, of a cell


def check_cost(scale: SceneScale, settings: Settings) -> None:
    """Raise ConfigError where settings, on a picture of this size with people of this height, take memory without end.

    Each setting lies within its range; together, or with people of a few pixels, they may still ask for anything.
    """
    tubes, heatmap, motion = settings.tubes, settings.heatmap, settings.motion
    pixels = cells = sigma_px = 0.0
    seen = views(scale, settings.scale)
    for view in seen:
        height, width = view.size_hw
        pixels += height * width
        cell_px = heatmap.cell * view.person_px / view.zoom_xy[1]
        cells += max(1.0, (view.seen[1] - view.seen[0]) / cell_px) * max(1.0, scale.size_hw[1] / cell_px)
        widest = max(motion.local_sigma, motion.body_sigma_x, motion.body_sigma_y)
        sigma_px = max(sigma_px, widest * view.person_px / 2)
    steps = 2 * math.ceil(3 * heatmap.sigma_steps) + 2 * tubes.steps
    samples = most_tubes(seen, settings) * tubes.steps * tubes.rows * tubes.columns
    window = scale.size_hw[0] * scale.size_hw[1] * (tubes.steps + 1) * scale.gap
    asked = {
        "tubes.steps and the scene's gap ask for windows": (window, _MOST_BYTES, "bytes"),
        "tubes.steps asks for maps of motion": (pixels / 4 * tubes.steps * _MAP_BYTES, _MOST_BYTES, "bytes"),
        "tubes.spacing, steps, rows and columns ask for tubes": (samples * _TUBE_BYTES, _MOST_BYTES, "bytes"),
        "heatmap.cell asks for maps": (cells, MOST_CELLS, "cells"),
        "heatmap.sigma_steps and cell ask for votes": (cells * steps * _VOTE_BYTES, _MOST_BYTES, "bytes"),
        "motion's sigmas ask for blurs": (sigma_px, _MOST_SIGMA_PX, "pixels"),
    }
    height, width = scale.size_hw
    for what, (needed, most, unit) in asked.items():
        if needed > most:
            raise ConfigError(
                f"{what} of {needed:,.0f} {unit} for a picture of {width}x{height} with people of "
                f"{scale.person[0]:.3g} pixels; at most {most:,.0f} are computed: choose other settings"
            )


def most_tubes(seen: Sequence[View], settings: Settings) -> float:
    """Tubes of all views that end at one step where everything in the picture moves."""
    spacing = settings.tubes.spacing
    return sum(math.prod(view.size_hw) / (spacing * view.person_px) ** 2 for view in seen)
