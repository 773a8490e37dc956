"""Votes of successive steps -> the peaks of their maps, from which a level of alarm is read."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import numpy.typing as npt

from crowdad.config import Settings
from crowdad.records import Tubes
from crowdad.scene.calibration import block_peaks
from crowdad.scene.heatmap import StepMap, voter_of
from crowdad.tubes.scale import SceneScale

__all__ = ["VotedPeaks"]

Array = npt.NDArray[np.float32]


def _raw(step: StepMap) -> Array:
    return step.raw


class VotedPeaks:
    """Largest raw anomaly of every block of place and time in the maps of steps, which come in order.

    of: what of a step's map counts, float32 (rows, columns).  beside: other scores of the tubes.
    """

    def __init__(
        self, scale: SceneScale, settings: Settings, of: Callable[[StepMap], Array] = _raw, beside: int = 0
    ) -> None:
        self._of = of
        self._settings = settings.calibration
        self._voter = voter_of(scale, settings, beside=beside)
        self._last = -1
        self._run: list[Array] = []
        self._peaks: list[npt.NDArray[np.floating]] = []

    def add(self, step: int, tubes: Tubes, normality: Array, beside: Array | None = None) -> None:
        """Add the tubes of the next step and their scores, as a voter takes them; a step left out ends a run."""
        if step != self._last + 1:
            self._end_run()
        self._last = step
        self._run += map(self._of, self._voter.push(tubes, normality, beside))
        if len(self._run) >= 10 * self._settings.block_steps:
            self._count(10 * self._settings.block_steps)

    def peaks(self) -> Array:
        """Of all steps so far, which end here: float32 (N,)."""
        self._end_run()
        return np.concatenate([np.zeros(0, np.float32), *self._peaks], dtype=np.float32)

    def _end_run(self) -> None:
        self._run += map(self._of, self._voter.finish())
        self._count(len(self._run))

    def _count(self, steps: int) -> None:
        self._peaks.append(block_peaks(self._run[:steps], self._settings.block_steps, self._settings.block_cells))
        del self._run[:steps]
