"""How fast and which way an event's subject goes, for sentences."""

from __future__ import annotations

import math
from dataclasses import dataclass

from crowdad.records import Event, OpenEvent
from crowdad.tubes.scale import SceneScale

__all__ = ["Pace", "pace_of"]

_WAYS = ("right", "lower right", "bottom", "lower left", "left", "upper left", "top", "upper right")
"""Clockwise from the right, in eighths of a turn."""


@dataclass(frozen=True)
class Pace:
    """times: speed, in walking speeds of the place.  turn: the way in the picture, turns clockwise from the right."""

    times: float
    turn: float

    @property
    def towards(self) -> str:
        """The way in words."""
        return f"towards the {_WAYS[round(self.turn * len(_WAYS)) % len(_WAYS)]}"


def pace_of(event: Event | OpenEvent, scale: SceneScale) -> Pace | None:
    """At the event's peak; None where it was seen for too short.  scale: of the footage."""
    if event.velocity_px_s is None:
        return None
    x0, y0, x1, y1 = event.box_xyxy
    x, y = (x0 + x1) / 2, (y0 + y1) / 2
    across, down = event.velocity_px_s
    walk_px_s = scale.walk * scale.fps * float(scale.person_px(x, y))
    times = math.hypot(across, down * float(scale.foreshortening_at(x, y))) / walk_px_s
    return Pace(times, math.atan2(down, across) / math.tau)
