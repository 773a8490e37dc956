"""Kinds of anomaly: answers worked out by hand."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
import pytest

from crowdad.evaluation.metrics import Alarm, AlarmScores, KindScores, score_kinds


def clip(
    anomaly: Sequence[float], anomalous: Sequence[int], kinds: Mapping[str, Sequence[int]], alarms: Sequence[Alarm]
) -> tuple[np.ndarray, AlarmScores]:
    scores, labels = np.array(anomaly, np.float32), np.array(anomalous, bool)
    seen = {kind: np.array(frames, bool) for kind, frames in kinds.items()}
    return scores, AlarmScores("clip", scores >= 0.5, labels, tuple(alarms), 10.0, seen)


def test_each_kind_against_the_normal_frames_of_all_clips() -> None:
    one = clip(
        [0.1, 0.4, 0.9, 0.2, 0.3],
        [0, 0, 1, 1, 1],
        {"cart": [0, 0, 1, 1, 0], "skater": [0, 0, 0, 1, 1]},
        [Alarm(2, 2, 2)],
    )
    two = clip([0.25, 0.95], [0, 1], {"cart": [0, 1]}, [])
    cart, skater = score_kinds([one, two])
    # Cart 0.9, 0.2, 0.95 against normal 0.1, 0.4, 0.25: 3 + 1 + 3 of 9.  Its run of two frames is told, the other not.
    assert cart == KindScores("cart", pytest.approx(7 / 9), 3, 1, 2)
    # Skater 0.2, 0.3 against the same: 1 + 2 of 6; the event in frame 2 is before its run.
    assert skater == KindScores("skater", pytest.approx(3 / 6), 2, 0, 1)


def test_a_kind_that_is_never_seen_and_clips_without_a_normal_frame() -> None:
    assert score_kinds([clip([0.1], [0], {"cart": [0]}, [])]) == []
    assert score_kinds([clip([0.9], [1], {"cart": [1]}, [Alarm(0, 0, 0)])]) == [KindScores("cart", None, 1, 1, 1)]
