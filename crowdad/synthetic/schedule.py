"""Which anomaly appears when, and on which way."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from crowdad.synthetic.agents import CROWD_KINDS, IN_SCOPE, KINDS, PLACE_KINDS
from crowdad.synthetic.paths import Paths

__all__ = ["Entrance", "schedule"]

Floats = npt.NDArray[np.float64]

_SHOWN_S = 3.7
_STAY_S = {
    "lingerer": (28.0, 45.0),
    "stopper": (20.0, 30.0),
    "left_object": (2.5, 3.5),
    "removed_object": (2.0, 3.0),
    "parked_cart": (math.inf, math.inf),
}
"""How long each kind, or who carries it, stands at its second waypoint."""
_BESIDE_M = 0.7


@dataclass(frozen=True, eq=False)
class Entrance:
    """An anomaly that is to appear at its first waypoint.  stay_s: how long it stands at its second one."""

    time_s: float
    kind: str
    waypoints: Floats
    speed_m_s: float
    stay_s: float = 0.0


def schedule(
    kinds: tuple[str, ...], share: float, duration_s: float, paths: Paths, things: Floats, rng: np.random.Generator
) -> list[Entrance]:
    """Anomalies in scope take turns, each in a slot of its own; others come once each, spread out.

    kinds: those of the whole crowd are left out.  share: wanted share of the time with one in scope.
    things: (n, 2), places of things that can be taken away, in the order in which they are.
    """
    scoped = [kind for kind in kinds if kind in IN_SCOPE]
    others = [kind for kind in kinds if kind not in (*IN_SCOPE, *CROWD_KINDS)]
    slots = max(1, round(duration_s * share / _SHOWN_S)) if scoped else 0
    slot_s = duration_s / max(slots, 1)
    entrances = [
        _entrance(scoped[turn % len(scoped)], turn, (turn * slot_s, slot_s), slot_s * share, paths, rng)
        for turn in range(slots)
    ]
    slot_s = duration_s / max(len(others), 1)
    remaining = iter(things)
    for turn, kind in enumerate(others):
        slot = (turn * slot_s, slot_s)
        if kind == "intruder":
            entrances.append(_on_its_way(kind, paths.intruders_way(rng), slot, rng))
        elif kind in PLACE_KINDS:
            place, ends = _beside(next(remaining), paths, rng) if kind == "removed_object" else paths.spot(rng)
            entrances.append(_on_its_way(kind, np.stack([ends[0], place, ends[1]]), slot, rng))
        else:
            entrances.append(_entrance(kind, turn, slot, _SHOWN_S * 1.4, paths, rng))
    return sorted(entrances, key=lambda entrance: entrance.time_s)


def _beside(thing: Floats, paths: Paths, rng: np.random.Generator) -> tuple[Floats, Floats]:
    """Where somebody stands who takes a thing, and a walker's way through that place."""
    ends = paths.walkers_way(rng, 0.9)
    place = thing - (0.0, _BESIDE_M)
    return place, np.stack(paths.stage.chord(place, (ends[1] - ends[0]) / np.linalg.norm(ends[1] - ends[0])))


def _on_its_way(kind: str, waypoints: Floats, slot: tuple[float, float], rng: np.random.Generator) -> Entrance:
    """An entrance so early that what follows has its time within the slot (its start and length, seconds)."""
    speed = float(rng.uniform(*KINDS[kind].speed_m_s))
    stay_s = float(rng.uniform(*_STAY_S[kind])) if kind in _STAY_S and kind != "parked_cart" else 0.0
    walked_s = np.linalg.norm(np.diff(waypoints, axis=0), axis=1).sum() / speed
    begin_s = slot[0] + rng.uniform(0.2, 0.5) * max(slot[1] - stay_s - walked_s, 0.0)
    return Entrance(float(begin_s), kind, waypoints, speed, math.inf if kind == "parked_cart" else stay_s)


def _entrance(
    kind: str, turn: int, slot: tuple[float, float], shown_s: float, paths: Paths, rng: np.random.Generator
) -> Entrance:
    """An entrance whose way is in view for about the wanted time, in a depth of its own."""
    third = (turn * 2 + 1) % 3
    speed = float(rng.uniform(*KINDS[kind].speed_m_s))
    wanted_m = speed * shown_s * rng.uniform(0.85, 1.15)
    tried = []
    rows = (0.1 + 0.28 * third, 0.4 + 0.28 * third)
    for trial in range(100):
        room_m = 0.3 + KINDS[kind].radius_m
        if paths.lanes:
            ends = paths.walkers_way(rng, room_m, against=kind == "against")
        else:
            heading = paths.draw_heading(rng) + math.pi if kind == "against" else rng.uniform(0, math.tau)
            ends = paths.across(rng, heading, rows, room_m, aside=trial % 2 == 1)
        low, high = paths.view.inside(*ends)
        middle = ends[0] + (low + high) / 2 * (ends[1] - ends[0]) / np.linalg.norm(ends[1] - ends[0])
        cost = abs(high - low - wanted_m) / wanted_m + paths.off_centre(middle) + (not paths.is_in_sight(middle))
        tried.append((cost, low, high, ends))
    _, low, high, ends = min(tried, key=lambda item: item[0])
    begin_s = slot[0] + rng.uniform(0.3, 0.7) * max(slot[1] - (high - low) / speed, 0.0)
    if kind == "loiterer":
        ends = _loiter(ends, (low + high) / 2 / float(np.linalg.norm(ends[1] - ends[0])), rng)
    return Entrance(begin_s - low / speed, kind, ends, speed)


def _loiter(ends: Floats, middle_share: float, rng: np.random.Generator) -> Floats:
    """In, to and fro about one place on the way, and out again."""
    home = ends[0] + middle_share * (ends[1] - ends[0])
    return np.concatenate([ends[:1], home + rng.uniform(-1.2, 1.2, (4, 2)), ends[1:]])
