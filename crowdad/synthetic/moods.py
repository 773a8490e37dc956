"""What a whole crowd does at once: panic, gathering, freezing, scattering, a surge of people, nobody coming."""

from __future__ import annotations

import math
from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from crowdad.synthetic.agents import CROWD_KINDS, Agent
from crowdad.synthetic.camera import WALKING_SPEED_M_S, Camera

__all__ = ["CrowdEvent", "Moods", "crowd_events"]

Floats = npt.NDArray[np.float64]

LASTS_S = {"panic": 6.0, "gathering": 30.0, "freezing": 12.0, "scattering": 10.0, "surge": 40.0, "emptiness": 40.0}
"""How long each kind lasts where its slot has the room."""

SURGE = 2.5
"""How many times as many people come in a surge."""

_RUN_M_S = 3.4
_ALARM_M_S = 12.0
"""How fast the alarm spreads from where a panic or a scattering begins."""
_EMPTYING_S = 14.0
"""So long before the emptiness nobody comes any more."""
_GAP_M = 0.45
_ARRIVED_M = 0.35
_GOLDEN = math.pi * (3 - math.sqrt(5))
_OUTWARD = ("panic", "scattering")


@dataclass(frozen=True)
class CrowdEvent:
    """Something that a whole crowd does.  place_m: X and Y of where it begins or leads to."""

    kind: str
    start_s: float
    end_s: float
    place_m: tuple[float, float]


def crowd_events(kinds: Iterable[str], duration_s: float, camera: Camera, seed: int) -> tuple[CrowdEvent, ...]:
    """When and where a clip's crowd events are: each in an equal part of the clip, past the part's first third."""
    wanted = [kind for kind in kinds if kind in CROWD_KINDS]
    rng = np.random.default_rng((seed, 5))
    height, width = camera.size_hw
    slot_s = duration_s / max(len(wanted), 1)
    events = []
    for turn, kind in enumerate(wanted):
        lasts_s = min(LASTS_S[kind], 0.5 * slot_s)
        start_s = (turn + rng.uniform(0.35, 0.45)) * slot_s
        x, y = camera.ground(np.array([rng.uniform(0.3, 0.7) * width, rng.uniform(0.35, 0.7) * height])).tolist()
        events.append(CrowdEvent(kind, start_s, start_s + lasts_s, (x, y)))
    return tuple(events)


class Moods:
    """Leads walkers while a crowd event lasts."""

    def __init__(self, events: tuple[CrowdEvent, ...]) -> None:
        self.events = events
        self._ranks: dict[int, int] = {}

    def now(self, time_s: float) -> CrowdEvent | None:
        """The event that lasts at a time."""
        return next((event for event in self.events if event.start_s <= time_s < event.end_s), None)

    def inflow(self, time_s: float) -> float:
        """How many times as many people as usual come: 0, 1 or `SURGE`."""
        for event in self.events:
            early_s = _EMPTYING_S if event.kind == "emptiness" else 0.0
            if event.start_s - early_s <= time_s < event.end_s:
                return {"surge": SURGE, "gathering": 1.0}.get(event.kind, 0.0)
        return 1.0

    def leads(self, agent: Agent, time_s: float) -> CrowdEvent | None:
        """The event that decides where an agent goes."""
        event = self.now(time_s) if agent.kind == "walker" else None
        if event is None or event.kind in ("surge", "emptiness"):
            return None
        if event.kind in _OUTWARD:
            told_s = np.hypot(*(agent.state[:2] - event.place_m)) / _ALARM_M_S
            return event if time_s >= event.start_s + told_s else None
        return event

    def wanted(self, agent: Agent, event: CrowdEvent) -> Floats:
        """Velocity of an agent that an event leads: float64 (2,), m/s."""
        if event.kind == "freezing":
            return np.zeros(2)
        offset = agent.state[:2] - event.place_m
        if event.kind in _OUTWARD:
            speed = _RUN_M_S / WALKING_SPEED_M_S if event.kind == "panic" else 1.1
            return offset / (np.linalg.norm(offset) + 1e-6) * agent.speed_m_s * speed
        rank = self._ranks.setdefault(agent.track_id, len(self._ranks))
        radius, turn = _GAP_M * 2 * math.sqrt(rank + 0.5), rank * _GOLDEN
        away = np.array([radius * math.cos(turn), radius * math.sin(turn)]) - offset
        distance = float(np.linalg.norm(away))
        if distance < _ARRIVED_M:
            return np.zeros(2)
        return away / distance * agent.speed_m_s * min(1.0, 0.3 + distance)

    def rank(self, agents: Iterable[Agent], event: CrowdEvent) -> None:
        """Give who is nearest to a gathering the places nearest to its middle."""
        by_distance = sorted(agents, key=lambda agent: float(np.hypot(*(agent.state[:2] - event.place_m))))
        self._ranks = {agent.track_id: rank for rank, agent in enumerate(by_distance)}

    @staticmethod
    def moves_as(event: CrowdEvent | None) -> str:
        """The kind whose motion a walker has in an event."""
        return {"panic": "runner", "gathering": "lingerer"}.get(event.kind, "walker") if event else "walker"
