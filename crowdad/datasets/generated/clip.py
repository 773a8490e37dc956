"""Footage of a generated scene, frame by frame, with what is true in it."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace

import cv2
import numpy as np
import numpy.typing as npt

from crowdad.datasets.generated.agents import IN_SCOPE, OUT_OF_SCOPE, Agent, pose_of
from crowdad.datasets.generated.background import Background, draw_background
from crowdad.datasets.generated.camera import Camera
from crowdad.datasets.generated.crowd import STEP_S, Crowd, CrowdPlan
from crowdad.datasets.generated.render import SUPERSAMPLING, Outlines, fill, outline, shadow
from crowdad.datasets.generated.scenes import SceneConfig, scene_config
from crowdad.records import Box

__all__ = ["VISIBLE_SHARE", "GeneratedClip", "Truth"]

VISIBLE_SHARE = 0.3
"""A subject counts as visible from this share of its pixels on."""

Picture = npt.NDArray[np.uint8]


@dataclass(frozen=True, eq=False)
class Truth:
    """What is true of one frame.

    label: an anomaly of a kind in scope is visible.  out_of_scope: one of another kind is (known limits).
    mask: bool (H, W), visible pixels of the anomalies in scope.
    boxes_xyxy, kinds, track_ids: of every visible anomaly, also those out of scope; boxes of visible pixels.
    """

    index: int
    time_s: float
    label: bool
    out_of_scope: bool
    mask: npt.NDArray[np.bool_]
    boxes_xyxy: tuple[Box, ...]
    kinds: tuple[str, ...]
    track_ids: tuple[int, ...]


class GeneratedClip:
    """A clip of a generated scene.

    scene: a `SceneConfig` or the name of a ready-made one.  seed: of people, paths and noise; the place stays the
    scene's own, so clips of several seeds are recordings of one camera.  normal_only: no anomalies, for fitting.
    duration_s, fps: instead of the scene's own.  Raises ConfigError for an unknown scene or settings out of range.

        for picture, truth in GeneratedClip("demo", seed=1): ...

    Every pass over the clip gives the same frames; one frame is held at a time.
    """

    def __init__(
        self,
        scene: SceneConfig | str = "demo",
        seed: int = 0,
        *,
        normal_only: bool = False,
        duration_s: float | None = None,
        fps: float | None = None,
    ) -> None:
        config = scene_config(scene) if isinstance(scene, str) else scene
        if normal_only:
            config = replace(config, anomalies=())
        self.config = replace(
            config,
            duration_s=config.duration_s if duration_s is None else duration_s,
            fps=config.fps if fps is None else fps,
        )
        self.seed = seed

    @property
    def camera(self) -> Camera:
        """The scene's camera: person height and image speed everywhere."""
        return self.config.camera

    @property
    def fps(self) -> float:
        """Frames a second."""
        return self.config.fps

    @property
    def size_hw(self) -> tuple[int, int]:
        """Height and width of a frame."""
        return self.config.camera.size_hw

    @property
    def n_frames(self) -> int:
        """Frames in the clip."""
        return round(self.config.duration_s * self.config.fps)

    def __len__(self) -> int:
        return self.n_frames

    def __iter__(self) -> Iterator[tuple[Picture, Truth]]:
        """Frames with their truth: uint8 (H, W, 3) BGR and `Truth`."""
        studio = _Studio(self.config, self.seed)
        for index, bodies in enumerate(self._scenes()):
            picture, offset = studio.picture(bodies, index)
            yield picture, studio.truth(bodies, index, offset)

    def frames(self) -> Iterator[Picture]:
        """Frames alone: uint8 (H, W, 3) BGR."""
        studio = _Studio(self.config, self.seed)
        for index, bodies in enumerate(self._scenes()):
            yield studio.picture(bodies, index)[0]

    def truths(self) -> Iterator[Truth]:
        """What is true of each frame, without drawing it."""
        studio = _Studio(self.config, self.seed)
        for index, bodies in enumerate(self._scenes()):
            yield studio.truth(bodies, index, studio.shake(index))

    def positions(self) -> Iterator[list[tuple[int, str, float, float, float, float]]]:
        """Of each frame, everybody's track id, kind, x, y in metres, heading in radians and speed in m/s."""
        for bodies in self._scenes():
            yield [
                (agent.track_id, agent.kind, *(float(state[row]) for row in (0, 1, 2, 5))) for agent, state in bodies
            ]

    def _scenes(self) -> Iterator[list[tuple[Agent, npt.NDArray[np.float64]]]]:
        config = self.config
        plan = CrowdPlan(
            config.people, config.standing, config.streams, config.anomalies, config.anomaly_share, config.duration_s
        )
        crowd = Crowd(config.camera, config.fixtures, plan, self.seed)
        for index in range(self.n_frames):
            time_s = index / config.fps
            while crowd.time_s < time_s - 1e-9:
                crowd.step()
            share = 1.0 - (crowd.time_s - time_s) / STEP_S
            yield [(agent, agent.seen_at(share)) for agent in crowd.agents]


class _Studio:
    """Draws one clip: the background, the bodies, the camera's flaws."""

    def __init__(self, config: SceneConfig, seed: int) -> None:
        self.config = config
        self.background: Background = draw_background(config.camera, config.fixtures, config.scenery_seed)
        self.canvas = np.empty_like(self.background.lit)
        self.shade = np.empty(self.canvas.shape[:2], np.uint8)
        rng = np.random.default_rng((seed, 1))
        height, width = config.camera.size_hw
        grain = rng.normal(0, config.noise, (height + 64, width + 64, 3))
        self.more = np.clip(np.rint(grain), 0, 255).astype(np.uint8)
        self.less = np.clip(np.rint(-grain), 0, 255).astype(np.uint8)
        self.seed = seed
        self._last: tuple[int, list[Outlines]] = (-1, [])

    def outlines(self, bodies: list[tuple[Agent, npt.NDArray[np.float64]]], index: int) -> list[Outlines]:
        """Everybody's outlines, and their shadows in `shade`."""
        if self._last[0] == index:
            return self._last[1]
        camera = self.config.camera
        self.shade[:] = 0
        shapes = []
        for agent, state in bodies:
            pose = pose_of(agent.kind, state[3], state[5])
            world = agent.model.place(pose, state[:2], state[2], state[4])
            _, depth = camera.project((state[0], state[1], 0.0))
            shapes.append(outline(camera, agent.model, world, float(depth)))
            fill(self.shade, shadow(camera, agent.model, world), 255)
        self._last = (index, shapes)
        return shapes

    def picture(
        self, bodies: list[tuple[Agent, npt.NDArray[np.float64]]], index: int
    ) -> tuple[Picture, tuple[float, float]]:
        """The frame, and by how much the camera was shaken, pixels."""
        shapes = self.outlines(bodies, index)
        np.copyto(self.canvas, self.background.lit)
        cv2.copyTo(self.background.shaded, self.shade, self.canvas)
        things: list[tuple[float, Outlines | int]] = [(shape.depth_m, shape) for shape in shapes]
        things += [(occluder.depth_m, number) for number, occluder in enumerate(self.background.occluders)]
        for _, thing in sorted(things, key=lambda item: -item[0]):
            if isinstance(thing, Outlines):
                fill(self.canvas, thing.polygons, thing.colours)
            else:
                self._restore(thing)
        height, width = self.config.camera.size_hw
        picture = cv2.resize(self.canvas, (width, height), interpolation=cv2.INTER_AREA)
        offset = self.shake(index)
        return self._expose(picture, index, offset), offset

    def _restore(self, number: int) -> None:
        occluder = self.background.occluders[number]
        place = (occluder.rows, occluder.columns)
        cv2.copyTo(self.background.lit[place], occluder.mask, self.canvas[place])

    def shake(self, index: int) -> tuple[float, float]:
        """Shift of the frame to the right and down, pixels."""
        if not self.config.shake_px:
            return (0.0, 0.0)
        x, y = np.random.default_rng((self.seed, 2, index)).normal(0, self.config.shake_px, 2)
        return (float(x), float(y))

    def _expose(self, picture: Picture, index: int, offset: tuple[float, float]) -> Picture:
        """Shake, slow change of brightness, sensor noise, compression."""
        config = self.config
        if offset != (0.0, 0.0):
            picture = _shifted(picture, offset, cv2.INTER_LINEAR)
        time_s = index / config.fps
        gain = 1 + config.drift * (0.6 * np.sin(time_s / 7.3 + self.seed) + 0.4 * np.sin(time_s / 2.9 + 2 * self.seed))
        picture = cv2.convertScaleAbs(picture, alpha=float(gain))
        if config.noise:
            row, column = np.random.default_rng((self.seed, 3, index)).integers(0, 64, 2)
            place = (slice(row, row + picture.shape[0]), slice(column, column + picture.shape[1]))
            picture = cv2.subtract(cv2.add(picture, self.more[place]), self.less[place])
        if config.jpeg_quality is not None:
            _, packed = cv2.imencode(".jpg", picture, [cv2.IMWRITE_JPEG_QUALITY, config.jpeg_quality])
            picture = cv2.imdecode(packed, cv2.IMREAD_COLOR)
        return picture

    def truth(
        self, bodies: list[tuple[Agent, npt.NDArray[np.float64]]], index: int, offset: tuple[float, float]
    ) -> Truth:
        """What is true of the frame that `picture` draws."""
        mask = np.zeros(self.config.camera.size_hw, np.bool_)
        boxes, kinds, track_ids = [], [], []
        odd = [number for number, (agent, _) in enumerate(bodies) if agent.kind in (*IN_SCOPE, *OUT_OF_SCOPE)]
        shapes = self.outlines(bodies, index) if odd else []
        for number in odd:
            agent = bodies[number][0]
            seen = self._visible(shapes, number)
            if seen is None:
                continue
            if offset != (0.0, 0.0):
                seen = _shifted(seen, offset, cv2.INTER_LINEAR)
            pixels = seen > 127
            if not pixels.any():
                continue
            rows, columns = np.flatnonzero(pixels.any(axis=1)), np.flatnonzero(pixels.any(axis=0))
            boxes.append((float(columns[0]), float(rows[0]), float(columns[-1] + 1), float(rows[-1] + 1)))
            kinds.append(agent.kind)
            track_ids.append(agent.track_id)
            if agent.kind in IN_SCOPE:
                mask |= pixels
        scope = [kind in IN_SCOPE for kind in kinds]
        out = not all(scope)
        time_s = index / self.config.fps
        return Truth(index, time_s, any(scope), out, mask, tuple(boxes), tuple(kinds), tuple(track_ids))

    def _visible(self, shapes: list[Outlines], number: int) -> Picture | None:
        """How much of each pixel (0..255) one body fills, or None where too little of it is visible."""
        shape = shapes[number]
        x0, y0, x1, y1 = (int(np.floor(value)) for value in shape.box_xyxy)
        height, width = self.shade.shape
        if x1 <= 0 or y1 <= 0 or x0 >= width or y0 >= height:
            return None
        local = np.zeros((y1 - y0 + 2, x1 - x0 + 2), np.uint8)
        shift = np.array([x0, y0], np.int32) * 16
        fill(local, [polygon - shift for polygon in shape.polygons], 255)
        whole = np.count_nonzero(local)
        for other in shapes:
            if other.depth_m < shape.depth_m and _overlap(other.box_xyxy, shape.box_xyxy):
                fill(local, [polygon - shift for polygon in other.polygons], 0)
        seen = np.zeros((height, width), np.uint8)
        rows, columns = slice(max(y0, 0), min(y1 + 2, height)), slice(max(x0, 0), min(x1 + 2, width))
        seen[rows, columns] = local[rows.start - y0 : rows.stop - y0, columns.start - x0 : columns.stop - x0]
        for occluder in self.background.occluders:
            if occluder.depth_m < shape.depth_m:
                seen[occluder.rows, occluder.columns][occluder.mask > 0] = 0
        if np.count_nonzero(seen) < VISIBLE_SHARE * whole:
            return None
        return cv2.resize(seen, (width // SUPERSAMPLING, height // SUPERSAMPLING), interpolation=cv2.INTER_AREA)


def _overlap(first: Box, second: Box) -> bool:
    return first[0] < second[2] and second[0] < first[2] and first[1] < second[3] and second[1] < first[3]


def _shifted(picture: Picture, offset: tuple[float, float], interpolation: int) -> Picture:
    move = np.array([[1, 0, offset[0]], [0, 1, offset[1]]], np.float64)
    size = (picture.shape[1], picture.shape[0])
    return cv2.warpAffine(picture, move, size, flags=interpolation, borderMode=cv2.BORDER_REPLICATE)
