"""Intervals by resampling clips."""

import numpy as np
import pytest

from crowdad.errors import UndefinedMetricError
from crowdad.evaluation.metrics import FrameScores, bootstrap_over_clips, frame_auc_micro


def test_interval_of_a_mean_of_two_clips():
    # Clips 0 and 1: resamples have mean 0, 1/2, 1 with chances 1/4, 1/2, 1/4, so the interval is 0..1.
    result = bootstrap_over_clips(lambda drawn: float(np.mean(drawn)), [0.0, 1.0])
    assert (result.low, result.high, result.used, result.skipped) == (0.0, 1.0, 1000, 0)


def test_interval_shrinks_with_the_root_of_the_number_of_clips():
    # The mean of n clips of standard deviation 1 has one of 1 / sqrt(n); 95 % lie within 1.96 of it on either side.
    clips = list(np.tile([-1.0, 1.0], 50))
    result = bootstrap_over_clips(lambda drawn: float(np.mean(drawn)), clips)
    assert result.high - result.low == pytest.approx(2 * 1.96 / 10, rel=0.1)


def test_undefined_resamples_are_skipped_and_counted():
    # One normal and one anomalous clip: half of the resamples draw one of them twice and have one class.
    normal = FrameScores("normal", np.array([0.0, 1]), np.array([False, False]))
    anomalous = FrameScores("anomalous", np.array([2.0, 3]), np.array([True, True]))
    result = bootstrap_over_clips(frame_auc_micro, [normal, anomalous])
    assert (result.low, result.high) == (1.0, 1.0)
    assert result.used + result.skipped == 1000
    assert 430 < result.skipped < 570


def test_seed_decides():
    clips = list(np.random.default_rng(0).normal(size=7))

    def mean(drawn):
        return float(np.mean(drawn))

    assert bootstrap_over_clips(mean, clips, n=50, seed=1) == bootstrap_over_clips(mean, clips, n=50, seed=1)
    assert bootstrap_over_clips(mean, clips, n=50, seed=1) != bootstrap_over_clips(mean, clips, n=50, seed=2)


def test_nothing_to_draw_from():
    normal = FrameScores("normal", np.array([0.0]), np.array([False]))
    with pytest.raises(UndefinedMetricError, match="10 resamples of 1 clips"):
        bootstrap_over_clips(frame_auc_micro, [normal], n=10)
    with pytest.raises(ValueError, match="0 clips"):
        bootstrap_over_clips(frame_auc_micro, [])
    with pytest.raises(ValueError, match="n = 0"):
        bootstrap_over_clips(frame_auc_micro, [normal], n=0)


def test_other_errors_are_not_swallowed():
    def broken(drawn):
        raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        bootstrap_over_clips(broken, [1])
