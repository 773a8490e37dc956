"""Nowhere: somebody at a place through which hardly anybody passed."""

from __future__ import annotations

import numpy as np
import pytest

from crowdad.records import Event
from crowdad.scene.calibration import Calibration
from crowdad.scene.streams.nowhere import Nowhere
from tests.scene.streams.walkers import SCALE, SETTINGS, Walker, crossing, lesson_of, steps_of, tubes_of

LEVEL = Calibration(0.1, 10.0, 0.0, 0.1, 1.0, "exponential tail")


def learned(seconds: float) -> Nowhere | None:
    walkers = [one for row in (120.0, 150.0, 180.0) for one in crossing(seconds, row, 1, seed=int(row))]
    steps = list(steps_of(walkers, int(10 * seconds)))
    learner = Nowhere.learner(SCALE, SETTINGS)
    for step in steps:
        learner.see(step)
    return learner.learned(lesson_of(steps))


@pytest.fixture(scope="module")
def nowhere() -> Nowhere:
    found = learned(120.0)
    assert found is not None
    return found


def surprise(nowhere: Nowhere, row: float) -> float:
    return float(nowhere.run(SCALE, SETTINGS).anomaly(tubes_of([Walker((180, row), (1, 0))], 10)).mean())


def test_where_all_go_is_usual_and_where_nobody_goes_is_not(nowhere: Nowhere) -> None:
    assert surprise(nowhere, 150.0) < 1.0
    assert surprise(nowhere, 40.0) > nowhere.level(LEVEL, SETTINGS)


def test_it_only_alarms() -> None:
    assert not Nowhere.ranks


def test_what_is_told(nowhere: Nowhere) -> None:
    event = Event(1, 0.0, 1.0, 0, 10, 0.5, 5, 0.9, (160, 25, 180, 55))
    told = nowhere.told(event, SCALE)
    assert told.kind == "where nobody goes"
    assert told.sentence.startswith("is where hardly any of about ")


def test_few_passages_prove_nothing() -> None:
    assert learned(30.0) is None


def test_it_survives_the_model_file(nowhere: Nowhere) -> None:
    again = Nowhere.restored(nowhere.arrays(), SETTINGS)
    assert surprise(again, 40.0) == surprise(nowhere, 40.0)


@pytest.mark.parametrize(
    ("name", "spoilt"),
    [
        ("surprise", np.full((4, 6), np.nan, np.float32)),
        ("surprise", np.full((4, 6), -1, np.float32)),
        ("surprise", np.full((4, 6), 1e30, np.float32)),
        ("surprise", np.zeros(3, np.float32)),
        ("passages", np.array([0.0])),
    ],
)
def test_what_no_fit_gives_is_refused(nowhere: Nowhere, name: str, spoilt: np.ndarray) -> None:
    with pytest.raises(ValueError, match=r"surprise|passages"):
        Nowhere.restored({**nowhere.arrays(), name: spoilt}, SETTINGS)
