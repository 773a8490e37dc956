"""The crowd as a whole, on walkers made of a few tubes each: what it does is told within seconds, and nothing else."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace

import numpy as np
import numpy.typing as npt
import pytest

from crowdad.records import Event, Tubes
from crowdad.scene.calibration import Calibration
from crowdad.scene.heatmap import StepMap, voter_of
from crowdad.scene.streams import Lesson, Step, Told
from crowdad.scene.streams.crowd import Crowd
from crowdad.scene.streams.crowd_places import place_of
from crowdad.scene.streams.crowd_told import KINDS, Happening, happening_of, told_of
from tests.tiny_scene import scale_of, settings_of

SETTINGS = settings_of()
STEP_S = 0.3
SIZE_HW = (240, 360)
PERSON_PX = 28.0
SCALE = scale_of(gap=3, size_hw=SIZE_HW, person=(PERSON_PX, 0.0, 0.0), walk=0.024, rows=(0.0, 239.0))
WALK_PX = 0.024 * PERSON_PX * 3
"""A step."""
TUBES_EACH = 5
CALIBRATION = Calibration(0.1, 50.0, 0.0, 0.05, 0.5, "exponential tail")

Floats = npt.NDArray[np.float64]
Mood = Callable[["Walkers", float], None]


@dataclass
class Walkers:
    """people: mean number.  They cross the picture on straight ways, and others come for those that have left."""

    people: int
    seed: int = 0

    def __post_init__(self) -> None:
        self.rng = np.random.default_rng(self.seed)
        self.place, self.way = np.zeros((0, 2)), np.zeros((0, 2))
        self.wanted = self.people
        self.pace = 1.0
        self.come(self.people, inside=True)

    def come(self, count: int, *, inside: bool = False) -> None:
        height, width = SIZE_HW
        right = self.rng.integers(0, 2, count)
        turn = self.rng.normal(0, 0.35, count)
        way = np.stack([np.where(right, 1, -1) * np.cos(turn), np.sin(turn)], axis=-1)
        x = self.rng.uniform(0, width, count) if inside else np.where(right, 0.0, width - 1.0)
        place = np.stack([x, self.rng.uniform(30, height - 30, count)], axis=-1)
        self.place = np.concatenate([self.place, place])
        self.way = np.concatenate([self.way, way * self.rng.normal(1, 0.12, count)[:, None]])

    def step(self) -> Tubes:
        self.place = self.place + WALK_PX * self.pace * self.way
        inside = ((self.place >= 0) & (self.place < SIZE_HW[::-1])).all(axis=1)
        self.place, self.way = self.place[inside], self.way[inside]
        missing = self.wanted - len(self.place)
        if missing > 0:
            self.come(int(self.rng.binomial(missing, 0.3)))
        return self.tubes()

    def tubes(self) -> Tubes:
        """Of those who move."""
        moves = np.hypot(*self.way.T) * self.pace > 0.3
        place, way = (np.repeat(each[moves], TUBES_EACH, axis=0) for each in (self.place, self.way))
        place = place + self.rng.normal(0, 2, place.shape)
        velocity = WALK_PX * self.pace * way + self.rng.normal(0, 0.1, way.shape)
        path = place[:, None] - np.arange(5)[:, None] * velocity[:, None]
        count = len(place)
        return Tubes(
            np.zeros((count, 3, 5, 5, 3), np.float32),
            path.astype(np.float32),
            ((path >= 0) & (path < SIZE_HW[::-1])).all(axis=2).cumprod(axis=1).astype(bool),
            np.full(count, PERSON_PX, np.float32),
            np.zeros(count, np.int64),
        )


def footage(
    seconds: float, people: int = 15, *, seed: int = 0, mood: Mood | None = None, from_s: float = 0.0
) -> Iterator[Step]:
    """Steps of walkers; from a time on the mood changes them before each step, told of the time since then."""
    walkers = Walkers(people, seed)
    for number in range(round(seconds / STEP_S)):
        time_s = number * STEP_S
        if mood is not None and time_s >= from_s:
            mood(walkers, time_s - from_s)
        tubes = walkers.step()
        yield Step(3 * number, time_s, tubes if number >= 5 else None)


def learned(*runs: Iterator[Step], unlabelled: bool = False) -> Crowd | None:
    learner = Crowd.learner(SCALE, SETTINGS)
    for run in runs:
        for step in run:
            learner.see(step)
    return learner.learned(Lesson({}, unlabelled))


def maps(crowd: Crowd, steps: Iterator[Step], *, lag: int | None = None, batch: int = 8) -> list[StepMap]:
    run, found, given = crowd.run(SCALE, SETTINGS, lag), [], list(steps)
    for start in range(0, len(given), batch):
        found += list(run.push(given[start : start + batch]))
    return found + list(run.finish())


def alarms(crowd: Crowd, found: list[StepMap]) -> list[tuple[float, Happening]]:
    """(time, what is noted) of every step above the level."""
    level = crowd.level(CALIBRATION, SETTINGS)
    told = []
    for number, each in enumerate(found):
        if each.raw.max() >= level:
            assert each.note is not None
            told.append((number * STEP_S, Happening.of_note(int(each.note.max()))))
    return told


@pytest.fixture(scope="module")
def crowd() -> Crowd:
    found = learned(footage(240))
    assert found is not None
    return found


def run_away(walkers: Walkers, since_s: float) -> None:
    walkers.pace = 2.6


def scatter(walkers: Walkers, since_s: float) -> None:
    if since_s < STEP_S:
        away = walkers.place - np.median(walkers.place, axis=0)
        walkers.way = away / (np.linalg.norm(away, axis=1, keepdims=True) + 1e-6)
    walkers.wanted = 0


def stand(walkers: Walkers, since_s: float) -> None:
    walkers.pace = 0.0


def surge(walkers: Walkers, since_s: float) -> None:
    walkers.wanted = 60


def stay_away(walkers: Walkers, since_s: float) -> None:
    walkers.wanted = 0


@pytest.mark.parametrize(
    ("mood", "within_s", "kind"),
    [
        (run_away, 1.5, "crowd runs"),
        (scatter, 6.0, "crowd scatters"),
        (stand, 2.0, "crowd stands still"),
        (surge, 15.0, "unusually many"),
        (stay_away, 30.0, "unusually few"),
    ],
)
def test_what_a_crowd_does_is_told(crowd: Crowd, mood: Mood, within_s: float, kind: str) -> None:
    told = alarms(crowd, maps(crowd, footage(75, seed=5, mood=mood, from_s=30.0)))
    assert told, kind
    assert 29.0 < told[0][0] <= 30.0 + within_s
    first = [KINDS[happening.kind] for time_s, happening in told if time_s < told[0][0] + 3]
    assert Counter(first).most_common(1)[0][0] == kind


def test_ordinary_footage_raises_nothing(crowd: Crowd) -> None:
    assert not alarms(crowd, maps(crowd, footage(300, seed=9)))


def test_a_scene_that_is_empty_from_the_start_is_not_told_to_have_stopped(crowd: Crowd) -> None:
    told = alarms(crowd, maps(crowd, footage(20, seed=3, mood=stand)))
    assert {KINDS[happening.kind] for _, happening in told} == {"unusually few"}


def leave_together(walkers: Walkers, since_s: float) -> None:
    if since_s < STEP_S:
        most = np.arange(len(walkers.place)) % 5 > 0
        walkers.place[most, 0] = SIZE_HW[1] - 0.4 * PERSON_PX
        walkers.way[most] = (1.0, 0.0)
        walkers.wanted = 0


def test_a_group_that_leaves_is_not_told_to_stand_still(crowd: Crowd) -> None:
    told = alarms(crowd, maps(crowd, footage(40, seed=5, mood=leave_together, from_s=30.0)))
    assert {KINDS[happening.kind] for _, happening in told} == {"unusually few"}


def test_what_has_lasted_for_a_minute_is_no_news(crowd: Crowd) -> None:
    steps = list(footage(240, seed=3, mood=stay_away, from_s=20.0))
    gone_s = max(step.time_s for step in steps if step.tubes is not None and len(step.tubes))
    assert gone_s < max(time_s for time_s, _ in alarms(crowd, maps(crowd, iter(steps)))) < gone_s + Crowd.memory_s


def test_a_map_is_one_place_around_those_who_move(crowd: Crowd) -> None:
    found = maps(crowd, footage(45, seed=5, mood=run_away, from_s=30.0))
    voter = voter_of(SCALE, SETTINGS)
    hot = [each for each in found if each.raw.any()]
    assert hot
    for each in hot:
        assert each.note is not None
        assert each.raw.shape == each.note.shape == voter.shape
        assert ((each.raw > 0) == (each.note > 0)).all()
        assert len(np.unique(each.raw)) == 2


def test_a_place_is_connected_and_leaves_out_who_is_far_from_all() -> None:
    groups = np.array([(100, 100), (200, 100), (150, 160)], np.float32)
    places = np.concatenate([np.repeat(groups, 20, axis=0), [(340, 20)]]).astype(np.float32)
    place = place_of([places[:30], places[30:]], (30, 45), 8.0)
    rows, columns = np.nonzero(place)
    assert ((rows.min(), rows.max()), (columns.min(), columns.max())) == ((11, 21), (11, 26))
    assert place[14, 18]
    assert not place[20, 13]


def test_maps_come_as_late_as_all_others_and_the_same_in_every_batch(crowd: Crowd) -> None:
    steps = list(footage(45, seed=5, mood=run_away, from_s=30.0))
    for lag in (None, 0, 2):
        run = crowd.run(SCALE, SETTINGS, lag)
        late = voter_of(SCALE, SETTINGS, lag).lag
        assert len(list(run.push(steps[:60]))) == 60 - late
        assert len(list(run.finish())) == late
        alone, together = (maps(crowd, iter(steps), lag=lag, batch=batch) for batch in (1, 50))
        assert len(alone) == len(steps)
        assert all((a.raw == b.raw).all() for a, b in zip(alone, together, strict=True))
    assert alarms(crowd, maps(crowd, iter(steps), lag=0))[0][0] >= 30.0


def test_nothing_is_carried_over_a_break(crowd: Crowd) -> None:
    steps = list(footage(30, seed=5))
    run = crowd.run(SCALE, SETTINGS, None)
    list(run.push(steps[:80]))
    list(run.finish())
    run.reset()
    again = [*run.push(steps), *run.finish()]
    afresh = maps(crowd, iter(steps))
    assert all((a.raw == b.raw).all() for a, b in zip(again, afresh, strict=True))


def test_what_is_too_short_empty_or_still_is_not_learned() -> None:
    assert learned(footage(50)) is None
    assert learned(footage(120, people=2)) is None
    assert learned(footage(120, mood=stand)) is None
    assert learned() is None


def test_clips_are_learned_from_together() -> None:
    found = learned(*(footage(20, seed=seed) for seed in range(6)))
    assert found is not None
    assert found.usual.people == pytest.approx(15, rel=0.3)
    assert not alarms(found, maps(found, footage(60, seed=9)))


def test_anomalies_in_the_footage_hardly_change_what_is_usual(crowd: Crowd) -> None:
    found = learned(footage(240, mood=run_away, from_s=222.0), unlabelled=True)
    assert found is not None
    assert found.usual.speed == pytest.approx(crowd.usual.speed, rel=0.1)
    assert alarms(found, maps(found, footage(45, seed=5, mood=run_away, from_s=30.0)))


def test_it_is_kept_and_restored(crowd: Crowd) -> None:
    again = Crowd.restored(crowd.arrays(), SETTINGS)
    assert again.arrays().keys() == crowd.arrays().keys()
    assert all((again.arrays()[name] == array).all() for name, array in crowd.arrays().items())


@pytest.mark.parametrize(
    ("name", "place", "value"),
    [
        ("middle", 0, np.nan),
        ("middle", 4, 1e3),
        ("middle", 4, -2.0),
        ("spread", 1, -0.1),
        ("spread", 1, np.inf),
        ("numbers", 0, 0.0),
        ("numbers", 1, 0.99),
        ("numbers", 4, 1.5),
        ("tail", 3, -1.0),
    ],
)
def test_what_no_fit_gives_is_refused(crowd: Crowd, name: str, place: int, value: float) -> None:
    arrays = crowd.arrays()
    arrays[name] = arrays[name].copy()
    arrays[name][place] = value
    with pytest.raises(ValueError, match=r"crowd|nan|tail|calibration"):
        Crowd.restored(arrays, SETTINGS)


def test_arrays_of_another_shape_or_name_are_refused(crowd: Crowd) -> None:
    with pytest.raises(ValueError, match="middle is float64"):
        Crowd.restored({**crowd.arrays(), "middle": np.zeros(3)}, SETTINGS)
    with pytest.raises(ValueError, match="float32"):
        Crowd.restored({**crowd.arrays(), "spread": crowd.usual.spread.astype(np.float32)}, SETTINGS)
    with pytest.raises(ValueError, match="are needed"):
        Crowd.restored({"middle": crowd.usual.middle}, SETTINGS)


@pytest.mark.parametrize("kind", range(len(KINDS)))
@pytest.mark.parametrize("times", [0.12, 0.5, 1.0, 2.6, 9.0])
def test_a_note_tells_the_kind_and_about_how_much(kind: int, times: float) -> None:
    note = Happening(kind, times).note
    again = Happening.of_note(note)
    assert 1 <= note <= 255
    assert again.kind == kind
    assert again.times == pytest.approx(times, rel=0.07)


def test_an_event_is_told_by_its_note(crowd: Crowd) -> None:
    note = Happening(0, 2.5).note
    event = Event(1, 2.0, 3.5, 20, 34, 2.4, 24, 0.8, (10.0, 20.0, 30.0, 60.0), note=note)
    assert crowd.told(event, SCALE) == Told("crowd runs", "the crowd moves 2.5 times as fast as usual")
    assert crowd.told(replace(event, note=0), SCALE).kind == "crowd acts unusually"


def test_no_note_is_refused() -> None:
    for note in (0, 253):
        with pytest.raises(ValueError, match="note"):
            Happening.of_note(note)


def test_sentences(crowd: Crowd) -> None:
    usual = replace(crowd.usual, middle=crowd.usual.middle * 0 + np.log(12.5))
    told = [told_of(Happening(kind, 2.5), usual) for kind in range(len(KINDS))]
    assert [each.kind for each in told] == list(KINDS)
    assert told[0].sentence == "the crowd moves 2.5 times as fast as usual"
    assert told[4].sentence == "about 30 people are moving; about 12 are usual"
    assert told_of(Happening(5, 0.0), usual).sentence == "hardly anybody is moving; about 12 are usual"
    assert told_of(Happening(3, 0.6), usual) == Told("crowd stands still", "the crowd moves 0.6 times as fast as usual")
    assert told_of(Happening(3, 0.0), usual).sentence == "everybody stands still"


def test_who_hurries_is_told_by_their_own_pace(crowd: Crowd) -> None:
    usual = crowd.usual
    measures = usual.middle + np.array([0.0, np.log(3.0), 0.0, 0.0, 0.0, 0.0])  # a third runs, the others walk on
    away = np.array([0.1, 6.0, 0.0, 0.0, 0.0, 0.0])
    assert happening_of(away, measures, False, usual) == Happening(0, pytest.approx(3.0))


def test_many_short_clips_teach_nothing_of_a_crowd() -> None:
    assert learned(*(footage(1.0, seed=seed) for seed in range(90))) is None
