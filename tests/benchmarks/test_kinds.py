"""The benchmark of kinds: true events, and what tells them, worked out by hand."""

from __future__ import annotations

import numpy as np
import pytest

from benchmarks import kinds
from crowdad.records import Box, Event
from crowdad.synthetic import ClipTruth, CrowdEvent

BOX = (10.0, 10.0, 20.0, 30.0)


def _truth(shown: dict[int, tuple[str, ...]], events: tuple[CrowdEvent, ...] = ()) -> ClipTruth:
    """60 s at 1 frame a second; by frame the kinds that are visible in one box."""
    kinds_of = tuple(shown.get(frame, ()) for frame in range(60))
    labels = np.array([bool(of) for of in kinds_of])
    for event in events:
        labels[int(event.start_s) : int(event.end_s)] = True
    boxes, ids = tuple(tuple(BOX for _ in of) for of in kinds_of), tuple(tuple(7 for _ in of) for of in kinds_of)
    nobody = np.zeros(60, bool)
    return ClipTruth(1.0, (48, 64), labels, nobody, kinds_of, boxes, ids, {}, ids, events, nobody)


def _told(first: int, last: int, box: Box = BOX) -> Event:
    boxes = dict.fromkeys(range(first, last + 1), box)
    return Event(1, float(first), last + 1.0, first, last, float(first), first, 0.8, box, boxes)


def test_a_subject_is_told_by_what_touches_it_in_time_and_place():
    truth = _truth(dict.fromkeys(range(20, 30), ("stopper",)))
    told, missed = _told(22, 25), _told(22, 25, (40.0, 10.0, 50.0, 30.0))
    anomaly = np.linspace(0, 0.4, 60)
    (row,) = kinds.kind_rows(anomaly, [told], truth)
    assert (row["kind"], row["events"], row["told"], row["delays_s"]) == ("stopper", 1, 1, [2.0])
    assert row["false_events"] == 0
    assert row["normal_minutes"] == pytest.approx(50 / 60)
    # Frames 20 to 29 against 0 to 19 and 30 to 59: 20 of 50 normal frames are lower.
    assert row["auc"] == pytest.approx(0.4)
    (row,) = kinds.kind_rows(anomaly, [missed, _told(40, 44)], truth)
    assert (row["told"], row["delays_s"], row["false_events"]) == (0, [], 1)


def test_a_crowd_s_event_has_no_place_and_what_follows_is_not_normal():
    truth = _truth({}, (CrowdEvent("panic", 10.0, 16.0, (0.0, 20.0)),))
    (row,) = kinds.kind_rows(np.zeros(60), [_told(13, 20), _told(30, 33)], truth)
    assert (row["kind"], row["told"], row["delays_s"], row["false_events"]) == ("panic", 1, [3.0], 0)
    assert row["normal_minutes"] == pytest.approx((10 + 60 - 41) / 60)


def test_a_normal_clip_has_a_row_of_its_own():
    (row,) = kinds.kind_rows(np.zeros(60), [_told(3, 5)], _truth({}))
    assert (row["kind"], row["auc"], row["events"], row["false_events"]) == ("", None, 0, 1)


def test_the_table_sums_clips_and_has_a_line_for_normal_footage():
    rows = [
        {"scene": "lanes", "seed": 1, **row}
        for row in (
            *kinds.kind_rows(np.zeros(60), [_told(22, 25)], _truth(dict.fromkeys(range(20, 30), ("stopper",)))),
            *kinds.kind_rows(np.zeros(60), [], _truth({40: ("stopper",)})),
            *kinds.kind_rows(np.zeros(60), [], _truth({})),
        )
    ]
    lines = kinds.table(rows).splitlines()
    assert lines[2] == "| lanes | stopper | 0.500 | **1 of 2** | 2.0 | 0 in 1.8 |"
    assert lines[3] == "| lanes | normal | – | – | – | 0 in 1.0 |"
    assert "python -m benchmarks.kinds" in kinds.table([])


def test_every_group_can_be_made():
    for scene, groups in kinds.GROUPS.items():
        assert () in groups
        for group in groups:
            kinds.GeneratedClip(scene, 1, anomalies=group)
