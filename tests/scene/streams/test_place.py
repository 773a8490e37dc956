"""Place: what is rare here, which way and how fast, by how much was seen."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from crowdad.records import Event
from crowdad.scene.calibration import Calibration
from crowdad.scene.streams.passages import BINS, PassageCounter, ways_of
from crowdad.scene.streams.place import Place
from tests.scene.streams.walkers import SCALE, SETTINGS, Walker, crossing, lesson_of, steps_of, tubes_of

LEVEL = Calibration(0.1, 10.0, 0.0, 0.1, 1.0, "exponential tail")
RIGHT, LEFT = 150.0, 90.0
"""Rows of the two lanes."""


def learned(seconds: float = 150.0, *, unlabelled: bool = False) -> Place | None:
    walkers = crossing(seconds, RIGHT, 1, seed=1) + crossing(seconds, LEFT, -1, seed=2)
    steps = list(steps_of(walkers, int(10 * seconds)))
    learner = Place.learner(SCALE, SETTINGS)
    for step in steps:
        learner.see(step)
    return learner.learned(lesson_of(steps, unlabelled=unlabelled))


@pytest.fixture(scope="module")
def place() -> Place:
    found = learned()
    assert found is not None
    return found


def surprise(place: Place, walker: Walker, seconds: float = 4.0) -> float:
    """The largest over the walk of the mean over its tubes."""
    run = place.run(SCALE, SETTINGS)
    seen = (tubes_of([walker], step) for step in range(6, int(10 * seconds)))
    return max(float(run.anomaly(tubes).mean()) for tubes in seen if len(tubes))


def event(velocity: tuple[float, float], row: float = LEFT) -> Event:
    return Event(1, 0.0, 1.0, 0, 10, 0.5, 5, 0.9, (160, row - 15, 180, row + 15), velocity_px_s=velocity)


def test_with_the_stream_is_usual_and_against_it_is_not(place: Place) -> None:
    level = place.level(LEVEL, SETTINGS)
    assert surprise(place, Walker((60, RIGHT), (1, 0))) < 0.3 * level
    assert surprise(place, Walker((300, RIGHT), (-1, 0))) > level
    assert surprise(place, Walker((60, LEFT), (1, 0))) > level


def test_a_speed_that_is_rare_here_is_unusual(place: Place) -> None:
    assert surprise(place, Walker((60, RIGHT), (2.6, 0))) > place.level(LEVEL, SETTINGS)


def test_a_single_odd_step_is_no_surprise(place: Place) -> None:
    usual = [Walker((60, RIGHT), (1, 0))]
    run = place.run(SCALE, SETTINGS)
    for step in range(6, 30):
        run.anomaly(tubes_of(usual, step))
    odd = tubes_of(usual, 30)
    odd = replace(odd, path_xy=odd.path_xy[:, ::-1].copy())  # the same path backwards, for one step
    fresh = surprise(place, Walker((300, RIGHT), (-1, 0)))
    assert run.anomaly(odd).mean() < 0.5 * fresh


@pytest.mark.parametrize(
    ("velocity", "kind", "words"),
    [
        ((30.0, 0.0), "against the stream", "goes towards the right, where 90 in 100 go towards the left"),
        ((0.0, 30.0), "goes an unusual way", "goes towards the bottom, as about 1 in 100 do here"),
        ((-90.0, 0.0), "fast", "moves at 3.0 times walking speed towards the left, which is rare here"),
        ((-15.0, 0.0), "unusual pace", "moves at 0.5 times walking speed towards the left, which is rare here"),
        ((-1.5, 0.0), "unusual pace", "hardly moves, which is rare here"),
    ],
)
def test_what_is_told(place: Place, velocity: tuple[float, float], kind: str, words: str) -> None:
    told = place.told(event(velocity), SCALE)
    assert (told.kind, told.sentence) == (kind, words)
    assert told.kind in Place.kinds


def test_ways_are_compared_on_the_ground_and_told_as_seen_in_the_picture(place: Place) -> None:
    grazing = replace(SCALE, foreshortening=4.0)
    told = place.told(event((-15.0, 15.0)), grazing)  # on the ground all but towards the camera
    assert told.kind == "goes an unusual way"
    assert told.sentence.startswith("goes towards the lower left, as ")
    shares = np.full_like(place.shares, 0.01 / (BINS - 1))
    shares[..., 1 + 1] = 0.99  # all go an eighth of a turn clockwise from the right, on the ground
    against = replace(place, shares=shares / shares.sum(axis=2, keepdims=True)).told(event((-40.0, -10.0)), grazing)
    assert against.sentence == "goes towards the left, where 99 in 100 go towards the right"


def test_without_a_velocity_it_is_an_unusual_way(place: Place) -> None:
    assert place.told(replace(event((1.0, 0.0)), velocity_px_s=None), SCALE).kind == "goes an unusual way"


def test_footage_of_few_passages_teaches_nothing() -> None:
    assert learned(15.0) is None


def test_it_survives_the_model_file(place: Place) -> None:
    again = Place.restored(place.arrays(), SETTINGS)
    walker = Walker((300, RIGHT), (-1, 0))
    assert surprise(again, walker) == surprise(place, walker)
    assert again.level(LEVEL, SETTINGS) == place.level(LEVEL, SETTINGS)


@pytest.mark.parametrize(
    ("name", "spoilt"),
    [
        ("shares", np.full((4, 6, BINS), np.nan, np.float32)),
        ("shares", np.full((4, 6, BINS), 0.5, np.float32)),
        ("shares", np.full((4, 6), 0.5, np.float32)),
        ("passages", np.array([np.nan])),
        ("passages", np.zeros(0)),
        ("tail", np.zeros(5)),
        ("tail", np.full(6, np.nan)),
    ],
)
def test_what_no_fit_gives_is_refused(place: Place, name: str, spoilt: np.ndarray) -> None:
    with pytest.raises(ValueError, match=r"shares|passages|tail|finite|Input"):
        Place.restored({**place.arrays(), name: spoilt}, SETTINGS)


def test_other_size_and_rate_of_the_footage_change_nothing(place: Place) -> None:
    scale = SCALE.fitted_to((480, 720), 10.0)
    tubes = tubes_of([Walker((300, RIGHT), (-1, 0))], 20)
    double = replace(tubes, path_xy=2 * tubes.path_xy, person_px=2 * tubes.person_px)
    once = place.run(SCALE, SETTINGS).anomaly(tubes)
    np.testing.assert_allclose(place.run(scale, SETTINGS).anomaly(double), once, atol=0.15)


class TestWays:
    def test_direction_and_speed_of_a_walk(self) -> None:
        ways = ways_of(tubes_of([Walker((60, 100), (1, 0)), Walker((300, 100), (0, 2))], 10), SCALE)
        assert ways.known.all()
        assert set(ways.first[:5]) == {1}
        assert set(ways.first[5:]) == {1 + 8 + 2}
        np.testing.assert_allclose(ways.speed, [1] * 5 + [2] * 5, rtol=1e-5)

    def test_what_hardly_moves_has_no_direction(self) -> None:
        ways = ways_of(tubes_of([Walker((60, 100), (0.3, 0.1))], 10), SCALE)
        assert not ways.first.any()
        assert not ways.second.any()

    def test_too_short_a_path_is_not_known(self) -> None:
        tubes = tubes_of([Walker((60, 100), (1, 0))], 10)
        alive = tubes.alive.copy()
        alive[:, 2:] = False
        assert not ways_of(replace(tubes, alive=alive), SCALE).known.any()


class TestPassageCounter:
    def test_one_walk_through_the_picture_counts_its_length_once(self) -> None:
        counter = PassageCounter(SCALE)
        for step in steps_of([Walker((5, 100), (1, 0))], 130):
            counter.add(step.tubes)
        walked = np.sum(counter.parts(), axis=0)
        assert walked.sum() == pytest.approx((350 - 5 * 3) / 30, rel=0.15)  # person heights, but for the first steps
        assert walked.sum(axis=(0, 1)).argmax() == 1

    def test_parts_stay_few_and_hold_all(self) -> None:
        counter = PassageCounter(SCALE)
        walkers = crossing(200.0, 100.0, 1)
        for step in steps_of(walkers, 2000):
            counter.add(step.tubes)
        parts = counter.parts()
        assert 8 <= len(parts) <= 16
        assert counter.part_of(1) == 0
        assert counter.part_of(2000) == len(parts) - 1
