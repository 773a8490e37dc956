"""PyTorch: the scene as it was fitted, on the CPU or a GPU."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import numpy.typing as npt

from crowdad.scene import SceneModel

__all__ = ["TorchRuntime"]


class TorchRuntime:
    """Runs a scene on "cpu" or "cuda"; the scene that is given stays where it is."""

    def __init__(self, scene: SceneModel, device: str = "cpu") -> None:
        self._scene = replace(scene).to(device)

    def codes(self, features: npt.NDArray[np.float32]) -> npt.NDArray[np.float32]:
        """Unit codes of tubes: float32 (N, D), from features (N, C, T, rows, columns); N >= 1."""
        return self._scene.codes(features)

    def normality(self, features: npt.NDArray[np.float32]) -> npt.NDArray[np.float32]:
        """Normality of tubes: float32 (N,) in [-1, 1], higher = normal, from features (N, C, T, rows, columns)."""
        return self._scene.normality(features)
