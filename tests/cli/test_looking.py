"""`crowdad info`: what a file says of itself is told as text, and steers no terminal."""

from __future__ import annotations

from pathlib import Path

import pytest

from crowdad.cli import main
from tests.conftest import write_video
from tests.tiny_scene import model_of, walkers


def test_a_model_steers_no_terminal_and_tells_no_login(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    scene = model_of()
    scene.provenance["sources"] = ["\x1b]0;owned\x07\x1b[2Jgate.mp4\r\n", "rtsp://me:hush@camera/user=me_password=hush"]
    path = scene.save(tmp_path / "scene.safetensors")
    with pytest.raises(SystemExit) as leaving:
        main(["info", str(path)])
    assert not leaving.value.code
    shown = capsys.readouterr().out
    assert r"\x1b]0;owned\x07\x1b[2Jgate.mp4\r\n, rtsp://camera" in shown
    assert all(sign.isprintable() or sign == "\n" for sign in shown)
    assert "hush" not in shown


def test_a_picture_is_refused_for_more_than_one_before_any_is_drawn(tmp_path: Path) -> None:
    models = [str(model_of().save(tmp_path / f"{name}.safetensors")) for name in "ab"]
    with pytest.raises(SystemExit) as leaving:
        main(["info", *models, "--picture", str(tmp_path / "gate.png")])
    assert leaving.value.code == 2
    assert not (tmp_path / "gate.png").exists()


def test_a_picture_of_a_run_is_refused(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "results.json").touch()
    with pytest.raises(SystemExit) as leaving:
        main(["info", str(tmp_path), "--picture", str(tmp_path / "gate.png")])
    assert leaving.value.code == 2
    assert "a run's folder" in capsys.readouterr().err


def test_a_wrong_height_is_refused_before_anything_is_told(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    clip = write_video(tmp_path / "clip.mp4", list(walkers(5)))
    with pytest.raises(SystemExit) as leaving:
        main(["info", str(clip), "--person-height", "-3"])
    assert leaving.value.code == 2
    assert capsys.readouterr().out == ""


def test_a_height_beside_a_model_is_refused(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as leaving:
        main(["info", str(model_of().save(tmp_path / "gate.safetensors")), "--person-height", "95"])
    assert leaving.value.code == 2
    assert "--person-height" in capsys.readouterr().err


def test_a_given_height_is_told_for_each_of_several_videos(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    clips = [str(write_video(tmp_path / f"{name}.mp4", list(walkers(20)))) for name in "ab"]
    with pytest.raises(SystemExit) as leaving:
        main(["info", *clips, "--person-height", "40"])
    assert leaving.value.code == 0
    assert capsys.readouterr().out.count(": given\n") == 2
