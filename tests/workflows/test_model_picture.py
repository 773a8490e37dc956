"""A model's picture: written whole, beside the model or where asked for."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from crowdad.cli import main
from crowdad.errors import ConfigError, OutputExistsError, OutputNotWritableError
from crowdad.workflows import fit, portray
from crowdad.workflows.model_picture import picture_beside
from tests.conftest import TinyCamera
from tests.tiny_scene import model_of

PNG = b"\x89PNG"


def run(*arguments: object) -> int:
    with pytest.raises(SystemExit) as leaving:
        main([str(argument) for argument in arguments])
    return int(leaving.value.code or 0)


@pytest.mark.parametrize("losses", [[0.5, 0.4], "many", [0.5, "nan"], None])
def test_whatever_the_file_says_of_its_losses_it_is_drawn(losses: object, tmp_path: Path) -> None:
    scene = model_of()
    scene = replace(scene, provenance={**scene.provenance, "losses": losses})
    path = portray(scene, tmp_path / "new" / "gate.png", name="gate")
    assert path.read_bytes().startswith(PNG)
    assert [file.name for file in path.parent.iterdir()] == ["gate.png"]


def test_a_place_that_is_no_png_or_cannot_be_written_is_one_line(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match=r"gate\.jpg: .*gate\.png"):
        portray(model_of(), tmp_path / "gate.jpg", name="gate")
    (tmp_path / "taken").write_text("a file")
    with pytest.raises(OutputNotWritableError, match="give another place"):
        portray(model_of(), tmp_path / "taken" / "gate.png", name="gate")


def test_a_picture_never_lies_where_its_model_does() -> None:
    assert picture_beside(Path("a/gate.safetensors")) == Path("a/gate.png")
    assert picture_beside(Path("a/gate.png")) == Path("a/gate.png.png")


def test_an_earlier_picture_is_kept_before_minutes_are_spent(tiny_camera: TinyCamera, tmp_path: Path) -> None:
    (tmp_path / "gate.png").write_text("mine")
    with pytest.raises(OutputExistsError, match=r"gate\.png: .*picture=False"):
        fit(tiny_camera.normal, output=tmp_path / "gate.safetensors", picture=True)
    assert not (tmp_path / "gate.safetensors").exists()
    assert (tmp_path / "gate.png").read_text() == "mine"


def test_info_draws_models(tiny_camera: TinyCamera, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    picture = tmp_path / "gate.png"
    assert run("info", tiny_camera.model, "--picture", picture) == 0
    assert f"look at {picture}" in capsys.readouterr().out
    assert picture.read_bytes().startswith(PNG)
