from __future__ import annotations

import errno
import os
from pathlib import Path

import pytest

from crowdad.errors import OutputExistsError, OutputNotWritableError
from crowdad.outputs.folder import RunFolder, run_name


def write_half(run: RunFolder, error: BaseException) -> None:
    with run.part("frames.csv") as part:
        part.write_text("half")
        raise error


@pytest.mark.parametrize(
    ("source", "expected"),
    [
        ("plaza.mp4", "plaza"),
        ("/videos/gate 3 (night).MOV", "gate-3-night"),
        ("Test/Test001", "Test001"),
        ("rtsp://admin:secret@10.0.0.7:554/live", "10.0.0.7-554"),
        ("rtsp://10.0.0.7/user=admin_password=secret", "10.0.0.7"),
        ("rtsp://admin:20/secret@host/1", "run"),
        ("http://user:p%40ss@host", "host"),
        ("広場.mp4", "広場"),
        ("../..", "run"),
        ("*.mp4", "run"),
        ("clip\udc80.mp4", "clip"),
        ("a" * 300 + ".mp4", "a" * 80),
    ],
)
def test_a_run_is_named_after_its_footage(source: str, expected: str) -> None:
    assert run_name(source) == expected


def test_a_file_is_part_until_whole(tmp_path: Path) -> None:
    run = RunFolder(tmp_path / "run")
    with run.part("frames.csv") as part:
        assert part == tmp_path / "run" / "frames.csv.part"
        part.write_text("rows")
        assert not run.file("frames.csv").exists()
    assert run.file("frames.csv").read_text() == "rows"
    assert not part.exists()


def test_a_second_name_of_a_file_that_is_there_leaves_no_part(tmp_path: Path) -> None:
    original = tmp_path / "clip.mp4"
    original.write_text("footage")
    run = RunFolder(tmp_path / "run")
    for _ in range(2):  # the second time as where an interrupted run goes on
        with run.part("footage.mp4") as part:
            os.link(original, part)
    assert [path.name for path in run.path.iterdir()] == ["footage.mp4"]


@pytest.mark.parametrize("stop", [KeyboardInterrupt, RuntimeError])
def test_an_interrupted_file_stays_part(tmp_path: Path, stop: type[BaseException]) -> None:
    run = RunFolder(tmp_path)
    with pytest.raises(stop):
        write_half(run, stop())
    assert [path.name for path in tmp_path.iterdir()] == ["frames.csv.part"]
    assert (tmp_path / "frames.csv.part").read_text() == "half"


@pytest.mark.parametrize("held", ["results.json", "overlay.mp4.part"])
def test_another_run_is_never_overwritten_unasked(tmp_path: Path, held: str) -> None:
    (tmp_path / held).write_text("precious")
    with pytest.raises(OutputExistsError, match=r"overwrite=True") as error:
        RunFolder(tmp_path)
    assert "\n" not in str(error.value)
    assert (tmp_path / held).read_text() == "precious"


def test_overwriting_lets_the_earlier_run_go_with_the_first_file(tmp_path: Path) -> None:
    for name in ("results.json", "timeline.png", "heatmaps.npz.part", "notes.txt"):
        (tmp_path / name).write_text("old")
    run = RunFolder(tmp_path, overwrite=True)
    assert (tmp_path / "results.json").exists()
    with run.part("frames.csv") as part:
        part.write_text("new")
    with run.part("results.json") as part:
        part.write_text("new")
    assert {p.name: p.read_text() for p in tmp_path.iterdir()} == {
        "frames.csv": "new",
        "results.json": "new",
        "notes.txt": "old",
    }


def test_a_folder_with_other_files_is_fine(tmp_path: Path) -> None:
    (tmp_path / "notes.txt").write_text("mine")
    with RunFolder(tmp_path):
        pass
    assert (tmp_path / "notes.txt").exists()


def test_an_empty_folder_of_its_own_is_removed_again(tmp_path: Path) -> None:
    with pytest.raises(RuntimeError), RunFolder(tmp_path / "run"):
        raise RuntimeError
    assert not (tmp_path / "run").exists()
    (tmp_path / "mine").mkdir()
    with RunFolder(tmp_path / "mine"):
        pass
    assert (tmp_path / "mine").exists()


def test_a_path_through_a_file_is_one_line(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(OutputNotWritableError, match=r"file/run: .* output"):
        RunFolder(tmp_path / "file" / "run")
    with pytest.raises(OutputNotWritableError, match="a file has this name"):
        RunFolder(tmp_path / "file")


def test_a_folder_that_may_not_be_written_is_one_line(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(path: Path, *_: object, **__: object) -> None:
        raise PermissionError(errno.EACCES, os.strerror(errno.EACCES), str(path))

    monkeypatch.setattr(Path, "touch", refuse)
    with pytest.raises(OutputNotWritableError, match="permission denied") as error:
        RunFolder(tmp_path)
    assert "\n" not in str(error.value)


def test_a_full_disk_is_one_line_and_leaves_the_part(tmp_path: Path) -> None:
    run = RunFolder(tmp_path)
    with pytest.raises(OutputNotWritableError, match=r"\(\d+ MB free\)"):
        write_half(run, OSError(errno.ENOSPC, os.strerror(errno.ENOSPC)))
    assert (tmp_path / "frames.csv.part").read_text() == "half"


def test_trouble_with_the_footage_is_not_blamed_on_the_folder(tmp_path: Path) -> None:
    run = RunFolder(tmp_path / "run")
    with pytest.raises(PermissionError), run.part("frames.csv"):
        raise PermissionError(errno.EACCES, "denied", str(tmp_path / "clip.mp4"))
    with pytest.raises(FileNotFoundError), run.part("frames.csv"):
        raise FileNotFoundError(errno.ENOENT, "gone", str(tmp_path / "clip.mp4"))
