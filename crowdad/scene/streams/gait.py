"""Who glides: legs that swing less than those of others who are as fast and are seen as well."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, ClassVar, Self

import numpy as np
import numpy.typing as npt

from crowdad.config import Settings
from crowdad.records import Event, OpenEvent, Tubes
from crowdad.scene.calibration import Calibration
from crowdad.scene.heatmap import StepMap
from crowdad.scene.streams._base import Lesson, Step, Told, TubeStream
from crowdad.scene.streams.pace import pace_of
from crowdad.tubes.scale import SceneScale

__all__ = ["Gait"]

Array = npt.NDArray[np.float32]
Floats = npt.NDArray[np.float64]

_FEWEST_TUBES = 500
_MOST_STIFF = 5.0  # spreads
_MOST_NUMBER = 1e6  # of a model: swings are logarithms, and what they are told by is of the order of 1
_COEFFICIENTS = 7  # a constant, and three things known of a tube with their squares
_SHOULDERS = ((0.5, 0.8), (0.6, 0.85), (0.7, 0.9), (0.8, 0.95))  # quantiles that the tail of a map's cells is read from
_HIGH = 0.98  # quantile above which it adds


@dataclass(eq=False)
class Gait(TubeStream):
    """How much less than expected the legs of a tube's subject swing.

    coefficients: float64 (7,), of the expected swing.  usual, spread: median of what it leaves unexplained, and how far
    below it the 16 % quantile lies.  weight: motion's units a unit of this above `floor`, of a map.

    The expected swing is that of tubes of the same speed, share of moving pixels and person height.  Swinging more is
    no sign of anything: people who cover each other look so.
    Source: scouting on generated footage; the auto-encoder over the same numbers finds less.
    """

    coefficients: Floats
    usual: float
    spread: float
    floor: float = 0.0
    weight: float = 0.0

    name: ClassVar[str] = "gait"
    calibrated: ClassVar[bool] = True
    kinds: ClassVar[tuple[str, ...]] = ("glides",)
    unlabelled_s: ClassVar[float] = 60.0  # of less, those who glide are a good part of all that is seen

    @classmethod
    def learner(cls, scale: SceneScale, settings: Settings) -> _Learner:
        return _Learner()

    def arrays(self) -> dict[str, npt.NDArray[Any]]:
        return {
            "coefficients": self.coefficients,
            "numbers": np.array([self.usual, self.spread, self.floor, self.weight]),
        }

    @classmethod
    def restored(cls, arrays: Mapping[str, npt.NDArray[Any]], settings: Settings) -> Self:
        coefficients, numbers = arrays["coefficients"], arrays["numbers"]
        for array, count in ((coefficients, _COEFFICIENTS), (numbers, 4)):
            if array.shape != (count,) or array.dtype != np.float64 or not np.isfinite(array).all():
                raise ValueError(f"gait holds {array.dtype} {array.shape}, {count} finite float64 are needed")
            if np.abs(array).max() > _MOST_NUMBER:
                raise ValueError(f"gait holds {np.abs(array).max():g}, which no footage can give")
        gait = cls(coefficients, *map(float, numbers))
        if not (gait.spread > 0 and gait.floor >= 0 and gait.weight >= 0):
            raise ValueError("gait holds a spread, floor or weight that no footage can give")
        return gait

    def run(self, scale: SceneScale, settings: Settings) -> Self:
        return self

    def reset(self) -> None:
        """Nothing is remembered."""

    def anomaly(self, tubes: Tubes) -> Array:
        """How stiff the legs are, in spreads: float32 (N,) in [0, 5]; 0 where its path left the picture."""
        unexplained = _swing(tubes) - _known(tubes) @ self.coefficients
        stiff = np.clip((self.usual - unexplained) / self.spread, 0, _MOST_STIFF)
        return (stiff * tubes.alive.all(axis=1)).astype(np.float32)

    def level(self, calibration: Calibration, settings: Settings) -> float:
        return calibration.threshold(settings.calibration.false_alarms_per_hour)

    def added(self, raw: Array) -> Array:
        """What a map of it adds to motion's: float32, shape kept."""
        return np.asarray(self.weight * np.maximum(raw - self.floor, 0), np.float32)

    def weighted(self, maps: Iterable[StepMap]) -> Self:
        """As strong as motion where both stand out as much from normal footage: the tails of both maps are as long.

        maps: of motion, with this one's as the first beside it.
        """
        motion, own = [], []
        for step in maps:
            assert step.beside is not None
            occupied = step.raw > 0
            motion.append(step.raw[occupied])
            own.append(step.beside[0][occupied])
        if not sum(map(len, own)):
            return self
        # Anomalies in what is learned from are among the highest: they only lengthen motion's tail, up to eightfold.
        all_motion, all_own = np.concatenate(motion), np.concatenate(own)
        motion_tail = min(_tail(all_motion, *shoulder)[1] for shoulder in _SHOULDERS)
        floor, own_tail = _tail(all_own, *_SHOULDERS[-1])
        return replace(self, floor=floor, weight=motion_tail / own_tail) if own_tail > 0 else self

    def taught(self, tubes: Sequence[Tubes]) -> Self:
        """The same with what a person called normal below its floor."""
        stiffest = max((float(self.anomaly(each).max()) for each in tubes if len(each)), default=0.0)
        return replace(self, floor=max(self.floor, stiffest))

    def told(self, event: Event | OpenEvent, scale: SceneScale) -> Told:
        pace = pace_of(event, scale)
        going = "" if pace is None else f" {pace.towards}"
        return Told("glides", f"glides{going}: its legs swing less than those of others who move as fast")


def _tail(values: Array, first: float, last: float) -> tuple[float, float]:
    """A high quantile and the mean excess over it, of an exponential tail through two lower quantiles."""
    low, high = np.quantile(values, (first, last))
    scale = float(high - low) / math.log((1 - first) / (1 - last))
    return float(high) + scale * math.log((1 - last) / (1 - _HIGH)), scale


def _swing(tubes: Tubes) -> Floats:
    assert tubes.gait is not None
    return tubes.gait[:, 0].astype(np.float64)


def _known(tubes: Tubes) -> Floats:
    """What the expected swing is read from: (N, 7)."""
    assert tubes.gait is not None
    speed = tubes.features[:, 0].astype(np.float64).mean(axis=(1, 2, 3))
    known = np.stack([speed, tubes.gait[:, 1].astype(np.float64), np.log(tubes.person_px)], axis=1)
    return np.concatenate([np.ones((len(known), 1)), known, known**2], axis=1)


class _Learner:
    """Least squares over the tubes that are kept."""

    def see(self, step: Step) -> None:
        pass

    def teach(self, tubes: Tubes) -> None:
        """Nothing: see `Gait.taught`."""

    def learned(self, lesson: Lesson) -> Gait | None:
        whole = [tubes.where(np.asarray(tubes.alive.all(axis=1))) for tubes in lesson.kept.values()]
        if sum(map(len, whole)) < _FEWEST_TUBES:
            return None
        known = np.concatenate([_known(tubes) for tubes in whole])
        swing = np.concatenate([_swing(tubes) for tubes in whole])
        coefficients = np.linalg.lstsq(known, swing, rcond=None)[0]
        low, usual = np.quantile(swing - known @ coefficients, (0.16, 0.5))
        return Gait(coefficients, float(usual), max(float(usual - low), 1e-3))
