"""What gives tubes their normality: a scene by itself computes with torch, other runtimes stand here, one a file.

A new one is one file with a `Runtime` and one line in `RUNTIMES`.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

from crowdad.scene.runtimes._base import CHUNK, Runtime, fingerprint
from crowdad.scene.runtimes.graph import onnx_graph
from crowdad.scene.runtimes.onnxruntime import OnnxRuntime

if TYPE_CHECKING:
    from crowdad.scene.model import SceneModel

__all__ = ["CHUNK", "RUNTIMES", "OnnxRuntime", "Runtime", "fingerprint", "onnx_graph"]

RUNTIMES: dict[str, Callable[[SceneModel], Runtime]] = {
    "onnx": OnnxRuntime.of_scene,
}
"""Name -> what makes the runtime of a scene; all compute on the CPU, the first is the default there."""
