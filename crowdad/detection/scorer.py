"""From pictures to maps: the tubes of each step, and what the streams of evidence say of every place."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from typing import Any, Generic, TypeVar

import numpy as np
import numpy.typing as npt

from crowdad.errors import ConfigError
from crowdad.records import Tubes
from crowdad.scene.heatmap import StepMap
from crowdad.scene.model import SceneModel
from crowdad.scene.runtimes import Runtime
from crowdad.scene.streams import MapRun, MapStream, Step, TubeRun, TubeStream
from crowdad.tubes.patches import Extractor
from crowdad.tubes.scale import most_tubes

__all__ = ["BATCH_STEPS", "StepScorer"]

Array = npt.NDArray[np.float32]

BATCH_STEPS = 8
_MOST_IN_BATCH = 200_000.0  # tubes of a batch where everything moves, so that memory is bounded also with tiny people


AnyStream = TypeVar("AnyStream", TubeStream, MapStream)
AnyRun = TypeVar("AnyRun", TubeRun, MapRun)


@dataclass(frozen=True, eq=False)
class _Beside(Generic[AnyStream, AnyRun]):
    """A stream beside motion, at work.  place: in the scene's streams.  level: of its raw anomaly."""

    place: int
    stream: AnyStream
    level: float
    run: AnyRun


class StepScorer:
    """What a run of frames is scored with; steps are pushed in order, their maps come a fixed number of steps later.

    scene, threshold_raw, roi, batch_steps, lag, runtime: as `Detector` describes them.

    motion: the stream that is always there, at work; `reach`, `cell_px` and `shape` of the maps are its voter's.
    cells: bool, True for cells of the map inside the mask; None without a mask.
    memory: steps before a moment that matter to what the streams say of it, beyond those that its tubes look back.
    elsewhere: the pictures show another view than the scene's: streams that know its places are not heard.
    ahead: steps whose tubes are found meanwhile.  waits: a frame between two steps waits for the later one's map.
    """

    def __init__(
        self,
        scene: SceneModel,
        threshold_raw: float,
        roi: npt.NDArray[np.bool_] | None,
        batch_steps: int,
        lag: int | None,
        runtime: Runtime | None,
    ) -> None:
        if lag is not None and lag < 0:
            raise ConfigError(f"the lag is {lag} frames; 0 or more is needed")
        if roi is not None and roi.shape != scene.scale.size_hw:
            raise ConfigError(
                f"the mask is {roi.shape}, the scene's picture {scene.scale.size_hw}; both must be of one size"
            )
        self.scene = scene
        self.threshold_raw = threshold_raw
        self.elsewhere = False
        self.extractor = Extractor(scene.scale, scene.settings)
        batch_steps = max(1, min(batch_steps, int(_MOST_IN_BATCH / most_tubes(self.extractor.views, scene.settings))))
        self.batch_steps = batch_steps if lag is None else 1
        self.ahead = batch_steps if lag is None else 0
        gap = scene.scale.gap
        # A frame between two steps lies between their maps, and the later of them comes up to gap - 1 frames after it.
        lag_steps = None if lag is None else max(0, (lag + 1) // gap - 1)
        self.motion = scene.motion.run(runtime)
        self._tubes_of, self._maps_of = _beside(scene, lag_steps)
        self._looks = any(one.stream.looks for one in self._maps_of)
        longest_s = max((stream.memory_s for stream in scene.streams.values()), default=0.0)
        self.memory = math.ceil(longest_s * scene.scale.fps / gap)
        self.voter = scene.motion.voter(scene.scale, scene.settings, lag_steps, len(self._tubes_of))
        self.waits = lag is None or lag >= gap - 1
        self.cells = None if roi is None else _cells_of(roi, self.voter.shape, self.voter.cell_px)
        self._roi = roi

    def reset(self, fps: float | None) -> None:
        """Begin a run of frames that follow each other.  fps: their rate; None: the scene's."""
        self.extractor.reset(fps)
        self.voter.reset()
        for of_tubes in self._tubes_of:
            of_tubes.run.reset()
        for of_maps in self._maps_of:
            of_maps.run.reset()

    def step(self, number: int, time_s: float, luma: npt.NDArray[np.uint8]) -> Step:
        """What is seen in the next step's picture, uint8 (H, W).  number, time_s: of its frame."""
        return Step(number, time_s, self._tubes(luma, time_s), luma if self._looks else None)

    def _tubes(self, luma: npt.NDArray[np.uint8], time_s: float) -> Tubes | None:
        if luma.shape != self.scene.scale.size_hw:
            return None
        tubes = self.extractor.push(luma, time_s)
        if tubes is None or self._roi is None:
            return tubes
        height, width = self._roi.shape
        column = np.clip(tubes.path_xy[:, 0, 0].astype(int), 0, width - 1)
        row = np.clip(tubes.path_xy[:, 0, 1].astype(int), 0, height - 1)
        return tubes.where(self._roi[row, column])

    def maps(self, steps: Sequence[Step]) -> Iterator[StepMap]:
        """The maps that are due once the streams have looked at the next steps."""
        return self._fused(self._voted(steps), [list(one.run.push(steps)) for one in self._maps_of])

    def finish(self) -> Iterator[StepMap]:
        """The maps of the steps that are left."""
        return self._fused(self.voter.finish(), [list(one.run.finish()) for one in self._maps_of])

    def _voted(self, steps: Sequence[Step]) -> Iterator[StepMap]:
        """Votes of the tubes, with all scores that they have."""
        for step, normality in zip(steps, self.motion.normality(steps), strict=True):
            tubes = step.tubes
            if tubes is None:
                yield from self.voter.push(None, None)
            else:
                scores = [one.run.anomaly(tubes) for one in self._tubes_of]
                beside = np.stack(scores, axis=1) if scores else None
                yield from self.voter.push(tubes, normality, beside)

    def _fused(self, voted: Iterator[StepMap], others: Sequence[list[StepMap]]) -> Iterator[StepMap]:
        """The largest raw anomaly of all streams, each by its own level, in motion's units, and whose it is."""
        for due, step in enumerate(voted):
            assert step.beside is not None
            fused = _Fused(step.raw, self.threshold_raw, self.elsewhere)
            for of_tubes, raw in zip(self._tubes_of, step.beside, strict=True):
                added = of_tubes.stream.added(raw)
                if added is None:
                    fused.compete(raw, of_tubes)
                else:
                    fused.add(added, of_tubes.place)
            for of_maps, maps in zip(self._maps_of, others, strict=True):
                fused.compete(maps[due].raw, of_maps, maps[due].note)
            leading, note = (found if found.any() else None for found in (fused.leading, fused.note))
            yield replace(step, raw=fused.raw, leading=leading, note=note)


class _Fused:
    """Raw anomaly of several streams in motion's units, and by cell the place of the one that leads and its note."""

    def __init__(self, raw: Array, threshold_raw: float, elsewhere: bool) -> None:
        self.raw = raw
        self.leading = np.zeros(raw.shape, np.uint8)
        self.note = np.zeros(raw.shape, np.uint8)
        self._threshold_raw = threshold_raw
        self._elsewhere = elsewhere

    def add(self, added: Array, place: int) -> None:
        """What is of the same kind adds up; it leads where it is the larger part."""
        self.leading[added > self.raw] = place
        self.raw = self.raw + added

    def compete(self, raw: Array, one: _Beside[Any, Any], note: npt.NDArray[np.uint8] | None = None) -> None:
        """What is of another kind counts where it is larger by its own level; at its level it is at the threshold."""
        if one.stream.of_place and self._elsewhere:
            return
        own = raw * np.float32(self._threshold_raw / one.level)
        if not one.stream.ranks:
            own = own * (raw >= one.level)
        higher = np.broadcast_to(own > self.raw, self.raw.shape)
        self.leading[higher] = one.place
        self.note = np.where(higher, np.uint8(0) if note is None else note, self.note)
        self.raw = np.maximum(self.raw, own)


def _beside(
    scene: SceneModel, lag_steps: int | None
) -> tuple[list[_Beside[TubeStream, TubeRun]], list[_Beside[MapStream, MapRun]]]:
    """The streams beside motion, at work: those that score tubes, and those that give maps."""
    tubes: list[_Beside[TubeStream, TubeRun]] = []
    maps: list[_Beside[MapStream, MapRun]] = []
    for place, stream in enumerate(scene.streams.values()):
        level = stream.level(scene.calibration, scene.settings)
        if isinstance(stream, TubeStream):
            tubes.append(_Beside(place, stream, level, stream.run(scene.scale, scene.settings)))
        elif isinstance(stream, MapStream):
            maps.append(_Beside(place, stream, level, stream.run(scene.scale, scene.settings, lag_steps)))
    return tubes, maps


def _cells_of(roi: npt.NDArray[np.bool_], shape: tuple[int, int], cell_px: float) -> npt.NDArray[np.bool_]:
    """Cells that hold a pixel of the mask: bool `shape`."""
    cells = np.zeros(shape, bool)
    rows, columns = np.nonzero(roi)
    cells[(rows / cell_px).astype(int), (columns / cell_px).astype(int)] = True
    return cells
