"""What gives tubes their normality: a scene by itself computes with torch, other runtimes stand here, one a file."""

from crowdad.scene.runtimes._base import CHUNK, Runtime, fingerprint
from crowdad.scene.runtimes.graph import onnx_graph
from crowdad.scene.runtimes.onnxruntime import OnnxRuntime

__all__ = ["CHUNK", "RUNTIMES", "OnnxRuntime", "Runtime", "fingerprint", "onnx_graph"]

RUNTIMES = {"onnx": OnnxRuntime.of_scene}
"""Name -> what makes the runtime of a scene; all compute on the CPU, the first is the default there."""
