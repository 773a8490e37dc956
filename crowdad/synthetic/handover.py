"""Things that change hands: put down and left behind, or taken away."""

from __future__ import annotations

import math
from collections.abc import Callable

import numpy as np

from crowdad.synthetic.agents import Agent

__all__ = ["CARRIED_M", "Handover", "PutDown", "TakeAway", "carry"]

CARRIED_M = 0.28
"""Height above the ground at which a thing is carried."""

_SIDE_M, _DOWN_S, _LEFT_M = 0.42, 1.0, 3.0


def carry(thing: Agent, height_m: float) -> None:
    """Move a thing to the right hand of who carries it."""
    carrier = thing.carrier
    assert carrier is not None, "only what is carried is moved"
    x, y, heading = carrier.state[:3]
    thing.before = thing.state.copy()
    thing.state[:3] = x + _SIDE_M * math.sin(heading), y - _SIDE_M * math.cos(heading), heading
    thing.state[3] = height_m


class PutDown:
    """A carrier puts a thing down where it stays for a while, and goes on: odd from when it is 3 m away."""

    def __init__(self, thing: Agent) -> None:
        assert thing.carrier is not None, "a thing that is put down is carried before"
        self.thing, self.owner = thing, thing.carrier
        carry(thing, CARRIED_M)
        thing.before = thing.state.copy()

    def step(self, time_s: float) -> None:
        """Go on until `time_s`."""
        thing, owner = self.thing, self.owner
        thing.before = thing.state.copy()
        if thing.carrier is None:
            if math.isinf(thing.odd_s[0]) and np.hypot(*(owner.state[:2] - thing.state[:2])) > _LEFT_M:
                thing.odd_s = (time_s, math.inf)
            return
        stood_s = time_s - owner.pause_s[0]
        carry(thing, CARRIED_M * (1 - min(max(stood_s / _DOWN_S, 0.0), 1.0)))
        if stood_s >= _DOWN_S:
            thing.carrier = None
            thing.pause_s = (time_s, math.inf)


class TakeAway:
    """Somebody stops at a thing and goes on with it.  add: puts what is carried from then on among the agents."""

    def __init__(self, thing: Agent, taker: Agent, add: Callable[[Agent], None]) -> None:
        self.thing, self.taker, self._add = thing, taker, add
        self._carried: Agent | None = None

    def step(self, time_s: float) -> None:
        """Go on until `time_s`."""
        since_s = self.taker.pause_s[0]
        if self._carried is None and time_s >= since_s + _DOWN_S:
            self.thing.gone_s, self.thing.odd_s = time_s, (time_s, math.inf)
            self._carried = Agent(-1 - self.thing.track_id, "crate", self.thing.model, self.thing.waypoints, 0.0)
            self._carried.carrier = self.taker
            carry(self._carried, CARRIED_M)
            self._carried.before = self._carried.state.copy()
            self._add(self._carried)
        elif self._carried is not None:
            carry(self._carried, CARRIED_M)


Handover = PutDown | TakeAway
