"""A short clip that taught itself is ranked; with a model, a level of the user or enough footage it has alarms."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from crowdad.errors import ConfigError
from crowdad.records import FrameResult, Heatmap
from crowdad.scene.model import SceneModel
from crowdad.scene.streams import Told
from crowdad.workflows.detect_options import DetectOptions
from crowdad.workflows.grading import EventWatch, check_sensitivity, is_ranked, ranked_level, ranked_note
from tests.tiny_scene import SIZE_HW, model_of, settings_of


def clip_scene(frames: int = 200, how: str = "self-fitted") -> SceneModel:
    """Of a clip whose usual heat is 0.1 and whose most unusual moment is expected at 0.12."""
    scene = model_of()
    scene.calibration = replace(scene.calibration, usual=0.1, spread=0.02)
    scene.provenance.update(how=how, frames=frames)
    return scene


def test_only_a_short_clip_that_taught_itself_is_ranked():
    assert is_ranked(clip_scene())
    assert not is_ranked(clip_scene(frames=3_001))  # five minutes at 10 frames a second
    assert not is_ranked(clip_scene(how="unlabelled"))
    assert not is_ranked(model_of())
    assert "20 seconds" in ranked_note(clip_scene())


def test_sensitivity_moves_the_level_and_the_rate():
    levels = [ranked_level(clip_scene(), sensitivity) for sensitivity in ("low", None, "normal", "high")]
    assert levels[0] > levels[1] == levels[2] > levels[3]
    assert levels[1] == pytest.approx(0.1 + 2.3 * 0.02)
    assert [DetectOptions(sensitivity=name).rate for name in ("low", "normal", "high")] == [0.2, 1.0, 5.0]


def test_a_sensitivity_beside_another_level_is_refused():
    with pytest.raises(ConfigError, match="give one of them"):
        DetectOptions(sensitivity="low", threshold=0.2)
    with pytest.raises(ConfigError, match="give one of them"):
        DetectOptions(sensitivity="low", false_alarms_per_hour=2.0)
    with pytest.raises(ConfigError, match="low, normal or high"):
        check_sensitivity("some")


def watched(
    hot: list[tuple[int, int]],
    frames: int = 200,
    ranked: bool = True,
    warm: tuple[tuple[int, int], ...] = (),
    scene: SceneModel | None = None,
):
    """Events and candidates of a clip with heat of 6 times, or 2 where warm, at one place during spans of frames."""
    scene = scene or clip_scene()
    level = ranked_level(scene, None)
    watch = EventWatch(scene, 10.0, level, ranked)
    for index in range(frames):
        times = 6 * any(index in range(*span) for span in hot) or 2 * any(index in range(*span) for span in warm)
        raw = 0.1 + times * 0.02
        anomaly = np.full((10, 13), 0.1**2 / (0.1**2 + level**2), np.float32)
        anomaly[4:6, 4:6] = raw**2 / (raw**2 + level**2)
        heatmap = Heatmap(anomaly, 10.0, SIZE_HW)
        highest = float(anomaly.max())
        watch.push(FrameResult(index, index / 10, 0.0, highest, highest >= 0.5, False, 1, heatmap))
    return watch.finish()


def test_a_clear_moment_is_an_event_with_its_surprise():
    events, _ = watched([(50, 62)])
    assert [(event.event_id, event.candidate) for event in events] == [(1, False)]
    assert events[0].surprise == pytest.approx(6, rel=0.01)
    assert not events[0].recurring


def test_what_a_place_does_for_much_of_the_clip_is_no_event_but_a_candidate():
    events, candidates = watched([(10, 30), (70, 90), (130, 150)])
    assert events == []
    assert len(candidates) >= 3
    assert [moment.event_id for moment in candidates] == list(range(1, len(candidates) + 1))
    assert all(moment.candidate and moment.recurring for moment in candidates)
    assert candidates[0].surprise == pytest.approx(6, rel=0.01)


def test_what_is_warm_for_much_of_the_clip_is_no_place_for_an_event():
    assert len(watched([(50, 62)], warm=((100, 110),))[0]) == 1
    assert watched([(50, 62)], warm=((100, 130),))[0] == []


def test_with_an_alarm_level_there_are_no_candidates():
    events, candidates = watched([(50, 62)], ranked=False)
    assert len(events) == 1
    assert events[0].surprise is None
    assert list(candidates) == []


@pytest.mark.parametrize("ranked", [True, False])
def test_what_is_not_wanted_takes_no_number_and_no_room(ranked, monkeypatch):
    monkeypatch.setattr(SceneModel, "told", lambda _, event: Told("fast" if event.peak_s < 10 else "glides", "moves"))
    scene = clip_scene(400)
    scene.settings = settings_of('events.kinds=["glides"]')
    events, candidates = watched([(50, 56), (150, 156)], 400, ranked, ((20, 26), (120, 126)), scene)
    assert [(event.event_id, event.kind, event.start_s >= 10) for event in events] == [(1, "glides", True)]
    assert [moment.kind for moment in candidates] == ["glides"] * len(candidates)
    assert [moment.event_id for moment in candidates] == list(range(2, 2 + len(candidates)))
    assert len(candidates) == ranked
