"""`crowdad info`: what a file says of itself is told as text, and steers no terminal."""

from __future__ import annotations

from pathlib import Path

import pytest

from crowdad.cli import main
from tests.tiny_scene import model_of


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
