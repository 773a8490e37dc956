"""A graph is checked against torch before anything is written, and written whole or not at all."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from crowdad.errors import ConfigError, GraphMismatchError, OutputExistsError, OutputNotWritableError
from crowdad.scene.runtimes import OnnxRuntime, onnx_graph
from crowdad.workflows import export, exporting
from tests.conftest import TinyCamera
from tests.tiny_scene import model_of


def test_a_written_graph_scores_as_torch_does(tiny_camera: TinyCamera, tmp_path: Path) -> None:
    path = tmp_path / "new" / "tiny.onnx"
    written = export(tiny_camera.model, output=path)
    assert [found.name for found in path.parent.iterdir()] == ["tiny.onnx"]
    assert written.path == path
    assert written.difference <= 1e-5
    features = np.random.default_rng(0).normal(1, 0.5, (100, 3, 5, 5, 3)).astype(np.float32)
    by_torch = tiny_camera.scene.motion.normality(features)
    np.testing.assert_allclose(OnnxRuntime(path).normality(features), by_torch, atol=1e-5)


@pytest.mark.parametrize("shift", [0.5, np.nan])
def test_a_graph_that_scores_otherwise_is_refused_and_nothing_is_written(
    shift: float, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    scene = model_of()
    model = scene.save(tmp_path / "tiny.safetensors")
    wrong = onnx_graph(replace(scene.motion, mean=scene.motion.mean + np.float32(shift)))
    monkeypatch.setattr(exporting, "onnx_graph", lambda motion: wrong)
    with pytest.raises(GraphMismatchError, match=r"(nan|[\d.]+).*0\.001"):
        export(model)
    assert [path.name for path in tmp_path.iterdir()] == ["tiny.safetensors"]


def test_an_output_that_cannot_be_is_refused(tmp_path: Path) -> None:
    model = model_of().save(tmp_path / "tiny.safetensors")
    with pytest.raises(ConfigError, match=r"\.onnx"):
        export(model, output=tmp_path / "tiny.xml")
    (tmp_path / "tiny.onnx").write_text("here")
    with pytest.raises(OutputExistsError, match=r"tiny\.onnx"):
        export(model)
    with pytest.raises(OutputNotWritableError, match=r"x\.onnx"):
        export(model, output=tmp_path / "tiny.onnx" / "x.onnx")
    assert (tmp_path / "tiny.onnx").read_text() == "here"
