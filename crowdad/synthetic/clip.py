"""Footage of a generated scene, frame by frame."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace

import numpy as np
import numpy.typing as npt

from crowdad.synthetic.camera import Camera
from crowdad.synthetic.crowd import STEP_S, Crowd, CrowdPlan
from crowdad.synthetic.moods import CrowdEvent, crowd_events
from crowdad.synthetic.scenes import SceneConfig, scene_config
from crowdad.synthetic.studio import Body, Studio, Truth

__all__ = ["GeneratedClip", "Whereabouts"]

Picture = npt.NDArray[np.uint8]


@dataclass(frozen=True)
class Whereabouts:
    """Where one figure is in one frame: metres on the ground, radians (0 to the right, pi / 2 away), m/s."""

    track_id: int
    kind: str
    x_m: float
    y_m: float
    heading_rad: float
    speed_m_s: float
    height_m: float


class GeneratedClip:
    """A clip of a generated scene.

    scene: a `SceneConfig` or the name of a ready-made one.  seed: of people, paths and noise; the place stays the
    scene's own, so clips of several seeds are recordings of one camera.  normal_only: no anomalies, for fitting.
    anomalies, duration_s, fps: instead of the scene's own.
    Raises ConfigError for an unknown scene or settings out of range.

        for picture, truth in GeneratedClip("demo", seed=1): ...

    Every pass over the clip gives the same frames; one frame is held at a time.
    """

    def __init__(
        self,
        scene: SceneConfig | str = "demo",
        seed: int = 0,
        *,
        normal_only: bool = False,
        anomalies: tuple[str, ...] | None = None,
        duration_s: float | None = None,
        fps: float | None = None,
    ) -> None:
        config = scene_config(scene) if isinstance(scene, str) else scene
        if normal_only or anomalies is not None:
            config = replace(config, anomalies=() if normal_only or anomalies is None else anomalies)
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

    @property
    def crowd_events(self) -> tuple[CrowdEvent, ...]:
        """What the whole crowd does, from when to when; the times follow from the seed."""
        return crowd_events(self.config.anomalies, self.config.duration_s, self.camera, self.seed)

    def __len__(self) -> int:
        return self.n_frames

    def __iter__(self) -> Iterator[tuple[Picture, Truth]]:
        """Frames with their truth: uint8 (H, W, 3) BGR and `Truth`."""
        studio = self._studio()
        for index, bodies in enumerate(map(studio.near, self._scenes())):
            picture, offset = studio.picture(bodies, index)
            yield picture, studio.truth(bodies, index, offset)

    def frames(self) -> Iterator[Picture]:
        """Frames alone: uint8 (H, W, 3) BGR."""
        studio = self._studio()
        for index, bodies in enumerate(map(studio.near, self._scenes())):
            yield studio.picture(bodies, index)[0]

    def truths(self) -> Iterator[Truth]:
        """What is true of each frame, without drawing it."""
        studio = self._studio()
        for index, bodies in enumerate(map(studio.near, self._scenes())):
            yield studio.truth(bodies, index, studio.shake(index))

    def positions(self) -> Iterator[list[Whereabouts]]:
        """Where everybody is, of each frame, also who is just outside the picture."""
        for index, bodies in enumerate(self._scenes()):
            yield [
                Whereabouts(agent.track_id, agent.kind, x, y, heading, speed, agent.model.scale_m)
                for agent, (x, y, heading, _, _, speed) in ((agent, state.tolist()) for agent, state in bodies)
                if index / self.fps < agent.gone_s
            ]

    def _studio(self) -> Studio:
        return Studio(self.config, self.seed, self.crowd_events)

    def _scenes(self) -> Iterator[list[Body]]:
        config = self.config
        plan = CrowdPlan(
            config.people,
            config.standing,
            config.streams,
            config.anomalies,
            config.anomaly_share,
            config.duration_s,
            config.lanes,
            config.lawn,
            self.crowd_events,
        )
        crowd = Crowd(config.camera, config.fixtures, plan, self.seed)
        for index in range(self.n_frames):
            time_s = index / config.fps
            while crowd.time_s < time_s - 1e-9:
                crowd.step()
            share = 1.0 - (crowd.time_s - time_s) / STEP_S
            yield [(agent, agent.seen_at(share)) for agent in crowd.agents]
