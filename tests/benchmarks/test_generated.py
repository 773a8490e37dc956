"""Generated cameras: what was told of a clip is counted against its truth."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any, cast

import numpy as np
import pytest

from benchmarks import generated
from crowdad.outputs.results import EventRecord
from crowdad.synthetic import ClipTruth

# Ten frames a second.  A cart in frames 2 to 4, a wheelchair, which is out of scope, in 4 and in 8.
KINDS = [(), (), ("cart",), ("cart",), ("cart", "wheelchair"), (), (), (), ("wheelchair",), ()]


def truth() -> ClipTruth:
    empty: tuple[Any, ...] = ((),) * 10
    cart, wheelchair = (np.array([kind in kinds for kinds in KINDS]) for kind in ("cart", "wheelchair"))
    return ClipTruth(10.0, (48, 64), cart, wheelchair, tuple(KINDS), empty, empty, {})


def event(start: int, end: int) -> EventRecord:
    return cast(EventRecord, SimpleNamespace(start_frame=start, end_frame=end))


def test_intervals_false_events_and_kinds() -> None:
    anomaly = np.array([0.1, 0.6, 0.2, 0.7, 0.2, 0.1, 0.1, 0.1, 0.3, 0.1])
    told = generated._what_was_told(anomaly, [event(0, 1), event(3, 3), event(9, 9)], truth())
    # Anomalous: 2 to 4, told by the event in frame 3, and 8, not told.  Two events are in normal frames only.
    assert (told["intervals_told"], told["intervals"], told["false_events"]) == (1, 2, 2)
    assert (told["anomalous_frames_flagged"], told["normal_frames_flagged"]) == (1, 1)
    assert told["normal_seconds"] == pytest.approx(0.6)
    cart, wheelchair = told["kinds"]
    assert (cart["kind"], cart["told"], cart["intervals"]) == ("cart", 1, 1)
    # Frames 4 and 8, the event in frame 3 touches neither; 0.2 and 0.3 against 0.1 five times and 0.6: 10 of 12.
    assert (wheelchair["told"], wheelchair["intervals"]) == (0, 2)
    assert wheelchair["auc"] == pytest.approx(10 / 12)


def test_the_table_shows_what_was_told_where_it_was_counted() -> None:
    row = {
        "scene": "demo",
        "size_wh": [640, 360],
        "fps": 25.0,
        "people_px": [33.0, 68.0],
        "auc": 0.98,
        "by_kind": {"cart": 1.0},
        "baseline_auc": 0.7,
        "events": 3,
        "seconds": 10.0,
    }
    assert generated.table([row]).endswith("| 0.700 | 3 | – | – | – | 10 |")
    told = {
        "intervals_told": 1,
        "intervals": 2,
        "false_events": 0,
        "kinds": [{"kind": "cart", "told": 1, "intervals": 2}],
    }
    assert generated.table([{**row, "told": told}]).endswith("| 0.700 | 3 | 1 of 2 | 0 | cart 1 of 2 | 10 |")
