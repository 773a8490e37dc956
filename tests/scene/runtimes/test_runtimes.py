"""Every runtime gives the normality that torch gives, whatever is asked of it at once."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import numpy.typing as npt
import onnx
import pytest

from crowdad.detection.detector import Detector
from crowdad.errors import GraphFormatError, ModelFormatError
from crowdad.scene.model import SceneModel
from crowdad.scene.runtimes import CHUNK, RUNTIMES, OnnxRuntime, Runtime, fingerprint, onnx_graph
from tests.tiny_scene import frames_of, model_of, moved_otherwise, scale_of, settings_of, walkers

NAMES = list(RUNTIMES)


def tubes_like(count: int, steps: int = 5, rows: int = 5, columns: int = 3) -> npt.NDArray[np.float32]:
    return np.random.default_rng(3).normal(1, 0.5, (count, 3, steps, rows, columns)).astype(np.float32)


def spread_scene(*overrides: str) -> SceneModel:
    """A random model whose standardisation and norms do something."""
    scene = model_of(settings=settings_of(*overrides))
    motion = scene.motion
    rng = np.random.default_rng(5)
    weights = dict(motion.weights)
    if "norm.running_var" in weights:
        weights["norm.running_mean"] = rng.normal(size=9).astype(np.float32)
        weights["norm.running_var"] = rng.uniform(0.5, 2, 9).astype(np.float32)
    return moved_otherwise(
        scene,
        weights=weights,
        mean=rng.normal(1, 0.3, motion.mean.shape).astype(np.float32),
        spread=rng.uniform(0.3, 2, motion.spread.shape).astype(np.float32),
    )


@pytest.fixture(scope="module", params=NAMES)
def runtime(request: pytest.FixtureRequest) -> Runtime:
    """Each runtime with the graph of `spread_scene()`."""
    return RUNTIMES[request.param](spread_scene().motion)


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize(
    "overrides",
    [
        ("encoder.code_norm=none",),
        ("encoder.code_norm=batch",),
        ("encoder.code_norm=layer",),
        ("encoder.temporal_kernel=1", "tubes.steps=1"),
        ("encoder.temporal_kernel=5", "tubes.steps=4", "tubes.rows=4", "tubes.columns=5", "encoder.code_dim=3"),
    ],
)
def test_whatever_the_encoder_the_graph_scores_as_torch_does(name: str, overrides: tuple[str, ...]) -> None:
    scene = spread_scene(*overrides)
    tubes = scene.settings.tubes
    features = tubes_like(70, tubes.steps, tubes.rows, tubes.columns)
    graph = RUNTIMES[name](scene.motion)
    np.testing.assert_allclose(graph.normality(features), scene.motion.normality(features), atol=2e-6)
    np.testing.assert_allclose(graph.codes(features), scene.motion.codes(features), atol=2e-6)


@pytest.mark.parametrize("count", [0, 1, CHUNK - 1, CHUNK, 2 * CHUNK + 3])
def test_any_number_of_tubes_scores_as_torch_scores_them(runtime: Runtime, count: int) -> None:
    features = tubes_like(count)
    found = runtime.normality(features)
    assert found.shape == (count,)
    assert found.dtype == np.float32
    np.testing.assert_allclose(found, spread_scene().motion.normality(features), atol=2e-6)


def test_a_tube_scores_the_same_beside_others(runtime: Runtime) -> None:
    features = tubes_like(CHUNK + 9)
    alone = np.concatenate([runtime.normality(features[i : i + 1]) for i in range(3)])
    np.testing.assert_allclose(alone, runtime.normality(features)[:3], atol=1e-6)


def test_a_fingerprint_is_of_what_scores_and_of_nothing_else(tmp_path: object) -> None:
    scene = spread_scene()
    own, weights = fingerprint(scene.motion), scene.motion.weights
    assert fingerprint(replace(scene, scale=scale_of(gap=2), provenance={}).motion) == own
    for changed in (
        moved_otherwise(scene, mean=scene.motion.mean + 1),
        moved_otherwise(scene, centres=scene.motion.centres[::-1]),
        moved_otherwise(scene, weights={**weights, "trunk.8.bias": weights["trunk.8.bias"] + 1}),
        moved_otherwise(scene, settings=settings_of("encoder.code_norm=none")),
    ):
        assert fingerprint(changed.motion) != own


@pytest.mark.parametrize("graph", [b"", b"no graph at all\n" * 9])
def test_what_is_no_graph_is_one_line(graph: bytes, tmp_path) -> None:
    path = tmp_path / "scene.onnx"
    path.write_bytes(graph)
    for given in (graph, path):
        with pytest.raises(GraphFormatError, match="crowdad export") as refused:
            OnnxRuntime(given)
        assert "\n" not in str(refused.value)


def test_one_input_two_outputs_and_any_number_of_tubes() -> None:
    graph = onnx_graph(model_of().motion).graph
    shapes = {
        part.name: [side.dim_param or side.dim_value for side in part.type.tensor_type.shape.dim]
        for part in (*graph.input, *graph.output)
    }
    assert shapes == {"features": ["tubes", 3, 5, 5, 3], "normality": ["tubes"], "codes": ["tubes", 9]}
    kinds = {part.type.tensor_type.elem_type for part in (*graph.input, *graph.output)}
    assert kinds == {onnx.TensorProto.FLOAT}


def test_another_encoders_weights_are_refused() -> None:
    scene = model_of()
    scene.motion.weights.pop("trunk.6.weight")
    with pytest.raises(ModelFormatError, match=r"crowdad\.fit"):
        onnx_graph(scene.motion)


@pytest.mark.parametrize("name", ["torch", *NAMES])
def test_a_model_whose_scores_are_no_numbers_is_refused(name: str) -> None:
    """Its frames would read as nothing unusual."""
    scene = model_of()
    scene = moved_otherwise(scene, mean=np.full_like(scene.motion.mean, 3e38))
    runtime = None if name == "torch" else RUNTIMES[name](scene.motion)
    with pytest.raises(ModelFormatError, match=r"not a number \(NaN\)"):
        list(Detector(scene, runtime=runtime).run(frames_of(walkers(30))))
