"""How fast and which way an event's subject goes, for sentences."""

from __future__ import annotations

import math
from dataclasses import dataclass

from crowdad.records import Event, OpenEvent
from crowdad.tubes.scale import SceneScale

__all__ = ["Pace", "pace_of", "picture_turn", "towards"]

_WAYS = ("right", "lower right", "bottom", "lower left", "left", "upper left", "top", "upper right")
"""Clockwise from the right, in eighths of a turn."""


@dataclass(frozen=True)
class Pace:
    """times: speed, in walking speeds of the place.

    turn, ground_turn: the way in the picture and on the ground, in turns clockwise from the right.
    """

    times: float
    turn: float
    ground_turn: float

    @property
    def towards(self) -> str:
        """The way in words."""
        return towards(self.turn)


def towards(turn: float) -> str:
    """A way in the picture, in turns clockwise from the right, in words."""
    return f"towards the {_WAYS[round(turn * len(_WAYS)) % len(_WAYS)]}"


def picture_turn(ground_turn: float, foreshortening: float) -> float:
    """The way in the picture of who goes that way on the ground, both in turns clockwise from the right."""
    angle = ground_turn * math.tau
    return math.atan2(math.sin(angle) / foreshortening, math.cos(angle)) / math.tau


def pace_of(event: Event | OpenEvent, scale: SceneScale) -> Pace | None:
    """At the event's peak; None where it was seen for too short.  scale: of the footage."""
    if event.velocity_px_s is None:
        return None
    x0, y0, x1, y1 = event.box_xyxy
    x, y = (x0 + x1) / 2, (y0 + y1) / 2
    across, down = event.velocity_px_s
    walk_px_s = scale.walk * scale.fps * float(scale.person_px(x, y))
    along = down * float(scale.foreshortening_at(x, y))
    turns = (math.atan2(each, across) / math.tau for each in (down, along))
    return Pace(math.hypot(across, along) / walk_px_s, *turns)
