"""Peaks of voted maps, by block of place and time."""

import numpy as np

from crowdad.scene.peaks import VotedPeaks
from tests.scene.test_heatmap import tubes
from tests.tiny_scene import model_of

SCENE = model_of()
STEPS = SCENE.settings.calibration.block_steps


def still(steps: int) -> list:
    """One tube at each step, in the middle of the picture."""
    height, width = SCENE.scale.size_hw
    return [tubes([(width / 2, height / 2)] * SCENE.settings.tubes.steps) for _ in range(steps)]


def test_peaks_of_every_map_that_is_asked_for_by_time_and_place():
    peaks = VotedPeaks(SCENE.scale, SCENE.settings, (lambda step: step.raw, lambda step: step.beside[0]), beside=1)
    for number, one in enumerate(still(2 * STEPS)):
        peaks.add(number, one, np.float32([0.0]), np.float32([[3.0]]))
    first, second = peaks.by_place()
    assert first.shape == second.shape
    assert len(first) == 2
    assert (first > 0).any(axis=(1, 2)).all()
    np.testing.assert_allclose(second, 3 * first, rtol=1e-4)
    assert np.array_equal(peaks.peaks(), first[first > 0])


def test_a_step_left_out_ends_a_run_and_its_blocks():
    peaks = VotedPeaks(SCENE.scale, SCENE.settings)
    for number, one in enumerate(still(STEPS)):
        peaks.add(number if number < STEPS // 2 else number + 100, one, np.float32([0.0]))
    assert len(peaks.by_place()[0]) == 2


def test_nothing_seen_has_no_peak():
    peaks = VotedPeaks(SCENE.scale, SCENE.settings)
    assert peaks.by_place()[0].shape[0] == 0
    assert not len(peaks.peaks())
