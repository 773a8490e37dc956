"""Who glides: legs that swing less than those of others who move and are seen alike."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, ClassVar, Self

import numpy as np
import numpy.typing as npt

from crowdad.config import Settings
from crowdad.records import Event, OpenEvent, Tubes
from crowdad.scene.calibration import Calibration
from crowdad.scene.heatmap import StepMap, Voter, voter_of
from crowdad.scene.streams._base import Lesson, Runtime, Step, Stream, Told
from crowdad.tubes.scale import SceneScale

__all__ = ["Gait"]

Array = npt.NDArray[np.float32]
Floats = npt.NDArray[np.float64]

_FEWEST_TUBES = 500
_MOST_SPREADS = 5.0


@dataclass(eq=False)
class Gait(Stream):
    weights: Floats
    median: float
    spread: float

    name: ClassVar[str] = "gait"
    kinds: ClassVar[tuple[str, ...]] = ("glides",)

    @classmethod
    def learner(cls, scale: SceneScale, settings: Settings) -> _Learner:
        return _Learner(scale, settings)

    def arrays(self) -> dict[str, npt.NDArray[Any]]:
        return {"weights": self.weights, "residual": np.array([self.median, self.spread])}

    @classmethod
    def restored(cls, arrays: Mapping[str, npt.NDArray[Any]], settings: Settings) -> Self:
        return cls(arrays["weights"], *map(float, arrays["residual"]))

    def run(self, scale: SceneScale, settings: Settings, lag: int | None, runtime: Runtime | None) -> _Run:
        return _Run(self, voter_of(scale, settings, lag))

    def level(self, calibration: Calibration, settings: Settings) -> float:
        return 1.0

    def told(self, event: Event | OpenEvent, scale: SceneScale) -> Told:
        return Told("glides", "glides")

    def stiffness(self, tubes: Tubes) -> Array:
        residual = (swing_of(tubes) - known_of(tubes) @ self.weights - self.median) / self.spread
        s = np.clip(-residual, 0, _MOST_SPREADS)
        return (s * tubes.alive.all(axis=1)).astype(np.float32)


def swing_of(tubes):
    return tubes.gait[:, 0].astype(np.float64)

def known_of(tubes):
    momentum = tubes.features[:, 0].astype(np.float64).mean(axis=(1, 2, 3))
    x = np.stack([momentum, tubes.gait[:, 1], np.log(tubes.person_px)], axis=1)
    return np.concatenate([np.ones((len(x), 1)), x, x * x], axis=1)


class _Run:
    def __init__(self, gait: Gait, voter: Voter) -> None:
        self._gait = gait
        self._voter = voter

    def reset(self) -> None:
        self._voter.reset()

    def push(self, steps: Sequence[Step]) -> Iterator[StepMap]:
        for step in steps:
            tubes = step.tubes
            yield from self._voter.push(tubes, None if tubes is None else 1 - self._gait.stiffness(tubes))

    def finish(self) -> Iterator[StepMap]:
        return self._voter.finish()


class _Learner:
    def __init__(self, scale: SceneScale, settings: Settings) -> None:
        pass

    def see(self, step: Step) -> None:
        pass

    def learned(self, lesson: Lesson) -> Gait | None:
        tubes = [t for t in lesson.kept.values() if len(t)]
        x = np.concatenate([known_of(t)[t.alive.all(axis=1)] for t in tubes])
        y = np.concatenate([swing_of(t)[t.alive.all(axis=1)] for t in tubes])
        if len(y) < _FEWEST_TUBES:
            return None
        w = np.linalg.lstsq(x, y, rcond=None)[0]
        r = y - x @ w
        med, low = np.quantile(r, (0.5, 0.16))
        return Gait(w, float(med), float(med - low))
