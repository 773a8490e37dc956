"""`crowdad export` as a person meets it."""

from __future__ import annotations

from pathlib import Path

import pytest

from crowdad.cli import main
from tests.tiny_scene import model_of


@pytest.fixture
def model(tmp_path: Path) -> Path:
    return model_of().save(tmp_path / "gate.safetensors")


def run(*arguments: object) -> int | str | None:
    """The exit code of `crowdad export ARGUMENTS`."""
    with pytest.raises(SystemExit) as leaving:
        main(["export", *map(str, arguments)])
    return leaving.value.code


def test_a_graph_is_written_beside_its_model(model: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert run(model) == 0
    path = model.with_suffix(".onnx")
    assert path.is_file()
    assert f"{path}: off torch by at most" in capsys.readouterr().out
    assert run(model) == 1
    assert "--overwrite" in capsys.readouterr().err
    assert run(model, "--overwrite", "--quiet") == 0
    assert capsys.readouterr().out == ""


@pytest.mark.parametrize(
    ("arguments", "code", "told"),
    [
        (["-o", "gate.xml"], 2, ".onnx"),
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


def test_a_missing_model_is_one_line(model: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert run(model.with_name("none.safetensors")) == 1
    (line,) = capsys.readouterr().err.splitlines()
    assert "none.safetensors" in line
