"""Pseudo-anomalies: who appears in a clip, where it walks, and which picture of it each frame shows.

Speeds are in walking speeds of the camera's own people, so that a kind means the same in every depth of the scene.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from benchmarks.proxy.cutouts import Backdrop, CutOut, Ground, Pose
from benchmarks.proxy.shapes import draw_shape

__all__ = ["IN_SCOPE", "KINDS", "LIMITS", "ORDINARY", "Actor", "Stage"]

Places = npt.NDArray[np.float64]

ORDINARY = "ordinary"
"""A walker pasted as it walked: normal, so that a trace of the pasting earns nothing."""

_SHORTENING = 2.2
"""Times slower that a walk towards the camera looks than one across, for a camera that looks down by 26 degrees."""

_CASTINGS = 12
_ROUTES = 20
_MOSTLY_WALKED = 0.9
_LEAST_CONTRAST = 0.6
_GAINS = (0.8, 1.25)
_TURN_RAD = 0.17


@dataclass(frozen=True, eq=False)
class Actor:
    """One figure over a whole clip of T frames; frames where it is out of the picture are simply not seen.

    poses: its pictures.  shown: int64 (T,), pose of each frame.  foot_xy: float64 (T, 2), contact point.
    zoom: float64 (T,), of the poses.  mirrored: bool (T,).  gain: factor on grey levels.
    """

    kind: str
    poses: tuple[Pose, ...]
    shown: npt.NDArray[np.int64]
    foot_xy: Places
    zoom: npt.NDArray[np.float64]
    mirrored: npt.NDArray[np.bool_]
    gain: float


@dataclass(frozen=True, eq=False)
class Stage:
    """What a kind is played on.

    pool: cut-outs of other clips.  rows: (first, last) row for the feet.  stream: +1 where most people in the clip
    walk to the right, -1 to the left.
    """

    backdrop: Backdrop
    ground: Ground
    pool: Sequence[CutOut]
    rows: tuple[float, float]
    stream: int

    @property
    def count(self) -> int:
        return len(self.backdrop.frames)

    def walk_px(self, row: float) -> float:
        """Walking speed across the picture in pixels a frame, for feet on `row`."""
        return self.ground.walk * float(self.ground.height_at(row))

    def gain(self, ground_luma: float, foot_xy: Places) -> float:
        """Factor that brings a figure from ground of one brightness to that of a path."""
        return float(np.clip(self.backdrop.ground_luma(foot_xy) / max(ground_luma, 1.0), *_GAINS))

    def zoom(self, cutout: CutOut, foot_xy: Places) -> npt.NDArray[np.float64]:
        """Zoom of a cut-out's poses along a path, float64 (T,), by the depth of each place."""
        own = float(self.ground.height_at(np.median(cutout.foot_xy[:, 1])))
        return self.ground.height_at(foot_xy[:, 1]) / own

    def cast(self, rng: np.random.Generator, foot_xy: Places) -> CutOut:
        """A cut-out that stands out on the path about as much as where it comes from."""
        cutout = self.pool[0]
        for _ in range(_CASTINGS):
            cutout = self.pool[int(rng.integers(len(self.pool)))]
            if self._contrast(cutout, foot_xy) >= _LEAST_CONTRAST * cutout.contrast:
                break
        return cutout

    def _contrast(self, cutout: CutOut, foot_xy: Places) -> float:
        """Mean difference between the figure and what lies behind it half-way, in grey levels."""
        pose = cutout.poses[len(cutout.poses) // 2]
        height, width = self.backdrop.background.shape
        x, y = foot_xy[len(foot_xy) // 2]
        side = np.rint(float(self.ground.height_at(y)) * np.array([0.2, 0.9])).astype(int)
        left, bottom = int(np.clip(x - side[0], 0, width - 2 * side[0] - 1)), int(np.clip(y, side[1], height))
        behind = self.backdrop.background[bottom - side[1] : bottom, left : left + 2 * side[0] + 1]
        inside = pose.luma[pose.matte > 0.9] * self.gain(cutout.ground_luma, foot_xy)
        return float(np.abs(np.quantile(inside, np.linspace(0, 1, 21))[:, None] - behind.ravel()).mean())


def _route(
    stage: Stage, rng: np.random.Generator, pace: float, way: int = 0, size: float = 1.0, *, through: float = 0.3
) -> Places:
    """A straight path across the picture, on ground where people walk if one is found; float64 (T, 2).

    It enters midway, leaves midway, or is there throughout.
    pace: in walking speeds.  way: +1 to the right, -1 to the left, 0 for either.  size: of the figure, to be out of
    the picture by.  through: probability of being there throughout.
    """
    paths = []
    for _ in range(_ROUTES):
        paths.append(_line(stage, rng, pace, way, size, through))
        if stage.ground.walked_share(paths[-1]) >= _MOSTLY_WALKED:
            return paths[-1]
    return max(paths, key=stage.ground.walked_share)


def _line(stage: Stage, rng: np.random.Generator, pace: float, way: int, size: float, through: float) -> Places:
    width, count = stage.backdrop.background.shape[1], stage.count
    row = rng.uniform(*stage.rows)
    way = way or (1 if rng.random() < 0.5 else -1)
    turn = rng.uniform(-_TURN_RAD, _TURN_RAD)
    speed = pace * stage.walk_px(row)
    out = 0.5 * size * float(stage.ground.height_at(row))
    ends = (-out, width + out) if way > 0 else (width + out, -out)
    plot = rng.random()
    if plot < through:
        time, x = count / 2, rng.uniform(0.2, 0.8) * width
    elif plot < through + (1 - through) / 2:
        time, x = rng.uniform(0.25, 0.6) * count, ends[0]
    else:
        time, x = rng.uniform(0.4, 0.75) * count, ends[1]
    frames = np.arange(count)
    across = x + way * speed * math.cos(turn) * (frames - time)
    along = row + speed * math.sin(turn) / _SHORTENING * (frames - count / 2)
    return np.stack([across, np.clip(along, *stage.ground.rows)], axis=1)


def _stepping(
    kind: str,
    stage: Stage,
    rng: np.random.Generator,
    foot_xy: Places,
    *,
    size: float = 1.0,
    cutout: CutOut | None = None,
) -> Actor:
    """A walker whose limbs keep up with its path.  size: factor on its height."""
    cutout = cutout or stage.cast(rng, foot_xy)
    zoom = size * stage.zoom(cutout, foot_xy)
    moved = np.diff(foot_xy, axis=0, prepend=foot_xy[:1])
    pixels = np.hypot(moved[:, 0], _SHORTENING * moved[:, 1]) / zoom
    own = cutout.velocity
    phase = np.cumsum(pixels) / float(np.hypot(own[0], _SHORTENING * own[1]))
    start, end = cutout.cycle
    shown = cutout.at_phase(phase + rng.integers(start, end))
    gain = stage.gain(cutout.ground_luma, foot_xy)
    return Actor(kind, cutout.poses, shown, foot_xy, zoom, _mirrored(cutout, moved), gain)


def _gliding(kind: str, stage: Stage, rng: np.random.Generator, foot_xy: Places) -> Actor:
    """One frozen pose that moves smoothly, as a rider or skater does."""
    cutout = stage.cast(rng, foot_xy)
    shown = np.full(stage.count, rng.integers(len(cutout.poses)))
    moved = np.diff(foot_xy, axis=0, prepend=foot_xy[:1])
    gain = stage.gain(cutout.ground_luma, foot_xy)
    return Actor(kind, cutout.poses, shown, foot_xy, stage.zoom(cutout, foot_xy), _mirrored(cutout, moved), gain)


def _mirrored(cutout: CutOut, moved: Places) -> npt.NDArray[np.bool_]:
    """Where the figure must be turned to look where it goes; standing still it looks where it went last."""
    way = np.sign(moved[:, 0])
    last = np.maximum.accumulate(np.where(way != 0, np.arange(len(way)), 0))
    way = way[last]
    way[way == 0] = way[np.nonzero(way)[0][0]] if way.any() else 1.0
    return np.asarray(way != (1.0 if cutout.velocity[0] >= 0 else -1.0))


def _pace(rng: np.random.Generator, low: float, high: float) -> float:
    """A pace between two; slow ones are more frequent, since fast ones are found by any method."""
    return float(low * (high / low) ** (rng.random() ** 1.5))


def _fast(stage: Stage, rng: np.random.Generator) -> list[Actor]:
    return [_stepping("fast", stage, rng, _route(stage, rng, _pace(rng, 1.35, 3.0)))]


def _glide(stage: Stage, rng: np.random.Generator) -> list[Actor]:
    return [_gliding("glide", stage, rng, _route(stage, rng, _pace(rng, 1.3, 2.5)))]


def _large(stage: Stage, rng: np.random.Generator) -> list[Actor]:
    size = rng.uniform(1.4, 1.8)
    return [_stepping("large", stage, rng, _route(stage, rng, size, size=size), size=size)]


def _shape(stage: Stage, rng: np.random.Generator) -> list[Actor]:
    foot_xy = _route(stage, rng, _pace(rng, 1.2, 2.2), size=2.0)
    cutout = stage.cast(rng, foot_xy)
    pose = draw_shape(rng, cutout, float(stage.ground.height_at(np.median(cutout.foot_xy[:, 1]))))
    moved = np.diff(foot_xy, axis=0, prepend=foot_xy[:1])
    gain = stage.gain(cutout.ground_luma, foot_xy)
    shown = np.zeros(stage.count, np.int64)
    return [Actor("shape", (pose,), shown, foot_xy, stage.zoom(cutout, foot_xy), _mirrored(cutout, moved), gain)]


def _pair(stage: Stage, rng: np.random.Generator) -> list[Actor]:
    """Two side by side, one gliding, one stepping."""
    foot_xy = _route(stage, rng, _pace(rng, 1.35, 2.2))
    height = float(stage.ground.height_at(foot_xy[0, 1]))
    aside = np.array([rng.uniform(0.35, 0.7), rng.uniform(-0.15, 0.15)]) * height
    return [_gliding("pair", stage, rng, foot_xy), _stepping("pair", stage, rng, foot_xy + aside)]


def _against(stage: Stage, rng: np.random.Generator) -> list[Actor]:
    return [_stepping("against", stage, rng, _route(stage, rng, rng.uniform(0.9, 1.1), -stage.stream))]


def _across(stage: Stage, rng: np.random.Generator) -> list[Actor]:
    """Walks towards or away from the camera, cutting the stream, throughout the clip."""
    width = stage.backdrop.background.shape[1]
    first, last = stage.ground.rows
    row = rng.uniform(first, last)
    turn = rng.uniform(math.radians(60), math.radians(90)) * (1 if rng.random() < 0.5 else -1)
    speed = rng.uniform(0.9, 1.1) * stage.walk_px(row)
    frames = np.arange(stage.count) - stage.count / 2
    travel = abs(speed * math.sin(turn) / _SHORTENING) * stage.count / 2
    middle = float(np.clip(row, first + travel, last - travel)) if 2 * travel < last - first else (first + last) / 2
    across = rng.uniform(0.25, 0.75) * width + (1 if rng.random() < 0.5 else -1) * speed * math.cos(turn) * frames
    along = np.clip(middle + speed * math.sin(turn) / _SHORTENING * frames, first, last)
    return [_stepping("across", stage, rng, np.stack([across, along], axis=1))]


def _loiter(stage: Stage, rng: np.random.Generator) -> list[Actor]:
    """To and fro about one place, at half the walking speed at most."""
    width = stage.backdrop.background.shape[1]
    row = rng.uniform(*stage.rows)
    reach = rng.uniform(0.5, 0.9) * float(stage.ground.height_at(row))
    rate = 0.5 * stage.walk_px(row) / reach
    angle = rate * np.arange(stage.count) + rng.uniform(0, math.tau)
    foot_xy = np.stack([rng.uniform(0.1, 0.9) * width + reach * np.sin(angle), np.full(stage.count, row)], axis=1)
    return [_stepping("loiter", stage, rng, foot_xy)]


def _ordinary(stage: Stage, rng: np.random.Generator) -> list[Actor]:
    """A walker at its own pace."""
    path = _route(stage, rng, 1.0, through=0.0)
    cutout = stage.cast(rng, path)
    height = float(stage.ground.height_at(np.median(cutout.foot_xy[:, 1])))
    own = abs(float(cutout.velocity[0])) / height / stage.ground.walk
    middle = path[len(path) // 2]
    return [_stepping(ORDINARY, stage, rng, (path - middle) * (own, 1.0) + middle, cutout=cutout)]


KINDS: dict[str, Callable[[Stage, np.random.Generator], list[Actor]]] = {
    "fast": _fast,
    "glide": _glide,
    "large": _large,
    "shape": _shape,
    "pair": _pair,
    "against": _against,
    "across": _across,
    "loiter": _loiter,
    ORDINARY: _ordinary,
}

IN_SCOPE = ("fast", "glide", "large", "shape", "pair")
"""What is to be found: what moves, or is, unlike people who walk."""

LIMITS = ("against", "across", "loiter")
"""Told beside: where people walk both ways and stop, nothing makes these abnormal."""
