"""The arrays of motion in a model file: each of the shape that the others and the settings ask for."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
import numpy.typing as npt

from crowdad.config import EncoderSettings, TubeSettings
from crowdad.scene.encoders import encoder_kind

__all__ = ["check_motion"]

_UNIT_SLACK = 1e-3
_CHANNELS = 3  # what tubes tell of motion, see patches
_MOST_SIDE_PX = 1024


def check_motion(motion: Any) -> None:
    """Raise ValueError where a stream's arrays fit neither each other nor its settings, or hold what no fit gives."""
    encoder, tubes = motion.settings.encoder, motion.settings.tubes
    clusters = len(motion.centres)
    band = (_CHANNELS, 1, tubes.rows, 1)
    needed = {
        "centres": (clusters, encoder.code_dim + 1),
        "shares": (clusters,),
        "mean": band,
        "spread": band,
        "tube_normality": (101,),
        "thumbnails": (clusters, *_sides(motion.thumbnails)),
    }
    if motion.motions is not None:
        needed["motions"] = (clusters, tubes.steps, tubes.rows, tubes.columns)
    for name, shape in needed.items():
        array, dtype = getattr(motion, name), np.uint8 if name in ("thumbnails", "motions") else np.float32
        if array.shape != shape or not clusters:
            raise ValueError(f"{name} is {array.shape}, {shape} is needed")
        if array.dtype != dtype:
            raise ValueError(f"{name} is {array.dtype}, {np.dtype(dtype)} is needed")
        if not np.isfinite(array).all():
            raise ValueError(f"{name} holds nan or inf")
    if np.abs(np.linalg.norm(motion.centres.astype(np.float64), axis=1) - 1).max() > _UNIT_SLACK:
        raise ValueError("its centres are not of length 1")
    if motion.spread.min() <= 0:
        raise ValueError("spread holds what is not above 0")
    _check_weights(motion.weights, encoder, tubes)


def _check_weights(weights: Mapping[str, npt.NDArray[Any]], encoder: EncoderSettings, tubes: TubeSettings) -> None:
    """Raise ValueError where they are not the encoder's."""
    needed = encoder_kind(encoder).weight_shapes(encoder, tubes)
    found = {name: array.shape for name, array in weights.items()}
    for name in sorted(found.keys() | needed.keys()):
        if found.get(name) != needed.get(name):
            raise ValueError(f"weight {name} is {found.get(name, 'missing')}, {needed.get(name, 'none')} is needed")
    if not all(np.isfinite(array).all() for array in weights.values()):
        raise ValueError("the encoder's weights hold nan or inf")


def _sides(thumbnails: npt.NDArray[Any]) -> tuple[int | str, ...]:
    """Height and width of the pictures, or in words what is needed."""
    sides = thumbnails.shape[1:]
    return sides if len(sides) == 2 and all(0 < side <= _MOST_SIDE_PX for side in sides) else ("height", "width")
