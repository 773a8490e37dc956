"""How the crowd moves: who enters when and where, along which path, and how people keep out of each other's way.

Time goes in fixed steps of 1/20 s whatever the frame rate, so that one seed gives one crowd at every frame rate.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from crowdad.synthetic.agents import IN_SCOPE, KINDS, Agent
from crowdad.synthetic.background import Fixture
from crowdad.synthetic.camera import Camera
from crowdad.synthetic.region import Region

__all__ = ["STEP_S", "Crowd", "CrowdPlan", "Stream"]

STEP_S = 0.05
"""Length of one step of the simulation, seconds."""

Floats = npt.NDArray[np.float64]

_WARM_UP_S = 12.0
_MARGIN_M = 2.2
_SHOWN_S = 3.7
_LOOKAHEAD_M = 3.5
_SIGHT_M = 5.0
_HORIZON_S = 2.5


@dataclass(frozen=True)
class Stream:
    """A share of the walkers that head the same way: 0 degrees to the right, 90 away from the camera."""

    heading_deg: float
    spread_deg: float
    weight: float = 1.0


@dataclass(frozen=True)
class CrowdPlan:
    """Who takes part.

    people: mean number in view or just outside.  standing: pairs that stand and talk.  anomalies: kinds, in order of
    appearance, again from the first when all were there.  anomaly_share: wanted share of frames with one.
    """

    people: int
    standing: int
    streams: tuple[Stream, ...]
    anomalies: tuple[str, ...]
    anomaly_share: float
    duration_s: float


@dataclass(frozen=True, eq=False)
class _Entrance:
    """An anomaly that is to appear at its first waypoint."""

    time_s: float
    kind: str
    waypoints: Floats
    speed_m_s: float


class Crowd:
    """A crowd that can be stepped through time.  seed: any int; the same seed gives the same crowd."""

    def __init__(self, camera: Camera, fixtures: Sequence[Fixture], plan: CrowdPlan, seed: int) -> None:
        self.plan = plan
        self.agents: list[Agent] = []
        self.time_s = -_WARM_UP_S
        self._camera = camera
        self._obstacles = np.array([[f.x_m, f.y_m, f.radius_m] for f in fixtures]).reshape(-1, 3)
        self._rng, self._anomaly_rng = (np.random.default_rng(s) for s in np.random.SeedSequence(seed).spawn(2))
        self._view = Region.of_view(camera)
        self._stage = Region.of_view(camera, body_m=2.0).grown(_MARGIN_M)
        self._next_id = 0
        self._wait_s = 0.0
        for _ in range(plan.standing):
            self._place_pair()
        self._entrances = self._schedule()
        while sum(agent.kind == "walker" for agent in self.agents) < plan.people:
            self._enter_walkers(on_the_way=True)
        while self.time_s < -STEP_S / 2:
            self.step()
        self.time_s = 0.0

    def step(self) -> None:
        """Go on by STEP_S."""
        self._spawn()
        self._steer()
        for agent in self.agents:
            agent.advance(STEP_S)
            self._next_waypoint(agent)
        self.agents = [agent for agent in self.agents if agent.leg < len(agent.waypoints) or agent.kind == "stander"]
        self.time_s += STEP_S

    def _spawn(self) -> None:
        walkers = sum(agent.kind == "walker" for agent in self.agents)
        self._wait_s -= STEP_S
        if walkers < self.plan.people and self._wait_s <= 0:
            self._enter_walkers(on_the_way=False)
            self._wait_s = float(self._rng.exponential(0.6))
        while self._entrances and self._entrances[0].time_s <= self.time_s:
            entrance = self._entrances.pop(0)
            self._new(entrance.kind, entrance.waypoints, entrance.speed_m_s, self._anomaly_rng)

    def _new(self, kind: str, waypoints: Floats, speed: float, rng: np.random.Generator) -> Agent:
        agent = Agent(self._next_id, kind, KINDS[kind].build(rng), waypoints, speed)
        self._next_id += 1
        self.agents.append(agent.start(float(rng.random())))
        return agent

    def _draw_heading(self, rng: np.random.Generator) -> float:
        weights = np.array([stream.weight for stream in self.plan.streams])
        stream = self.plan.streams[rng.choice(len(weights), p=weights / weights.sum())]
        return math.radians(stream.heading_deg + rng.normal(0, stream.spread_deg))

    def _draw_place(self, rng: np.random.Generator, rows: tuple[float, float], *, aside: bool = False) -> Floats:
        """Ground seen at a random pixel within a share of the rows.  aside: near the left or right border."""
        height, width = self._camera.size_hw
        across = rng.uniform(0, 0.2) + 0.8 * rng.integers(2) if aside else rng.uniform(0, 1)
        return self._camera.ground(np.array([across * width, rng.uniform(rows[0] * height, rows[1] * height)]))

    def _is_clear(self, start: Floats, end: Floats, room_m: float) -> bool:
        if not len(self._obstacles):
            return True
        way = end - start
        along = np.clip((self._obstacles[:, :2] - start) @ way / (way @ way + 1e-9), 0, 1)
        gaps = np.linalg.norm(start + along[:, None] * way - self._obstacles[:, :2], axis=1)
        return bool((gaps > self._obstacles[:, 2] + room_m).all())

    def _is_in_sight(self, place: Floats) -> bool:
        """Whether nothing stands at a place or between it and the camera."""
        return self._is_clear(place, place * (1 - _SIGHT_M / np.linalg.norm(place)), 1.0)

    def _path(
        self, rng: np.random.Generator, heading: float, rows: tuple[float, float], room_m: float, *, aside: bool = False
    ) -> Floats:
        """From one border of the stage to the other: (2, 2).  Free of fixtures where that can be had."""
        way = np.array([math.cos(heading), math.sin(heading)])
        for _ in range(30):
            ends = self._stage.chord(self._draw_place(rng, rows, aside=aside), way)
            if self._is_clear(*ends, room_m):
                break
        return np.stack(ends)

    def _enter_walkers(self, *, on_the_way: bool) -> None:
        """One walker, or two who walk and talk, at the border or somewhere on their way."""
        rng = self._rng
        ends = self._path(rng, self._draw_heading(rng), (0.02, 1.0), 0.9)
        length = float(np.linalg.norm(ends[1] - ends[0]))
        way = (ends[1] - ends[0]) / length
        start = ends[0] + way * (rng.uniform(0, 0.9) * length if on_the_way else 0.0)
        speed = float(np.clip(rng.normal(KINDS["walker"].speed_m_s[0], 0.15), 0.9, 1.8))
        if any(np.hypot(*(agent.state[:2] - start)) < 1.3 for agent in self.agents):
            return
        leader = self._new("walker", np.stack([start, ends[1]]), speed, rng)
        if rng.random() < 0.12:
            begin = self.time_s + rng.uniform(1, 0.8 * length / speed)
            leader.pause_s = (begin, begin + rng.uniform(1.5, 4.0))
        if rng.random() < 0.22:
            side = np.array([-way[1], way[0]]) * 0.72
            mate = self._new("walker", np.stack([start + side, ends[1] + side]), speed, rng)
            mate.beside, mate.pause_s = leader, leader.pause_s

    def _place_pair(self) -> None:
        rng = self._rng
        for _ in range(60):
            place = self._draw_place(rng, (0.15, 0.8))
            others = all(np.hypot(*(agent.state[:2] - place)) > 4 for agent in self.agents)
            if others and self._view.contains(place) and self._is_in_sight(place):
                break
        self._obstacles = np.concatenate([self._obstacles, [[*place, 0.6]]])
        angle = rng.uniform(0, math.tau)
        half = np.array([math.cos(angle), math.sin(angle)]) * 0.45
        for sign in (-1, 1):
            self._new("stander", np.stack([place + sign * half, place]), 0.0, rng)

    def _schedule(self) -> list[_Entrance]:
        """Anomalies in scope take turns, each in a slot of its own; those out of scope come once each, spread out."""
        plan = self.plan
        scoped = [kind for kind in plan.anomalies if kind in IN_SCOPE]
        others = [kind for kind in plan.anomalies if kind not in IN_SCOPE]
        slots = max(1, round(plan.duration_s * plan.anomaly_share / _SHOWN_S)) if scoped else 0
        slot_s = plan.duration_s / max(slots, 1)
        entrances = [
            self._entrance(scoped[turn % len(scoped)], turn, turn * slot_s, slot_s, slot_s * plan.anomaly_share)
            for turn in range(slots)
        ]
        slot_s = plan.duration_s / max(len(others), 1)
        entrances += [
            self._entrance(kind, turn, turn * slot_s, slot_s, _SHOWN_S * 1.4) for turn, kind in enumerate(others)
        ]
        return sorted(entrances, key=lambda entrance: entrance.time_s)

    def _entrance(self, kind: str, turn: int, slot_start_s: float, slot_s: float, shown_s: float) -> _Entrance:
        """An entrance whose path is in view for about the wanted time, in a depth of its own."""
        rng = self._anomaly_rng
        third = (turn * 2 + 1) % 3
        speed = float(rng.uniform(*KINDS[kind].speed_m_s))
        wanted_m = speed * shown_s * rng.uniform(0.85, 1.15)
        paths = []
        rows = (0.1 + 0.28 * third, 0.4 + 0.28 * third)
        for trial in range(100):
            heading = self._draw_heading(rng) + math.pi if kind == "against" else rng.uniform(0, math.tau)
            ends = self._path(rng, heading, rows, 0.3 + KINDS[kind].radius_m, aside=trial % 2 == 1)
            low, high = self._view.inside(*ends)
            middle = ends[0] + (low + high) / 2 * (ends[1] - ends[0]) / np.linalg.norm(ends[1] - ends[0])
            cost = abs(high - low - wanted_m) / wanted_m + self._off_centre(middle) + (not self._is_in_sight(middle))
            paths.append((cost, low, high, ends))
        _, low, high, ends = min(paths, key=lambda item: item[0])
        begin_s = slot_start_s + rng.uniform(0.3, 0.7) * max(slot_s - (high - low) / speed, 0.0)
        if kind == "loiterer":
            ends = self._loiter(ends, (low + high) / 2 / float(np.linalg.norm(ends[1] - ends[0])), rng)
        return _Entrance(begin_s - low / speed, kind, ends, speed)

    def _off_centre(self, place: Floats) -> float:
        """0 for what is seen in the middle two thirds of the picture, 1 at its border."""
        seen, _ = self._camera.project([*place, 0.9])
        height, width = self._camera.size_hw
        return max(0.0, float(np.abs(seen / (width, height) - 0.5).max()) * 2 - 0.66) / 0.34

    def _loiter(self, ends: Floats, middle_share: float, rng: np.random.Generator) -> Floats:
        """In, to and fro about one place on the way, and out again."""
        home = ends[0] + middle_share * (ends[1] - ends[0])
        return np.concatenate([ends[:1], home + rng.uniform(-1.2, 1.2, (4, 2)), ends[1:]])

    def _next_waypoint(self, agent: Agent) -> None:
        if agent.kind == "stander":
            return
        start, end = agent.waypoints[agent.leg - 1], agent.waypoints[agent.leg]
        way = end - start
        length = float(np.linalg.norm(way)) + 1e-9
        if (agent.state[:2] - start) @ way / length > length - 0.3:
            agent.leg += 1

    def _wanted(self, agent: Agent) -> Floats:
        """Velocity that leads along the path, without others."""
        if agent.kind == "stander" or agent.pause_s[0] <= self.time_s < agent.pause_s[1]:
            return np.zeros(2)
        start, end = agent.waypoints[agent.leg - 1], agent.waypoints[agent.leg]
        way = (end - start) / (np.linalg.norm(end - start) + 1e-9)
        along = float((agent.state[:2] - start) @ way)
        speed = agent.speed_m_s
        if agent.beside is not None and agent.beside in self.agents:
            speed = min(max(speed + 0.8 * float((agent.beside.state[:2] - agent.state[:2]) @ way), 0.2), speed * 1.25)
        target = start + way * (along + _LOOKAHEAD_M) - agent.state[:2]
        return target / (np.linalg.norm(target) + 1e-9) * speed

    def _steer(self) -> None:
        """Set every velocity: along the path, past whom one would meet within a few seconds, smoothly."""
        if not self.agents:
            return
        wanted = np.array([self._wanted(agent) for agent in self.agents])
        places = np.array([agent.state[:2] for agent in self.agents])
        speeds = np.array([agent.velocity for agent in self.agents])
        radii = np.array([KINDS[agent.kind].radius_m for agent in self.agents])
        push = self._avoidance(places, speeds, radii)
        for agent, target, aside in zip(self.agents, wanted, push, strict=True):
            if agent.kind == "stander":
                continue
            goal = target + aside * min(1.0, float(np.hypot(*target)) + 0.1)
            limit = max(float(np.hypot(*target)) * 1.12, 0.02)
            length = float(np.hypot(*goal))
            goal = goal * min(1.0, limit / (length + 1e-9))
            agent.velocity = agent.velocity + (goal - agent.velocity) * min(1.0, STEP_S / 0.45)

    def _avoidance(self, places: Floats, speeds: Floats, radii: Floats) -> Floats:
        """Sideways push on each of N agents, m/s: float64 (N, 2)."""
        count = len(places)
        all_places = np.concatenate([places, self._obstacles[:, :2]])
        all_speeds = np.concatenate([speeds, np.zeros((len(self._obstacles), 2))])
        all_radii = np.concatenate([radii, self._obstacles[:, 2]])
        gap = all_places[None] - places[:, None]
        drift = all_speeds[None] - speeds[:, None]
        meet_s = np.clip(-(gap * drift).sum(-1) / ((drift**2).sum(-1) + 1e-6), 0, _HORIZON_S)
        closest = gap + drift * meet_s[..., None]
        miss = np.linalg.norm(closest, axis=-1)
        room = radii[:, None] + all_radii[None] + 0.25
        urgency = np.clip(1 - miss / room, 0, 1) * (1 - meet_s / (_HORIZON_S * 1.2))
        urgency *= room / room.min()  # a cart is given a wider berth, and sooner
        urgency[np.arange(count), np.arange(count)] = 0.0
        heading = speeds / (np.linalg.norm(speeds, axis=1, keepdims=True) + 1e-6)
        aside = np.stack([heading[:, 1], -heading[:, 0]], axis=-1)
        side = -np.sign((closest * aside[:, None]).sum(-1) + 1e-3)
        return (urgency * side).sum(axis=1)[:, None] * aside * 1.1
