"""Where people walk: lanes with a direction, ground that nobody enters, and those who do otherwise."""

from __future__ import annotations

import math
from dataclasses import replace

import numpy as np
import pytest

from crowdad.errors import ConfigError
from crowdad.synthetic import GeneratedClip, Lawn, scene_config


def _in_lane(clip: GeneratedClip, kind: str) -> list[tuple[float, float]]:
    """For each sighting of a kind in one of the lanes: the lane's direction and the person's, along X."""
    found = []
    for people in clip.positions():
        for person in (person for person in people if person.kind == kind):
            for lane in clip.config.lanes:
                if lane.near_m + 1 < person.y_m < lane.far_m - 1 and person.speed_m_s > 0.5:
                    found.append((math.cos(math.radians(lane.heading_deg)), math.cos(person.heading_rad)))
    return found


def test_walkers_go_with_their_lane_and_those_against_it_do_not():
    clip = GeneratedClip("lanes", 3, anomalies=("against", "against"), duration_s=60, fps=5)
    walkers, others = (np.array(_in_lane(clip, kind)) for kind in ("walker", "against"))
    assert len(walkers) > 1000
    assert len(others) > 20
    assert np.quantile(walkers[:, 0] * walkers[:, 1], 0.01) > 0.5
    assert np.quantile(others[:, 0] * others[:, 1], 0.9) < -0.5


@pytest.mark.parametrize("name", ["lanes", "crossing"])
def test_only_intruders_enter_the_lawn_and_count_while_they_are_on_it(name):
    clip = GeneratedClip(name, 5, anomalies=("intruder", "intruder", "runner"), duration_s=60, fps=5)
    lawn = clip.config.lawn
    assert lawn is not None
    trespassers = set()
    for truth, people in zip(clip.truths(), clip.positions(), strict=True):
        on_it = {person.track_id: person.kind for person in people if lawn.contains(np.array([person.x_m, person.y_m]))}
        assert set(on_it.values()) <= {"intruder"}
        told = {track for kind, track in zip(truth.kinds, truth.track_ids, strict=True) if kind == "intruder"}
        trespassers |= told
        near = {p.track_id for p in people if lawn.contains(np.array([p.x_m, p.y_m]), 0.3)}
        assert told <= near
    assert len(trespassers) == 2


def test_the_lawn_by_hand():
    lawn = Lawn(0.0, 10.0, 4.0, 12.0)
    assert lawn.contains(np.array([1.0, 11.0]))
    assert not lawn.contains(np.array([1.0, 9.0]))
    assert lawn.contains(np.array([1.0, 9.0]), 1.5)
    assert lawn.meets(np.array([-5.0, 11.0]), np.array([9.0, 11.0]), 0.0)
    assert not lawn.meets(np.array([-5.0, 9.0]), np.array([9.0, 9.0]), 0.5)
    assert lawn.meets(np.array([-5.0, 9.0]), np.array([9.0, 9.0]), 1.5)
    np.testing.assert_allclose(lawn.nearest_outside(np.array([1.0, 10.3])), (1.0, 10.0))
    np.testing.assert_allclose(lawn.nearest_outside(np.array([3.9, 11.0])), (4.0, 11.0))


@pytest.mark.parametrize(
    ("scene", "kinds", "says"),
    [("daylight", ("intruder",), "no lawn"), ("daylight", ("removed_object", "removed_object"), "1 crates")],
)
def test_what_a_scene_lacks_is_named(scene, kinds, says):
    with pytest.raises(ConfigError, match=says):
        replace(scene_config(scene), anomalies=kinds)
