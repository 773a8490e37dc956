"""What stays where others pass is told within seconds; light, shake and noise are not."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import numpy.typing as npt
import pytest

from crowdad.detection.detector import Detector
from crowdad.records import Event, Frame, Tubes
from crowdad.scene.heatmap import StepMap
from crowdad.scene.model import SceneModel
from crowdad.scene.streams import STREAMS, Lesson, Stays, Step
from tests.tiny_scene import PERSON_PX, SIZE_HW, STEP_PX, model_of, scale_of, settings_of, texture

FPS = 5.0
Picture = npt.NDArray[np.uint8]
Change = Callable[[Picture, float], npt.NDArray[Any]]

SCALE = replace(scale_of(), fps=FPS, walk=0.15)
SETTINGS = settings_of()
CALIBRATION = model_of().calibration
GROUND = (texture(SIZE_HW, 1, 12) // 2 + 40).astype(np.uint8)
BODIES = [texture((40, 14), seed) for seed in (2, 3, 4)]
KNOWN_S = 8.8
"""6.6 person heights at 0.75 of them a second."""


def same(picture: Picture, _time_s: float) -> Picture:
    return picture


def walkers_at(time_s: float) -> list[float]:
    """Where three people's left sides are, who walk through the lower half one behind the other."""
    return [(0.15 * FPS * PERSON_PX * time_s + 70 * number) % 210 - 50 for number in range(3)]


def picture_at(time_s: float) -> Picture:
    noise = np.random.default_rng(round(time_s * 100)).normal(0, 1.5, SIZE_HW)
    picture = GROUND.astype(float)
    for x, body in zip(walkers_at(time_s), BODIES, strict=True):
        first, end = max(round(x), 0), min(round(x) + 14, SIZE_HW[1])
        if first < end:
            picture[52:92, first:end] = body[:, first - round(x) : end - round(x)]
    return np.clip(picture + noise, 0, 255).astype(np.uint8)


def tubes_at(time_s: float) -> Tubes:
    """Eleven tubes on each walker."""
    seen = [x + 7 for x in walkers_at(time_s) if 0 <= x + 7 < SIZE_HW[1]]
    ends = np.array([(x, y) for x in seen for y in np.linspace(54, 90, 11)], np.float32).reshape(-1, 2)
    path = np.stack([ends - np.array((age * STEP_PX * 2, 0), np.float32) for age in range(5)], axis=1)
    count = len(ends)
    return Tubes(
        np.zeros((count, 3, 5, 5, 3), np.float32),
        path,
        np.ones((count, 5), bool),
        np.full(count, PERSON_PX, np.float32),
        np.zeros(count, np.int64),
    )


def steps_of(first_s: float, end_s: float, change: Change = same) -> list[Step]:
    times = np.arange(round(first_s * FPS), round(end_s * FPS)) / FPS
    return [
        Step(round(t * FPS), t, tubes_at(t), np.clip(change(picture_at(t), t), 0, 255).astype(np.uint8))
        for t in times.tolist()
    ]


def learned(steps: Sequence[Step]) -> Stays | None:
    learner = Stays.learner(SCALE, SETTINGS)
    for step in steps:
        learner.see(step)
    return learner.learned(Lesson({}, unlabelled=False))


@pytest.fixture(scope="module")
def stays() -> Stays:
    found = learned(steps_of(0, 90))
    assert found is not None
    return found


def maps_of(stays: Stays, steps: Sequence[Step]) -> list[StepMap]:
    run = stays.run(SCALE, SETTINGS, 0)
    return [*run.push(steps), *run.finish()]


def told_at(stays: Stays, steps: Sequence[Step]) -> list[float]:
    """Times at which something is told."""
    level = stays.level(CALIBRATION, SETTINGS)
    maps = maps_of(stays, steps)
    return [step.time_s for step, found in zip(steps, maps, strict=True) if found.raw.max() >= level]


def kind_at(found: StepMap) -> str:
    assert found.note is not None
    return Stays.kinds[found.note.flat[int(found.raw.argmax())] - 1]


def with_person(picture: Picture, time_s: float) -> Picture:
    """Somebody stands in the upper half from 110 s to 150 s, and sways."""
    if not 110 <= time_s < 150:
        return picture
    sway = round(1.4 * np.sin(1.7 * time_s) + 0.7 * np.sin(4.1 * time_s))
    picture = picture.copy()
    picture[4:44, 60 + sway : 74 + sway] = BODIES[0]
    return picture


def with_box(picture: Picture, time_s: float) -> Picture:
    """A box stands there from 110 s on."""
    if time_s < 110:
        return picture
    picture = picture.copy()
    picture[28:44, 60:74] = np.clip(picture[28:44, 60:74] // 4, 0, 40)
    return picture


def without_box(picture: Picture, time_s: float) -> Picture:
    return picture if time_s >= 110 else with_box(picture, 1000)


def test_it_is_one_of_the_streams() -> None:
    assert STREAMS["stays"] is Stays


def test_whoever_stands_is_told_within_seconds_and_until_he_leaves(stays: Stays) -> None:
    times = told_at(stays, steps_of(95, 175, with_person))
    assert 110 + KNOWN_S - 2 <= times[0] <= 110 + KNOWN_S + 6
    assert 148 <= times[-1] <= 155
    assert np.diff(times).max() < 0.6


def test_a_thing_left_behind_is_told_and_is_part_of_the_place_a_minute_later(stays: Stays) -> None:
    times = told_at(stays, steps_of(95, 190, with_box))
    assert times[0] <= 110 + KNOWN_S + 6
    assert 140 <= times[-1] <= 170


def test_it_says_whether_it_stirs_stays_or_is_gone(stays: Stays) -> None:
    with_the_box = learned(steps_of(0, 90, lambda picture, _: with_box(picture, 1000)))
    assert with_the_box is not None
    for scene, change, kind in (
        (stays, with_person, "stays"),
        (stays, with_box, "left behind"),
        (with_the_box, without_box, "taken away"),
    ):
        maps = maps_of(scene, steps_of(100, 135, change))
        assert kind_at(maps[-1]) == kind


def test_it_is_seen_where_it_stands(stays: Stays) -> None:
    run = stays.run(SCALE, SETTINGS, 0)
    raw = [*run.push(steps_of(100, 130, with_box))][-1].raw
    row, column = np.unravel_index(int(raw.argmax()), raw.shape)
    cell_px = SETTINGS.heatmap.cell * PERSON_PX
    assert 20 <= (row + 0.5) * cell_px <= 52
    assert 54 <= (column + 0.5) * cell_px <= 80


def shaken(picture: Picture, time_s: float) -> Picture:
    right, down = np.random.default_rng(round(time_s * 10)).normal(0, 0.5, 2)
    return np.asarray(
        cv2.warpAffine(picture, np.array([[1, 0, right], [0, 1, down]]), SIZE_HW[::-1], borderMode=cv2.BORDER_REPLICATE)
    )


def noisy(picture: Picture, time_s: float) -> npt.NDArray[Any]:
    return picture + np.random.default_rng(round(time_s * 10)).normal(0, 8, SIZE_HW)


def compressed(picture: Picture, _time_s: float) -> npt.NDArray[Any]:
    return np.asarray(
        cv2.imdecode(cv2.imencode(".jpg", picture, [cv2.IMWRITE_JPEG_QUALITY, 30])[1], cv2.IMREAD_GRAYSCALE)
    )


def shaded(edge_px: float, soft_px: float) -> npt.NDArray[Any]:
    across = np.arange(SIZE_HW[1]) + 0.2 * np.arange(SIZE_HW[0])[:, None]
    return 1 - 0.4 / (1 + np.exp(np.clip((across - edge_px) / soft_px, -50, 50)))


CHANGES: dict[str, Change] = {
    "nothing": same,
    "darker by and by": lambda picture, t: picture * np.interp(t, (100, 140), (1, 0.6)),
    "darker at once": lambda picture, t: picture * (1 if t < 110 else 0.6),
    "haze": lambda picture, t: picture * np.interp(t, (100, 140), (1, 0.75)) + np.interp(t, (100, 140), (0, 40)),
    "a cloud": lambda picture, t: picture * shaded(12 * (t - 105), 20),
    "a shadow appears": lambda picture, t: picture * (1 if t < 110 else shaded(70, 0.5)),
    "a shadow creeps": lambda picture, t: picture * shaded(60 + 0.03 * t, 0.5),
    "shake": shaken,
    "noise": noisy,
    "compression": compressed,
}


@pytest.mark.parametrize("change", CHANGES.values(), ids=CHANGES)
def test_light_shake_and_noise_are_not_told(stays: Stays, change: Change) -> None:
    assert told_at(stays, steps_of(95, 175, change)) == []


def test_where_people_stand_in_the_fitting_footage_it_is_not_told() -> None:
    found = learned(steps_of(30, 180, with_person))
    assert found is not None
    again = steps_of(195, 275, lambda picture, t: with_person(picture, t - 100))
    assert told_at(found, again) == []


@pytest.mark.parametrize("steps", [steps_of(0, 50), [replace(step, tubes=None) for step in steps_of(0, 70)]])
def test_short_or_empty_footage_teaches_nothing(steps: list[Step]) -> None:
    assert learned(steps) is None


def test_what_is_said_of_a_moment_depends_on_the_memory_before_it_alone(stays: Stays) -> None:
    steps = steps_of(0, 145, with_person)
    later = [step for step in steps if step.time_s >= 140 - Stays.memory_s]
    whole, part = (maps_of(stays, seen)[-round(5 * FPS) :] for seen in (steps, later))
    assert any(found.raw.any() for found in whole)
    for found, again in zip(whole, part, strict=True):
        assert np.array_equal(found.raw, again.raw)


def test_a_break_begins_anew(stays: Stays) -> None:
    run = stays.run(SCALE, SETTINGS, 0)
    before = [*run.push(steps_of(100, 118, with_person))]
    run.reset()
    after = [*run.push(steps_of(118, 122, with_person))]
    assert before[-1].raw.any()
    assert not any(found.raw.any() for found in after)


def test_maps_come_one_a_step_and_late_as_asked(stays: Stays) -> None:
    run = stays.run(SCALE, SETTINGS, 3)
    steps = steps_of(100, 104)
    assert (len([*run.push(steps)]), len([*run.finish()])) == (len(steps) - 3, 3)


def test_other_footage_of_the_scene_may_be_larger_and_faster(stays: Stays) -> None:
    scale = SCALE.fitted_to((192, 256), 10.0)
    run = stays.run(scale, SETTINGS, 0)
    steps = [
        replace(step, luma=cv2.resize(step.luma, (256, 192)), tubes=None)  # type: ignore[arg-type]
        for step in steps_of(100, 130, with_box)
    ]
    assert [*run.push(steps)][-1].raw.max() > 1


def test_pictures_of_another_size_are_passed_over(stays: Stays) -> None:
    (found,) = maps_of(stays, [Step(0, 0.0, None, np.zeros((20, 30), np.uint8))])
    assert not found.raw.any()


def test_the_model_file_keeps_it(stays: Stays) -> None:
    again = Stays.restored(stays.arrays(), SETTINGS)
    steps = steps_of(100, 130, with_box)
    for found, restored in zip(maps_of(stays, steps), maps_of(again, steps), strict=True):
        assert np.array_equal(found.raw, restored.raw)


def test_without_pictures_there_is_nothing_to_tell_a_stay_by(stays: Stays) -> None:
    assert stays.without_pictures() is None
    assert "stays" not in model_of(SCALE, SETTINGS).with_stream(stays).without_pictures().streams


DAMAGES: dict[str, Callable[[dict[str, npt.NDArray[Any]]], object]] = {
    "background of another size": lambda a: a.update(background=a["background"][:-1]),
    "background of another type": lambda a: a.update(background=a["background"].astype(np.float32)),
    "noise that is no number": lambda a: a.update(noise=np.full_like(a["noise"], np.nan)),
    "noise below 0": lambda a: a.update(noise=a["noise"] - 100),
    "noise of another size": lambda a: a.update(noise=a["noise"][1:]),
    "noise beyond grey values": lambda a: a.update(noise=a["noise"] + 300),
    "stood of one row": lambda a: a.update(stood=a["stood"][0]),
    "stood without end": lambda a: a.update(stood=a["stood"] + np.float32(1e6)),
    "stood as float64": lambda a: a.update(stood=a["stood"].astype(np.float64)),
    "tail of three": lambda a: a.update(tail=np.ones(3, np.float32)),
    "too large": lambda a: a.update(
        {name: np.zeros((400, 400), np.float32) for name in ("stood", "noise")},
        background=np.zeros((800, 800), np.uint8),
    ),
}


@pytest.mark.parametrize("damage", DAMAGES.values(), ids=DAMAGES)
def test_what_no_fit_gives_is_refused(stays: Stays, damage: Callable[[dict[str, npt.NDArray[Any]]], object]) -> None:
    arrays = dict(stays.arrays())
    damage(arrays)
    with pytest.raises(ValueError, match=r" is | holds "):
        Stays.restored(arrays, SETTINGS)


@pytest.mark.parametrize("missing", ["noise", "stood", "tail"])
def test_what_is_missing_is_refused(stays: Stays, missing: str) -> None:
    arrays = dict(stays.arrays())
    del arrays[missing]
    with pytest.raises(TypeError):
        Stays.restored(arrays, SETTINGS)


def test_the_level_rises_where_people_often_stay(stays: Stays) -> None:
    often = replace(stays, tail=np.array([60, 0.5], np.float32))
    assert stays.level(CALIBRATION, SETTINGS) == 1
    assert often.level(CALIBRATION, SETTINGS) == pytest.approx(np.log(600))


@pytest.mark.parametrize(
    ("note", "kind", "sentence"),
    [
        (0, "stays", "has stood here for at least 34 s; others pass in 1 s"),
        (1, "stays", "has stood here for at least 34 s; others pass in 1 s"),
        (2, "left behind", "was left here at least 34 s ago and has not moved since"),
        (3, "taken away", "was taken away from here at least 34 s ago"),
    ],
)
def test_the_sentence_says_how_long(stays: Stays, note: int, kind: str, sentence: str) -> None:
    event = Event(1, 20.0, 45.0, 100, 224, 44.0, 220, 0.9, (56.0, 20.0, 80.0, 48.0), note=note)
    told = stays.told(event, SCALE)
    assert (told.kind, told.sentence) == (kind, sentence)


def test_beside_motion_it_leads_where_somebody_stands(stays: Stays, tmp_path: Path) -> None:
    scene = model_of(SCALE, SETTINGS).with_stream(stays)
    scene = SceneModel.load(scene.save(tmp_path / "stays.safetensors"))
    frames = [Frame(step.number, step.time_s, step.luma) for step in steps_of(95, 130, with_person)]  # type: ignore[arg-type]
    results = list(Detector(scene, threshold_raw=1000.0).run(frames))
    assert not results[round(10 * FPS)].flagged
    assert results[-1].flagged
    assert results[-1].leading is not None
    assert results[-1].leading.flat[int(results[-1].heatmap.anomaly.argmax())] == 1
