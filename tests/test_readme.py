"""README's commands do what README says, on footage of a few seconds."""

from __future__ import annotations

import json
import re
import shlex
import shutil
from pathlib import Path
from typing import Any

import pytest

import crowdad
from crowdad import workflows
from crowdad.cli import main
from crowdad.outputs.watch_status import WatchStatus
from crowdad.scene.model import SceneModel
from crowdad.workflows import run_start
from tests.conftest import TinyCamera
from tests.page.made_up import status

README = (Path(__file__).parents[1] / "README.md").read_text(encoding="utf-8")
USE_IT = README.partition("## Use it")[2].partition("\nA source is")[0]
COMMANDS = [shlex.split(line, comments=True) for line in re.findall(r"^    (crowdad .*)$", USE_IT, re.MULTILINE)]


@pytest.fixture
def footage(tiny_camera: TinyCamera, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A working folder with all that the commands name; what they would learn is there already."""
    for name in ("video.mp4", "monday.mp4", "night/one.mp4", "normal/one.mp4", "week/one.mp4"):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        shutil.copy(tiny_camera.unusual, tmp_path / name)
    ticked = {"format": "crowdad false alarms", "version": 1, "spans": []}
    (tmp_path / "false-alarms.json").write_text(json.dumps(ticked))
    monkeypatch.chdir(tmp_path)

    def fit(*_: Any, output: Path, **__: Any) -> SceneModel:
        tiny_camera.scene.save(output)
        return tiny_camera.scene

    monkeypatch.setattr(workflows, "fit", fit)
    monkeypatch.setattr(run_start, "_fit_on_itself", lambda *_: tiny_camera.scene)
    return tmp_path


def test_the_commands_run_one_after_the_other(footage: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    watched: list[str] = []

    def watch(camera: str, *_: Any, **__: Any) -> WatchStatus:
        watched.append(camera)
        return status(phase="ended")

    monkeypatch.setattr(workflows, "watch", watch)
    verbs = {command[1] for command in COMMANDS}
    assert verbs == {"detect", "fit", "watch", "overlay", "export", "info"}
    for _, *command in COMMANDS:
        words = [
            word for given in command for word in (sorted(map(str, Path().glob(given))) if "*" in given else [given])
        ]
        if words[0] in ("fit", "export"):
            words.append("--overwrite")  # README makes one model in three ways
        with pytest.raises(SystemExit) as leaving:
            main(words)
        assert leaving.value.code == 0, command
    assert watched == ["rtsp://host/stream"]
    for name in ("gate3.safetensors", "gate3.onnx", "gate3.png", "people.png", "runs/monday/overlay.mp4"):
        assert (footage / name).is_file(), name
    for run in ("runs/video", "runs/monday", "runs/one"):
        assert crowdad.read_results(footage / run / "results.json").counts.scored == 120
