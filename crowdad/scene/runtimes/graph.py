"""Motion as one graph, written node by node: neither torch nor its exporter is needed.

Standardisation, encoder, unit norm and centres are inside; flow and tubes stay outside.

The convolutions are matrix products here.  A tube has so few rows and columns that a matrix with all of a kernel's
places is small, and runtimes multiply matrices about three times as fast as they convolve in three dimensions.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt

from crowdad.errors import ModelFormatError
from crowdad.scene.runtimes._base import fingerprint
from crowdad.scene.streams import Motion

__all__ = ["onnx_graph"]

Array = npt.NDArray[np.float32]

_OPSET, _IR_VERSION = 20, 9  # Gelu came with opset 20; IR 9 is the oldest that carries it
_BATCH_NORM_EPS = 1e-5  # torch's


def onnx_graph(motion: Motion) -> Any:
    """Motion as an `onnx.ModelProto`: "features" float32 (N, C, T, rows, columns) ->
    "normality" float32 (N,) and "codes" float32 (N, D), rows of length 1.

    N is free.  Raises ModelFormatError where the weights are not those of the encoder that is known here.
    """
    from onnx import TensorProto, checker, helper

    nodes = _Nodes()
    try:
        _encode(nodes, motion)
    except (KeyError, ValueError) as error:
        raise ModelFormatError(
            "the model's encoder does not fit its own settings; fit the scene again with: crowdad fit"
        ) from error
    _compare(nodes, motion)
    tubes = motion.settings.tubes
    shape: list[str | int | None] = ["tubes", len(motion.mean), tubes.steps, tubes.rows, tubes.columns]
    graph = helper.make_graph(
        nodes.nodes,
        "crowdad scene",
        [helper.make_tensor_value_info("features", TensorProto.FLOAT, shape)],
        [
            helper.make_tensor_value_info("normality", TensorProto.FLOAT, ["tubes"]),
            helper.make_tensor_value_info("codes", TensorProto.FLOAT, ["tubes", motion.centres.shape[1]]),
        ],
        nodes.constants,
    )
    opset = helper.make_opsetid("", _OPSET)
    model = helper.make_model(graph, producer_name="crowdad", opset_imports=[opset], ir_version=_IR_VERSION)
    helper.set_model_props(model, {"crowdad-scene": fingerprint(motion)})
    checker.check_model(model)
    return model


class _Nodes:
    """Nodes and constants in the order in which they are added."""

    def __init__(self) -> None:
        self.nodes: list[Any] = []
        self.constants: list[Any] = []

    def constant(self, value: npt.ArrayLike, dtype: type = np.float32) -> str:
        """Add a constant; returns its name."""
        from onnx import numpy_helper

        name = f"constant_{len(self.constants)}"
        self.constants.append(numpy_helper.from_array(np.ascontiguousarray(value, dtype), name))
        return name

    def places(self, *values: int) -> str:
        """Add int64 constants, such as axes; returns their name."""
        return self.constant(values, np.int64)

    def add(self, kind: str, *inputs: str, name: str = "", **attributes: Any) -> str:
        """Add a node of one output; returns the output's name."""
        from onnx import helper

        name = name or f"{kind.lower()}_{len(self.nodes)}"
        self.nodes.append(helper.make_node(kind, list(inputs), [name], name=name, **attributes))
        return name


def _encode(nodes: _Nodes, motion: Motion) -> None:
    """From "features" to "code", (N, D) of any length; the last layers take nearly no time."""
    weights, tubes = motion.weights, motion.settings.tubes
    first, second = weights["trunk.0.weight"], weights["trunk.2.weight"]
    wide, _, taps, _, _ = second.shape
    inner = nodes.add("Sub", "features", nodes.constant(motion.mean))
    inner = nodes.add("Div", inner, nodes.constant(motion.spread))
    inner = nodes.add("Transpose", inner, perm=[0, 2, 1, 3, 4])
    step_width = len(motion.mean) * tubes.rows * tubes.columns
    inner = nodes.add("Reshape", inner, nodes.places(0, tubes.steps, step_width))
    inner = _with_neighbours(nodes, inner, tubes.steps, taps)
    inner = nodes.add("Reshape", inner, nodes.places(0, tubes.steps, taps * step_width))
    inner = nodes.add(
        "MatMul", inner, nodes.constant(_same_matrix(first, tubes.rows, tubes.columns)), name="appearance"
    )
    bias = np.repeat(weights["trunk.0.bias"], tubes.rows * tubes.columns)
    inner = nodes.add("Gelu", nodes.add("Add", inner, nodes.constant(bias)))
    matrix = second.reshape(wide, second.shape[1], taps, -1).transpose(1, 3, 2, 0).reshape(-1, taps * wide)
    inner = nodes.add("MatMul", inner, nodes.constant(matrix), name="movement")
    inner = _summed_over_taps(nodes, inner, tubes.steps, taps, wide)
    inner = nodes.add("Gelu", nodes.add("Add", inner, nodes.constant(weights["trunk.2.bias"])))
    inner = nodes.add("ReduceMean", inner, nodes.places(1), keepdims=0)
    inner = _linear(nodes, inner, weights["trunk.6.weight"], weights["trunk.6.bias"])
    inner = nodes.add("Gelu", inner)
    _linear(nodes, inner, *_last_layer(motion), name="code")


def _with_neighbours(nodes: _Nodes, inner: str, steps: int, taps: int) -> str:
    """(N, T, width) -> (N, T, taps, width): each step beside those around it, zeros before the first and the last."""
    reach = taps // 2
    padded = nodes.add("Pad", inner, nodes.places(0, reach, 0, 0, reach, 0))
    around = np.arange(steps)[:, None] + np.arange(taps)
    return nodes.add("Gather", padded, nodes.constant(around, np.int64), axis=1)


def _same_matrix(kernel: Array, rows: int, columns: int) -> Array:
    """A kernel (out, in, taps, 3, 3) that keeps rows and columns, as a matrix.

    Returns float32 (taps * in * rows * columns, out * rows * columns).
    """
    out, channels, taps, high, across = kernel.shape
    matrix = np.zeros((taps, channels, rows, columns, out, rows, columns), np.float32)
    for row, column in np.ndindex(rows, columns):
        for down, right in np.ndindex(high, across):
            seen_row, seen_column = row + down - high // 2, column + right - across // 2
            if 0 <= seen_row < rows and 0 <= seen_column < columns:
                weight = kernel[:, :, :, down, right].transpose(2, 1, 0)
                matrix[:, :, seen_row, seen_column, :, row, column] = weight
    return matrix.reshape(taps * channels * rows * columns, out * rows * columns)


def _summed_over_taps(nodes: _Nodes, inner: str, steps: int, taps: int, width: int) -> str:
    """(N, T, taps * width) -> (N, T, width): what each tap of a kernel in time found, one step apart, added up."""
    reach = taps // 2
    padded = nodes.add("Pad", inner, nodes.places(0, reach, 0, 0, reach, 0))
    parts = [
        nodes.add(
            "Slice",
            padded,
            nodes.places(tap, tap * width),
            nodes.places(tap + steps, (tap + 1) * width),
            nodes.places(1, 2),
        )
        for tap in range(taps)
    ]
    return nodes.add("Sum", *parts)


def _linear(nodes: _Nodes, inner: str, weight: Array, bias: Array, name: str = "") -> str:
    return nodes.add("Gemm", inner, nodes.constant(weight), nodes.constant(bias), name=name, transB=1)


def _last_layer(motion: Motion) -> tuple[Array, Array]:
    """The encoder's last layer with the constant coordinate, and what batch normalisation does to it."""
    weight, bias = motion.weights["trunk.8.weight"], motion.weights["trunk.8.bias"]
    weight = np.concatenate([weight, np.zeros((1, weight.shape[1]), np.float32)])
    bias = np.append(bias, np.float32(1))
    if motion.settings.encoder.code_norm == "batch":
        spread = np.sqrt(motion.weights["norm.running_var"] + np.float32(_BATCH_NORM_EPS))
        weight, bias = weight / spread[:, None], (bias - motion.weights["norm.running_mean"]) / spread
    return np.asarray(weight, np.float32), np.asarray(bias, np.float32)


def _compare(nodes: _Nodes, motion: Motion) -> None:
    """From "code" to "codes", (N, D) of length 1, and to "normality", (N,): the largest cosine to a centre."""
    code = "code"
    if motion.settings.encoder.code_norm == "layer":
        code = nodes.add("LayerNormalization", code, nodes.constant(np.ones(motion.centres.shape[1])), axis=-1)
    length = nodes.add("ReduceL2", code, nodes.places(1), keepdims=1)
    codes = nodes.add("Div", code, length, name="codes")
    cosines = nodes.add("MatMul", codes, nodes.constant(motion.centres.T))
    largest = nodes.add("ReduceMax", cosines, nodes.places(1), keepdims=0)
    nodes.add("Clip", largest, nodes.constant(-1), nodes.constant(1), name="normality")
