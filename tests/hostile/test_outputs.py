"""Disks that are full, folders that are taken, Ctrl+C: one line, and what is done is kept and whole."""

from __future__ import annotations

import resource
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import numpy as np
import pytest

import crowdad
from crowdad.outputs.folder import JOURNAL, RUN_FILES, RunFolder
from crowdad.outputs.heatmaps import HeatmapReader
from crowdad.outputs.tables import read_frames_csv
from crowdad.workflows.output_paths import OutputPaths
from tests.hostile.conftest import Program
from tests.hostile.footage import COUNT, plain

QUICK = ("--no-overlay", "--no-report", "-q")


@contextmanager
def files_of_at_most(size: int) -> Iterator[None]:
    """No file may grow beyond `size` bytes: the kernel refuses the write, as it does where a disk is full."""
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (size, hard))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))


@pytest.mark.parametrize("size", [500, 3_000, 20_000])
def test_a_full_disk_is_one_line_and_no_half_file(
    size: int, tiny_model: Path, tmp_path: Path, crowdad_program: Program
) -> None:
    clip, folder = plain(tmp_path / "clip.mp4", 70), tmp_path / "run"
    with files_of_at_most(size):
        ended = crowdad_program("detect", clip, "-m", tiny_model, "-o", folder, "--no-report", "-q")
    assert (ended.code, len(ended.errors)) == (1, 1), ended.errors
    assert (
        "cannot be written, the file is larger than the disk allows; choose another folder with -o" in ended.errors[0]
    )
    assert not (folder / "results.json").exists()
    if (folder / "frames.csv").exists():
        assert len(read_frames_csv(folder / "frames.csv")) == 70
    assert all(path.stat().st_size <= size for path in folder.glob("*"))
    ended = crowdad_program("detect", clip, "-m", tiny_model, "-o", folder, "--no-report", "--resume", "-q")
    assert (ended.code, ended.errors) == (0, []), "with room again the run goes on"
    assert crowdad.read_results(folder / "results.json").counts.scored == 70
    assert not list(folder.glob("*.part"))


def test_a_disk_that_cannot_be_written_is_one_line(tiny_model: Path, tmp_path: Path, crowdad_program: Program) -> None:
    ended = crowdad_program("detect", plain(tmp_path / "clip.mp4"), "-m", tiny_model, "-o", "/proc/run", *QUICK)
    assert (ended.code, len(ended.errors)) == (1, 1)
    assert "cannot be written" in ended.errors[0]


def test_two_runs_never_write_into_one_folder(tiny_model: Path, tmp_path: Path, crowdad_program: Program) -> None:
    clip = plain(tmp_path / "clip.mp4")
    command = ("detect", clip, "-m", tiny_model, "-o", tmp_path / "run", *QUICK)
    with RunFolder(tmp_path / "run"):
        for more in ((), ("--overwrite",), ("--resume",)):
            ended = crowdad_program(*command, *more)
            assert (ended.code, len(ended.errors)) == (1, 1)
            assert "another process" in ended.errors[0]
        assert not list((tmp_path / "run").iterdir())
    assert crowdad_program(*command).code == 0
    ended = crowdad_program(*command)
    assert (ended.code, len(ended.errors)) == (1, 1)
    assert "holds another run" in ended.errors[0]


def test_default_folders_are_taken_by_one_run_each(tmp_path: Path) -> None:
    clip = tmp_path / "clip.mp4"
    with OutputPaths(tmp_path, several=True).held(clip) as one, OutputPaths(tmp_path, several=True).held(clip) as other:
        assert isinstance(one, RunFolder)
        assert isinstance(other, RunFolder)
        assert (one.path.name, other.path.name) == ("clip", "clip-2")


def test_overwrite_and_resume_contradict(tiny_model: Path, tmp_path: Path, crowdad_program: Program) -> None:
    ended = crowdad_program("detect", tmp_path / "a.mp4", "-m", tiny_model, "--resume", "--overwrite")
    assert (ended.code, len(ended.errors)) == (2, 1)
    assert "give one of them" in ended.errors[0]


def test_control_c_keeps_what_is_done(tiny_model: Path, tmp_path: Path) -> None:
    clip, folder = plain(tmp_path / "clip.mp4", 400), tmp_path / "run"
    command = [sys.executable, "-m", "crowdad", "detect", clip, "-m", tiny_model, "-o", folder, *QUICK]
    running = subprocess.Popen([str(part) for part in command], stderr=subprocess.PIPE, text=True)
    rows = folder / "frames.csv.part"
    deadline = time.monotonic() + 120
    while not (rows.is_file() and rows.stat().st_size > 2_000) and running.poll() is None:
        assert time.monotonic() < deadline
        time.sleep(0.005)
    running.send_signal(signal.SIGINT)
    _, told = running.communicate(timeout=60)
    assert running.returncode == 130
    assert told.splitlines() == [
        "crowdad: interrupted; what was scored so far, if anything, is in the .part files of the run's folder: "
        "go on with --resume"
    ]
    assert {path.name for path in folder.iterdir()} == {"frames.csv.part", "heatmaps.npz.part", JOURNAL}
    table = read_frames_csv(rows)
    assert COUNT < len(table) < 400
    assert np.array_equal(table.frame, np.arange(len(table)))
    with HeatmapReader(folder / "heatmaps.npz.part") as maps:
        assert len(table) - 1 <= sum(1 for _ in maps) <= len(table)
    assert not [name for name in RUN_FILES if (folder / name).exists()]
