"""How fast and which way an event's subject goes, in people's own measures."""

from __future__ import annotations

import numpy as np
import pytest

from crowdad.records import Event, Velocity
from crowdad.scene.streams.pace import pace_of
from tests.tiny_scene import PERSON_PX, STEP_PX, model_of, moved_otherwise, scale_of

WALK_PX_S = STEP_PX * 10
"""Of people of `scale_of`, 10 frames a second."""


def event(velocity_px_s: Velocity | None) -> Event:
    return Event(1, 0.0, 1.0, 0, 9, 0.5, 5, 0.9, (40.0, 30.0, 60.0, 70.0), velocity_px_s=velocity_px_s)


@pytest.mark.parametrize(
    ("velocity", "towards"),
    [
        ((1.0, 0.0), "the right"),
        ((1.0, 1.0), "the lower right"),
        ((0.0, 1.0), "the bottom"),
        ((-1.0, 0.3), "the left"),
        ((-1.0, -1.0), "the upper left"),
        ((0.1, -1.0), "the top"),
    ],
)
def test_a_way_is_told_in_words(velocity: Velocity, towards: str) -> None:
    pace = pace_of(event(velocity), scale_of())
    assert pace is not None
    assert pace.towards == f"towards {towards}"


def test_speed_is_counted_in_walks_of_the_place() -> None:
    across = pace_of(event((2.5 * WALK_PX_S, 0.0)), scale_of())
    towards = pace_of(event((0.0, WALK_PX_S)), scale_of(foreshortening=2.0, along=9))
    nearby = pace_of(event((WALK_PX_S, 0.0)), scale_of(person=(2 * PERSON_PX, 0.0, 0.0)))
    assert across is not None
    assert towards is not None
    assert nearby is not None
    assert (across.times, towards.times, nearby.times) == pytest.approx((2.5, 2.0, 0.5))
    assert pace_of(event(None), scale_of()) is None


def test_motion_tells_how_fast_where_that_is_unusual() -> None:
    scene = model_of()
    fast, walking, unknown = (
        scene.told(event(velocity)) for velocity in ((-2.6 * WALK_PX_S, 0.0), (WALK_PX_S, 0.0), None)
    )
    assert fast.kind == "fast"
    assert "2.6 times" in fast.sentence
    assert "the left" in fast.sentence
    assert walking.kind == unknown.kind == "moves unusually"
    assert "the right" in walking.sentence
    assert {fast.kind, walking.kind} <= set(scene.motion.kinds)


def test_speed_is_told_by_what_is_usual_here() -> None:
    scene = model_of()
    brisk = moved_otherwise(scene, mean=np.full_like(scene.motion.mean, 1.3))
    assert "2.0 times" in brisk.told(event((2.6 * WALK_PX_S, 0.0))).sentence
    assert brisk.told(event((1.3 * WALK_PX_S, 0.0))).kind == "moves unusually"
