"""What scores a scene's tubes: torch, or a runtime with the scene's exported graph."""

from __future__ import annotations

from contextlib import suppress
from pathlib import Path

from crowdad.errors import ConfigError, GraphFormatError
from crowdad.runtimes import (
    GRAPH_RUNTIMES,
    Runtime,
    TorchRuntime,
    circumstances,
    fastest,
    fingerprint,
    is_installed,
    is_kept,
    keep_graph,
    remember,
    remembered,
    require,
    score_alike,
)
from crowdad.scene import SceneModel
from crowdad.workflows.footage import check_device, check_device_name
from crowdad.workflows.progress import Progress, Stage

__all__ = ["check_runtime", "open_runtime"]


def check_runtime(runtime: str, device: str) -> None:
    """Refuse what cannot run before anything slow is loaded.  Raises ConfigError, RuntimeNotInstalledError."""
    known = ("auto", "torch", *GRAPH_RUNTIMES)
    if runtime not in known:
        raise ConfigError(f"runtime {runtime!r} is unknown; choose among {', '.join(known)}")
    check_device_name(device)
    if runtime in GRAPH_RUNTIMES:
        require(runtime)
        if device == "cuda":
            raise ConfigError(f"runtime {runtime} computes on the CPU; leave out --device cuda, or use --runtime torch")
    elif runtime == "torch" or device == "cuda":
        check_device(device)


def open_runtime(
    scene: SceneModel, model: Path | None, runtime: str, device: str, progress: Progress
) -> tuple[str, Runtime]:
    """The name of what scores the scene's tubes, and itself.

    model: the scene's file, whose graph may lie beside it.  runtime: "auto", "torch", "onnx" or "openvino"; auto is
    what measured fastest on this machine, once.  device: "auto", "cpu" or "cuda".
    """
    if runtime == "auto":
        return _fastest_runtime(scene, model, device, progress)
    if runtime == "torch":
        return runtime, TorchRuntime(scene, check_device(device))
    return runtime, _with_graph(runtime, scene, model, progress)


def _fastest_runtime(scene: SceneModel, model: Path | None, device: str, progress: Progress) -> tuple[str, Runtime]:
    installed = [name for name in GRAPH_RUNTIMES if is_installed(name)]
    if device == "cuda" or not installed:
        return open_runtime(scene, model, "torch", device, progress)
    here = circumstances(scene, device)
    chosen = remembered(here)
    if chosen == "torch" or chosen in installed:
        return open_runtime(scene, model, chosen, device, progress)
    runtimes = {name: open_runtime(scene, model, name, device, progress)[1] for name in ("torch", *installed)}
    progress(Stage("measuring runtimes, once", 0, 100, "%"))
    chosen = fastest(runtimes, scene)
    remember(here, chosen)
    return chosen, runtimes[chosen]


def _with_graph(runtime: str, scene: SceneModel, model: Path | None, progress: Progress) -> Runtime:
    """The runtime with the scene's graph; one that lies beside the model is used where it scores as that does.

    The graph is made anew, which takes no time; only that it scores as torch does is known from last time.
    """
    from crowdad.export.graph import onnx_graph

    opened = GRAPH_RUNTIMES[runtime]
    graph: bytes = onnx_graph(scene).SerializeToString()
    if model is not None and (beside := model.with_suffix(opened.suffix)).is_file():
        with suppress(GraphFormatError):  # somebody else's file
            found = opened(beside)
            if found.fingerprint == fingerprint(scene) and score_alike(found, opened(graph), scene):
                return found
    if not is_kept(scene, graph):
        from crowdad.export import checked_graph  # loads more than a run with a graph at hand may

        progress(Stage("writing the graph, once", 0, 100, "%"))
        graph = checked_graph(scene)
        keep_graph(scene, graph)
    return opened(graph)
