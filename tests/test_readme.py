"""The commands of README and of docs/events.md do what is said there, on footage of a few seconds."""

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
from crowdad.scene.streams import KINDS, STREAMS
from crowdad.sources import open_source
from crowdad.workflows import run_start
from tests.conftest import TinyCamera, write_video
from tests.page.made_up import status

README = (Path(__file__).parents[1] / "README.md").read_text(encoding="utf-8")
USE_IT = README.partition("## Use it")[2].partition("\nA source is")[0]
EVENTS = (Path(__file__).parents[1] / "docs" / "events.md").read_text(encoding="utf-8")


def commands_of(text: str) -> list[list[str]]:
    return [shlex.split(line, comments=True) for line in re.findall(r"^    (crowdad .*)$", text, re.MULTILINE)]


COMMANDS = commands_of(USE_IT)


def with_footage(folder: Path, video: Path) -> None:
    """Put the video where the commands look for footage."""
    for name in ("video.mp4", "monday.mp4", "night/one.mp4", "normal/one.mp4", "week/one.mp4"):
        (folder / name).parent.mkdir(exist_ok=True)
        shutil.copy(video, folder / name)


@pytest.fixture
def footage(tiny_camera: TinyCamera, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A working folder with all that the commands name; what they would learn is there already."""
    with_footage(tmp_path, tiny_camera.unusual)
    ticked = {"format": "crowdad false alarms", "version": 1, "spans": []}
    (tmp_path / "false-alarms.json").write_text(json.dumps(ticked))
    monkeypatch.chdir(tmp_path)

    def fit(*_: Any, output: Path, **__: Any) -> SceneModel:
        tiny_camera.scene.save(output)
        return tiny_camera.scene

    monkeypatch.setattr(workflows, "fit", fit)
    monkeypatch.setattr(run_start, "_fit_on_itself", lambda *_: tiny_camera.scene)
    return tmp_path


def test_the_commands_run_one_after_the_other(
    footage: Path, tiny_camera: TinyCamera, monkeypatch: pytest.MonkeyPatch
) -> None:
    short = [frame.luma for frame in open_source(tiny_camera.unusual, end_s=4).frames()]
    with_footage(footage, write_video(footage / "short.mp4", short))
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
        assert crowdad.read_results(footage / run / "results.json").counts.scored == 40


def table_of(text: str) -> list[list[str]]:
    """Cells of the first table's rows, without its head."""
    rows = [line.strip("|").split("|") for line in text.splitlines() if line.startswith("|")]
    return [[cell.strip().replace("`", "") for cell in row] for row in rows[2:]]


def test_every_kind_of_event_and_every_stream_is_described() -> None:
    kinds, _, streams = EVENTS.partition("## Streams of evidence")
    told = {kind: stream.split(", ") for kind, _, stream in table_of(kinds)}
    assert list(told) == list(KINDS)
    assert told == {kind: [name for name, stream in STREAMS.items() if kind in stream.kinds] for kind in KINDS}
    assert [row[0] for row in table_of(streams)] == list(STREAMS)


def test_kinds_of_events_are_chosen_as_their_page_says(
    footage: Path, tiny_camera: TinyCamera, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked: list[tuple[str, ...]] = []

    def watch(_: str, options: Any, **__: Any) -> WatchStatus:
        asked.append(options.scoring.settings.events.not_kinds)
        return status(phase="ended")

    monkeypatch.setattr(workflows, "watch", watch)
    tiny_camera.scene.save(footage / "gate3.safetensors")
    for _, *command in commands_of(EVENTS):
        more = ["--no-overlay", "--no-report", "--threshold", "0.03"] if command[0] == "detect" else []
        with pytest.raises(SystemExit) as leaving:
            main([*command, *more])
        assert leaving.value.code == 0, command
    assert asked == [("where nobody goes",)]
    kinds = {
        run: {event.kind for event in crowdad.read_results(footage / "runs" / run / "results.json").events}
        for run in ("chosen", "others", "all")
    }
    assert kinds["chosen"] <= {"fast", "against the stream"}
    assert not kinds["others"] & {"stays", "left behind"}
    assert kinds["chosen"] < kinds["all"]
