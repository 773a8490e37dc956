"""From pictures to maps: the tubes of each step, and what the streams of evidence say of every place."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace

import numpy as np
import numpy.typing as npt

from crowdad.errors import ConfigError
from crowdad.records import Tubes
from crowdad.scene.heatmap import StepMap
from crowdad.scene.model import SceneModel
from crowdad.scene.runtimes import Runtime
from crowdad.scene.streams import Step, StreamRun
from crowdad.tubes.patches import Extractor
from crowdad.tubes.scale import most_tubes

__all__ = ["BATCH_STEPS", "StepScorer"]

BATCH_STEPS = 8
_MOST_IN_BATCH = 200_000.0  # tubes of a batch where everything moves, so that memory is bounded also with tiny people


@dataclass(frozen=True, eq=False)
class _Other:
    """A stream beside motion, at work.  level, ranks: as the stream has them."""

    level: float
    ranks: bool
    run: StreamRun


class StepScorer:
    """What a run of frames is scored with; steps are pushed in order, their maps come a fixed number of steps later.

    scene, threshold_raw, roi, batch_steps, lag, runtime: as `Detector` describes them.

    motion: the stream that is always there, at work; `reach`, `cell_px` and `shape` of the maps are its voter's.
    cells: bool, True for cells of the map inside the mask; None without a mask.
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
        self.extractor = Extractor(scene.scale, scene.settings)
        batch_steps = max(1, min(batch_steps, int(_MOST_IN_BATCH / most_tubes(self.extractor.views, scene.settings))))
        self.batch_steps = batch_steps if lag is None else 1
        self.ahead = batch_steps if lag is None else 0
        gap = scene.scale.gap
        # A frame between two steps lies between their maps, and the later of them comes up to gap - 1 frames after it.
        lag_steps = None if lag is None else max(0, (lag + 1) // gap - 1)
        self.motion = scene.motion.run(scene.scale, scene.settings, lag_steps, runtime)
        self._others = [
            _Other(
                stream.level(scene.calibration, scene.settings),
                stream.ranks,
                stream.run(scene.scale, scene.settings, lag_steps, None),
            )
            for name, stream in scene.streams.items()
            if name != scene.motion.name
        ]
        self._looks = any(stream.looks for stream in scene.streams.values())
        self.voter = self.motion.voter
        self.waits = lag is None or lag >= gap - 1
        self.cells = None if roi is None else _cells_of(roi, self.voter.shape, self.voter.cell_px)
        self._roi = roi

    def reset(self, fps: float | None) -> None:
        """Begin a run of frames that follow each other.  fps: their rate; None: the scene's."""
        self.extractor.reset(fps)
        self.motion.reset()
        for other in self._others:
            other.run.reset()

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
        return self._fused(self.motion.push(steps), [list(other.run.push(steps)) for other in self._others])

    def finish(self) -> Iterator[StepMap]:
        """The maps of the steps that are left."""
        return self._fused(self.motion.finish(), [list(other.run.finish()) for other in self._others])

    def _fused(self, motion: Iterator[StepMap], others: Sequence[list[StepMap]]) -> Iterator[StepMap]:
        """The largest raw anomaly of all streams, each by its own level, in motion's units, and whose it is."""
        for due, found in enumerate(motion):
            for place, (other, maps) in enumerate(zip(self._others, others, strict=True), 1):
                raw = maps[due].raw * np.float32(self.threshold_raw / other.level)
                if not other.ranks:
                    raw = raw * (raw >= self.threshold_raw)
                higher = raw > found.raw
                if higher.any():
                    leading = np.zeros(found.raw.shape, np.uint8) if found.leading is None else found.leading
                    leading[higher] = place
                    found = replace(found, raw=np.maximum(found.raw, raw), leading=leading)
            yield found


def _cells_of(roi: npt.NDArray[np.bool_], shape: tuple[int, int], cell_px: float) -> npt.NDArray[np.bool_]:
    """Cells that hold a pixel of the mask: bool `shape`."""
    cells = np.zeros(shape, bool)
    rows, columns = np.nonzero(roi)
    cells[(rows / cell_px).astype(int), (columns / cell_px).astype(int)] = True
    return cells
