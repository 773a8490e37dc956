"""The level of a stream's own alarms."""

from __future__ import annotations

import numpy as np
import pytest

from crowdad.config import CalibrationSettings
from crowdad.scene.streams.tails import Tail

PEAKS = np.random.default_rng(0).exponential(1.0, 400).astype(np.float32)


def test_fewer_alarms_need_a_higher_level_but_none_far_above_all_that_was_seen() -> None:
    tail = Tail.of(PEAKS, 0.1, CalibrationSettings(), unlabelled=False)
    assert tail.level(10_000.0) < tail.level(100.0) <= 1.1 * PEAKS.max()
    assert tail.level(1e-4) == pytest.approx(1.1 * PEAKS.max())


def test_anomalies_inside_do_not_raise_the_level() -> None:
    spoilt = np.concatenate([PEAKS, np.full(40, 20.0, np.float32)])
    assert Tail.of(spoilt, 0.1, CalibrationSettings(), unlabelled=True).level(1.0) < 15.0


def test_it_survives_as_numbers() -> None:
    tail = Tail.of(PEAKS, 0.1, CalibrationSettings(), unlabelled=False)
    assert Tail.from_array(tail.array()).level(1.0) == tail.level(1.0)


@pytest.mark.parametrize("spoilt", [np.zeros(5), np.full(6, np.nan), np.array([0, 1, 0, 1, 1, -1.0])])
def test_what_no_footage_gives_is_refused(spoilt: np.ndarray) -> None:
    with pytest.raises(ValueError, match=r"tail|calibration|finite|Input"):
        Tail.from_array(spoilt)
