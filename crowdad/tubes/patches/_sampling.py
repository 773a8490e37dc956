"""Reading motion maps along paths: what every extractor shares."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import cv2
import numpy as np
import numpy.typing as npt

from crowdad.config import TubeSettings
from crowdad.tubes.flow import MotionMaps

__all__ = ["channels", "look_up", "sample", "seeds"]

Array = npt.NDArray[np.float32]

_LEGS = np.stack(np.meshgrid((-0.18, 0.0, 0.18), (0.18, 0.32, 0.46)), axis=-1).reshape(-1, 2).astype(np.float32)
"""Where legs are, from the body's middle, (x, y) in ph."""

_LEAST_SWING = np.float32(0.03)  # walking speeds
_TABLE_COLUMNS = 64  # cv2.remap takes at most 32767 rows: points are folded into a table


def look_up(image: Array, points_xy: Array) -> Array:
    """Values of a half-size map at full-size pixel positions (..., 2), bilinear, borders repeated."""
    shape = points_xy.shape[:-1]
    flat = (points_xy.reshape(-1, 2) - 0.5) / 2
    rows = max(-(-len(flat) // _TABLE_COLUMNS), 1)
    table = np.zeros((rows, _TABLE_COLUMNS, 2), np.float32)
    table.reshape(-1, 2)[: len(flat)] = flat
    values = cv2.remap(image, table, None, cv2.INTER_LINEAR, borderMode=cv2.BORDER_REPLICATE)  # type: ignore[call-overload]
    depth = () if image.ndim == 2 else (image.shape[2],)
    return np.asarray(values, np.float32).reshape(-1, *depth)[: len(flat)].reshape(*shape, *depth)


def channels(maps: MotionMaps, picture: npt.NDArray[np.uint8], person_px: float) -> Array:
    """How things move: the channels of the motion maps."""
    return maps.channels


def seeds(maps: MotionMaps, person_px: float, settings: TubeSettings) -> Array:
    """Grid points of the view, every `spacing`, around which something moves: float32 (N, 2), full-size pixels."""
    height, width = maps.density.shape
    pitch = settings.spacing * person_px
    xs = np.arange(pitch / 2, width * 2, pitch, dtype=np.float32)
    ys = np.arange(pitch / 2, height * 2, pitch, dtype=np.float32)
    points = np.stack(np.meshgrid(xs, ys), axis=-1).reshape(-1, 2)
    return points[look_up(maps.density, points) > settings.min_density]


def sample(
    history: Sequence[MotionMaps],
    points_xy: Array,
    person_px: Array,
    settings: TubeSettings,
    previous_place: Callable[[MotionMaps, Array], Array],
) -> tuple[Array, Array, npt.NDArray[np.bool_], Array]:
    """Take each point back through `history` (newest first) and read the motion over the body around it.

    history: T maps of one view.  points_xy: float32 (N, 2).  person_px: float32 (N,), in view pixels.
    Returns features float32 (N, C, T, rows, columns), paths float32 (N, T, 2), alive bool (N, T), and how much the legs
    swing, float32 (N,): mean over the lower body of the logarithm of how much the speed there changes in time.
    """
    height, width = (2 * side for side in history[0].density.shape)
    offset_y = np.linspace(-settings.half_height, settings.half_height, settings.rows)
    offset_x = np.linspace(-settings.half_width, settings.half_width, settings.columns)
    grid = np.stack(np.meshgrid(offset_x, offset_y), axis=-1).astype(np.float32)
    body = grid[None] * person_px[:, None, None, None]
    legs = _LEGS[None] * person_px[:, None, None]

    point = points_xy.astype(np.float32)
    alive = np.ones(len(point), bool)
    features, path, alive_at, limbs = [], [], [], []
    for maps in history:
        inside = (point[:, 0] >= 1) & (point[:, 0] < width - 1) & (point[:, 1] >= 1) & (point[:, 1] < height - 1)
        alive = alive & inside
        path.append(point)
        alive_at.append(alive)
        features.append(look_up(maps.channels, point[:, None, None] + body))
        limbs.append(look_up(maps.limbs, point[:, None] + legs))
        point = previous_place(maps, point)
    stacked = np.stack(features, axis=1)  # N, T, rows, columns, C
    swing = np.log(np.std(limbs, axis=0) + _LEAST_SWING).mean(axis=1)
    return np.ascontiguousarray(stacked.transpose(0, 4, 1, 2, 3)), np.stack(path, 1), np.stack(alive_at, 1), swing
