"""The most unusual moments of a clip: separated peaks, each subject once, the warmest first."""

from __future__ import annotations

import numpy as np

from crowdad.config import EventSettings
from crowdad.detection.events import MOST_MOMENTS, EventFinder, MomentFinder
from crowdad.records import Event, FrameResult, Heatmap

FPS = 10.0


def result(index: int, warm: dict[tuple[int, int], float]) -> FrameResult:
    anomaly = np.zeros((12, 16), np.float32)
    for (row, column), value in warm.items():
        anomaly[row : row + 2, column : column + 2] = value
    highest = float(anomaly.max())
    return FrameResult(index, index / FPS, 0.0, highest, highest >= 0.5, False, 1, Heatmap(anomaly, 10.0, (120, 160)))


def found(frames: list[dict[tuple[int, int], float]]) -> tuple[list[Event], list[Event]]:
    finder, moments = EventFinder(FPS), MomentFinder(EventSettings(gap_s=0.4), FPS, None, [0.05, 0.15, 0.3])
    events = []
    for index, warm in enumerate(frames):
        events += finder.push(result(index, warm))
        moments.push(result(index, warm))
    events += finder.finish()
    return events, moments.finish(events)


def test_what_stays_below_the_level_is_ranked_by_its_peak():
    warm, warmer, nothing = {(1, 1): 0.2}, {(8, 12): 0.4}, dict[tuple[int, int], float]()
    events, moments = found([warm] * 8 + [nothing] * 12 + [warmer] * 8)
    assert events == []
    assert [round(moment.peak_anomaly, 2) for moment in moments] == [0.4, 0.2]
    assert [moment.box_xyxy for moment in moments] == [(120, 80, 140, 100), (10, 10, 30, 30)]


def test_one_subject_is_one_moment_however_its_heat_swells():
    swelling = [{(4, column): 0.1 + 0.05 * (column % 6)} for column in range(12)]
    events, moments = found(swelling)
    assert (len(events), len(moments)) == (0, 1)


def test_a_moment_that_is_part_of_an_event_is_told_as_the_event_alone():
    events, moments = found([{(4, 4): value} for value in (0.2,) * 6 + (0.8,) * 8 + (0.2,) * 6])
    assert (len(events), len(moments)) == (1, 0)


def test_at_most_a_handful_is_told():
    places = [{(3 * (n % 4), 5 * (n % 3)): 0.2} for n in range(12)]
    _, moments = found([place for place in places for _ in range(8)])
    assert len(moments) == MOST_MOMENTS
