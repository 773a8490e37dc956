"""What every runtime shares."""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from importlib.util import find_spec
from pathlib import Path
from typing import Protocol

import numpy as np
import numpy.typing as npt

from crowdad.errors import RuntimeNotInstalledError
from crowdad.scene import SceneModel

__all__ = ["CHUNK", "Runtime", "fingerprint", "in_chunks", "is_installed", "refusal", "require"]

Array = npt.NDArray[np.float32]

CHUNK = 64
"""Tubes scored at once: what lies between two layers then stays in the processor's cache."""

_GRAPH_VERSION = 2  # goes up when an exported graph of the same scene changes
_MODULES = {"torch": ("torch",), "onnx": ("onnxruntime", "onnx"), "openvino": ("openvino", "onnx")}


class Runtime(Protocol):
    """Anything that encodes and scores tubes; a `SceneModel` is one itself, by torch."""

    def codes(self, features: Array) -> Array:
        """Unit codes of tubes: float32 (N, D), from features (N, C, T, rows, columns); N >= 1."""

    def normality(self, features: Array) -> Array:
        """Normality of tubes: float32 (N,) in [-1, 1], higher = normal, from features (N, C, T, rows, columns)."""


def in_chunks(run: Callable[[Array], Array], features: Array) -> Array:
    """`run` on `CHUNK` tubes at a time, always as many: a kernel is prepared for every shape that comes along.

    features: float32 (N, C, T, rows, columns), N >= 1.  Returns float32 (N,) or (N, D), as `run` does.
    """
    missing = -len(features) % CHUNK
    padded = np.concatenate([features, np.repeat(features[-1:], missing, axis=0)]) if missing else features
    parts = [run(padded[first : first + CHUNK]) for first in range(0, len(padded), CHUNK)]
    return np.concatenate(parts)[: len(features)]


def fingerprint(scene: SceneModel) -> str:
    """SHA-256 of all that a graph of the scene holds, hexadecimal: another one means another graph."""
    settings = scene.settings
    told = (_GRAPH_VERSION, settings.encoder.code_norm, settings.encoder.temporal_kernel, settings.tubes.steps)
    digest = hashlib.sha256(repr(told).encode())
    arrays = {**scene.weights, "mean": scene.mean, "spread": scene.spread, "centres": scene.centres}
    for name in sorted(arrays):
        digest.update(f"{name} {arrays[name].dtype} {arrays[name].shape}".encode())
        digest.update(np.ascontiguousarray(arrays[name]).tobytes())
    return digest.hexdigest()


def is_installed(runtime: str) -> bool:
    """Whether all that the runtime needs is there; nothing is loaded."""
    return all(find_spec(module) is not None for module in _MODULES[runtime])


def require(runtime: str) -> None:
    """Raise RuntimeNotInstalledError where the runtime is not there."""
    missing = [module for module in _MODULES[runtime] if find_spec(module) is None]
    if missing:
        raise RuntimeNotInstalledError(
            f"{runtime}: {' and '.join(missing)} not installed; pip install 'crowdad[{runtime}]', or use torch"
        )


def refusal(graph: Path | bytes, runtime: str, error: Exception) -> str:
    """The one line about a graph that a runtime cannot load."""
    name = "the graph" if isinstance(graph, bytes) else f"{graph}"
    what = (str(error).splitlines() or ["damaged"])[0]
    return f"{name}: cannot be run by {runtime} ({what}); write it again with: crowdad export MODEL"
