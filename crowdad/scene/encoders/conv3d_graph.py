"""What is known of `Conv3dAutoEncoder` without torch: the shapes of its weights, and its ONNX graph.

The convolutions are matrix products here.  A tube has so few rows and columns that a matrix with all of a kernel's
places is small, and runtimes multiply matrices about three times as fast as they convolve in three dimensions.
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from crowdad.config import EncoderSettings, TubeSettings
from crowdad.scene.encoders._kind import Weights
from crowdad.scene.encoders._nodes import Nodes

__all__ = ["encode", "shapes"]

Array = npt.NDArray[np.float32]

_CHANNELS = 3  # what tubes tell of motion, see patches
_NARROW, _WIDE, _DECODER = 32, 64, 128
_BATCH_NORM_EPS = 1e-5  # torch's


def shapes(encoder: EncoderSettings, tubes: TubeSettings) -> dict[str, tuple[int, ...]]:
    """Name -> shape of each weight of the network of these settings, as `Conv3dAutoEncoder` has them."""
    code, kernel = encoder.code_dim, encoder.temporal_kernel
    layers = {
        "trunk.0": (_NARROW, _CHANNELS, kernel, 3, 3),
        "trunk.2": (_WIDE, _NARROW, kernel, tubes.rows, tubes.columns),
        "trunk.6": (_WIDE, _WIDE),
        "trunk.8": (code, _WIDE),
        "head.0": (_DECODER, code + 1),
        "head.2": (_DECODER, _DECODER),
        "head.4": (_CHANNELS * tubes.rows * tubes.columns, _DECODER),
    }
    found: dict[str, tuple[int, ...]] = {}
    for name, shape in layers.items():
        found[f"{name}.weight"], found[f"{name}.bias"] = shape, shape[:1]
    if encoder.code_norm == "batch":
        found |= {"norm.running_mean": (code + 1,), "norm.running_var": (code + 1,), "norm.num_batches_tracked": ()}
    return found


def encode(nodes: Nodes, inner: str, weights: Weights, encoder: EncoderSettings, tubes: TubeSettings) -> str:
    """From standardised features (N, C, T, rows, columns), named `inner`, to the code (N, D) of any length; its name.

    The last layers take nearly no time.  Raises KeyError or ValueError for weights that are another network's.
    """
    first, second = weights["trunk.0.weight"], weights["trunk.2.weight"]
    wide, _, taps, _, _ = second.shape
    inner = nodes.add("Transpose", inner, perm=[0, 2, 1, 3, 4])
    step_width = first.shape[1] * tubes.rows * tubes.columns
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
    code = _linear(nodes, inner, *_last_layer(weights, encoder.code_norm), name="code")
    if encoder.code_norm == "layer":
        code = nodes.add("LayerNormalization", code, nodes.constant(np.ones(encoder.code_dim + 1)), axis=-1)
    return code


def _with_neighbours(nodes: Nodes, inner: str, steps: int, taps: int) -> str:
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


def _summed_over_taps(nodes: Nodes, inner: str, steps: int, taps: int, width: int) -> str:
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


def _linear(nodes: Nodes, inner: str, weight: Array, bias: Array, name: str = "") -> str:
    return nodes.add("Gemm", inner, nodes.constant(weight), nodes.constant(bias), name=name, transB=1)


def _last_layer(weights: Weights, code_norm: str) -> tuple[Array, Array]:
    """The encoder's last layer with the constant coordinate, and what batch normalisation does to it."""
    weight, bias = weights["trunk.8.weight"], weights["trunk.8.bias"]
    weight = np.concatenate([weight, np.zeros((1, weight.shape[1]), np.float32)])
    bias = np.append(bias, np.float32(1))
    if code_norm == "batch":
        spread = np.sqrt(weights["norm.running_var"] + np.float32(_BATCH_NORM_EPS))
        weight, bias = weight / spread[:, None], (bias - weights["norm.running_mean"]) / spread
    return np.asarray(weight, np.float32), np.asarray(bias, np.float32)
