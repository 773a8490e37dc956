"""OpenVINO: an exported graph on the CPU, without torch."""

from __future__ import annotations

import sys
from pathlib import Path
from types import ModuleType

import numpy as np
import numpy.typing as npt

from crowdad.errors import GraphFormatError
from crowdad.runtimes._base import in_chunks, refusal, require

__all__ = ["FINGERPRINT_PLACE", "OpenVinoRuntime", "load_openvino"]

Array = npt.NDArray[np.float32]

FINGERPRINT_PLACE = ["crowdad", "scene"]
"""Where a model's runtime information names the scene that it was made from."""

# It would compute in bfloat16 where the processor can, which moves the scores by up to 0.01.
_CONFIG = {"INFERENCE_PRECISION_HINT": "f32", "PERFORMANCE_HINT": "LATENCY", "INFERENCE_NUM_THREADS": 1}


def load_openvino() -> ModuleType:
    """The library, which sends nothing to its makers.  Raises RuntimeNotInstalledError.

    It counts its users by a package that it does without where that cannot be imported.
    """
    require("openvino")
    hidden = sys.modules.setdefault("openvino_telemetry", None)  # type: ignore[arg-type]
    try:
        import openvino
    finally:
        if hidden is None:
            del sys.modules["openvino_telemetry"]
    return openvino


class OpenVinoRuntime:
    """Runs an OpenVINO model or an ONNX graph, in 32 bits on one thread: the other cores follow people meanwhile.

    graph: a .xml file (its .bin beside it), an .onnx file, or the bytes of an ONNX graph.
    fingerprint: of the scene that a .xml file was made from, "" where it does not say.
    suffix: how such a file ends.
    Raises RuntimeNotInstalledError, GraphFormatError.
    """

    suffix = ".xml"

    def __init__(self, graph: Path | bytes) -> None:
        openvino = load_openvino()
        core = openvino.Core()
        try:
            model = core.read_model(graph if isinstance(graph, bytes) else str(graph))
            self._model = core.compile_model(model, "CPU", _CONFIG)
        except RuntimeError as error:
            raise GraphFormatError(refusal(graph, "OpenVINO", error)) from error
        known = model.has_rt_info(FINGERPRINT_PLACE)
        self.fingerprint = str(model.get_rt_info(FINGERPRINT_PLACE).astype(str)) if known else ""

    def codes(self, features: Array) -> Array:
        """Unit codes of tubes: float32 (N, D), from features (N, C, T, rows, columns); N >= 1."""
        return self._output("codes", features)

    def normality(self, features: Array) -> Array:
        """Normality of tubes: float32 (N,) in [-1, 1], higher = normal, from features (N, C, T, rows, columns)."""
        return self._output("normality", features) if len(features) else np.zeros(0, np.float32)

    def _output(self, name: str, features: Array) -> Array:
        return in_chunks(lambda chunk: np.array(self._model(chunk)[name]), features)
