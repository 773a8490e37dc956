"""Motion as one graph, written node by node: neither torch nor its exporter is needed.

Standardisation, encoder, unit norm and centres are inside; flow and tubes stay outside.
The encoder's kind writes its own nodes.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt

from crowdad.errors import ConfigError, ModelFormatError
from crowdad.scene.encoders import Nodes, encoder_kind
from crowdad.scene.runtimes._base import fingerprint
from crowdad.scene.streams import Motion

__all__ = ["onnx_graph"]

Array = npt.NDArray[np.float32]

_OPSET, _IR_VERSION = 20, 9  # Gelu came with opset 20; IR 9 is the oldest that carries it


def onnx_graph(motion: Motion) -> Any:
    """Motion as an `onnx.ModelProto`: "features" float32 (N, C, T, rows, columns) ->
    "normality" float32 (N,) and "codes" float32 (N, D), rows of length 1.

    N is free.  Raises ModelFormatError where the weights are not those of the encoder that is known here, ConfigError
    for a kind of encoder that has no graph.
    """
    from onnx import TensorProto, checker, helper

    settings = motion.settings
    encode = encoder_kind(settings.encoder).graph
    if encode is None:
        raise ConfigError(f"an encoder of kind {settings.encoder.kind!r} has no ONNX graph; use --runtime torch")
    nodes = Nodes()
    inner = nodes.add("Sub", "features", nodes.constant(motion.mean))
    inner = nodes.add("Div", inner, nodes.constant(motion.spread))
    try:
        code = encode(nodes, inner, motion.weights, settings.encoder, settings.tubes)
    except (KeyError, ValueError) as error:
        raise ModelFormatError(
            "the model's encoder does not fit its own settings; fit the scene again with: crowdad fit"
        ) from error
    _compare(nodes, code, motion.centres)
    tubes = settings.tubes
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


def _compare(nodes: Nodes, code: str, centres: Array) -> None:
    """From a code to "codes", (N, D) of length 1, and to "normality", (N,): the largest cosine to a centre."""
    length = nodes.add("ReduceL2", code, nodes.places(1), keepdims=1)
    codes = nodes.add("Div", code, length, name="codes")
    cosines = nodes.add("MatMul", codes, nodes.constant(centres.T))
    largest = nodes.add("ReduceMax", cosines, nodes.places(1), keepdims=0)
    nodes.add("Clip", largest, nodes.constant(-1), nodes.constant(1), name="normality")
