"""What is kept on this machine: which runtime is the fastest on it, measured once, and the graphs of its scenes."""

from __future__ import annotations

import json
import os
import platform
import time
from collections.abc import Mapping
from contextlib import suppress
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

import numpy as np
import numpy.typing as npt
import platformdirs

from crowdad.bounded import MB, read_bytes, read_json
from crowdad.runtimes._base import CHUNK, Runtime, fingerprint
from crowdad.scene import SceneModel

__all__ = [
    "cache_folder",
    "circumstances",
    "fastest",
    "is_kept",
    "keep_graph",
    "remember",
    "remembered",
    "score_alike",
]

_PACKAGES = ("torch", "onnxruntime", "openvino")
_TUBES = 1024
_REPEATS = 5
_ALIKE = 0.01


def cache_folder() -> Path:
    """Where choices and graphs are kept; need not exist yet."""
    return platformdirs.user_cache_path("crowdad")


def circumstances(scene: SceneModel, device: str) -> str:
    """What a choice holds for: the machine, the versions, the model's shape and the device asked for."""
    encoder, tubes = scene.settings.encoder, scene.settings.tubes
    machine = f"{platform.node()} {platform.machine()}, {os.cpu_count()} cores"
    versions = ", ".join(f"{name} {_version(name)}" for name in _PACKAGES)
    shape = f"{len(scene.mean)}x{tubes.steps}x{tubes.rows}x{tubes.columns}, kernel {encoder.temporal_kernel}"
    codes = f"code {encoder.code_dim} {encoder.code_norm}, {len(scene.centres)} centres"
    return f"{machine}; {versions}; tubes {shape}; {codes}; device {device}"


def _version(package: str) -> str:
    try:
        return version(package)
    except PackageNotFoundError:
        return "absent"


def _made_up(scene: SceneModel, count: int) -> npt.NDArray[np.float32]:
    """Tubes of the scene's shape: float32 (count, C, T, rows, columns)."""
    tubes = scene.settings.tubes
    shape = (count, len(scene.mean), tubes.steps, tubes.rows, tubes.columns)
    return np.random.default_rng(0).normal(1, 0.5, shape).astype(np.float32)


def score_alike(one: Runtime, other: Runtime, scene: SceneModel) -> bool:
    """Whether both give tubes of the scene's shape the same normality, as far as 8 bits allow."""
    features = _made_up(scene, CHUNK)
    off = np.abs(one.normality(features) - other.normality(features))
    return bool(off.max() <= _ALIKE)  # nan is not


def fastest(runtimes: Mapping[str, Runtime], scene: SceneModel) -> str:
    """The name of the runtime that scores tubes of the scene's shape in the least time, best of five each."""
    features = _made_up(scene, _TUBES)
    return min(runtimes, key=lambda name: _least_seconds(runtimes[name], features))


def _least_seconds(runtime: Runtime, features: np.ndarray) -> float:
    runtime.normality(features)  # what is prepared at the first call does not count
    seconds = []
    for _ in range(_REPEATS):
        began_s = time.perf_counter()
        runtime.normality(features)
        seconds.append(time.perf_counter() - began_s)
    return min(seconds)


def remembered(circumstances: str) -> str | None:
    """The runtime that was the fastest under the same circumstances, None where none was measured."""
    found = _choices().get(circumstances)
    return found if isinstance(found, str) else None


def remember(circumstances: str, runtime: str) -> None:
    """Keep the choice; where nothing can be kept, it is measured again next time."""
    content = json.dumps({**_choices(), circumstances: runtime}, indent=2) + "\n"
    _keep(_path(), content.encode())


def is_kept(scene: SceneModel, graph: bytes) -> bool:
    """Whether this very graph, which was made of the scene just now, was checked on this machine and kept."""
    try:
        path = _graph_path(scene)
        return path.stat().st_size == len(graph) and read_bytes(path, len(graph)) == graph
    except OSError:
        return False


def keep_graph(scene: SceneModel, graph: bytes) -> None:
    """Keep a graph that was checked; where nothing can be kept, it is checked again next time."""
    _keep(_graph_path(scene), graph)


def _graph_path(scene: SceneModel) -> Path:
    return cache_folder() / "graphs" / f"{fingerprint(scene)}.onnx"


def _keep(path: Path, content: bytes) -> None:
    with suppress(OSError):
        for folder in (cache_folder(), path.parent):
            folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        part = path.with_suffix(f".{os.getpid()}.part")
        part.write_bytes(content)
        part.replace(path)


def _path() -> Path:
    return cache_folder() / "runtimes.json"


def _choices() -> dict[str, object]:
    try:
        known = read_json(_path(), MB)
    except (OSError, ValueError):
        return {}
    return known if isinstance(known, dict) else {}
