"""Where a stream's own alarms begin: the tail of what it says of the footage that it was learned from."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Self

import numpy as np
import numpy.typing as npt

from crowdad.config import CalibrationSettings, Settings
from crowdad.scene.calibration import Calibration, fit_tail
from crowdad.scene.peaks import VotedPeaks
from crowdad.scene.streams._base import Lesson, TubeRun
from crowdad.tubes.scale import SceneScale

__all__ = ["Tail", "tail_of_parts"]

_ABOVE_ALL = 1.1  # of the highest peak: a level further up would be extrapolation alone


@dataclass(frozen=True)
class Tail:
    """Tail of a stream's raw anomaly on footage that had no part in what it was scored with.

    calibration: of its peaks.  highest: the largest of them.
    """

    calibration: Calibration
    highest: float

    @classmethod
    def of(cls, peaks: npt.NDArray[np.floating], hours: float, settings: CalibrationSettings, unlabelled: bool) -> Self:
        """From peaks (N,), N >= 1, of footage so many hours long.  unlabelled: it may hold anomalies."""
        trusted = settings.trusted if unlabelled else 1.0
        tail = fit_tail(peaks, hours, tail=settings.tail, trusted=trusted)
        return cls(tail, float(peaks.max()))

    def level(self, alarms_per_hour: float) -> float:
        """Raw anomaly that normal footage passes so many times an hour, not far above all that was seen."""
        return max(min(self.calibration.threshold(alarms_per_hour), _ABOVE_ALL * self.highest), 1e-3)

    def array(self) -> npt.NDArray[np.float64]:
        """Plain numbers for a model file: float64 (6,)."""
        tail = self.calibration
        return np.array([tail.level, tail.peaks_per_hour, tail.shape, tail.scale, tail.hours, self.highest])

    @classmethod
    def from_array(cls, numbers: npt.NDArray[np.float64]) -> Self:
        """The inverse of `array`.  Raises ValueError for what no footage can have given."""
        if numbers.shape != (6,) or numbers.dtype != np.float64:
            raise ValueError(f"tail is {numbers.dtype} {numbers.shape}, float64 (6,) is needed")
        level, peaks_per_hour, shape, scale, hours, highest = map(float, numbers)
        tail = {"level": level, "peaks_per_hour": peaks_per_hour, "shape": shape, "scale": scale, "hours": hours}
        if not 0 <= highest < np.inf:
            raise ValueError(f"tail's highest peak is {highest}, which no footage can give")
        return cls(Calibration.from_dict({**tail, "how": "exponential tail"}), highest)


def tail_of_parts(
    lesson: Lesson,
    part_of: Callable[[int], int],
    run_for: Callable[[int], TubeRun],
    scale: SceneScale,
    settings: Settings,
) -> Tail | None:
    """The tail of the kept steps, each scored by what was learned of other parts; None where nothing moves.

    part_of: the part that a step is in.  run_for: what scores a part.
    """
    peaks = VotedPeaks(scale, settings)
    at, last, run = -1, -1, None
    for number, tubes in lesson.kept.items():
        part = part_of(number)
        if run is not None and number != last + 1:
            run.reset()
        last = number
        if run is None or part != at:
            at, run = part, run_for(part)
        peaks.add(number, tubes, 1 - run.anomaly(tubes))
    found = peaks.peaks()
    hours = len(lesson.kept) * scale.gap / scale.fps / 3600
    return Tail.of(found, hours, settings.calibration, lesson.unlabelled) if len(found) else None
