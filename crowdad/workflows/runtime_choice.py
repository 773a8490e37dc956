"""What scores a scene's tubes: torch on a GPU, ONNX Runtime on a CPU, or what was asked for."""

from __future__ import annotations

from contextlib import suppress
from ctypes import CDLL
from dataclasses import replace

from crowdad.errors import ConfigError
from crowdad.scene.encoders import encoder_kind
from crowdad.scene.model import SceneModel
from crowdad.scene.runtimes import RUNTIMES, Runtime
from crowdad.workflows.footage import check_device, check_device_name

__all__ = ["check_runtime", "open_runtime"]

_ON_CPUS = next(iter(RUNTIMES))


def check_runtime(runtime: str, device: str) -> None:
    """Refuse what cannot run before anything slow is loaded.  Raises ConfigError."""
    known = ("auto", "torch", *RUNTIMES)
    if runtime not in known:
        raise ConfigError(f"runtime {runtime!r} is unknown; choose among {', '.join(known)}")
    check_device_name(device)
    if runtime in RUNTIMES and device == "cuda":
        raise ConfigError(f"runtime {runtime} computes on the CPU; leave out --device cuda, or use --runtime torch")
    if runtime == "torch" or device == "cuda":
        check_device(device)


def open_runtime(scene: SceneModel, runtime: str, device: str) -> tuple[str, Runtime]:
    """The name of what scores the scene's tubes, and itself.

    runtime: "auto", "torch" or a key of RUNTIMES; auto is torch on a GPU and for an encoder without an ONNX graph, and
    ONNX Runtime on a CPU, where it takes a third of torch's memory and of its start.  device: "auto", "cpu" or "cuda".
    Raises ConfigError for ONNX Runtime without a graph.
    """
    if runtime == "auto":
        has_graph = encoder_kind(scene.settings.encoder).graph is not None
        runtime = _ON_CPUS if has_graph and not _is_cuda(device) else "torch"
    if runtime == "torch":
        return runtime, replace(scene.motion).to(check_device(device))
    return runtime, RUNTIMES[runtime](scene.motion)


def _is_cuda(device: str) -> bool:
    """Whether to compute on a GPU; torch, which is slow to load, is asked only where there is a driver."""
    if device == "auto" and not _has_driver():
        return False
    return device != "cpu" and check_device(device) == "cuda"


def _has_driver() -> bool:
    """Whether a GPU's driver can be loaded.  `ctypes.util.find_library` runs a compiler that needs room in /tmp."""
    for name in ("libcuda.so.1", "nvcuda.dll"):
        with suppress(OSError):
            CDLL(name)
            return True
    return False
