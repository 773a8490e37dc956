"""How the crowd moves: who enters when and where, along which path, and how people keep out of each other's way.

Time goes in fixed steps of 1/20 s whatever the frame rate, so that one seed gives one crowd at every frame rate.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from crowdad.synthetic.agents import KINDS, STANDS_S, Agent
from crowdad.synthetic.background import Fixture
from crowdad.synthetic.camera import Camera
from crowdad.synthetic.handover import Handover, PutDown, TakeAway
from crowdad.synthetic.moods import CrowdEvent, Moods
from crowdad.synthetic.paths import Lane, Paths, Stream
from crowdad.synthetic.region import Lawn
from crowdad.synthetic.schedule import Entrance, schedule
from crowdad.synthetic.steering import avoidance

__all__ = ["STEP_S", "Crowd", "CrowdPlan", "Stream"]

STEP_S = 0.05
"""Length of one step of the simulation, seconds."""

Floats = npt.NDArray[np.float64]

_WARM_UP_S = 12.0
_LOOKAHEAD_M = 3.5


@dataclass(frozen=True)
class CrowdPlan:
    """Who takes part.

    people: mean number in view or just outside.  standing: pairs that stand and talk.  anomalies: kinds, in order of
    appearance, again from the first when all were there.  anomaly_share: wanted share of frames with one.
    lanes: where people walk instead of in the streams.  lawn: where nobody walks.  events: of the whole crowd.
    """

    people: int
    standing: int
    streams: tuple[Stream, ...]
    anomalies: tuple[str, ...]
    anomaly_share: float
    duration_s: float
    lanes: tuple[Lane, ...] = ()
    lawn: Lawn | None = None
    events: tuple[CrowdEvent, ...] = ()


class Crowd:
    """A crowd that can be stepped through time.  seed: any int; the same seed gives the same crowd."""

    def __init__(self, camera: Camera, fixtures: Sequence[Fixture], plan: CrowdPlan, seed: int) -> None:
        self.plan = plan
        self.agents: list[Agent] = []
        self.time_s = -_WARM_UP_S
        self._paths = Paths(camera, fixtures, plan.streams, plan.lanes, plan.lawn)
        self._moods = Moods(plan.events)
        self._last_event: CrowdEvent | None = None
        self._handovers: list[Handover] = []
        self._rng, self._anomaly_rng = (np.random.default_rng(s) for s in np.random.SeedSequence(seed).spawn(2))
        self._next_id = 0
        self._wait_s = 0.0
        self._takeable = self._place_things(fixtures)
        for _ in range(plan.standing):
            self._place_pair()
        places = np.array([thing.state[:2] for thing in self._takeable]).reshape(-1, 2)
        self._entrances = schedule(
            plan.anomalies, plan.anomaly_share, plan.duration_s, self._paths, places, self._anomaly_rng
        )
        while sum(agent.kind == "walker" for agent in self.agents) < plan.people:
            self._enter_walkers(on_the_way=True)
        while self.time_s < -STEP_S / 2:
            self.step()
        self.time_s = 0.0

    def step(self) -> None:
        """Go on by STEP_S."""
        self._spawn()
        self._change_mood()
        self._steer()
        for agent in self.agents:
            if not agent.is_thing:
                agent.advance(STEP_S)
                self._keep_off_lawn(agent)
                self._next_waypoint(agent)
        for handover in self._handovers:
            handover.step(self.time_s)
        self.agents = [agent for agent in self.agents if self._stays(agent)]
        self.time_s += STEP_S

    def _stays(self, agent: Agent) -> bool:
        """Whether an agent is still on the stage."""
        if agent.is_thing:
            return agent.carrier is None or agent.carrier in self.agents
        if self._moods.leads(agent, self.time_s):
            return self._paths.stage.contains(agent.state[:2])
        return agent.leg < len(agent.waypoints) or agent.kind == "stander"

    def _spawn(self) -> None:
        walkers = sum(agent.kind == "walker" for agent in self.agents)
        inflow = self._moods.inflow(self.time_s)
        self._wait_s -= STEP_S
        if walkers < self.plan.people * inflow and self._wait_s <= 0:
            self._enter_walkers(on_the_way=False)
            self._wait_s = float(self._rng.exponential(0.6 / inflow))
        while self._entrances and self._entrances[0].time_s <= self.time_s:
            self._enter_anomaly(self._entrances.pop(0))

    def _new(self, kind: str, waypoints: Floats, speed: float, rng: np.random.Generator) -> Agent:
        agent = Agent(self._next_id, kind, KINDS[kind].build(rng), waypoints, speed)
        self._next_id += 1
        self.agents.append(agent.start(float(rng.random())))
        return agent

    def _add(self, agent: Agent) -> None:
        self.agents.append(agent)

    def _enter_anomaly(self, entrance: Entrance) -> None:
        rng = self._anomaly_rng
        kind = "carrier" if entrance.kind in ("left_object", "removed_object") else entrance.kind
        agent = self._new(kind, entrance.waypoints, entrance.speed_m_s, rng)
        agent.stay_s = entrance.stay_s
        if kind == "intruder" or kind in STANDS_S:
            agent.odd_s = (math.inf, math.inf)
        if entrance.kind == "left_object":
            thing = self._new("left_object", entrance.waypoints, 0.0, rng)
            thing.odd_s, thing.carrier = (math.inf, math.inf), agent
            self._handovers.append(PutDown(thing))
        elif entrance.kind == "removed_object":
            self._handovers.append(TakeAway(self._takeable.pop(0), agent, self._add))

    def _enter_walkers(self, *, on_the_way: bool) -> None:
        """One walker, or two who walk and talk, at the border or somewhere on their way."""
        rng = self._rng
        ends = self._paths.walkers_way(rng, 0.9)
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

    def _place_things(self, fixtures: Sequence[Fixture]) -> list[Agent]:
        """The crates that stand about, the same in every clip; gives those that are taken away, the first of them."""
        taken = self.plan.anomalies.count("removed_object")
        things = []
        for number, crate in enumerate(fixture for fixture in fixtures if fixture.kind == "crate"):
            rng = np.random.default_rng(number)
            kind = "removed_object" if number < taken else "crate"
            place = np.array([crate.x_m, crate.y_m])
            thing = self._new(kind, np.stack([place, place + rng.uniform(-1, 1, 2)]), 0.0, rng)
            thing.odd_s = (math.inf, math.inf)
            thing.state[3] = thing.before[3] = 0.0
            if number < taken:
                things.append(thing)
        return things

    def _place_pair(self) -> None:
        rng, paths = self._rng, self._paths
        for _ in range(60):
            place = paths.draw_place(rng, (0.15, 0.8))
            others = all(np.hypot(*(agent.state[:2] - place)) > 4 for agent in self.agents)
            if others and paths.view.contains(place) and paths.is_in_sight(place):
                break
        paths.obstacles = np.concatenate([paths.obstacles, [[*place, 0.6]]])
        angle = rng.uniform(0, math.tau)
        half = np.array([math.cos(angle), math.sin(angle)]) * 0.45
        for sign in (-1, 1):
            self._new("stander", np.stack([place + sign * half, place]), 0.0, rng)

    def _change_mood(self) -> None:
        """Take up a crowd event that begins, and lead people on where one has ended."""
        event, ended = self._moods.now(self.time_s), self._last_event
        if event is ended:
            return
        self._last_event = event
        walkers = [agent for agent in self.agents if agent.kind == "walker"]
        if event is not None and event.kind == "gathering":
            self._moods.rank(walkers, event)
        if ended is None or ended.kind in ("surge", "emptiness"):
            return
        for agent in walkers:
            end = agent.waypoints[-1]
            if ended.kind in ("panic", "scattering"):
                end = self._paths.stage.chord(agent.state[:2], agent.velocity / np.linalg.norm(agent.velocity))[1]
            agent.waypoints, agent.leg, agent.moves_as = np.stack([agent.state[:2].copy(), end]), 1, agent.kind

    def _keep_off_lawn(self, agent: Agent) -> None:
        lawn = self.plan.lawn
        if lawn is None or not lawn.contains(agent.state[:2]):
            if agent.kind == "intruder" and agent.odd_s[0] <= self.time_s < agent.odd_s[1]:
                agent.odd_s = (agent.odd_s[0], self.time_s)
        elif agent.kind != "intruder":
            agent.state[:2] = lawn.nearest_outside(agent.state[:2])
        elif math.isinf(agent.odd_s[0]):
            agent.odd_s = (self.time_s, math.inf)

    def _next_waypoint(self, agent: Agent) -> None:
        if agent.kind == "stander" or self._moods.leads(agent, self.time_s):
            return
        start, end = agent.waypoints[agent.leg - 1], agent.waypoints[agent.leg]
        way = end - start
        length = float(np.linalg.norm(way)) + 1e-9
        if (agent.state[:2] - start) @ way / length > length - 0.3:
            agent.leg += 1
            if agent.stay_s and agent.leg == 2:
                agent.pause_s = (self.time_s, self.time_s + agent.stay_s)
                if agent.kind in STANDS_S:
                    agent.odd_s = (self.time_s + STANDS_S[agent.kind], agent.pause_s[1])

    def _wanted(self, agent: Agent) -> Floats:
        """Velocity that leads along the path, without others."""
        event = self._moods.leads(agent, self.time_s)
        if event is not None:
            agent.moves_as = self._moods.moves_as(event)
            return self._moods.wanted(agent, event)
        if agent.kind == "stander" or self._rests(agent):
            return np.zeros(2)
        start, end = agent.waypoints[agent.leg - 1], agent.waypoints[agent.leg]
        way = (end - start) / (np.linalg.norm(end - start) + 1e-9)
        along = float((agent.state[:2] - start) @ way)
        speed = agent.speed_m_s
        if agent.beside is not None and agent.beside in self.agents:
            speed = min(max(speed + 0.8 * float((agent.beside.state[:2] - agent.state[:2]) @ way), 0.2), speed * 1.25)
        target = start + way * (along + _LOOKAHEAD_M) - agent.state[:2]
        return target / (np.linalg.norm(target) + 1e-9) * speed

    def _rests(self, agent: Agent) -> bool:
        return agent.pause_s[0] <= self.time_s < agent.pause_s[1]

    def _steer(self) -> None:
        """Set every velocity: along the path, past whom one would meet within a few seconds, smoothly."""
        agents = [agent for agent in self.agents if agent.carrier is None and math.isinf(agent.gone_s)]
        if not agents:
            return
        wanted = np.array([np.zeros(2) if agent.is_thing else self._wanted(agent) for agent in agents])
        places = np.array([agent.state[:2] for agent in agents])
        speeds = np.array([agent.velocity for agent in agents])
        radii = np.array([KINDS[agent.kind].radius_m for agent in agents])
        push = avoidance(places, speeds, radii, self._paths.obstacles)
        for agent, target, aside in zip(agents, wanted, push, strict=True):
            if agent.kind == "stander" or agent.is_thing:
                continue
            goal = target + aside * min(1.0, float(np.hypot(*target)) + 0.1)
            limit = max(float(np.hypot(*target)) * 1.12, 0.02)
            if agent.stay_s and self._rests(agent):
                limit = 0.0  # who stays on one spot is not pushed off it
            length = float(np.hypot(*goal))
            goal = goal * min(1.0, limit / (length + 1e-9))
            agent.velocity = agent.velocity + (goal - agent.velocity) * min(1.0, STEP_S / 0.45)
