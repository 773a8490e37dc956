"""Normal clips with actors painted in, and in which frames each kind can be seen."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import cv2
import numpy as np
import numpy.typing as npt

from benchmarks.proxy.actors import KINDS, ORDINARY, Actor, Stage
from benchmarks.proxy.cutouts import Backdrop, CutOut, Ground, Pose, find_cutouts, look_at, measure_ground, usual
from crowdad.errors import ConfigError, DataError

__all__ = ["VISIBLE_SHARE", "Composite", "Troupe", "paint"]

VISIBLE_SHARE = 0.3
"""A figure counts as seen from this share of its area on, as in generated footage."""


@dataclass(frozen=True, eq=False)
class Composite:
    """frames: uint8 (T, H, W).  shown: by kind, bool (T,), True where at least one of it is seen."""

    name: str
    frames: npt.NDArray[np.uint8]
    shown: Mapping[str, npt.NDArray[np.bool_]]


class Troupe:
    """Walkers cut out of the normal clips of one camera, ready to act in any of them.

    clips: by name, uint8 (T, H, W), all of one camera.  Raises DataError where too few people walk alone.
    """

    def __init__(self, clips: Mapping[str, npt.NDArray[np.uint8]]) -> None:
        self.backdrops: dict[str, Backdrop] = {}
        found: list[CutOut] = []
        for name, frames in clips.items():
            self.backdrops[name], blobs = look_at(name, frames)
            found += find_cutouts(self.backdrops[name], blobs)
        height, width = next(iter(clips.values())).shape[1:]
        self.ground: Ground = measure_ground(found, (height, width))
        self.cutouts = usual(found, self.ground)
        if len({cutout.clip for cutout in self.cutouts}) < 2:
            raise DataError(
                f"{len(self.cutouts)} walkers could be cut out of {len(clips)} clips; some of at least two clips are "
                "needed, since nobody acts beside himself; give more clips"
            )

    def play(self, clip: str, kind: str, seed: int, turn: int = 0) -> Composite:
        """The clip with one performance of `kind` and, half of the time, an ordinary walker pasted beside it.

        turn: counts performances, so that they go through all depths of the scene.  The same arguments give the same
        frames.  Raises ConfigError for an unknown kind.
        """
        if kind not in KINDS:
            raise ConfigError(f"no kind of pseudo-anomaly is called {kind!r}; one of {', '.join(KINDS)} is needed")
        words = (seed, turn, list(self.backdrops).index(clip), list(KINDS).index(kind))
        rng = np.random.default_rng(words)
        stage = self._stage(clip, turn)
        actors = KINDS[kind](stage, rng)
        if kind != ORDINARY and rng.random() < 0.5:
            actors += KINDS[ORDINARY](self._stage(clip, turn + 1), rng)
        return paint(f"{clip}-{kind}", self.backdrops[clip], actors, rng)

    def _stage(self, clip: str, turn: int) -> Stage:
        depths, depth = self.ground.depths, turn % 3
        pool = [cutout for cutout in self.cutouts if cutout.clip != clip]
        ways = [np.sign(cutout.velocity[0]) for cutout in self.cutouts if cutout.clip == clip]
        return Stage(
            self.backdrops[clip], self.ground, pool, (depths[depth], depths[depth + 1]), -1 if sum(ways) < 0 else 1
        )


def paint(name: str, backdrop: Backdrop, actors: Sequence[Actor], rng: np.random.Generator) -> Composite:
    """Paint actors into a clip, far ones first, behind everybody of the clip whose feet are nearer.

    rng: of the sensor noise, which a zoomed or repeated picture would lack.
    """
    frames = backdrop.frames.copy()
    shown = {actor.kind: np.zeros(len(frames), np.bool_) for actor in actors}
    for index, frame in enumerate(frames):
        picture = frame.astype(np.float32)
        for actor in sorted(actors, key=lambda actor: actor.foot_xy[index, 1]):
            shown[actor.kind][index] |= _paint(picture, backdrop, actor, index, rng) >= VISIBLE_SHARE
        frame[:] = np.clip(np.rint(picture), 0, 255).astype(np.uint8)
    return Composite(name, frames, shown)


def _paint(
    picture: npt.NDArray[np.float32], backdrop: Backdrop, actor: Actor, index: int, rng: np.random.Generator
) -> float:
    """Paint one actor into float32 (H, W); returns the share of it that is seen."""
    pose, zoom = actor.poses[actor.shown[index]], float(actor.zoom[index])
    top, left, luma, matte = _placed(pose, zoom, bool(actor.mirrored[index]), actor.foot_xy[index])
    (height, width), (rows, columns) = picture.shape, matte.shape
    first, last = np.clip((top, top + rows), 0, height)
    begin, end = np.clip((left, left + columns), 0, width)
    if first >= last or begin >= end:
        return 0.0
    part = np.s_[first:last, begin:end]
    inside = np.s_[first - top : last - top, begin - left : end - left]
    nearer = backdrop.foot_row[index][part] > actor.foot_xy[index, 1] + 1
    covered = cv2.GaussianBlur(nearer.astype(np.float32), (0, 0), 0.6)
    share = matte[inside] * (1 - covered)
    noise = rng.normal(0, backdrop.noise, share.shape).astype(np.float32)
    figure = luma[inside] * np.float32(actor.gain) + noise
    picture[part] = picture[part] * (1 - share) + figure * share
    return float(share.sum() / matte.sum())


def _placed(
    pose: Pose, zoom: float, mirrored: bool, foot_xy: npt.NDArray[np.float64]
) -> tuple[int, int, npt.NDArray[np.float32], npt.NDArray[np.float32]]:
    """The pose at its place to a fraction of a pixel: top row, left column, grey levels and matte."""
    rows, columns = pose.matte.shape
    way = -1.0 if mirrored else 1.0
    ends = foot_xy[0] + way * zoom * (pose.origin_xy[0] + np.array([0.0, columns]))
    x = float(min(ends))
    y = float(foot_xy[1] + zoom * pose.origin_xy[1])
    left, top = int(np.floor(x)) - 1, int(np.floor(y)) - 1
    size = (int(np.ceil(columns * zoom)) + 3, int(np.ceil(rows * zoom)) + 3)
    # Pixel centres: column c of the pose covers [c, c + 1), so its centre lies at c + 0.5.
    shift_x = x - left + (zoom * columns if mirrored else 0.0) + way * zoom * 0.5 - 0.5
    shift = np.array([[way * zoom, 0, shift_x], [0, zoom, y - top + zoom * 0.5 - 0.5]])
    premultiplied = np.dstack([pose.luma * pose.matte, pose.matte])
    warped = np.asarray(cv2.warpAffine(premultiplied, shift, size, flags=cv2.INTER_LINEAR), np.float32)
    matte = warped[..., 1]
    return top, left, np.asarray(warped[..., 0] / np.maximum(matte, 1e-3), np.float32), matte
