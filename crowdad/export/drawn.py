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

_SCENE, _SEED = "ped2like", 3


class DrawnCrowd:
    """Seconds of a drawn camera, seen with the settings of `scene`: people in their own size and speed."""

    def __init__(self, scene: SceneModel, duration_s: float) -> None:
        self._clip = GeneratedClip(_SCENE, _SEED, duration_s=duration_s)
        self._frames = list(ArraySource(self._clip.frames, self._clip.fps).frames())
        probe = ScaleProbe(len(self._frames), self._clip.fps, scene.settings.scale)
        for frame in self._frames:
            probe.push(frame.luma)
        self._scene = replace(scene, scale=probe.measure())

    def features(self) -> npt.NDArray[np.float32]:
        """The tubes of all frames, float32 (N, C, T, rows, columns)."""
        extractor = Extractor(self._scene.scale, self._scene.settings)
        found = [extractor.push(frame.luma) for frame in self._frames[:: self._scene.scale.gap]]
        return np.concatenate([tubes.features for tubes in found if tubes is not None])

    def frame_auc(self, runtime: Runtime) -> float:
        """Frame AUC of the anomalies in scope, scored by the runtime; frames with a known limit alone are left out."""
        results = Detector(self._scene, runtime=runtime).run(self._frames)
        anomaly = np.array([result.anomaly for result in results])
        truths = list(self._clip.truths())
        labels, limits = (np.array([getattr(t, name) for t in truths], bool) for name in ("label", "out_of_scope"))
        used = labels | ~limits
        return frame_auc_micro([FrameScores(_SCENE, anomaly[used], labels[used])])
