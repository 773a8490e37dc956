"""The drawn crowd has tubes to compare on, and anomalies whose frame AUC follows what a runtime says."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from crowdad.export.drawn import DrawnCrowd
from tests.tiny_scene import model_of


class Speedometer:
    """Takes for abnormal what moves fast (or slowly, with a `sign` of -1), by the second channel, the mean speed."""

    def __init__(self, sign: float = 1.0) -> None:
        self._sign = sign

    def normality(self, features: npt.NDArray[np.float32]) -> npt.NDArray[np.float32]:
        speed = features[:, 1].mean(axis=(1, 2, 3))
        return np.asarray(np.clip(-self._sign * (speed - 1) / 2, -1, 1), np.float32)


def test_a_drawn_crowd_has_tubes_and_anomalies_that_are_fast() -> None:
    crowd = DrawnCrowd(model_of(), 16.0)
    features = crowd.features()
    assert features.shape[1:] == (3, 5, 5, 3)
    assert len(features) > 1000
    assert crowd.frame_auc(Speedometer()) > 0.95 > crowd.frame_auc(Speedometer(-1))
