"""Graphs are checked against torch before anything is written, and written whole or not at all."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import numpy.typing as npt
import onnx
import pytest

from crowdad.errors import ConfigError, GraphMismatchError, ModelFormatError, OutputNotWritableError
from crowdad.export import FORMATS, checked_graph, export_scene, onnx_graph, writing
from crowdad.runtimes import GRAPH_RUNTIMES, Runtime, fingerprint
from crowdad.scene import SceneModel
from tests.conftest import TinyCamera
from tests.tiny_scene import model_of

FILES = {"onnx": ["tiny.onnx"], "openvino": ["tiny.bin", "tiny.xml"]}


class FakeCrowd:
    """In the place of a drawn crowd: tubes at random, and frame AUCs as they are handed out."""

    aucs: tuple[float, ...] = ()

    def __init__(self, scene: SceneModel, duration_s: float) -> None:
        self._left = iter(self.aucs)

    def features(self) -> npt.NDArray[np.float32]:
        return np.random.default_rng(0).normal(1, 0.5, (100, 3, 5, 5, 3)).astype(np.float32)

    def frame_auc(self, runtime: Runtime) -> float:
        return next(self._left)


@pytest.fixture
def fake_crowd(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(writing, "DrawnCrowd", FakeCrowd)


@pytest.mark.parametrize("form", FORMATS)
def test_a_written_graph_scores_as_torch_does_and_knows_its_scene(
    form: str, tiny_camera: TinyCamera, tmp_path: Path
) -> None:
    path = tmp_path / "new" / f"tiny{FORMATS[form]}"
    written = export_scene(tiny_camera.scene, path, form=form)
    assert sorted(found.name for found in path.parent.iterdir()) == FILES[form]
    assert written.path == path
    assert written.tubes > 1000
    assert written.difference <= 1e-5
    runtime = GRAPH_RUNTIMES[form](path)
    assert runtime.fingerprint == fingerprint(tiny_camera.scene)
    features = np.random.default_rng(0).normal(1, 0.5, (100, 3, 5, 5, 3)).astype(np.float32)
    np.testing.assert_allclose(runtime.normality(features), tiny_camera.scene.normality(features), atol=1e-5)


def test_one_input_two_outputs_and_any_number_of_tubes() -> None:
    graph = onnx_graph(model_of()).graph
    shapes = {
        part.name: [side.dim_param or side.dim_value for side in part.type.tensor_type.shape.dim]
        for part in (*graph.input, *graph.output)
    }
    assert shapes == {"features": ["tubes", 3, 5, 5, 3], "normality": ["tubes"], "codes": ["tubes", 9]}
    kinds = {part.type.tensor_type.elem_type for part in (*graph.input, *graph.output)}
    assert kinds == {onnx.TensorProto.FLOAT}


def test_another_encoders_weights_are_refused() -> None:
    scene = model_of()
    scene.weights.pop("trunk.6.weight")
    with pytest.raises(ModelFormatError, match="fit the scene again"):
        onnx_graph(scene)


@pytest.mark.usefixtures("fake_crowd")
@pytest.mark.parametrize("form", FORMATS)
@pytest.mark.parametrize("shift", [0.5, np.nan])
def test_a_graph_that_scores_otherwise_is_refused_and_nothing_is_written(
    form: str, shift: float, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    scene = model_of()
    wrong = onnx_graph(replace(scene, mean=scene.mean + np.float32(shift)))
    monkeypatch.setattr(writing, "onnx_graph", lambda scene: wrong)
    with pytest.raises(GraphMismatchError, match=r"off torch's by (nan|[\d.]+), at most 0\.001"):
        export_scene(scene, tmp_path / f"tiny{FORMATS[form]}", form=form)
    assert not list(tmp_path.iterdir())
    with pytest.raises(GraphMismatchError):
        checked_graph(scene)


@pytest.mark.usefixtures("fake_crowd")
def test_8_bits_are_written_with_what_they_cost(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(FakeCrowd, "aucs", (0.95, 0.948))
    scene, path = model_of(), tmp_path / "tiny.onnx"
    written = export_scene(scene, path, int8=True)
    assert (written.auc, written.auc_int8) == (0.95, 0.948)
    assert 1e-6 < written.difference < 0.05, "8 bits are not 32"
    assert path.stat().st_size < 0.5 * len(onnx_graph(scene).SerializeToString())
    assert GRAPH_RUNTIMES["onnx"](path).fingerprint == fingerprint(scene)


@pytest.mark.usefixtures("fake_crowd")
@pytest.mark.parametrize(
    ("aucs", "told"),
    [((0.95, 0.946), r"falls from 0\.9500 to 0\.9460"), ((0.7, 0.7), r"is 0\.70 in 32 bits, at least 0\.8 is needed")],
)
def test_8_bits_are_refused_where_they_cost_too_much_or_that_cannot_be_told(
    aucs: tuple[float, float], told: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(FakeCrowd, "aucs", aucs)
    with pytest.raises(GraphMismatchError, match=f"{told}.*leave out --int8"):
        export_scene(model_of(), tmp_path / "tiny.onnx", int8=True)
    assert not list(tmp_path.iterdir())


def test_what_cannot_be_had_is_one_line(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="'tflite' is unknown; choose onnx or openvino"):
        export_scene(model_of(), tmp_path / "scene.tflite", form="tflite")
    with pytest.raises(ConfigError, match="8 bits are there for onnx only"):
        export_scene(model_of(), tmp_path / "scene.xml", form="openvino", int8=True)
    (tmp_path / "file").write_text("here")
    with pytest.raises(OutputNotWritableError, match="the graph cannot be written"):
        writing._written(tmp_path / "file" / "scene.onnx", writing._bytes_to(b"graph"))
    assert [path.name for path in tmp_path.iterdir()] == ["file"]
