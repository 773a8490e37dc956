"""Graphs that were checked against torch, as bytes or as files."""

from __future__ import annotations

import os
import tempfile
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt

from crowdad.errors import ConfigError, GraphMismatchError, OutputNotWritableError
from crowdad.export.drawn import DrawnCrowd
from crowdad.export.graph import WIDE_PRODUCTS, onnx_graph
from crowdad.runtimes import (
    FINGERPRINT_PLACE,
    GRAPH_RUNTIMES,
    OnnxRuntime,
    Runtime,
    TorchRuntime,
    fingerprint,
    is_installed,
    load_onnxruntime,
    load_openvino,
    require,
)
from crowdad.scene import SceneModel

__all__ = ["FORMATS", "MOST_AUC_LOSS", "MOST_DIFFERENCE", "Exported", "checked_graph", "export_scene"]

FORMATS = {name: runtime.suffix for name, runtime in GRAPH_RUNTIMES.items()}
"""Name -> how its files end; an OpenVINO model has its weights in a .bin beside it."""

MOST_DIFFERENCE = 1e-3
MOST_AUC_LOSS = 0.003
LEAST_AUC = 0.8
"""Where the drawn crowd's anomalies are not found in 32 bits either, nothing can be told of 8."""

_CHECKED_S, _SCORED_S = 3.0, 20.0


@dataclass(frozen=True)
class Exported:
    """What was written.  tubes, difference: of a drawn crowd, and the most that the normality of one is off torch's.

    auc, auc_int8: frame AUC of that crowd's anomalies in 32 and in 8 bits, None where 8 were not asked for.
    """

    path: Path
    tubes: int
    difference: float
    auc: float | None = None
    auc_int8: float | None = None


def export_scene(
    scene: SceneModel, path: str | os.PathLike[str], *, form: str = "onnx", int8: bool = False
) -> Exported:
    """Write one graph of the scene, whole or not at all, checked against torch on tubes of a drawn crowd.

    path: to write to; what is there is replaced.  form: a key of FORMATS.
    int8: weights and activations of the two large products in 8 bits (onnx only), about twice as fast.
    Raises GraphMismatchError where a tube's normality is off by more than 1e-3, with int8 where the frame AUC of the
    drawn crowd falls by 0.3 points or more, or is so low that this cannot be told; RuntimeNotInstalledError,
    ConfigError, OutputNotWritableError.
    """
    if form not in FORMATS:
        raise ConfigError(f"format {form!r} is unknown; choose {' or '.join(FORMATS)}")
    if int8 and form != "onnx":
        raise ConfigError(f"int8 with format {form}; 8 bits are there for onnx only, leave one of the two out")
    require(form)
    path = Path(path)
    graph = onnx_graph(scene).SerializeToString()
    crowd = DrawnCrowd(scene, _SCORED_S if int8 else _CHECKED_S)
    features = crowd.features()
    exact = GRAPH_RUNTIMES[form](graph)
    difference = _difference(exact, scene, features)
    if not int8:
        _written(path, _bytes_to(graph) if form == "onnx" else _openvino_to(graph, fingerprint(scene)))
        return Exported(path, len(features), difference)
    graph = _in_8_bits(graph)
    rough = OnnxRuntime(graph)
    auc, auc_int8 = crowd.frame_auc(exact), crowd.frame_auc(rough)
    _check_loss(path, auc, auc_int8)
    _written(path, _bytes_to(graph))
    off = float(np.abs(rough.normality(features) - exact.normality(features)).max())
    return Exported(path, len(features), off, auc, auc_int8)


def checked_graph(scene: SceneModel) -> bytes:
    """The scene as an ONNX graph, checked against torch as `export_scene` does; raises GraphMismatchError."""
    graph: bytes = onnx_graph(scene).SerializeToString()
    runtime = next(one for name, one in GRAPH_RUNTIMES.items() if is_installed(name))
    _difference(runtime(graph), scene, DrawnCrowd(scene, _CHECKED_S).features())
    return graph


def _difference(runtime: Runtime, scene: SceneModel, features: npt.NDArray[np.float32]) -> float:
    """The most that the runtime's normality is off torch's.  Raises GraphMismatchError."""
    off = np.abs(runtime.normality(features) - TorchRuntime(scene).normality(features))
    difference = float(off.max(initial=0.0))
    if not difference <= MOST_DIFFERENCE:  # nan is refused, too
        raise GraphMismatchError(
            f"the exported graph's normality is off torch's by {difference:.2g}, at most {MOST_DIFFERENCE:g} is "
            "allowed; use --runtime torch, and tell the makers of crowdad"
        )
    return difference


def _check_loss(path: Path, auc: float, auc_int8: float) -> None:
    """Raise GraphMismatchError where 8 bits cost too much, or that cannot be told."""
    if auc < LEAST_AUC:
        raise GraphMismatchError(
            f"{path}: with this model the frame AUC of a drawn crowd is {auc:.2f} in 32 bits, at least {LEAST_AUC} is "
            "needed to tell what 8 bits cost; leave out --int8"
        )
    if auc - auc_int8 >= MOST_AUC_LOSS:
        raise GraphMismatchError(
            f"{path}: in 8 bits the frame AUC of a drawn crowd falls from {auc:.4f} to {auc_int8:.4f}, a loss below "
            f"{MOST_AUC_LOSS} is allowed; leave out --int8"
        )


def _in_8_bits(graph: bytes) -> bytes:
    """The graph with its two large products in 8 bits, scaled anew for every batch."""
    import onnx

    load_onnxruntime()
    from onnxruntime.quantization import QuantType, quantize_dynamic

    model = onnx.load_model_from_string(graph)
    # So small a graph needs no simplifying first; unless told so, the library warns on the error stream.
    model.metadata_props.add(key="onnx.quant.pre_process", value="onnxruntime.quant")
    with tempfile.TemporaryDirectory(prefix="crowdad-") as spare:
        path = Path(spare) / "graph.onnx"
        quantize_dynamic(
            model,
            path,
            nodes_to_quantize=list(WIDE_PRODUCTS),
            weight_type=QuantType.QInt8,
            per_channel=True,
            reduce_range=True,  # 8 full bits overflow on processors without VNNI
        )
        return path.read_bytes()


def _bytes_to(graph: bytes) -> Callable[[Path], object]:
    return lambda path: path.write_bytes(graph)


def _openvino_to(graph: bytes, print_of_scene: str) -> Callable[[Path], object]:
    def write(path: Path) -> None:
        openvino = load_openvino()
        model = openvino.Core().read_model(graph)
        model.set_rt_info(print_of_scene, FINGERPRINT_PLACE)
        openvino.save_model(model, path, compress_to_fp16=False)

    return write


def _written(path: Path, write: Callable[[Path], object]) -> None:
    """Have a file (and what belongs beside it) written in a spare folder and moved when whole."""
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory(prefix=".crowdad-", dir=path.parent) as spare:
            write(Path(spare) / path.name)
            for whole in sorted(Path(spare).iterdir()):  # .bin before .xml, which needs it
                os.replace(whole, path.with_name(whole.name))
    except (OSError, RuntimeError) as error:
        raise OutputNotWritableError(f"{path}: the graph cannot be written ({error}); give another -o") from error
