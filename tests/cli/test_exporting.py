"""`crowdad export` as a person meets it."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from crowdad.cli import main
from crowdad.export import writing
from crowdad.runtimes import GRAPH_RUNTIMES
from crowdad.runtimes import _base as base
from tests.tiny_scene import model_of


class Crowd:
    """In the place of a drawn crowd: a few tubes, and the same frame AUC for everybody."""

    def __init__(self, *_: object) -> None:
        pass

    def features(self) -> np.ndarray:
        return np.ones((7, 3, 5, 5, 3), np.float32)

    def frame_auc(self, runtime: object) -> float:
        return 0.9


@pytest.fixture
def model(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setattr(writing, "DrawnCrowd", Crowd)
    return model_of().save(tmp_path / "gate.safetensors")


def run(*arguments: object) -> int | str | None:
    """The exit code of `crowdad export ARGUMENTS`."""
    with pytest.raises(SystemExit) as leaving:
        main(["export", *map(str, arguments)])
    return leaving.value.code


@pytest.mark.parametrize("form", GRAPH_RUNTIMES)
def test_a_graph_is_written_beside_its_model(form: str, model: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert run(model, "--format", form) == 0
    path = model.with_suffix(GRAPH_RUNTIMES[form].suffix)
    assert path.is_file()
    shown = capsys.readouterr().out
    assert f"{path}: off torch by at most" in shown
    assert "on 7 tubes" in shown
    assert f"detect FOOTAGE --model {model} --runtime {form}" in shown
    assert run(model, "--format", form) == 1
    assert "--overwrite" in capsys.readouterr().err
    assert run(model, "--format", form, "--overwrite", "--quiet") == 0
    assert capsys.readouterr().out == ""


def test_8_bits_tell_what_they_cost(model: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert run(model, "--int8", "-o", tmp_path / "small.onnx") == 0
    shown = capsys.readouterr().out
    assert "0.9000 in 32 bits, 0.9000 in 8: 0.00 points lost" in shown
    assert "next:" not in shown, "detect looks beside the model only"


@pytest.mark.parametrize(
    ("arguments", "code", "told"),
    [
        (["--format", "tflite"], 2, "choose onnx or openvino"),
        (["--format", "openvino", "--int8"], 2, "8 bits are there for onnx only"),
        (["-o", "gate.xml"], 2, "a graph for onnx ends in .onnx"),
        (["-o", "gate.safetensors/gate.onnx"], 1, "cannot be written"),
    ],
)
def test_what_cannot_be_had_is_one_line(
    arguments: list[str],
    code: int,
    told: str,
    model: Path,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.chdir(model.parent)
    assert run(model, *arguments) == code
    (line,) = capsys.readouterr().err.splitlines()
    assert line.startswith("crowdad: ")
    assert told in line
    assert [path.name for path in model.parent.iterdir()] == ["gate.safetensors"]


def test_a_missing_extra_and_a_missing_model_are_one_line(
    model: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    assert run(model.with_name("none.safetensors")) == 1
    assert "no such model file" in capsys.readouterr().err
    monkeypatch.setattr(base, "find_spec", lambda module: None)
    assert run(model) == 1
    (line,) = capsys.readouterr().err.splitlines()
    assert "pip install 'crowdad[onnx]'" in line
