"""Votes of successive steps -> the peaks of their maps, from which a level of alarm is read."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from crowdad.config import Settings
from crowdad.records import Tubes
from crowdad.scene.calibration import block_peaks
from crowdad.scene.heatmap import voter_of
from crowdad.tubes.scale import SceneScale

__all__ = ["VotedPeaks"]

Array = npt.NDArray[np.float32]


class VotedPeaks:
    """Largest raw anomaly of every block of place and time in the maps of steps, which come in order."""

    def __init__(self, scale: SceneScale, settings: Settings) -> None:
        self._settings = settings.calibration
        self._voter = voter_of(scale, settings)
        self._last = -1
        self._run: list[Array] = []
        self._peaks: list[npt.NDArray[np.floating]] = []

    def add(self, step: int, tubes: Tubes, normality: Array) -> None:
        """Add the tubes of the next step and their normality; a step that was left out ends a run."""
        if step != self._last + 1:
            self._end_run()
        self._last = step
        self._run += [found.raw for found in self._voter.push(tubes, normality)]
        if len(self._run) >= 10 * self._settings.block_steps:
            self._count(10 * self._settings.block_steps)

    def peaks(self) -> Array:
        """Of all steps so far, which end here: float32 (N,)."""
        self._end_run()
        return np.concatenate([np.zeros(0, np.float32), *self._peaks], dtype=np.float32)

    def _end_run(self) -> None:
        self._run += [found.raw for found in self._voter.finish()]
        self._count(len(self._run))

    def _count(self, steps: int) -> None:
        self._peaks.append(block_peaks(self._run[:steps], self._settings.block_steps, self._settings.block_cells))
        del self._run[:steps]
