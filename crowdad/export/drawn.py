"""A drawn crowd that exported graphs are checked on: real flow and tubes, and anomalies that are known."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import numpy.typing as npt

from crowdad.datasets.generated import GeneratedClip
from crowdad.detector import Detector
from crowdad.metrics import FrameScores, frame_auc_micro
from crowdad.patches import Extractor
from crowdad.runtimes import Runtime
from crowdad.scale import ScaleProbe
from crowdad.scene import SceneModel
from crowdad.sources import ArraySource

__all__ = ["DrawnCrowd"]

_SCENE, _SEED = "ped2like", 2


class DrawnCrowd:
    """Seconds of a drawn camera, seen with the settings of `scene`: its code sees people in their own size and speed.

    frames: in order.  labels: bool (T,), an anomaly in scope is visible.  used: bool (T,), False where one is visible
    that is a known limit, and nothing else.
    """

    def __init__(self, scene: SceneModel, duration_s: float) -> None:
        clip = GeneratedClip(_SCENE, _SEED, duration_s=duration_s)
        self.frames = list(ArraySource(clip.frames, clip.fps).frames())
        truths = list(clip.truths())
        self.labels = np.array([truth.label for truth in truths], bool)
        self.used = self.labels | ~np.array([truth.out_of_scope for truth in truths], bool)
        probe = ScaleProbe(len(clip), clip.fps, scene.settings.scale)
        for frame in self.frames:
            probe.push(frame.luma)
        self._scene = replace(scene, scale=probe.measure())

    def features(self) -> npt.NDArray[np.float32]:
        """The tubes of all frames, float32 (N, C, T, rows, columns)."""
        extractor = Extractor(self._scene.scale, self._scene.settings)
        found = [extractor.push(frame.luma) for frame in self.frames[:: self._scene.scale.gap]]
        return np.concatenate([tubes.features for tubes in found if tubes is not None])

    def frame_auc(self, runtime: Runtime) -> float:
        """Frame AUC of the known anomalies, scored by the runtime."""
        results = Detector(self._scene, runtime=runtime).run(self.frames)
        anomaly = np.array([result.anomaly for result in results])
        return frame_auc_micro([FrameScores(_SCENE, anomaly[self.used], self.labels[self.used])])
