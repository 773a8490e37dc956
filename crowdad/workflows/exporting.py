"""Writing a scene's graph for programs without torch."""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from crowdad.errors import ConfigError, GraphMismatchError, OutputExistsError
from crowdad.files import written_whole
from crowdad.scene.model import SceneModel
from crowdad.scene.runtimes import OnnxRuntime, onnx_graph
from crowdad.workflows.progress import Progress, Stage, silent

__all__ = ["MOST_DIFFERENCE", "Exported", "export"]

MOST_DIFFERENCE = 1e-3
_SUFFIX = ".onnx"
_CHECKED = 1024


@dataclass(frozen=True)
class Exported:
    """A graph that was written.  difference: the most that the normality of one of `tubes` tubes is off torch's."""

    path: Path
    tubes: int
    difference: float


def export(
    model: str | os.PathLike[str],
    *,
    output: str | os.PathLike[str] | None = None,
    overwrite: bool = False,
    progress: Progress = silent,
) -> Exported:
    """Write a scene model as one ONNX graph from tubes (N, C, T, rows, columns) to normality (N,).

    It is checked against torch first, and written whole or not at all.
    model: file of a fitted scene.  output: a file that ends in .onnx; default: beside the model.
    Raises ConfigError, ModelError (GraphMismatchError), OutputError.
    """
    scene = SceneModel.load(model)
    path = Path(model).with_suffix(_SUFFIX) if output is None else Path(output)
    if path.suffix != _SUFFIX:
        raise ConfigError(f"{path}: an ONNX graph ends in {_SUFFIX}; give another -o")
    if path.exists() and not overwrite:
        raise OutputExistsError(f"{path}: exists; choose another name, or --overwrite to replace it")
    progress(Stage("checking against torch", 0, 100, "%"))
    graph: bytes = onnx_graph(scene.motion).SerializeToString()
    difference = _difference(graph, scene)
    with written_whole(path, advice="give another -o") as part:
        part.write_bytes(graph)
    return Exported(path, _CHECKED, difference)


def _difference(graph: bytes, scene: SceneModel) -> float:
    """The most that the graph's normality is off torch's, on tubes drawn at random.  Raises GraphMismatchError."""
    motion, tubes = scene.motion, scene.settings.tubes
    spread = np.random.default_rng(0).normal(size=(_CHECKED, len(motion.mean), tubes.steps, tubes.rows, tubes.columns))
    features = (motion.mean + motion.spread * spread).astype(np.float32)
    difference = float(np.abs(OnnxRuntime(graph).normality(features) - motion.normality(features)).max())
    if not difference <= MOST_DIFFERENCE:  # nan is refused, too
        raise GraphMismatchError(
            f"the exported graph's normality is off torch's by {difference:.2g}, at most {MOST_DIFFERENCE:g} is "
            "allowed; use --runtime torch, and tell the makers of crowdad"
        )
    return difference
