"""Who and what can appear: what each kind looks like, how fast it is and how it moves its limbs."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass, field

import numpy as np
import numpy.typing as npt

from crowdad.synthetic import gait, vehicles
from crowdad.synthetic.camera import WALKING_SPEED_M_S
from crowdad.synthetic.figures import person
from crowdad.synthetic.luggage import luggage
from crowdad.synthetic.model import Model

__all__ = [
    "ANOMALIES",
    "CROWD_KINDS",
    "IN_SCOPE",
    "KINDS",
    "LABELLED",
    "OUT_OF_SCOPE",
    "PLACE_KINDS",
    "STANDS_S",
    "Agent",
    "Kind",
    "pose_of",
]

Floats = npt.NDArray[np.float64]

_STAND_CYCLE_S, _STANDS_BELOW_M_S = 7.0, 0.4


@dataclass(frozen=True)
class Kind:
    """What sets one kind apart.

    speed_m_s: lowest and highest.  radius_m: room it takes.  cycle_m: metres for one cycle of its limbs, 0 = by body
    height.  wheel_m: radius of its wheels, 0 = none.
    """

    build: Callable[[np.random.Generator], Model]
    motion: str
    speed_m_s: tuple[float, float]
    radius_m: float = 0.3
    cycle_m: float = 0.0
    wheel_m: float = 0.0


KINDS: dict[str, Kind] = {
    "walker": Kind(person, "walk", (1.35, 1.35)),
    "stander": Kind(person, "stand", (0.0, 0.0)),
    "runner": Kind(person, "run", (3.0, 4.0)),
    "bicycle": Kind(vehicles.bicycle, "pedal", (3.5, 5.0), 0.7, 4.6, vehicles.BICYCLE_WHEEL_M),
    "slow_bicycle": Kind(vehicles.bicycle, "pedal", (1.9, 2.2), 0.7, 3.6, vehicles.BICYCLE_WHEEL_M),
    "skater": Kind(vehicles.skater, "glide", (2.0, 3.0), 0.4),
    "cart": Kind(vehicles.cart, "sit", (2.7, 3.3), 1.4, 0.0, vehicles.CART_WHEEL_M),
    "wheelchair": Kind(vehicles.wheelchair, "sit", (1.3, 1.8), 0.5, 0.0, vehicles.CHAIR_WHEEL_M),
    "against": Kind(person, "walk", (1.25, 1.45)),
    "loiterer": Kind(person, "walk", (0.7, 0.9)),
    "intruder": Kind(person, "walk", (1.25, 1.45)),
    "lingerer": Kind(person, "stay", (1.25, 1.45)),
    "stopper": Kind(person, "stay", (1.25, 1.45)),
    "parked_cart": Kind(vehicles.cart, "sit", (2.7, 3.3), 1.4, 0.0, vehicles.CART_WHEEL_M),
    "left_object": Kind(luggage, "rest", (1.25, 1.45)),
    "removed_object": Kind(luggage, "rest", (1.25, 1.45)),
    "crate": Kind(luggage, "rest", (0.0, 0.0)),
    "carrier": Kind(person, "stay", (1.25, 1.45)),
}

IN_SCOPE = ("runner", "bicycle", "cart", "skater")
"""Anomalies by what moves and how fast."""

OUT_OF_SCOPE = ("slow_bicycle", "wheelchair", "against", "loiterer")
"""Known limits: what glides at walking speed, goes against the stream or stays."""

PLACE_KINDS = ("intruder", "lingerer", "stopper", "parked_cart", "left_object", "removed_object")
"""Anomalies by where a subject is and how long it stays there."""

CROWD_KINDS = ("panic", "gathering", "freezing", "scattering", "surge", "emptiness")
"""Anomalies of everybody together; they have a start and an end, but no box."""

LABELLED = (*IN_SCOPE, *PLACE_KINDS, *CROWD_KINDS)
"""Kinds for which the truth has a label and a mask; a crowd's have no mask."""

ANOMALIES = (*IN_SCOPE, *OUT_OF_SCOPE, *PLACE_KINDS, *CROWD_KINDS)
"""All kinds that a scene can show as anomalies."""

STANDS_S = {"lingerer": 10.0, "stopper": 5.0, "parked_cart": 5.0}
"""How long a subject stands before it counts as an anomaly; ordinary walkers pause for 4 s at most."""


@dataclass(eq=False)
class Agent:
    """One moving figure, or a thing that stands or is carried.

    waypoints: (n, 2) metres; the agent appears at the first and is gone at the last.  speed_m_s: wanted.
    pause_s: from when to when it stands still.  beside: the agent it walks next to.
    stay_s: how long it stands at its second waypoint.  odd_s: from when to when it counts as an anomaly.
    gone_s: from when on it is not in the picture.  carrier: who carries it.  moves_as: the kind whose motion it has.
    state: float64 (6,): x, y, heading, phase (of a thing: height above the ground), wheel angle (of who stays: phase
    of standing), current speed.
    """

    track_id: int
    kind: str
    model: Model
    waypoints: Floats
    speed_m_s: float
    pause_s: tuple[float, float] = (math.inf, math.inf)
    beside: Agent | None = None
    stay_s: float = 0.0
    odd_s: tuple[float, float] = (-math.inf, math.inf)
    gone_s: float = math.inf
    carrier: Agent | None = None
    moves_as: str = ""
    leg: int = 1
    state: Floats = field(default_factory=lambda: np.zeros(6))
    before: Floats = field(default_factory=lambda: np.zeros(6))
    velocity: Floats = field(default_factory=lambda: np.zeros(2))

    def __post_init__(self) -> None:
        self.moves_as = self.moves_as or self.kind

    @property
    def is_thing(self) -> bool:
        """Whether it cannot move by itself."""
        return KINDS[self.kind].motion == "rest"

    def told_as(self, time_s: float) -> str | None:
        """The kind of anomaly that it is at a time, None for an ordinary subject."""
        if self.kind in ANOMALIES and self.odd_s[0] <= time_s < self.odd_s[1]:
            return self.kind
        return "cart" if self.kind == "parked_cart" else None

    def stands_since(self, time_s: float) -> float | None:
        """Since when a subject that counts by its standing stands, seconds; None for others and while it moves."""
        counts = self.kind in STANDS_S or self.kind == "left_object"
        return round(self.pause_s[0], 3) if counts and self.pause_s[0] <= time_s < self.pause_s[1] else None

    def start(self, phase: float) -> Agent:
        """Stand at the first waypoint, looking and moving to the second."""
        way = self.waypoints[1] - self.waypoints[0]
        way = way / (np.linalg.norm(way) + 1e-9)
        self.velocity = way * self.speed_m_s
        self.state = np.array([*self.waypoints[0], math.atan2(way[1], way[0]), phase, 6.0 * phase, self.speed_m_s])
        self.before = self.state.copy()
        return self

    def advance(self, step_s: float) -> None:
        """Move by the velocity; heading, limbs and wheels follow."""
        self.before = self.state.copy()
        speed = float(np.hypot(*self.velocity))
        self.state[:2] += self.velocity * step_s
        if speed > 0.15:
            turn = math.atan2(self.velocity[1], self.velocity[0]) - self.state[2]
            turn = (turn + math.pi) % math.tau - math.pi
            self.state[2] += turn * min(1.0, step_s / 0.25)
        self.state[3] += self._cycles(speed, step_s)
        wheel_m = KINDS[self.kind].wheel_m
        self.state[4] += speed * step_s / wheel_m if wheel_m else 0.0
        self.state[4] += step_s / _STAND_CYCLE_S if KINDS[self.moves_as].motion == "stay" else 0.0
        self.state[5] = speed

    def _cycles(self, speed: float, step_s: float) -> float:
        kind = KINDS[self.moves_as]
        if kind.motion in ("walk", "stay"):
            return speed * step_s / (gait.WALK_STRIDE * self.model.scale_m * max(_amplitude(speed), 0.05))
        if kind.motion == "run":
            return speed * step_s / (gait.RUN_STRIDE * self.model.scale_m)
        if kind.motion == "stand":
            return step_s / _STAND_CYCLE_S
        return speed * step_s / kind.cycle_m if kind.cycle_m else 0.0

    def seen_at(self, share: float) -> Floats:
        """State between the last two steps, 0 = the earlier, 1 = the later."""
        return self.before + share * (self.state - self.before)


def _amplitude(speed: float) -> float:
    """Step length relative to the usual one; slow walkers take shorter and fewer steps."""
    return min(math.sqrt(speed / WALKING_SPEED_M_S), float(gait.AMPLITUDES[-1]))


def _in_cycle(table: Floats, phase: float) -> Floats:
    place = (phase % 1.0) * len(table)
    low = int(place) % len(table)
    share = place - int(place)
    return table[low] * (1 - share) + table[(low + 1) % len(table)] * share


def pose_of(kind: str, phase: float, speed: float, stand_phase: float = 0.0) -> Floats:
    """Joints of a figure of this kind: float64 (J, 3) in body heights.  stand_phase: of who stays, while it stands."""
    motion = KINDS[kind].motion
    if motion == "stay":
        walks = min(speed / _STANDS_BELOW_M_S, 1.0)
        stands = _in_cycle(gait.stand_table(), stand_phase)
        return walks * pose_of("walker", phase, speed) + (1 - walks) * stands
    if motion == "rest":
        return np.tile((0.0, 0.0, phase), (len(gait.JOINTS), 1))
    if motion == "walk":
        table, amplitude = gait.walk_table(), _amplitude(speed)
        place = float(np.interp(amplitude, gait.AMPLITUDES, np.arange(len(gait.AMPLITUDES))))
        low = min(int(place), len(table) - 2)
        share = place - low
        return _in_cycle(table[low], phase) * (1 - share) + _in_cycle(table[low + 1], phase) * share
    if motion == "run":
        return _in_cycle(gait.run_table(), phase)
    if motion == "stand":
        return _in_cycle(gait.stand_table(), phase)
    if motion == "pedal":
        return _in_cycle(gait.pedal_table(), phase)
    return gait.glide_pose() if motion == "glide" else gait.sit_pose()
