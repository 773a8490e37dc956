"""`crowdad watch` as a program: what it prints, its exit codes, and that it ends cleanly."""

from __future__ import annotations

import json
import shutil
import signal
import subprocess
import sys
import time
from dataclasses import dataclass
from pathlib import Path

import pytest
import typer
from typer.testing import CliRunner, Result

from crowdad.cli.main import app
from crowdad.cli.watching import _lag, duration
from crowdad.outputs.alerts import read_messages
from crowdad.outputs.alerts.messages import EventMessage, StatusMessage
from tests.conftest import write_video
from tests.tiny_scene import model_of, walkers


@pytest.fixture(scope="module")
def clip(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """People walk for 3 s, and then nobody moves for 2 s."""
    pictures = list(walkers(30, background_seed=1))
    return write_video(tmp_path_factory.mktemp("clip") / "clip.mp4", pictures + [pictures[-1]] * 20)


@pytest.fixture(scope="module")
def model(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return model_of().save(tmp_path_factory.mktemp("model") / "scene.safetensors")


@pytest.mark.parametrize(
    ("text", "expected"), [("90", 90), ("90s", 90), ("5m", 300), ("1h30m", 5400), ("2h", 7200), ("1:30:00", 5400)]
)
def test_durations(text: str, expected: float) -> None:
    assert duration(text) == expected


def test_what_is_no_duration_and_no_lag_is_refused() -> None:
    for wrong in ("5x", "m", "", "-3"):
        with pytest.raises(typer.BadParameter, match="is no time"):
            duration(wrong)
    assert (_lag("auto"), _lag("0"), _lag("12")) == (None, 0, 12)
    with pytest.raises(typer.BadParameter, match="is no lag"):
        _lag("-1")


@dataclass(frozen=True)
class Watched:
    """A watch of the clip that came to its end: how it was asked for, what it left and what it printed."""

    command: list[str]
    folder: Path
    told: Result

    def messages(self) -> list[EventMessage | StatusMessage]:
        return list(read_messages(self.folder / "events.jsonl"))


@pytest.fixture(scope="module")
def watched(clip: Path, model: Path, tmp_path_factory: pytest.TempPathFactory) -> Watched:
    folder = tmp_path_factory.mktemp("watched") / "watch"
    command = ["watch", str(clip), "--realtime", "-m", str(model), "--runtime", "torch"]
    return Watched(command, folder, CliRunner().invoke(app, [*command, "-o", str(folder)]))


def test_a_file_is_watched_to_its_end(watched: Watched) -> None:
    told = watched.told
    assert told.exit_code == 0, told.output
    assert {message.type for message in watched.messages()} >= {"new", "end", "status"}
    assert "event 1 new  anomaly 0." in told.output
    assert "event 1 end  anomaly 0." in told.output
    assert "clip.mp4: " in told.output
    assert "50 frames came, none skipped, 0 reconnects" in told.output


def test_a_quiet_watch_goes_on_and_prints_nothing(watched: Watched, tmp_path: Path) -> None:
    begun = shutil.copytree(watched.folder, tmp_path / "watch")
    quiet = CliRunner().invoke(app, [*watched.command, "-o", str(begun), "--quiet", "--duration", "1s"])
    assert (quiet.exit_code, quiet.output) == (0, "")


def test_only_wanted_kinds_are_told(watched: Watched, tmp_path: Path) -> None:
    events = [message for message in watched.messages() if message.type != "status"]
    assert f", {events[0].kind}: {events[0].sentence}" in watched.told.output
    unwanted = ",".join({event.kind for event in events})
    told = CliRunner().invoke(app, [*watched.command, "-o", str(tmp_path / "watch"), "--not-kinds", unwanted])
    assert told.exit_code == 0, told.output
    assert {message.type for message in read_messages(tmp_path / "watch" / "events.jsonl")} == {"status"}
    assert "event 1" not in told.output


def test_an_output_that_nobody_reads_does_not_end_a_watch(clip: Path, model: Path, tmp_path: Path) -> None:
    folder = tmp_path / "watch"
    command = [sys.executable, "-m", "crowdad", "watch", str(clip), "--realtime", "-m", str(model), "-o", str(folder)]
    with open("/dev/full", "w", encoding="utf-8") as full:
        ended = subprocess.run(command, stdout=full, stderr=subprocess.PIPE, text=True, check=False)
    assert ended.returncode == 0
    assert "a bug" not in ended.stderr
    assert {message.type for message in read_messages(folder / "events.jsonl")} >= {"new", "end"}
    assert json.loads((folder / "status.json").read_text())["frames_total"] == 50


@pytest.mark.parametrize("ending", [signal.SIGINT, pytest.param(signal.SIGTERM, marks=pytest.mark.slow)])
def test_ctrl_c_ends_open_events_and_leaves_with_130(ending: signal.Signals, model: Path, tmp_path: Path) -> None:
    long = write_video(tmp_path / "long.mp4", list(walkers(300, background_seed=1)))
    folder = tmp_path / "watch"
    command = [sys.executable, "-m", "crowdad", "watch", str(long), "--realtime", "-m", str(model), "-o", str(folder)]
    with subprocess.Popen(
        [*command, "--runtime", "torch", "--save-clips"], stderr=subprocess.PIPE, text=True
    ) as process:
        log = folder / "events.jsonl"
        while not (log.is_file() and '"new"' in log.read_text()):
            assert process.poll() is None
            time.sleep(0.1)
        process.send_signal(ending)
        assert process.stderr is not None
        notices = process.stderr.read()
        assert process.wait(120) == 130
    assert "crowdad: interrupted; all events up to now are in events.jsonl\n" in notices
    lines = [json.loads(line) for line in log.read_text().splitlines()]
    begun, ended = ({line["id"] for line in lines if line["type"] == kind} for kind in ("new", "end"))
    assert begun == ended
    assert [line["state"] for line in lines if line["type"] == "status"] == ["online", "offline"]
    assert json.loads((folder / "status.json").read_text())["ended"] == "interrupted"
    assert len(list((folder / "clips").glob("*.mp4"))) == 1
    assert not list((folder / "clips").glob("*.part"))


def test_mistakes_are_one_line_and_nothing_is_written(model: Path, tmp_path: Path, clip: Path) -> None:
    folder = tmp_path / "watch"
    for arguments, code, expected in (
        (["nowhere.mp4", "--realtime"], 1, "nowhere.mp4"),
        ([str(clip), "--realtime", "--mqtt", "broker"], 2, "give both --mqtt HOST and --topic"),
        ([str(clip), "--realtime", "--webhook", "ftp://x"], 2, "no http:// or https:// address"),
        ([str(clip), "--realtime", "--duration", "soon"], 2, "is no time"),
        ([str(clip), "--realtime", "-m", "nothing.safetensors"], 1, "no such model file"),
    ):
        told = CliRunner().invoke(app, ["watch", *arguments, "-o", str(folder)])
        assert told.exit_code == code, told.output
        assert expected in told.output + told.stderr
    assert not folder.exists() or not list(folder.iterdir())


def test_a_page_that_fails_is_told_once_and_does_not_end_the_watch(
    clip: Path, model: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fails(*_: object) -> None:
        raise ZeroDivisionError("of the page")

    monkeypatch.setattr("crowdad.page.board.Board.update", fails)
    command = ["watch", str(clip), "--realtime", "-m", str(model), "-o", str(tmp_path / "watch"), "--runtime", "torch"]
    told = CliRunner().invoke(app, [*command, "--page", "0"])
    assert told.exit_code == 0, told.output
    assert told.output.count("ZeroDivisionError") == 1
    assert any(message.type == "end" for message in read_messages(tmp_path / "watch" / "events.jsonl"))
