"""What gives tubes their normality, one a file; a scene's `Motion` by itself computes with torch.

A new one is one file with a `Runtime` and one line in `RUNTIMES`.
"""

from __future__ import annotations

from collections.abc import Callable

from crowdad.scene.runtimes._base import CHUNK, fingerprint
from crowdad.scene.runtimes.graph import onnx_graph
from crowdad.scene.runtimes.onnxruntime import OnnxRuntime
from crowdad.scene.streams import Motion, Runtime

__all__ = ["CHUNK", "RUNTIMES", "OnnxRuntime", "Runtime", "fingerprint", "onnx_graph"]

RUNTIMES: dict[str, Callable[[Motion], Runtime]] = {
    "onnx": OnnxRuntime.of,
}
"""Name -> what makes the runtime of a `Motion`; all compute on the CPU, the first is the default there."""
