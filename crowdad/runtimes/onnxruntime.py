"""ONNX Runtime: an exported graph on the CPU, without torch."""

from __future__ import annotations

import os
from pathlib import Path
from types import ModuleType

import numpy as np
import numpy.typing as npt

from crowdad.errors import GraphFormatError
from crowdad.runtimes._base import in_chunks, refusal, require

__all__ = ["OnnxRuntime", "load_onnxruntime"]

Array = npt.NDArray[np.float32]


def load_onnxruntime() -> ModuleType:
    """The library, which sends nothing to its makers.  Raises RuntimeNotInstalledError.

    Its builds report on their use unless this is set before they are loaded.
    """
    require("onnx")
    os.environ.setdefault("ORT_DISABLE_TELEMETRY", "1")
    import onnxruntime

    return onnxruntime


class OnnxRuntime:
    """Runs an ONNX graph on one thread: the other cores follow people meanwhile.

    graph: its file or its bytes.  Raises RuntimeNotInstalledError, GraphFormatError.
    fingerprint: of the scene that the graph was made from, "" where it does not say.
    suffix: how such a file ends.
    """

    suffix = ".onnx"

    def __init__(self, graph: Path | bytes) -> None:
        onnxruntime = load_onnxruntime()
        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads = 1
        options.log_severity_level = 3
        try:
            given = graph if isinstance(graph, bytes) else str(graph)
            self._session = onnxruntime.InferenceSession(given, options, providers=["CPUExecutionProvider"])
        except Exception as error:  # its own errors have no common class below this one
            raise GraphFormatError(refusal(graph, "ONNX Runtime", error)) from error
        self.fingerprint: str = self._session.get_modelmeta().custom_metadata_map.get("crowdad-scene", "")

    def codes(self, features: Array) -> Array:
        """Unit codes of tubes: float32 (N, D), from features (N, C, T, rows, columns); N >= 1."""
        return self._output("codes", features)

    def normality(self, features: Array) -> Array:
        """Normality of tubes: float32 (N,) in [-1, 1], higher = normal, from features (N, C, T, rows, columns)."""
        return self._output("normality", features) if len(features) else np.zeros(0, np.float32)

    def _output(self, name: str, features: Array) -> Array:
        return in_chunks(lambda chunk: self._session.run([name], {"features": chunk})[0], features)
