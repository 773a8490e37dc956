"""Where people walk: streams, lanes, ground that nobody walks on, and the way from one border to the other."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from crowdad.synthetic.background import Fixture
from crowdad.synthetic.camera import Camera
from crowdad.synthetic.region import Lawn, Region

__all__ = ["Lane", "Paths", "Stream"]

Floats = npt.NDArray[np.float64]

_MARGIN_M = 2.2
_SIGHT_M = 5.0
_KERB_M = 0.5
_IN_LANE_M = 0.5


@dataclass(frozen=True)
class Stream:
    """A share of the walkers that head the same way: 0 degrees to the right, 90 away from the camera."""

    heading_deg: float
    spread_deg: float
    weight: float = 1.0


@dataclass(frozen=True)
class Lane:
    """A band of ground across the picture, `near_m` to `far_m` from the camera, walked one way.

    heading_deg: 0 to the right, 180 to the left.  weight: its share of the walkers.
    """

    near_m: float
    far_m: float
    heading_deg: float
    weight: float = 1.0


class Paths:
    """Draws ways through one scene.  Where there are lanes people keep to them, elsewhere to the streams."""

    def __init__(
        self,
        camera: Camera,
        fixtures: Sequence[Fixture],
        streams: tuple[Stream, ...],
        lanes: tuple[Lane, ...] = (),
        lawn: Lawn | None = None,
    ) -> None:
        self.camera = camera
        self.streams, self.lanes, self.lawn = streams, lanes, lawn
        self.obstacles = np.array([[f.x_m, f.y_m, f.radius_m] for f in fixtures]).reshape(-1, 3)
        self.view = Region.of_view(camera)
        self.stage = Region.of_view(camera, body_m=2.0).grown(_MARGIN_M)

    def draw_heading(self, rng: np.random.Generator) -> float:
        """A walker's heading, radians."""
        weights = np.array([stream.weight for stream in self.streams])
        stream = self.streams[rng.choice(len(weights), p=weights / weights.sum())]
        return math.radians(stream.heading_deg + rng.normal(0, stream.spread_deg))

    def draw_place(self, rng: np.random.Generator, rows: tuple[float, float], *, aside: bool = False) -> Floats:
        """Ground seen at a random pixel within a share of the rows.  aside: near the left or right border."""
        height, width = self.camera.size_hw
        across = rng.uniform(0, 0.2) + 0.8 * rng.integers(2) if aside else rng.uniform(0, 1)
        return self.camera.ground(np.array([across * width, rng.uniform(rows[0] * height, rows[1] * height)]))

    def is_clear(self, start: Floats, end: Floats, room_m: float) -> bool:
        """Whether no fixture stands within `room_m` of the way."""
        if not len(self.obstacles):
            return True
        way = end - start
        along = np.clip((self.obstacles[:, :2] - start) @ way / (way @ way + 1e-9), 0, 1)
        gaps = np.linalg.norm(start + along[:, None] * way - self.obstacles[:, :2], axis=1)
        return bool((gaps > self.obstacles[:, 2] + room_m).all())

    def is_in_sight(self, place: Floats) -> bool:
        """Whether nothing stands at a place or between it and the camera."""
        return self.is_clear(place, place * (1 - _SIGHT_M / np.linalg.norm(place)), 1.0)

    def off_centre(self, place: Floats) -> float:
        """0 for what is seen in the middle two thirds of the picture, 1 at its border."""
        seen, _ = self.camera.project([*place, 0.9])
        height, width = self.camera.size_hw
        return max(0.0, float(np.abs(seen / (width, height) - 0.5).max()) * 2 - 0.66) / 0.34

    def across(
        self, rng: np.random.Generator, heading: float, rows: tuple[float, float], room_m: float, *, aside: bool = False
    ) -> Floats:
        """From one border of the stage to the other: (2, 2).  Free of fixtures where that can be had."""
        way = np.array([math.cos(heading), math.sin(heading)])
        for _ in range(30 if self.lawn is None else 300):
            ends = self.stage.chord(self.draw_place(rng, rows, aside=aside), way)
            if self.is_clear(*ends, room_m) and not (self.lawn and self.lawn.meets(*ends, _KERB_M)):
                break
        return np.stack(ends)

    def walkers_way(self, rng: np.random.Generator, room_m: float, *, against: bool = False) -> Floats:
        """An ordinary walker's way, or the opposite of one: (2, 2)."""
        if not self.lanes:
            ends = self.across(rng, self.draw_heading(rng), (0.02, 1.0), room_m)
            return ends[::-1].copy() if against else ends
        weights = np.array([lane.weight for lane in self.lanes])
        lane = self.lanes[rng.choice(len(weights), p=weights / weights.sum())]
        heading = math.radians(lane.heading_deg)
        way = np.array([math.cos(heading), math.sin(heading)]) * (-1 if against else 1)
        for _ in range(30):
            row_m = rng.uniform(lane.near_m + _IN_LANE_M, lane.far_m - _IN_LANE_M)
            ends = np.stack(self.stage.chord(np.array([0.0, row_m]), way))
            if self.is_clear(ends[0], ends[1], room_m):
                break
        return ends

    def intruders_way(self, rng: np.random.Generator) -> Floats:
        """Along the lawn, or from ordinary ground onto it and on along it: (2, 2) or (3, 2)."""
        assert self.lawn is not None, "scenes with intruders have a lawn"
        for _ in range(100):
            spot = self.draw_place(rng, (0.0, 1.0))
            if self.lawn.contains(spot, -_KERB_M) and self.off_centre(spot) < 0.6 and self.is_in_sight(spot):
                break
        side = 1.0 if rng.random() < 0.5 else -1.0
        ends = self.stage.chord(spot, np.array([side, 0.0]))
        if rng.random() < 0.5:
            return np.stack(ends)
        ways = (self.walkers_way(rng, 0.6) for _ in range(20))
        start = next((way[0] for way in ways if way[0, 0] * side < 0), ends[0])
        return np.stack([start, spot, ends[1]])

    def spot(self, rng: np.random.Generator) -> tuple[Floats, Floats]:
        """A place well in sight on a walker's way, and the way through it: (2,), (2, 2)."""
        for _ in range(100):
            ends = self.walkers_way(rng, 0.9)
            low, high = self.view.inside(*ends)
            way = (ends[1] - ends[0]) / np.linalg.norm(ends[1] - ends[0])
            place = ends[0] + way * rng.uniform(low, high)
            if high > low and self.off_centre(place) < 0.3 and self.is_in_sight(place):
                break
        return place, ends
