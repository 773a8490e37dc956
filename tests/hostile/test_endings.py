"""What fails costs only itself: streams nobody reads, footage that changes, foreign errors, one input of several."""

from __future__ import annotations

import io
import multiprocessing.context
import os
import signal
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, NoReturn

import pytest
import typer

import crowdad
from crowdad.cli.ending import guarded
from crowdad.cli.streams import lasting_streams
from crowdad.detection.detector import Detector
from crowdad.errors import FleetError, SourceError, UnreadableSourceError, line_of
from crowdad.workflows.batch.fleet import LocalFleet
from crowdad.workflows.progress import Stage
from tests.conftest import write_folder
from tests.hostile.conftest import Program
from tests.hostile.footage import plain
from tests.tiny_scene import walkers

QUICK = ("--no-overlay", "--no-report")


def scored(folder: Path) -> int:
    return crowdad.read_results(folder / "results.json").counts.scored


@pytest.fixture
def two(tiny_model: Path, tmp_path: Path, crowdad_program: Program) -> Callable[..., Any]:
    """Run detect over two clips with more options; checks that both were scored."""

    def run(*more: object) -> Any:
        clips = [plain(tmp_path / f"{name}.mp4", 12) for name in ("one", "two")]
        ended = crowdad_program("detect", *clips, "-m", tiny_model, "-o", tmp_path / "runs", *QUICK, *more)
        assert [scored(tmp_path / "runs" / name) for name in ("one", "two")] == [12, 12]
        return ended

    return run


def test_a_full_output_is_told_once_and_stops_nothing(two: Callable[..., Any], monkeypatch: pytest.MonkeyPatch) -> None:
    with open("/dev/full", "w", encoding="utf-8") as full:
        monkeypatch.setattr("sys.stdout", full)
        ended = two()
    assert ended.code == 0
    assert ended.errors == ["crowdad: what is printed cannot be written (No space left on device); the work goes on"]


def test_an_output_whose_reader_has_left_stops_nothing(
    two: Callable[..., Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    reader, writer = os.pipe()
    os.close(reader)
    with os.fdopen(writer, "w", encoding="utf-8") as pipe:
        monkeypatch.setattr("sys.stdout", pipe)
        ended = two()
    assert (ended.code, ended.errors) == (0, [])


def test_closed_streams_stop_nothing(two: Callable[..., Any], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("sys.stdout", None)
    monkeypatch.setattr("sys.stderr", None)
    assert two().code == 0


def test_numbers_of_closed_streams_are_not_given_to_files(tiny_model: Path) -> None:
    told = "import os, sys; from crowdad.cli import main; main(sys.argv[1:])"
    command = f'exec {sys.executable} -c "{told}" info {tiny_model} >&- 2>&-'
    assert subprocess.run(["sh", "-c", command], check=False).returncode == 0


def test_signs_that_the_output_lacks_are_escaped(monkeypatch: pytest.MonkeyPatch) -> None:
    out = io.TextIOWrapper(io.BytesIO(), encoding="cp1252")
    monkeypatch.setattr("sys.stdout", out)
    with lasting_streams():
        print("広場.mp4")
    assert out.buffer.getvalue() == b"\\u5e83\\u5834.mp4\n"  # type: ignore[attr-defined]


def changing(change: Callable[[], object]) -> Callable[[Stage], None]:
    """A progress that has something happen to the footage while it is scored."""
    happened = []

    def tell(stage: Stage) -> None:
        if stage.what == "scoring" and stage.done == 5 and not happened:
            happened.append(change())

    return tell


@pytest.mark.parametrize("what", ["removed", "grown", "replaced", "written again"])
def test_footage_that_changes_while_it_is_scored_has_no_result(what: str, tiny_model: Path, tmp_path: Path) -> None:
    clip, other = plain(tmp_path / "clip.mp4", 30), plain(tmp_path / "other.mp4", 20)

    def change() -> None:
        if what == "removed":
            clip.unlink()
        elif what == "replaced":
            os.replace(other, clip)
        else:
            clip.write_bytes((clip.read_bytes() if what == "grown" else b"") + other.read_bytes())

    words = "removed" if what == "removed" else "changed"
    with pytest.raises(SourceError, match=words):
        crowdad.detect(clip, model=tiny_model, output=tmp_path / "run", progress=changing(change))
    assert not (tmp_path / "run" / "results.json").exists()


def test_a_folder_that_loses_pictures_while_it_is_scored_has_no_result(tiny_model: Path, tmp_path: Path) -> None:
    folder = write_folder(tmp_path / "clip", list(walkers(20)))
    gone = changing((folder / "018.png").unlink)
    with pytest.raises(UnreadableSourceError, match="changed"):
        crowdad.detect(folder, model=tiny_model, output=tmp_path / "run", progress=gone, report=False)


@pytest.mark.parametrize(
    ("error", "words"),
    [
        (MemoryError(), "there is too little memory for it"),
        (RuntimeError("can't start new thread"), "there is too little memory for it"),
        (OSError(5, "Input/output error", "/disk/x"), "/disk/x cannot be read or written (Input/output error)"),
        (ZeroDivisionError("by zero"), "a bug in crowdad (ZeroDivisionError: by zero)"),
    ],
)
def test_what_nobody_foresaw_costs_one_input_and_the_others_go_on(
    error: Exception,
    words: str,
    tiny_model: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    crowdad_program: Program,
) -> None:
    run = Detector.run

    def fail_once(self: Detector, *arguments: Any, **more: Any) -> Iterator[Any]:
        monkeypatch.setattr(Detector, "run", run)
        raise error

    monkeypatch.setattr(Detector, "run", fail_once)
    clips = [plain(tmp_path / f"{name}.mp4", 12) for name in ("one", "two")]
    ended = crowdad_program("detect", *clips, "-m", tiny_model, "-o", tmp_path / "runs", *QUICK, "-q")
    assert (ended.code, len(ended.errors)) == (1, 1)
    assert ended.errors[0].startswith(f"crowdad: {clips[0]}: {words}")
    assert scored(tmp_path / "runs" / "two") == 12


def test_names_that_are_no_folder_are_one_line(
    tiny_model: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, crowdad_program: Program
) -> None:
    monkeypatch.chdir(tmp_path)
    clip = plain(tmp_path / "clip.mp4", 12)
    ended = crowdad_program("detect", clip, "-m", tiny_model, "-o", "n" * 300)
    assert (ended.code, len(ended.errors)) == (1, 1)
    assert "the name is too long" in ended.errors[0]
    for verb in (("detect", clip), ("fit", clip), ("watch", clip, "--realtime"), ("demo",)):
        ended = crowdad_program(*verb, "-o", "")
        assert ended.code == 2
        assert "the name is empty" in ended.errors[-1]
    assert [path.name for path in tmp_path.iterdir()] == ["clip.mp4"]


def test_a_working_folder_that_was_deleted_is_one_line(
    tiny_model: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, crowdad_program: Program
) -> None:
    clip = plain(tmp_path / "clip.mp4", 12)
    (tmp_path / "gone").mkdir()
    monkeypatch.chdir(tmp_path / "gone")
    (tmp_path / "gone").rmdir()
    ended = crowdad_program("detect", clip, "-m", tiny_model)
    assert (ended.code, len(ended.errors)) == (1, 1)
    assert "working folder" in ended.errors[0]


def test_a_home_that_cannot_be_written_prints_nothing() -> None:
    places = {name: value for name, value in os.environ.items() if name not in ("MPLCONFIGDIR", "XDG_CONFIG_HOME")}
    code = "import crowdad.outputs.lettering"
    ended = subprocess.run(
        [sys.executable, "-c", code], env={**places, "HOME": "/proc/nobody"}, capture_output=True, check=True
    )
    assert ended.stderr == b""


@pytest.mark.parametrize("ending", [signal.SIGHUP, signal.SIGTERM])
@pytest.mark.parametrize("resumable", [True, False])
def test_a_terminal_that_closes_ends_a_verb_as_control_c_does(
    ending: signal.Signals, resumable: bool, capsys: pytest.CaptureFixture[str]
) -> None:
    closed = []

    def verb(**_: bool) -> int:
        try:
            os.kill(os.getpid(), ending)
        finally:
            closed.append(True)
        return 0

    with pytest.raises(typer.Exit) as leaving:
        guarded(verb)(**({"resume": False} if resumable else {}))
    assert leaving.value.exit_code == 130
    assert closed
    assert ("--resume" in capsys.readouterr().err) == resumable, "only what can be resumed says so"


def test_maps_that_nobody_keeps_need_no_other_disk(
    tiny_model: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, crowdad_program: Program
) -> None:
    monkeypatch.setattr(tempfile, "tempdir", "/proc/nowhere")
    clip, folder = plain(tmp_path / "clip.mp4", 12), tmp_path / "run"
    ended = crowdad_program("detect", clip, "-m", tiny_model, "-o", folder, "--no-heatmaps", "--no-report", "-q")
    assert (ended.code, ended.errors) == (0, [])
    assert sorted(path.name for path in folder.iterdir()) == [
        "frames.csv",
        "overlay.mp4",
        "results.json",
        "timeline.png",
    ]


def test_no_shared_memory_is_told_as_what_it_is(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, crowdad_program: Program, tiny_model: Path
) -> None:
    def refuse(_self: object) -> NoReturn:
        raise OSError(38, "Function not implemented")

    monkeypatch.setattr(multiprocessing.context.BaseContext, "Lock", refuse)
    with pytest.raises(FleetError, match=r"/dev/shm .*--jobs"):
        LocalFleet(2)
    ended = crowdad_program("detect", plain(tmp_path / "a.mp4", 12), "-m", tiny_model, "--jobs", 2)
    assert (ended.code, len(ended.errors)) == (1, 1)
    assert "--resume" not in ended.errors[0]


def test_a_foreign_error_is_told_with_its_culprit() -> None:
    assert line_of(OSError(24, "Too many open files"), "a.mp4").startswith("a.mp4: too many files are open")
    assert line_of(OSError(28, "No space left on device", b"/tmp/x")) == (
        "/tmp/x cannot be read or written (No space left on device)"
    )
    assert "a bug in crowdad (KeyError: 'x')" in line_of(KeyError("x"))
