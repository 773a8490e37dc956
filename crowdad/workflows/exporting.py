"""Writing a scene's graph for runtimes without torch."""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING

from crowdad.errors import ConfigError, OutputExistsError
from crowdad.runtimes import GRAPH_RUNTIMES, require
from crowdad.scene import SceneModel
from crowdad.workflows.progress import Progress, Stage, silent

if TYPE_CHECKING:
    from crowdad.export import Exported

__all__ = ["export"]


def export(
    model: str | os.PathLike[str],
    *,
    form: str = "onnx",
    output: str | os.PathLike[str] | None = None,
    int8: bool = False,
    overwrite: bool = False,
    progress: Progress = silent,
) -> Exported:
    """Write a scene model as one graph from tubes (N, C, T, rows, columns) to normality (N,), checked against torch.

    model: file of a fitted scene.  form: "onnx" (.onnx) or "openvino" (.xml with a .bin beside it).
    output: default: the model's name with the form's ending, where `detect` finds it.
    int8: 8 bits where it matters, about twice as fast; refused where it costs 0.3 points of frame AUC (onnx only).
    Raises ConfigError, ModelError (RuntimeNotInstalledError, GraphMismatchError), OutputError.
    """
    if form not in GRAPH_RUNTIMES:
        raise ConfigError(f"format {form!r} is unknown; choose {' or '.join(GRAPH_RUNTIMES)}")
    require(form)
    scene = SceneModel.load(model)
    suffix = GRAPH_RUNTIMES[form].suffix
    path = Path(model).with_suffix(suffix) if output is None else Path(output)
    if path.suffix != suffix:
        raise ConfigError(f"{path}: a graph for {form} ends in {suffix}; give another -o")
    for one in (path, path.with_suffix(".bin")) if form == "openvino" else (path,):
        if one.exists() and not overwrite:
            raise OutputExistsError(f"{one}: exists; choose another name, or --overwrite to replace it")
    from crowdad.export import export_scene

    progress(Stage("checking against torch", 0, 100, "%"))
    return export_scene(scene, path, form=form, int8=int8)
