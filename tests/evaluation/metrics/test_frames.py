"""Answers worked out by hand; an AUC is the share of (anomalous, normal) pairs in the right order, ties half."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from crowdad.errors import UndefinedMetricError
from crowdad.evaluation.metrics import (
    FrameScores,
    average_precision,
    equal_error_rate,
    frame_auc_macro,
    frame_auc_micro,
    frame_auc_micro_clip_minmax,
)


def scores(anomaly: list[float], anomalous: list[int], name: str = "clip") -> FrameScores:
    return FrameScores(name, np.array(anomaly, dtype=np.float32), np.array(anomalous, dtype=bool))


# a alone: 3 > 1 and 3 > 2, 2 of 2 pairs.  b alone: 10 < 30 and 10 < 20, 0 of 2 pairs.  c: one class.
A = scores([1, 2, 3], [0, 0, 1], "a")
B = scores([30, 20, 10], [0, 0, 1], "b")
C = scores([5, 6], [1, 1], "c")


def test_micro_pools_all_frames_without_scaling():
    # Anomalous 3, 10, 5, 6 against normal 1, 2, 30, 20: each beats 1 and 2 and loses to 30 and 20 -> 8 of 16.
    assert frame_auc_micro([A, B, C]) == pytest.approx(8 / 16)


def test_micro_counts_a_tie_half():
    # 2 against 1 and 2: one win, one tie -> 1.5 of 2.
    assert frame_auc_micro([scores([1, 2, 2], [0, 0, 1])]) == pytest.approx(0.75)


def test_macro_averages_clips_and_names_those_left_out():
    # (1 + 0) / 2; clip c has one class.
    result = frame_auc_macro([A, B, C])
    assert result.auc == pytest.approx(0.5)
    assert (result.clips_used, result.left_out) == (2, ("c",))


def test_per_clip_minmax_stretches_each_clip():
    # a -> 0, .5, 1 (1 anomalous); b -> 1, .5, 0 (0 anomalous); c -> 0, 1 (both anomalous).
    # Normal: 0, .5, 1, .5.  Anomalous 1: beats 3, ties 1 = 3.5; 0: ties 1 = .5; 0: .5; 1: 3.5 -> 8 of 16.
    assert frame_auc_micro_clip_minmax([A, B, C]) == pytest.approx(8 / 16)
    # Without c and with b turned round, every anomalous frame is its clip's maximum: only ties of none -> 1.
    turned = scores([10, 20, 30], [0, 0, 1])
    assert frame_auc_micro_clip_minmax([A, turned]) == 1.0
    # ... while the unscaled micro AUC loses the two pairs 3 < 10 and 3 < 20 of 8.
    assert frame_auc_micro([A, turned]) == pytest.approx(6 / 8)


def test_per_clip_minmax_of_a_constant_clip_is_zero():
    # Constant clip -> 0 (anomalous); A's normal frames 0 and .5: one tie, one loss; its anomalous 1 wins 2 -> 2.5 of 4.
    assert frame_auc_micro_clip_minmax([A, scores([7], [1])]) == pytest.approx(2.5 / 4)


def test_equal_error_rate_at_a_threshold():
    # Normal 1, 2, 3, 6; anomalous 4, 5, 7, 8 -> at 5: false positives 1/4 (6), false negatives 1/4 (4).
    clip = scores([1, 2, 3, 6, 4, 5, 7, 8], [0, 0, 0, 0, 1, 1, 1, 1])
    assert equal_error_rate([clip]) == pytest.approx(0.25)


def test_equal_error_rate_between_two_thresholds():
    # All scores equal: the ROC is the diagonal from (0, 0) to (1, 1); it meets FPR = 1 - TPR at 1/2.
    assert equal_error_rate([scores([3, 3, 3], [0, 1, 1])]) == pytest.approx(0.5)
    # Normal 1, 3; anomalous 2, 3, 3 -> points (0, 0), (1/2, 2/3) at 3, (1/2, 1) at 2.  FPR - FNR is -1 and then
    # 1/2 - 1/3 = 1/6, so it is zero after 1 / (1 + 1/6) = 6/7 of the way: FPR = 6/7 * 1/2 = 3/7.
    assert equal_error_rate([scores([1, 3, 2, 3, 3], [0, 0, 1, 1, 1])]) == pytest.approx(3 / 7)


def test_equal_error_rate_at_the_ends():
    assert equal_error_rate([scores([0, 1], [0, 1])]) == 0.0
    assert equal_error_rate([scores([1, 0], [0, 1])]) == 1.0


def test_average_precision_beside_its_base_rate():
    # Ranked: 4 (anomalous, precision 1/1), 3 (normal), 2 (anomalous, 2/3), 1 (normal): (1 + 2/3) / 2 = 5/6.
    result = average_precision([scores([4, 3, 2, 1], [1, 0, 1, 0])])
    assert result.average_precision == pytest.approx(5 / 6)
    assert result.base_rate == 0.5


@pytest.mark.parametrize("metric", [frame_auc_micro, frame_auc_micro_clip_minmax, equal_error_rate, average_precision])
def test_one_class_has_no_value(metric):
    with pytest.raises(UndefinedMetricError, match="all 2 frames are anomalous"):
        metric([C])
    with pytest.raises(UndefinedMetricError, match="all 1 frames are normal"):
        metric([scores([1], [0])])
    with pytest.raises(ValueError, match="no clips"):
        metric([])


def test_macro_needs_a_clip_with_two_classes():
    with pytest.raises(UndefinedMetricError, match="none of 1 clips"):
        frame_auc_macro([C])


@pytest.mark.parametrize(
    ("anomaly", "anomalous", "said"),
    [
        (np.zeros(3), np.zeros(2, dtype=bool), "one shape"),
        (np.zeros((2, 2)), np.zeros((2, 2), dtype=bool), "one shape"),
        (np.zeros(0), np.zeros(0, dtype=bool), "T >= 1"),
        (np.zeros(2), np.zeros(2), "bool"),
        (np.array([0, np.nan]), np.zeros(2, dtype=bool), "1 of 2 scores"),
        (np.array([np.inf, 1]), np.zeros(2, dtype=bool), "NaN or infinite"),
    ],
)
def test_bad_scores_are_refused(anomaly, anomalous, said):
    with pytest.raises(ValueError, match=said) as caught:
        FrameScores("clip 7", anomaly, anomalous)
    assert str(caught.value).startswith("clip 7: ")
    assert "\n" not in str(caught.value)


@settings(max_examples=60, deadline=None)
@given(st.lists(st.tuples(st.integers(-9, 9), st.booleans()), min_size=2, max_size=30))
def test_micro_is_the_share_of_ordered_pairs(frames):
    anomaly, anomalous = (np.array(column) for column in zip(*frames, strict=True))
    clip = FrameScores("clip", anomaly.astype(float), anomalous)
    if anomalous.all() or not anomalous.any():
        with pytest.raises(UndefinedMetricError):
            frame_auc_micro([clip])
        return
    difference = anomaly[anomalous][:, None] - anomaly[~anomalous][None]
    assert frame_auc_micro([clip]) == pytest.approx(((difference > 0) + 0.5 * (difference == 0)).mean())
