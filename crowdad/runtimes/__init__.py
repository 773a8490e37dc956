"""What gives tubes their normality, one runtime a file: torch, ONNX Runtime, OpenVINO."""

from crowdad.runtimes._base import CHUNK, Runtime, fingerprint, is_installed, require
from crowdad.runtimes.choice import circumstances, fastest, is_kept, keep_graph, remember, remembered, score_alike
from crowdad.runtimes.onnxruntime import OnnxRuntime, load_onnxruntime
from crowdad.runtimes.openvino import FINGERPRINT_PLACE, OpenVinoRuntime, load_openvino
from crowdad.runtimes.torch import TorchRuntime

__all__ = [
    "CHUNK",
    "FINGERPRINT_PLACE",
    "GRAPH_RUNTIMES",
    "OnnxRuntime",
    "OpenVinoRuntime",
    "Runtime",
    "TorchRuntime",
    "circumstances",
    "fastest",
    "fingerprint",
    "is_installed",
    "is_kept",
    "keep_graph",
    "load_onnxruntime",
    "load_openvino",
    "remember",
    "remembered",
    "require",
    "score_alike",
]

GRAPH_RUNTIMES: dict[str, type[OnnxRuntime] | type[OpenVinoRuntime]] = {
    "onnx": OnnxRuntime,
    "openvino": OpenVinoRuntime,
}
"""Runtimes that run an exported graph, by the name that a user gives; torch runs the scene itself."""
