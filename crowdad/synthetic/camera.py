"""A fixed pinhole camera over a ground plane, so that size and image speed follow perspective exactly.

World: X to the right, Y away from the camera, Z up, in metres; the camera stands at (0, 0, height_m) and looks
along +Y, tilted down.  Picture: x to the right, y down, in pixels, the centre of the first pixel at (0, 0).
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from functools import cached_property

import numpy as np
import numpy.typing as npt

from crowdad.errors import ConfigError

__all__ = ["PERSON_HEIGHT_M", "WALKING_SPEED_M_S", "Camera"]

PERSON_HEIGHT_M = 1.72
"""Mean height of the drawn people."""

WALKING_SPEED_M_S = 1.35
"""Mean walking speed of the drawn people."""

Floats = npt.NDArray[np.float64]


@dataclass(frozen=True)
class Camera:
    """Pinhole camera.

    size_hw: picture in pixels.  height_m: above the ground.  tilt_deg: below the horizontal, (0, 90].
    focal_px: focal length in pixels.
    """

    size_hw: tuple[int, int]
    height_m: float
    tilt_deg: float
    focal_px: float

    def __post_init__(self) -> None:
        if min(self.size_hw) < 16 or self.height_m <= 0 or self.focal_px <= 0 or not 0 < self.tilt_deg <= 90:
            raise ConfigError(
                f"{self} cannot be; sides >= 16 px, height and focal length > 0 and tilt in (0, 90] are needed"
            )
        if self.horizon_y > -1:
            raise ConfigError(f"the horizon is at row {self.horizon_y:.0f}; tilt the camera until only ground is seen")

    @cached_property
    def horizon_y(self) -> float:
        """Row of the horizon, above the picture (negative)."""
        return (self.size_hw[0] - 1) / 2 - self.focal_px * math.tan(math.radians(min(self.tilt_deg, 89.999)))

    @cached_property
    def _axes(self) -> Floats:
        """Rows right, down and forward of the camera in world coordinates: float64 (3, 3)."""
        tilt = math.radians(self.tilt_deg)
        return np.array(
            [[1.0, 0.0, 0.0], [0.0, -math.sin(tilt), -math.cos(tilt)], [0.0, math.cos(tilt), -math.sin(tilt)]]
        )

    @cached_property
    def _centre(self) -> Floats:
        return np.array([(self.size_hw[1] - 1) / 2, (self.size_hw[0] - 1) / 2])

    def project(self, points: npt.ArrayLike) -> tuple[Floats, Floats]:
        """Picture position and depth of world points.

        points: (..., 3) metres.  Returns float64 (..., 2) pixels and (...) metres along the optical axis.
        """
        seen = (np.asarray(points, dtype=np.float64) - (0.0, 0.0, self.height_m)) @ self._axes.T
        depth = np.maximum(seen[..., 2], 0.05)
        return self._centre + self.focal_px * seen[..., :2] / depth[..., None], depth

    def ground(self, xy: npt.ArrayLike, level_m: float = 0.0) -> Floats:
        """Where the ray through each pixel meets the level `level_m` above the ground.

        xy: (..., 2) pixels below the horizon.  Returns float64 (..., 2), X and Y in metres.
        """
        offset = (np.asarray(xy, dtype=np.float64) - self._centre) / self.focal_px
        ray = np.concatenate([offset, np.ones((*offset.shape[:-1], 1))], axis=-1) @ self._axes
        steps = (self.height_m - level_m) / np.maximum(-ray[..., 2], 1e-6)
        return ray[..., :2] * steps[..., None]

    def person_height_px(
        self, x: npt.ArrayLike, y: npt.ArrayLike, at: float = 0.0, height_m: float = PERSON_HEIGHT_M
    ) -> Floats:
        """Height in pixels of an upright person who is seen at (x, y).

        x, y: pixels, broadcast together.  at: which point of the body is seen there, 0 feet, 0.5 middle, 1 top.
        Returns float64 of the broadcast shape.
        """
        x, y = np.broadcast_arrays(np.asarray(x, np.float64), np.asarray(y, np.float64))
        place = self.ground(np.stack([x, y], axis=-1), level_m=at * height_m)
        feet, _ = self.project(np.concatenate([place, np.zeros((*x.shape, 1))], axis=-1))
        top, _ = self.project(np.concatenate([place, np.full((*x.shape, 1), height_m)], axis=-1))
        return np.linalg.norm(top - feet, axis=-1)

    def image_velocity(self, place: npt.ArrayLike, velocity: npt.ArrayLike) -> Floats:
        """Pixels a second of world points that move.  place, velocity: (..., 3) m and m/s.  Returns (..., 2)."""
        place, velocity = np.asarray(place, np.float64), np.asarray(velocity, np.float64)
        step_s = 1e-3
        return (self.project(place + velocity * step_s)[0] - self.project(place - velocity * step_s)[0]) / (2 * step_s)

    def walking_speed_px(
        self, x: npt.ArrayLike, y: npt.ArrayLike, heading_deg: float = 0.0, speed_m_s: float = WALKING_SPEED_M_S
    ) -> Floats:
        """Pixels a second of a person's middle that is seen at (x, y).

        heading_deg: 0 to the right, 90 away from the camera.  Returns float64 of the broadcast shape.
        """
        x, y = np.broadcast_arrays(np.asarray(x, np.float64), np.asarray(y, np.float64))
        middle = PERSON_HEIGHT_M / 2
        place = self.ground(np.stack([x, y], axis=-1), level_m=middle)
        place = np.concatenate([place, np.full((*x.shape, 1), middle)], axis=-1)
        heading = math.radians(heading_deg)
        velocity = np.array([math.cos(heading), math.sin(heading), 0.0]) * speed_m_s
        return np.linalg.norm(self.image_velocity(place, np.broadcast_to(velocity, place.shape)), axis=-1)
