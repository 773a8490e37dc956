"""Where normal ends in footage that may hold anomalies."""

import numpy as np
import pytest

from crowdad.config import CalibrationSettings
from crowdad.scene.calibration import fit_tail
from crowdad.scene.lower_peaks import fit_lower_peaks

SETTINGS = CalibrationSettings()
HOURS = 0.05


def normal_peaks(seed: int = 0, times: int = 150) -> np.ndarray:
    """(T, 3, 4): Gumbel peaks, three times as wide at the bottom of the picture as at its top."""
    width = np.linspace(0.01, 0.03, 3)[:, None] * np.ones(4)
    return width * (2 + np.random.default_rng(seed).gumbel(size=(times, 3, 4)).clip(-1.9, None))


def level_of(peaks: np.ndarray) -> float:
    tail = fit_lower_peaks(peaks, HOURS, SETTINGS)
    assert tail is not None
    return tail.threshold(1.0)


@pytest.mark.parametrize("seed", range(4))
def test_the_level_of_normal_footage_is_what_its_widest_places_pass_once_an_hour(seed):
    passing = 150 * 4 / HOURS  # of the bottom row, the others hardly count
    assert level_of(normal_peaks(seed)) == pytest.approx(0.03 * (2 + np.log(passing)), rel=0.15)


@pytest.mark.parametrize(("share", "most"), [(0.1, 1.1), (0.3, 1.45), (0.5, 2.0)])
def test_anomalies_at_every_place_hardly_move_it(share, most):
    spoilt = normal_peaks()
    rng = np.random.default_rng(1)
    anomalous = rng.random(spoilt.shape) < share
    spoilt[anomalous] += rng.uniform(0.1, 0.6, anomalous.sum())
    together = fit_tail(spoilt[spoilt > 0], HOURS, tail=0.9, trusted=0.7).threshold(1.0)
    assert level_of(normal_peaks()) <= level_of(spoilt) < min(most * level_of(normal_peaks()), together / 1.5)


def test_more_false_alarms_wanted_is_a_lower_level():
    tail = fit_lower_peaks(normal_peaks(), HOURS, SETTINGS)
    assert tail.threshold(100.0) < tail.threshold(10.0) < tail.threshold(1.0) < tail.threshold(0.1)
    assert tail.how == "Gumbel distribution of the lower peaks"


def test_a_quiet_half_does_not_make_the_other_half_unusual():
    quiet = normal_peaks()
    quiet[:80] *= 0.3
    assert level_of(quiet) == pytest.approx(level_of(normal_peaks()), rel=0.2)


def test_a_less_trusted_share_reads_fewer_peaks():
    wider_above = normal_peaks()
    wider_above += 3 * np.maximum(np.quantile(wider_above, 0.15, axis=0) - wider_above, 0)  # the lowest lie together
    careful = SETTINGS.model_copy(update={"trusted": 0.31})
    assert fit_lower_peaks(wider_above, HOURS, careful).threshold(1.0) < 0.9 * level_of(wider_above)


def test_few_peaks_tell_nothing():
    assert fit_lower_peaks(normal_peaks(times=16), HOURS, SETTINGS) is None
    assert fit_lower_peaks(normal_peaks(times=17), HOURS, SETTINGS) is not None


def test_no_peak_tells_nothing():
    assert fit_lower_peaks(np.zeros((0, 3, 4), np.float32), HOURS, SETTINGS) is None


def test_peaks_all_alike_are_no_proof_that_none_is_higher():
    assert 0.4 < level_of(np.full((40, 3, 4), 0.2, np.float32)) < 1.0


def test_one_place_is_enough():
    assert level_of(normal_peaks(times=400)[:, 2:, :1]) == pytest.approx(0.03 * (2 + np.log(400 / HOURS)), rel=0.25)


def test_no_level_lies_below_most_peaks():
    tail = fit_lower_peaks(normal_peaks(times=20), 500.0, SETTINGS)
    assert tail.threshold(1.0) >= np.median(normal_peaks(times=20)) * 0.8
