"""Draws the frames of a generated clip, and says what is true in each."""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np
import numpy.typing as npt

from crowdad.records import Box
from crowdad.synthetic.agents import LABELLED, OUT_OF_SCOPE, Agent, pose_of
from crowdad.synthetic.background import Background, Place
from crowdad.synthetic.light import LightNow, Sky
from crowdad.synthetic.moods import CrowdEvent
from crowdad.synthetic.render import POLYGON_UNIT, SUN, SUPERSAMPLING, Outlines, fill, outline, shadow
from crowdad.synthetic.scenes import SceneConfig

__all__ = ["VISIBLE_SHARE", "Body", "Studio", "Truth"]

VISIBLE_SHARE = 0.3
"""A subject counts as visible from this share of its pixels on."""

_REACH_M = 2.4
_LIGHT_S = 0.5

Picture = npt.NDArray[np.uint8]
Body = tuple[Agent, npt.NDArray[np.float64]]
"""An agent and its state at the time of a frame."""


@dataclass(frozen=True, eq=False)
class Truth:
    """What is true of one frame.

    label: an anomaly that is not out of scope is visible, or the whole crowd does something unusual.
    out_of_scope: one that is out of scope is visible (known limits).
    mask: bool (H, W), visible pixels of the anomalies that are not out of scope; of a removed object, where it stood.
    boxes_xyxy, kinds, track_ids: of every visible anomaly, also those out of scope; boxes of visible pixels.
    stands_since_s: of each of them, since when it stands, None for those that do not count by their standing.
    crowd_kinds: what the whole crowd does.
    undecided: somebody stands, or a thing was put down, that is about to count but does not yet.
    """

    index: int
    time_s: float
    label: bool
    out_of_scope: bool
    mask: npt.NDArray[np.bool_]
    boxes_xyxy: tuple[Box, ...]
    kinds: tuple[str, ...]
    track_ids: tuple[int, ...]
    stands_since_s: tuple[float | None, ...] = ()
    crowd_kinds: tuple[str, ...] = ()
    undecided: bool = False


class Studio:
    """Draws one clip: the background, the bodies, the camera's flaws."""

    def __init__(self, config: SceneConfig, seed: int, events: tuple[CrowdEvent, ...] = ()) -> None:
        self.config = config
        self._events = events
        self._place = Place(config.camera, config.fixtures, config.paving_bgr, config.scenery_seed, config.lawn)
        self._sky = None if config.light is None else Sky(config.light, seed, config.duration_s)
        self._light = LightNow(SUN, None, 0.0, 1.0) if self._sky is None else self._sky.at(0.0)
        self._lit_frame = 0
        self.background = self._seen()
        self.canvas = np.empty_like(self.background.lit)
        self.shade = np.empty(self.canvas.shape[:2], np.uint8)
        height, width = config.camera.size_hw
        grain = np.random.default_rng((seed, 1)).normal(0, config.noise, (height + 64, width + 64, 3))
        self.more = np.clip(np.rint(grain), 0, 255).astype(np.uint8)
        self.less = np.clip(np.rint(-grain), 0, 255).astype(np.uint8)
        self.seed = seed
        self._last: tuple[int, list[Outlines]] = (-1, [])

    def _seen(self) -> Background:
        return self._place.seen(self._light.sun_m, self._light.wall_shade_m, self._light.cloud)

    def _follow_light(self, index: int) -> None:
        """Draw the place anew where its light has changed: often while a cloud passes, else now and then."""
        if self._sky is None:
            return
        before, self._light = self._light, self._sky.at(index / self.config.fps)
        elapsed_s = abs(index - self._lit_frame) / self.config.fps
        if elapsed_s >= _LIGHT_S or self._light.cloud != before.cloud:
            self.background, self._lit_frame = self._seen(), index

    def near(self, bodies: list[Body]) -> list[Body]:
        """Those of whom a part, or the shadow, may be in the picture."""
        if not bodies:
            return []
        places = np.array([(state[0], state[1], 0.0) for _, state in bodies])
        xy, depth = self.config.camera.project(places)
        reach = (_REACH_M * self.config.camera.focal_px / depth)[:, None]
        height, width = self.config.camera.size_hw
        inside = ((xy > -reach) & (xy < np.array([width, height]) + reach)).all(axis=1)
        return [bodies[row] for row in np.flatnonzero(inside)]

    def outlines(self, bodies: list[Body], index: int) -> list[Outlines]:
        """Everybody's outlines, and their shadows in `shade`."""
        if self._last[0] == index:
            return self._last[1]
        camera = self.config.camera
        self.shade[:] = 0
        shapes = []
        for agent, state in bodies:
            pose = pose_of(agent.moves_as, state[3], state[5], state[4])
            world = agent.model.place(pose, state[:2], state[2], state[4])
            _, depth = camera.project((state[0], state[1], 0.0))
            shapes.append(outline(camera, agent.model, world, float(depth)))
            if self._is_there(agent, index):
                fill(self.shade, shadow(camera, agent.model, world, self._light.sun_m), 255)
        self._last = (index, shapes)
        return shapes

    def picture(self, bodies: list[Body], index: int) -> tuple[Picture, tuple[float, float]]:
        """The frame, and by how much the camera was shaken, pixels."""
        self._follow_light(index)
        shapes = self.outlines(bodies, index)
        np.copyto(self.canvas, self.background.lit)
        cv2.copyTo(self.background.shaded, self.shade, self.canvas)
        things: list[tuple[float, Outlines | int]] = [
            (shape.depth_m, self._in_light(shape, state[0]))
            for shape, (agent, state) in zip(shapes, bodies, strict=True)
            if self._is_there(agent, index)
        ]
        things += [(occluder.depth_m, number) for number, occluder in enumerate(self.background.occluders)]
        for _, thing in sorted(things, key=lambda item: -item[0]):
            if isinstance(thing, Outlines):
                fill(self.canvas, thing.polygons, thing.colours)
            else:
                self._restore(thing)
        height, width = self.config.camera.size_hw
        picture = np.asarray(cv2.resize(self.canvas, (width, height), interpolation=cv2.INTER_AREA), np.uint8)
        offset = self.shake(index)
        return self._expose(picture, index, offset), offset

    def _is_there(self, agent: Agent, index: int) -> bool:
        return index / self.config.fps < agent.gone_s

    def _in_light(self, shape: Outlines, x_m: float) -> Outlines:
        """A body as dark as the light makes it where it stands."""
        light = self._light
        shade = 0.0 if light.wall_shade_m is None else float(np.clip((light.wall_shade_m - x_m) / 0.6 + 0.5, 0, 1))
        return shape.darkened(max(shade, light.cloud))

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
        picture = _shifted(picture, offset)
        time_s = index / config.fps
        gain = 1 + config.drift * (0.6 * np.sin(time_s / 7.3 + self.seed) + 0.4 * np.sin(time_s / 2.9 + 2 * self.seed))
        gain *= self._light.gain
        picture = np.asarray(cv2.convertScaleAbs(picture, alpha=float(gain)), np.uint8)
        if config.noise:
            row, column = np.random.default_rng((self.seed, 3, index)).integers(0, 64, 2).tolist()
            place = (slice(row, row + picture.shape[0]), slice(column, column + picture.shape[1]))
            picture = np.asarray(cv2.subtract(cv2.add(picture, self.more[place]), self.less[place]), np.uint8)
        if config.jpeg_quality is None:
            return picture
        _, packed = cv2.imencode(".jpg", picture, [cv2.IMWRITE_JPEG_QUALITY, config.jpeg_quality])
        return np.asarray(cv2.imdecode(packed, cv2.IMREAD_COLOR), np.uint8)

    def truth(self, bodies: list[Body], index: int, offset: tuple[float, float]) -> Truth:
        """What is true of the frame that `picture` draws."""
        mask = np.zeros(self.config.camera.size_hw, np.bool_)
        boxes: list[Box] = []
        seen: list[tuple[str, Agent]] = []
        time_s = index / self.config.fps
        told = {number: agent.told_as(time_s) for number, (agent, _) in enumerate(bodies)}
        odd = {number: kind for number, kind in told.items() if kind is not None}
        shapes = self.outlines(bodies, index) if odd else []
        there = [self._is_there(agent, index) for agent, _ in bodies]
        for number, kind in odd.items():
            pixels = self._visible(shapes, number, offset, there)
            if not pixels.any():
                continue
            rows, columns = np.flatnonzero(pixels.any(axis=1)), np.flatnonzero(pixels.any(axis=0))
            boxes.append((float(columns[0]), float(rows[0]), float(columns[-1] + 1), float(rows[-1] + 1)))
            seen.append((kind, bodies[number][0]))
            if kind in LABELLED:
                mask |= pixels
        kinds = tuple(kind for kind, _ in seen)
        crowd = tuple(event.kind for event in self._events if event.start_s <= time_s < event.end_s)
        label, out = (any(kind in scope for kind in (*kinds, *crowd)) for scope in (LABELLED, OUT_OF_SCOPE))
        return Truth(
            index,
            time_s,
            label,
            out,
            mask,
            tuple(boxes),
            kinds,
            tuple(agent.track_id for _, agent in seen),
            tuple(agent.stands_since(time_s) for _, agent in seen),
            crowd,
            any(
                agent.stands_since(time_s) is not None and told[number] is None
                for number, (agent, _) in enumerate(bodies)
            ),
        )

    def _visible(
        self, shapes: list[Outlines], number: int, offset: tuple[float, float], there: list[bool]
    ) -> npt.NDArray[np.bool_]:
        """Pixels of one body that are seen: bool (H, W), none where too little of it is visible."""
        shape = shapes[number]
        x0, y0, x1, y1 = (int(np.floor(value)) for value in shape.box_xyxy)
        height, width = (side * SUPERSAMPLING for side in self.config.camera.size_hw)
        nothing = np.zeros(self.config.camera.size_hw, np.bool_)
        if x1 <= 0 or y1 <= 0 or x0 >= width or y0 >= height:
            return nothing
        local = np.zeros((y1 - y0 + 2, x1 - x0 + 2), np.uint8)
        corner = np.array([x0, y0], np.int32) * POLYGON_UNIT
        fill(local, [polygon - corner for polygon in shape.polygons], 255)
        whole = np.count_nonzero(local)
        for other in (other for other, drawn in zip(shapes, there, strict=True) if drawn):
            if other.depth_m < shape.depth_m and _overlap(other.box_xyxy, shape.box_xyxy):
                fill(local, [polygon - corner for polygon in other.polygons], 0)
        seen = np.zeros((height, width), np.uint8)
        rows, columns = slice(max(y0, 0), min(y1 + 2, height)), slice(max(x0, 0), min(x1 + 2, width))
        seen[rows, columns] = local[rows.start - y0 : rows.stop - y0, columns.start - x0 : columns.stop - x0]
        for occluder in self.background.occluders:
            if occluder.depth_m < shape.depth_m:
                seen[occluder.rows, occluder.columns][occluder.mask > 0] = 0
        if np.count_nonzero(seen) < VISIBLE_SHARE * whole:
            return nothing
        small = cv2.resize(seen, (width // SUPERSAMPLING, height // SUPERSAMPLING), interpolation=cv2.INTER_AREA)
        return _shifted(np.asarray(small, np.uint8), offset) > 127


def _overlap(first: Box, second: Box) -> bool:
    return first[0] < second[2] and second[0] < first[2] and first[1] < second[3] and second[1] < first[3]


def _shifted(picture: Picture, offset: tuple[float, float]) -> Picture:
    if offset == (0.0, 0.0):
        return picture
    move = np.array([[1, 0, offset[0]], [0, 1, offset[1]]], np.float64)
    size = (picture.shape[1], picture.shape[0])
    moved = cv2.warpAffine(picture, move, size, flags=cv2.INTER_LINEAR, borderMode=cv2.BORDER_REPLICATE)
    return np.asarray(moved, np.uint8)
