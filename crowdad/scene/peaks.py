"""Votes of successive steps -> the peaks of their maps, from which a level of alarm is read."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Sequence

import numpy as np
import numpy.typing as npt

from crowdad.config import Settings
from crowdad.records import Tubes
from crowdad.scene.calibration import peaks_by_place
from crowdad.scene.heatmap import StepMap, voter_of
from crowdad.tubes.scale import SceneScale

__all__ = ["VotedPeaks"]

Array = npt.NDArray[np.float32]


def _raw(step: StepMap) -> Array:
    return step.raw


class VotedPeaks:
    """Largest raw anomaly of every block of place and time in the maps of steps, which come in order.

    of: what to take peaks of: each makes float32 (rows, columns) of a step's map.  beside: how many other scores the
    tubes have.
    """

    def __init__(
        self,
        scale: SceneScale,
        settings: Settings,
        of: Sequence[Callable[[StepMap], Array]] = (_raw,),
        beside: int = 0,
    ) -> None:
        self._of = of
        self._settings = settings.calibration
        self._voter = voter_of(scale, settings, beside=beside)
        self._last = -1
        self._run: list[list[Array]] = [[] for _ in of]
        self._peaks: list[list[Array]] = [[] for _ in of]

    def add(self, step: int, tubes: Tubes, normality: Array, beside: Array | None = None) -> None:
        """Add the tubes of the next step and their scores, as a voter takes them; a step left out ends a run."""
        if step != self._last + 1:
            self._end_run()
        self._last = step
        self._see(self._voter.push(tubes, normality, beside))
        if len(self._run[0]) >= 10 * self._settings.block_steps:
            self._count(10 * self._settings.block_steps)

    def peaks(self) -> Array:
        """Of all steps so far, which end here, by the first of `of`: float32 (N,), blocks without any left out."""
        peaks = self.by_place()[0]
        return peaks[peaks > 0]

    def by_place(self) -> list[Array]:
        """Peaks of all steps so far, which end here, by each of `of`: float32 (T, rows, columns), 0 without a vote."""
        self._end_run()
        rows, columns = (math.ceil(side / self._settings.block_cells) for side in self._voter.shape)
        return [np.concatenate([np.zeros((0, rows, columns), np.float32), *peaks]) for peaks in self._peaks]

    def _see(self, maps: Iterable[StepMap]) -> None:
        for step in maps:
            for run, of in zip(self._run, self._of, strict=True):
                run.append(of(step))

    def _end_run(self) -> None:
        self._see(self._voter.finish())
        self._count(len(self._run[0]))

    def _count(self, steps: int) -> None:
        if not steps:
            return
        for run, peaks in zip(self._run, self._peaks, strict=True):
            peaks.append(peaks_by_place(run[:steps], self._settings.block_steps, self._settings.block_cells))
            del run[:steps]
