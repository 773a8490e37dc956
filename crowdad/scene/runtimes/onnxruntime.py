"""ONNX Runtime: the scene's graph on the CPU, without torch."""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING, Self

import numpy as np
import numpy.typing as npt

from crowdad.errors import GraphFormatError
from crowdad.scene.runtimes._base import in_chunks
from crowdad.scene.runtimes.graph import onnx_graph
from crowdad.scene.streams import Motion

if TYPE_CHECKING:
    pass

__all__ = ["OnnxRuntime"]

Array = npt.NDArray[np.float32]


class OnnxRuntime:
    """Runs an ONNX graph on one thread: the other cores follow people meanwhile.

    graph: its file or its bytes.  Raises GraphFormatError.
    """

    def __init__(self, graph: Path | bytes) -> None:
        os.environ.setdefault("ORT_DISABLE_TELEMETRY", "1")  # its builds report on their use unless told so beforehand
        import onnxruntime

        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads = 1
        options.log_severity_level = 3
        try:
            given = graph if isinstance(graph, bytes) else str(graph)
            self._session = onnxruntime.InferenceSession(given, options, providers=["CPUExecutionProvider"])
        except Exception as error:  # its own errors have no common class below this one
            name = "the graph" if isinstance(graph, bytes) else f"{graph}"
            what = (str(error).splitlines() or ["damaged"])[0]
            raise GraphFormatError(
                f"{name}: ONNX Runtime cannot run it ({what}); write it again with: crowdad export MODEL"
            ) from error

    @classmethod
    def of(cls, motion: Motion) -> Self:
        """The runtime of what was learned of motion, whose graph is made anew in a few hundredths of a second."""
        return cls(onnx_graph(motion).SerializeToString())

    def codes(self, features: Array) -> Array:
        """Unit codes of tubes: float32 (N, D), from features (N, C, T, rows, columns); N >= 1."""
        return self._output("codes", features)

    def normality(self, features: Array) -> Array:
        """Normality of tubes: float32 (N,) in [-1, 1], higher = normal, from features (N, C, T, rows, columns)."""
        return self._output("normality", features) if len(features) else np.zeros(0, np.float32)

    def _output(self, name: str, features: Array) -> Array:
        return in_chunks(lambda chunk: self._session.run([name], {"features": chunk})[0], features)
