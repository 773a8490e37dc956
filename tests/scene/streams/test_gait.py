"""Gait: legs that swing less than those of others who are as fast."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from crowdad.records import Event
from crowdad.scene.heatmap import StepMap
from crowdad.scene.streams.gait import Gait
from tests.scene.streams.walkers import SCALE, SETTINGS, Walker, crossing, lesson_of, steps_of, tubes_of


@pytest.fixture(scope="module")
def gait() -> Gait:
    steps = list(steps_of(crossing(120.0, 100.0, 1) + crossing(120.0, 160.0, -1, seed=3), 1200))
    found = Gait.learner(SCALE, SETTINGS).learned(lesson_of(steps))
    assert found is not None
    return found


def stiffness(gait: Gait, swing: float) -> float:
    return float(gait.anomaly(tubes_of([Walker((100, 100), (1, 0), swing=swing)], 10)).mean())


def test_who_glides_is_stiff_and_who_walks_is_not(gait: Gait) -> None:
    assert stiffness(gait, -1.0) < 1.0
    assert stiffness(gait, -2.0) > 3.0


def test_legs_that_swing_more_are_no_sign(gait: Gait) -> None:
    assert stiffness(gait, 1.0) == 0.0


def test_a_path_that_left_the_picture_says_nothing(gait: Gait) -> None:
    tubes = tubes_of([Walker((100, 100), (1, 0), swing=-2.0)], 10)
    alive = tubes.alive.copy()
    alive[:, -1] = False
    assert not gait.anomaly(replace(tubes, alive=alive)).any()


def test_it_adds_as_much_as_motion_where_both_stand_out_alike(gait: Gait) -> None:
    rng = np.random.default_rng(0)
    maps = [
        StepMap(rng.exponential(0.1, (20, 20)).astype(np.float32), 1.0, 9, beside=rng.exponential(2.0, (1, 20, 20)))
        for _ in range(200)
    ]
    weighted = gait.weighted(maps)
    assert weighted.weight == pytest.approx(0.05, rel=0.2)
    assert weighted.floor == pytest.approx(2.0 * np.log(50), rel=0.1)
    assert not weighted.added(np.float32([0.0, weighted.floor])).any()
    assert weighted.added(np.float32([weighted.floor + 2])) == pytest.approx(2 * weighted.weight, rel=1e-5)


def test_where_nothing_is_stiff_it_adds_nothing(gait: Gait) -> None:
    maps = [StepMap(np.full((20, 20), 0.1, np.float32), 1.0, 9, beside=np.zeros((1, 20, 20)))]
    assert not gait.weighted(maps).added(np.float32([5.0])).any()


def test_anomalies_inside_hardly_change_what_it_adds(gait: Gait) -> None:
    rng = np.random.default_rng(1)
    motion, own = rng.exponential(0.1, (200, 20, 20)).astype(np.float32), rng.exponential(2.0, (200, 1, 20, 20))
    clean, spoilt = (
        gait.weighted(StepMap(raw, 1.0, 9, beside=beside) for raw, beside in zip(maps, own, strict=True))
        for maps in (motion, np.where(rng.random(motion.shape) < 0.05, 3.0, motion).astype(np.float32))
    )
    assert spoilt.weight == pytest.approx(clean.weight, rel=0.25)


def test_what_is_told(gait: Gait) -> None:
    event = Event(1, 0.0, 1.0, 0, 10, 0.5, 5, 0.9, (160, 25, 180, 55), velocity_px_s=(-30.0, 0.0))
    told = gait.told(event, SCALE)
    assert told.kind == "glides"
    assert told.sentence == "glides towards the left: its legs swing less than those of others who move as fast"


def test_few_tubes_teach_nothing() -> None:
    steps = list(steps_of([Walker((100, 100), (1, 0))], 20))
    assert Gait.learner(SCALE, SETTINGS).learned(lesson_of(steps)) is None


def test_it_survives_the_model_file(gait: Gait) -> None:
    assert stiffness(Gait.restored(gait.arrays(), SETTINGS), -1.5) == stiffness(gait, -1.5)


@pytest.mark.parametrize(
    ("name", "spoilt"),
    [
        ("coefficients", np.zeros(3)),
        ("coefficients", np.full(7, np.nan)),
        ("coefficients", np.full(7, 1e30)),
        ("numbers", np.array([0.0, 0.0, 0.0, 0.0])),
        ("numbers", np.array([0.0, 1.0, -1.0, 0.0])),
    ],
)
def test_what_no_fit_gives_is_refused(gait: Gait, name: str, spoilt: np.ndarray) -> None:
    with pytest.raises(ValueError, match="gait holds"):
        Gait.restored({**gait.arrays(), name: spoilt}, SETTINGS)
