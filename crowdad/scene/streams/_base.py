"""What every kind of evidence shares: the contract between a stream and whatever fits, scores and tells of it."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, ClassVar, Protocol, Self

import numpy as np
import numpy.typing as npt

from crowdad.config import Settings
from crowdad.records import Event, OpenEvent, Tubes
from crowdad.scene.calibration import Calibration
from crowdad.scene.heatmap import StepMap
from crowdad.tubes.scale import SceneScale

__all__ = [
    "Learner",
    "Lesson",
    "MapRun",
    "MapStream",
    "Runtime",
    "Step",
    "Stream",
    "Told",
    "TubeRun",
    "TubeStream",
]

Arrays = Mapping[str, npt.NDArray[Any]]


class Runtime(Protocol):
    """Anything that encodes and scores tubes; `Motion` is one itself, by torch."""

    def codes(self, features: npt.NDArray[np.float32]) -> npt.NDArray[np.float32]:
        """Unit codes of tubes: float32 (N, D), from features (N, C, T, rows, columns); N >= 1."""

    def normality(self, features: npt.NDArray[np.float32]) -> npt.NDArray[np.float32]:
        """Normality of tubes: float32 (N,) in [-1, 1], higher = normal, from features (N, C, T, rows, columns)."""


@dataclass(frozen=True, eq=False)
class Step:
    """What a stream may look at: one step of footage.

    number: of its frame, counted from 0.  tubes: those that end in this picture; None where there can be none.
    luma: uint8 (H, W); None where no stream looks at pictures, so that none is kept in memory.
    """

    number: int
    time_s: float
    tubes: Tubes | None
    luma: npt.NDArray[np.uint8] | None = None


@dataclass(frozen=True)
class Told:
    """What a person is told of an event.  kind: one of its stream's.  sentence: what is unusual, without a subject."""

    kind: str
    sentence: str


class TubeRun(Protocol):
    """A stream of scores of tubes at work on one run of frames after the other."""

    def reset(self) -> None:
        """Begin a run of frames that follow each other."""

    def anomaly(self, tubes: Tubes) -> npt.NDArray[np.float32]:
        """Raw anomaly of the tubes of the next step that has any, float32 (N,), >= 0."""


class MapRun(Protocol):
    """A stream of maps at work on one run of frames after the other."""

    def reset(self) -> None:
        """Begin a run of frames that follow each other."""

    def push(self, steps: Sequence[Step]) -> Iterator[StepMap]:
        """Look at the next steps; gives the map of every step that is due, all streams' equally late."""

    def finish(self) -> Iterator[StepMap]:
        """The maps of the steps that are left."""


@dataclass(frozen=True, eq=False)
class Lesson:
    """What is left of the footage once all of it was seen.

    kept: number -> tubes of a step, in order, all of the footage's or blocks of steps spread over it; steps are counted
    from 1.  unlabelled: it may hold anomalies.
    """

    kept: Mapping[int, Tubes]
    unlabelled: bool


class Learner(Protocol):
    """Looks at all that a scene is learned from."""

    def see(self, step: Step) -> None:
        """Look at the next step; one whose time is not just after the last one's begins a new run of frames."""

    def teach(self, tubes: Tubes) -> None:
        """Take what these tubes do for normal, rare as it is: a person said so.  After all steps, before `learned`."""

    def learned(self, lesson: Lesson) -> Stream | None:
        """What was learned; None where the footage was too short for it."""


class Stream(ABC):
    """One kind of evidence that something is unusual, as it was learned of one camera.

    name: of its arrays' prefix in the model file.  kinds: what the events are called that it raises.
    calibrated: whether its heat is part of what the scene's own calibration was read from.
    ranks: whether it also counts below its level, where one thing is more unusual than another; else it only alarms.

    of_place: whether it knows places of the picture, so that it says nothing of another view.
    memory_s: seconds of footage before a moment that matter to what it says of that moment.
    unlabelled_s: seconds of footage that it takes where that may hold anomalies; what lasts for a good part of shorter
    footage is learned by heart, and what is left stands out.

    A stream gives every tube a score, which it votes with (`TubeStream`), or every step a map (`MapStream`).  `level`
    is the raw anomaly of a map at which it raises an event by itself: what counts of several streams is the largest raw
    anomaly by its level.
    """

    name: ClassVar[str]
    kinds: ClassVar[tuple[str, ...]]
    calibrated: ClassVar[bool] = False
    ranks: ClassVar[bool] = True
    of_place: ClassVar[bool] = False
    memory_s: ClassVar[float] = 0.0
    unlabelled_s: ClassVar[float] = 300.0

    @classmethod
    @abstractmethod
    def learner(cls, scale: SceneScale, settings: Settings) -> Learner | None:
        """What learns it in the pass over all footage; None where it is learned in another way."""

    @abstractmethod
    def arrays(self) -> dict[str, npt.NDArray[Any]]:
        """What the model file keeps of it, under its name."""

    @classmethod
    @abstractmethod
    def restored(cls, arrays: Arrays, settings: Settings) -> Self:
        """The inverse of `arrays`.  Raises ValueError or TypeError for what no fit gives."""

    @abstractmethod
    def level(self, calibration: Calibration, settings: Settings) -> float:
        """Raw anomaly of its map at which it raises an event by itself, > 0.  calibration: the scene's."""

    @abstractmethod
    def told(self, event: Event | OpenEvent, scale: SceneScale) -> Told:
        """What an event that it raised is called, and what is unusual in it.  scale: of the footage."""

    def without_pictures(self) -> Self | None:
        """The same without anything that shows people or the place; None where nothing is left then."""
        return self


class TubeStream(Stream):
    """Evidence that is a score of each tube; its map is their votes."""

    @abstractmethod
    def run(self, scale: SceneScale, settings: Settings) -> TubeRun:
        """Ready to score footage of that scale."""

    def added(self, raw: npt.NDArray[np.float32]) -> npt.NDArray[np.float32] | None:
        """What its map adds to motion's raw anomaly, shape kept; None: it stands beside motion, by its own level."""
        return None


class MapStream(Stream):
    """Evidence that is a map of each step: raw anomaly >= 0 of every place; one value is that of the whole picture.

    looks: whether it looks at pictures, not at tubes alone.
    """

    looks: ClassVar[bool] = False

    @abstractmethod
    def run(self, scale: SceneScale, settings: Settings, lag: int | None) -> MapRun:
        """Ready to score footage of that scale.  lag: as `heatmap.voter_of` has it."""
