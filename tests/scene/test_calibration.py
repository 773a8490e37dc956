"""Threshold for a false-alarm rate on samples whose tail is known, and the scale a person reads."""

from __future__ import annotations

import math
from dataclasses import replace
from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.stats import genpareto

from crowdad.config import CalibrationSettings
from crowdad.errors import FitError
from crowdad.records import FrameResult, Heatmap
from crowdad.scene.calibration import Calibration, RunningCalibration, block_peaks, fit_tail, readable, usual_heat


def test_threshold_by_hand():
    # 100 peaks an hour pass 0.5; an exponential tail of scale 0.1 thins them to 1 an hour at 0.5 + 0.1 ln 100.
    tail = Calibration(0.5, 100.0, 0.0, 0.1, 1.0, "exponential tail")
    assert tail.threshold(1.0) == pytest.approx(0.5 + 0.1 * math.log(100))
    assert tail.threshold(100.0) == pytest.approx(0.5)
    # The same with shape 0.1: 0.5 + 0.1 / 0.1 * (100 ** 0.1 - 1).
    pareto = Calibration(0.5, 100.0, 0.1, 0.1, 1.0, "generalised Pareto tail")
    assert pareto.threshold(1.0) == pytest.approx(0.5 + 100**0.1 - 1)


@pytest.mark.parametrize("shape", [0.0, 0.15, 1.0])
def test_the_rarest_alarm_has_a_threshold(shape):
    assert 1.0 < Calibration(0.5, 100.0, shape, 0.1, 1.0, "").threshold(5e-324) <= 1000.0


def test_a_shape_of_nearly_zero_is_the_exponential_limit():
    near, exact = (Calibration(0.5, 100.0, shape, 0.1, 1.0, "").threshold(2.0) for shape in (1e-5, 0.0))
    assert near == pytest.approx(exact, rel=1e-3)


@given(
    rates=st.lists(st.floats(1e-3, 1e4), min_size=2, max_size=6, unique=True),
    shape=st.floats(-0.25, 0.15),
    scale=st.floats(1e-3, 1),
)
def test_more_false_alarms_never_mean_a_higher_threshold(rates, shape, scale):
    tail = Calibration(0.4, 300.0, shape, scale, 0.5, "")
    thresholds = [tail.threshold(rate) for rate in sorted(rates)]
    assert all(low >= high > 0 for low, high in pairwise(thresholds))


@pytest.mark.parametrize("wanted", [2000.0, 100.0, 10.0])
def test_the_threshold_of_a_known_exponential_sample(wanted):
    # 20,000 peaks in 2 hours, 0.3 + exponential of scale 0.05: rate r an hour is passed at 0.3 + 0.05 ln(10,000 / r).
    rng = np.random.default_rng(0)
    peaks = 0.3 + rng.exponential(0.05, 20_000)
    tail = fit_tail(peaks, 2.0, tail=0.9)
    assert tail.how == "generalised Pareto tail"
    assert tail.threshold(wanted) == pytest.approx(0.3 + 0.05 * math.log(10_000 / wanted), rel=0.05)
    assert tail.note == ""


@pytest.mark.parametrize("shape", [-0.2, 0.1])
def test_the_threshold_of_a_known_pareto_sample(shape):
    peaks = genpareto.rvs(shape, loc=0.2, scale=0.1, size=20_000, random_state=np.random.default_rng(1))
    tail = fit_tail(peaks, 1.0, tail=0.9)
    assert tail.shape == pytest.approx(shape, abs=0.06)
    truth = 0.2 + 0.1 * ((20_000 / 20) ** shape - 1) / shape
    assert tail.threshold(20.0) == pytest.approx(truth, rel=0.06)


def test_the_threshold_lets_through_about_the_wanted_rate():
    rng = np.random.default_rng(2)
    tail = fit_tail(0.1 + rng.gamma(3, 0.05, 5_000), 1.0, tail=0.9)
    fresh = 0.1 + rng.gamma(3, 0.05, 500_000)  # 100 hours
    assert (fresh > tail.threshold(20.0)).sum() / 100 == pytest.approx(20, rel=0.4)


def test_heavy_tails_are_held_at_the_limit():
    peaks = genpareto.rvs(0.8, scale=0.1, size=5_000, random_state=np.random.default_rng(3))
    assert fit_tail(peaks, 1.0, tail=0.9).shape == 0.15


def test_outliers_among_unlabelled_peaks_hardly_move_the_threshold():
    rng = np.random.default_rng(4)
    normal = 0.2 + rng.exponential(0.05, 900)
    dirty = np.concatenate([normal, rng.uniform(0.8, 1.5, 100)])
    clean = fit_tail(normal, 1.0, tail=0.9, trusted=0.85).threshold(5.0)
    censored = fit_tail(dirty, 1.0, tail=0.9, trusted=0.85).threshold(5.0)
    trusting = fit_tail(dirty, 1.0, tail=0.9).threshold(5.0)
    # They count as peaks just past the limit: the threshold rises a little (to the safe side), never up to them.
    assert clean <= censored < 1.5 * clean
    assert censored < 0.8 < trusting


def test_what_passes_the_limit_counts_only_as_at_least_that_large():
    rng = np.random.default_rng(5)
    peaks = np.sort(0.2 + rng.exponential(0.05, 500))
    moved = peaks.copy()
    moved[-50:] += 10
    first, second = (fit_tail(sample, 1.0, tail=0.9, trusted=0.85).threshold(1.0) for sample in (peaks, moved))
    assert first <= second < 1.15 * first


def test_where_normal_peaks_thin_out_the_threshold_is_read_where_they_do_unless_anomalies_are_there():
    rng = np.random.default_rng(6)
    normal = rng.weibull(2.0, 1000) * 0.1
    dirty = np.concatenate([normal, rng.uniform(0.3, 0.8, 150)])
    known = fit_tail(normal, 0.1, tail=0.9).threshold(1.0)
    clean, spoilt = (fit_tail(peaks, 0.1, tail=0.9, trusted=0.7).threshold(1.0) for peaks in (normal, dirty))
    from_the_lowest = fit_tail(normal[:130], 0.013, tail=0.9, trusted=0.7).threshold(1.0)
    assert known < clean < 1.3 * known < from_the_lowest
    assert clean < spoilt < 2 * clean


def test_the_censored_scale_by_hand():
    # Quantile 0.3 is 1.8; excess of 2..6: 0.2, 1.2, 2.2, 3.2, 4.2; limit at quantile 0.75 = 4.5, excess 2.7.
    # Three are certain: (0.2 + 1.2 + 2.2 + 2.7 + 2.7) / 3 = 3.
    tail = fit_tail(np.array([0.0, 1, 2, 3, 4, 5, 6]), 1.0, tail=0.9, trusted=0.75)
    assert (tail.level, tail.peaks_per_hour, tail.scale) == pytest.approx((1.8, 5.0, 3.0))


def test_short_footage_falls_back_to_an_exponential():
    assert fit_tail(np.linspace(0.1, 0.5, 20), 0.01, tail=0.9).how == "exponential tail"


def test_footage_can_promise_one_false_alarm_in_its_length():
    tail = fit_tail(np.linspace(0.1, 0.5, 20), 1 / 3, tail=0.9)
    assert tail.promise(3.0) == ""
    note = tail.promise(1.0)
    assert note.startswith(
        "learned from 20 minutes of footage, which can promise at most 3.0 false alarms an hour; the wanted 1 is"
    )
    assert note.endswith("learn from 60 minutes, or set --false-alarms-per-hour 3")


def test_a_promise_says_that_it_rests_on_a_sample_and_asks_for_no_more_footage():
    tail = fit_tail(np.linspace(0.1, 0.5, 20), 0.2, tail=0.9)
    assert replace(tail, learned_hours=0.21).promise(1.0).startswith("learned from 12 minutes of footage, which")
    sample = replace(tail, learned_hours=2 / 3)
    assert sample.basis == "12 minutes sampled from 40 minutes"
    note = sample.promise(1.0)
    assert note.startswith(
        "the alarm level is calibrated on 12 minutes, a sample of the 40 minutes that were learned from, which can "
        "promise at most 5.0 false alarms an hour"
    )
    assert note.endswith("may be missed or false: set --false-alarms-per-hour 5")
    assert Calibration.from_dict(sample.as_dict()) == sample


def test_how_many_times_a_peak_stands_out_by_hand():
    usual, spread = usual_heat(np.arange(1.0, 12))  # median 6, four fifths below 9, which is log 2.5 scales higher
    assert (usual, spread) == (6.0, pytest.approx(3 / np.log(2.5) * np.log(11 / 2)))
    clip = replace(fit_tail(np.arange(1.0, 6), 0.01, tail=0.9), usual=6.0, spread=2.0)
    assert clip.surprise(12.0) == 3.0
    assert clip.standing_out(3.0) == 12.0


@pytest.mark.parametrize("peaks", [100, 1_000, 10_000])
def test_the_largest_of_many_usual_peaks_stands_out_about_once_however_many(peaks):
    rng = np.random.default_rng(0)
    largest = []
    for _ in range(20):
        drawn = rng.exponential(0.05, peaks)
        usual, spread = usual_heat(drawn)
        largest.append((drawn.max() - usual) / spread)
    assert np.mean(largest) == pytest.approx(1.15, abs=0.2)


def test_anomalies_among_the_peaks_hardly_move_what_is_usual():
    calm = np.random.default_rng(1).exponential(0.05, 500)
    usual, spread = usual_heat(np.concatenate([calm, np.full(20, 1.5)]))
    assert (usual, spread) == pytest.approx(usual_heat(calm), rel=0.2)


def test_peaks_of_one_height_stay_below_the_threshold_for_a_rare_alarm():
    tail = fit_tail(np.full(50, 0.3, np.float32), 0.1, tail=0.9)
    assert tail.threshold(1.0) > 0.3
    assert math.isfinite(tail.threshold(1.0))


def test_too_few_peaks_are_told():
    with pytest.raises(FitError, match="longer footage"):
        fit_tail(np.ones(0), 1.0, tail=0.9)
    with pytest.raises(FitError, match="longer footage"):
        fit_tail(np.ones(10), 0.0, tail=0.9)


@given(threshold=st.floats(1e-6, 10), raws=st.lists(st.floats(0, 1e6), min_size=2, max_size=20))
def test_readable_is_one_half_at_the_threshold_and_rises(threshold, raws):
    assert readable(np.float32([threshold]), threshold)[0] == pytest.approx(0.5, abs=1e-6)
    anomaly = readable(np.sort(np.float32(raws)), threshold)
    assert (np.diff(anomaly) >= 0).all()
    assert (anomaly >= 0).all()
    assert (anomaly <= 1).all()


def test_readable_by_hand_keeps_shape_and_type():
    anomaly = readable(np.float32([[0, 1], [2, 3]]), 1.0)
    np.testing.assert_allclose(anomaly, [[0, 0.5], [0.8, 0.9]], rtol=1e-6)
    assert anomaly.dtype == np.float32


def test_block_peaks_by_hand():
    maps = np.zeros((3, 3, 5), np.float32)
    maps[0, 0, 0], maps[1, 1, 1] = 0.2, 0.7  # one block
    maps[2, 0, 0] = 0.3  # the next two steps
    maps[0, 0, 4] = 0.4  # a block that reaches past the picture
    assert sorted(block_peaks(list(maps), steps=2, cells=2).tolist()) == pytest.approx([0.3, 0.4, 0.7])
    assert len(block_peaks([], 2, 2)) == 0
    assert len(block_peaks([np.zeros((4, 4), np.float32)], 2, 2)) == 0


def test_a_calibration_goes_to_plain_numbers_and_back():
    tail = fit_tail(np.random.default_rng(0).exponential(1, 1000), 1.0, tail=0.9)
    assert Calibration.from_dict(tail.as_dict()) == tail


HOUR_RESULTS = 3600


def live_results(levels, *, seed=0, burst=()):
    """A camera at 1 frame a second, one step a frame: 20 x 20 cells, exponential peaks of the level of each second."""
    rng = np.random.default_rng(seed)
    for second, level in enumerate(levels):
        raw = np.zeros((20, 20), np.float32)
        raw[::10, ::10] = level * (0.1 + rng.exponential(0.03, (2, 2)))
        if second in burst:
            raw[0, 0] = 2.0
        yield second, raw


def watched(running, levels, **kwargs):
    """Seconds in which the threshold was passed."""
    passed = []
    for second, raw in live_results(levels, **kwargs):
        anomaly = readable(raw, running.threshold_raw)
        if anomaly.max() >= 0.5:
            passed.append(second)
        running.see(
            FrameResult(
                second, float(second), 0.0, float(anomaly.max()), False, False, 4, Heatmap(anomaly, 8, (160, 160))
            ),
            gap=1,
            fps=1.0,
        )
    return passed


SETTINGS = CalibrationSettings(block_steps=10, block_cells=10, false_alarms_per_hour=1.0)


def base_calibration():
    maps = [raw for _, raw in live_results(np.ones(600), seed=9)]
    return fit_tail(block_peaks(maps, 10, 10), 600 / 3600, tail=0.9, trusted=0.7)


def test_a_steady_camera_keeps_its_threshold():
    base = base_calibration()
    running = RunningCalibration(base, SETTINGS)
    assert running.threshold_raw == base.threshold(1.0)
    assert len(watched(running, np.ones(2 * HOUR_RESULTS))) <= 6
    assert running.threshold_raw == pytest.approx(base.threshold(1.0), rel=0.15)
    assert running.calibration.threshold(1.0) == pytest.approx(running.threshold_raw)


def test_a_drift_in_level_raises_no_flood_of_alarms():
    levels = np.concatenate([np.ones(1800), np.linspace(1, 1.6, 7200), np.full(3600, 1.6)])
    base = base_calibration()
    running = RunningCalibration(base, SETTINGS)
    fixed = sum(raw.max() >= base.threshold(1.0) for _, raw in live_results(levels))
    followed = watched(running, levels)
    assert fixed > 100
    assert len(followed) < fixed / 8
    assert 1.35 < running.threshold_raw / base.threshold(1.0) <= 2.0


@pytest.mark.parametrize("burst", [range(300, 900), range(4000, 4600)])
def test_a_burst_of_anomalies_hardly_moves_the_threshold_and_is_flagged_throughout(burst):
    base = base_calibration()
    running = RunningCalibration(base, SETTINGS)
    passed = watched(running, np.ones(5400), burst=burst)
    assert set(burst) <= set(passed)
    assert running.threshold_raw < 1.2 * base.threshold(1.0)


def test_the_threshold_never_leaves_half_to_twice_the_fitted_one():
    base = base_calibration()
    for level, bound in ((10.0, 2.0), (0.05, 0.5)):
        running = RunningCalibration(base, SETTINGS)
        watched(running, np.full(HOUR_RESULTS, level))
        assert running.threshold_raw == pytest.approx(bound * base.threshold(1.0))


def test_what_other_streams_say_does_not_move_it():
    base = base_calibration()
    running = RunningCalibration(base, SETTINGS, streams=(0, 1))
    for second in range(HOUR_RESULTS):
        anomaly = np.full((16, 16), 0.45, np.float32)
        place = FrameResult(
            second,
            float(second),
            0.0,
            0.45,
            False,
            False,
            4,
            Heatmap(anomaly, 8, (160, 160)),
            leading=np.full((16, 16), 2, np.uint8),
        )
        running.see(place, gap=1, fps=1.0)
    assert running.threshold_raw == base.threshold(1.0)


def test_an_empty_street_leaves_the_threshold_alone():
    base = base_calibration()
    running = RunningCalibration(base, SETTINGS)
    watched(running, np.zeros(HOUR_RESULTS))
    assert running.threshold_raw == base.threshold(1.0)


def test_a_cyclist_among_the_walkers_hardly_raises_the_threshold() -> None:
    walkers = np.random.default_rng(4).exponential(0.02, 3000)
    clean = fit_tail(walkers, 0.2, tail=0.9).threshold(1.0)
    spoilt = fit_tail(np.concatenate([walkers, np.full(6, 0.5)]), 0.2, tail=0.9).threshold(1.0)
    assert spoilt == pytest.approx(clean, rel=0.05)
    assert clean == pytest.approx(0.02 * np.log(3000 / 0.2), rel=0.1)
