"""Motion tubes: patches that follow the thing they look at back through time."""

from __future__ import annotations

from collections.abc import Sequence

import cv2
import numpy as np
import numpy.typing as npt

from crowdad.config import TubeSettings
from crowdad.motion import MotionMaps

__all__ = ["follow", "propose"]

Array = npt.NDArray[np.float32]


def _look_up(image: Array, points_xy: Array) -> Array:
    """Values of a half-size map at full-size pixel positions (..., 2), bilinear, borders repeated."""
    shape = points_xy.shape[:-1]
    flat = (points_xy.reshape(-1, 1, 2) - 0.5) / 2
    # remap takes at most 32767 rows: fold the points into a square-ish table
    columns = 64
    rows = -(-len(flat) // columns)
    table = np.zeros((rows * columns, 2), np.float32)
    table[: len(flat)] = flat[:, 0]
    table = table.reshape(rows, columns, 2)
    values = cv2.remap(image, table, None, cv2.INTER_LINEAR, borderMode=cv2.BORDER_REPLICATE)
    depth = () if image.ndim == 2 else (image.shape[2],)
    return values.reshape(rows * columns, *depth)[: len(flat)].reshape(*shape, *depth)


def propose(maps: MotionMaps, person_px: float, settings: TubeSettings) -> Array:
    """Centres of motion in one step.

    Seeds every `spacing` where something moves climb to the centre of the motion around them; duplicates are merged.
    Returns float32 (N, 2), x and y in pixels of the view, in a fixed order; N = 0 where the scene is still.
    """
    height, width = maps.density.shape
    pitch = settings.spacing * person_px
    xs = np.arange(pitch / 2, width * 2, pitch, dtype=np.float32)
    ys = np.arange(pitch / 2, height * 2, pitch, dtype=np.float32)
    points = np.stack(np.meshgrid(xs, ys), axis=-1).reshape(-1, 2)
    if not len(points):
        return points
    points = points[_look_up(maps.density, points) > settings.min_density]
    for _ in range(settings.mean_shifts):
        if len(points):
            points = points + _look_up(maps.centre_shift, points)
    merged = np.unique(np.round(points / (pitch / 2)), axis=0, return_index=True)[1]
    return points[np.sort(merged)]


def follow(
    history: Sequence[MotionMaps], points_xy: Array, person_px: Array, settings: TubeSettings
) -> tuple[Array, Array, npt.NDArray[np.bool_]]:
    """Follow each point back through `history` (newest first) and sample the motion over its body.

    history: `settings.steps` maps of one view.  points_xy: float32 (N, 2).  person_px: float32 (N,), in view pixels.
    Returns features float32 (N, 4, T, rows, columns), paths float32 (N, T, 2), alive bool (N, T).
    """
    height, width = (2 * side for side in history[0].density.shape)
    offset_y = np.linspace(-settings.half_height, settings.half_height, settings.rows)
    offset_x = np.linspace(-settings.half_width, settings.half_width, settings.columns)
    grid = np.stack(np.meshgrid(offset_x, offset_y), axis=-1).astype(np.float32)
    body = grid[None] * person_px[:, None, None, None]

    point = points_xy.astype(np.float32)
    alive = np.ones(len(point), bool)
    features, path, alive_at = [], [], []
    for maps in history:
        inside = (point[:, 0] >= 1) & (point[:, 0] < width - 1) & (point[:, 1] >= 1) & (point[:, 1] < height - 1)
        alive = alive & inside
        path.append(point)
        alive_at.append(alive)
        features.append(_look_up(maps.channels, point[:, None, None] + body))
        point = point + _look_up(maps.velocity, point)
    stacked = np.stack(features, axis=1)  # N, T, rows, columns, 4
    return np.ascontiguousarray(stacked.transpose(0, 4, 1, 2, 3)), np.stack(path, 1), np.stack(alive_at, 1)
