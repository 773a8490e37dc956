"""Answers worked out by hand, at 10 frames a second: 0.4 s are four frames."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
import pytest

from crowdad.detection.events import EventFinder
from crowdad.errors import UndefinedMetricError
from crowdad.evaluation.metrics import (
    Alarm,
    AlarmScores,
    alarm_delay_s,
    anomalous_frames_flagged,
    events_told,
    false_events_per_hour,
    find_alarms,
    intervals,
    normal_frames_flagged,
    seconds_to_alarm,
)
from crowdad.records import FrameResult, Heatmap

FPS = 10.0


def clip(
    anomalous: Sequence[int], alarms: Sequence[Alarm] = (), flagged: Sequence[int] | None = None, name: str = "clip"
) -> AlarmScores:
    hot = np.zeros(len(anomalous), bool) if flagged is None else np.array(flagged, bool)
    return AlarmScores(name, hot, np.array(anomalous, bool), tuple(alarms), FPS)


def results(hot: Sequence[Mapping[tuple[int, int], float]]) -> list[FrameResult]:
    """One frame of 6 x 8 cells of 10 px for each: anomaly by row and column, elsewhere 0.1."""
    found = []
    for index, cells in enumerate(hot):
        anomaly = np.full((6, 8), 0.1, np.float32)
        for place, value in cells.items():
            anomaly[place] = value
        highest = float(anomaly.max())
        heat = Heatmap(anomaly, 10.0, (60, 80))
        found.append(FrameResult(index, index / FPS, 0.0, highest, highest >= 0.5, False, 1, heat))
    return found


# Frames 0-4 normal, 5-14 anomalous, 15-19 normal, 20-29 anomalous, 30-39 normal.
TRUTH = [0] * 5 + [1] * 10 + [0] * 5 + [1] * 10 + [0] * 10


def test_intervals_are_runs_of_anomalous_frames() -> None:
    assert intervals(np.array(TRUTH, bool)) == [(5, 14), (20, 29)]
    assert intervals(np.ones(3, bool)) == [(0, 2)]
    assert intervals(np.zeros(3, bool)) == []


def test_an_event_tells_from_its_fourth_frame_above_the_level() -> None:
    calm: dict[tuple[int, int], float] = {}
    hot, weak = {(2, 2): 0.9}, {(2, 2): 0.45}
    # Above the level in frames 3, 4, 6 and 7, and carried on through 5: the fourth of them is frame 7.
    (alarm,) = find_alarms(results([calm] * 3 + [hot, hot, weak, hot, hot, hot] + [calm] * 9), EventFinder(FPS))
    assert alarm == Alarm(3, 8, 7)
    assert find_alarms(results([calm] * 3 + [hot] * 3 + [calm] * 9), EventFinder(FPS)) == ()
    # Until the end of the clip, and two at once in order of their start.
    both = [{(2, 0): 0.9}] * 2 + [{(2, 0): 0.9, (2, 7): 0.9}] * 5
    assert find_alarms(results(both), EventFinder(FPS)) == (Alarm(0, 6, 3), Alarm(2, 6, 5))


def test_parts_that_last_only_together_are_told_when_they_are_over() -> None:
    # A ring above the level in frames 0 to 2, what is inside of it in 2 to 4: neither lasts 0.4 s, together they do.
    # Both are seen, below the level, until frame 10, and have been gone for longer than 0.4 s in frame 15.
    ring = [(row, column) for row in range(5) for column in range(5) if row in (0, 4) or column in (0, 4)]
    outer, faint, inner = dict.fromkeys(ring, 0.9), dict.fromkeys(ring, 0.45), {(2, 2): 0.9}
    frames: list[Mapping[tuple[int, int], float]] = [outer, outer, {**outer, **inner}]
    frames += [{**faint, **inner}] * 2 + [{**faint, (2, 2): 0.45}] * 6
    assert find_alarms(results(frames + [{}] * 10), EventFinder(FPS)) == (Alarm(0, 4, 15),)
    # Where the clip ends before, at its last frame.
    assert find_alarms(results(frames), EventFinder(FPS)) == (Alarm(0, 4, 10),)


def test_told_intervals_and_false_events() -> None:
    # One event on the edge of the first interval, one between the two, one after them.
    scores = clip(TRUTH, [Alarm(14, 17, 17), Alarm(16, 18, 19), Alarm(31, 36, 34)])
    told = events_told([scores])
    assert (float(told), told.note) == (0.5, "1 of 2 true intervals")
    false = false_events_per_hour([scores])
    # 20 normal frames are two seconds; two events in two seconds are one a second.
    assert (float(false), false.note) == (pytest.approx(3600), "2 in 0.0 minutes")
    both = events_told([scores, clip([1] * 4, [Alarm(0, 3, 3)])])
    assert (both.rate, both.note) == (pytest.approx(2 / 3), "2 of 3 true intervals")


def test_one_event_may_tell_two_intervals() -> None:
    assert float(events_told([clip(TRUTH, [Alarm(10, 25, 13)])])) == 1.0
    assert float(false_events_per_hour([clip(TRUTH, [Alarm(10, 25, 13)])])) == 0.0


def test_the_delay_runs_from_the_interval_to_the_end_of_the_reached_frame() -> None:
    scores = clip(TRUTH, [Alarm(8, 12, 11), Alarm(6, 14, 13), Alarm(18, 25, 21)])
    # The earlier alarm of two counts: end of frame 11 is 1.2 s, the interval begins at 0.5 s.
    assert alarm_delay_s(scores, 5, 14) == pytest.approx(0.7)
    assert alarm_delay_s(scores, 20, 29) == pytest.approx(0.2)
    assert alarm_delay_s(scores, 30, 39) is None
    assert seconds_to_alarm([scores]) == pytest.approx(0.45)
    # Told before the interval began: no delay.  An interval that is not told has none and is left out.
    early = clip(TRUTH, [Alarm(0, 7, 3)])
    assert alarm_delay_s(early, 5, 14) == 0.0
    assert seconds_to_alarm([early]) == 0.0


def test_flagged_frames() -> None:
    scores = clip([0, 0, 1, 1], flagged=[1, 0, 1, 0], name="a")
    more = clip([0, 0, 0, 1], flagged=[0, 0, 0, 1], name="b")
    assert (anomalous_frames_flagged([scores, more]).rate, normal_frames_flagged([scores, more]).rate) == (
        pytest.approx(2 / 3),
        pytest.approx(1 / 5),
    )
    assert anomalous_frames_flagged([scores]).note == "1 of 2 frames"


def test_what_is_not_defined_says_so() -> None:
    normal, anomalous = clip([0, 0]), clip([1, 1])
    for metric in (events_told, anomalous_frames_flagged, seconds_to_alarm):
        with pytest.raises(UndefinedMetricError):
            metric([normal])
    for metric in (false_events_per_hour, normal_frames_flagged):
        with pytest.raises(UndefinedMetricError):
            metric([anomalous])
    with pytest.raises(UndefinedMetricError, match="no true interval is told"):
        seconds_to_alarm([anomalous])


def test_other_shapes_and_rates_are_refused() -> None:
    with pytest.raises(ValueError, match="one shape"):
        AlarmScores("a", np.zeros(3, bool), np.zeros(4, bool), (), FPS)
    with pytest.raises(ValueError, match="fps is 0"):
        AlarmScores("a", np.zeros(3, bool), np.zeros(3, bool), (), 0)
