"""A file is written whole or not at all."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from crowdad.errors import OutputNotWritableError
from crowdad.files import written_whole


def test_the_file_has_its_name_once_it_is_whole(tmp_path: Path) -> None:
    path = tmp_path / "rows.json"
    path.write_text("old")
    (tmp_path / "rows.json.part").write_text("left by a program that was killed")
    with written_whole(path) as part:
        assert part == tmp_path / "rows.json.part"
        assert not part.exists()
        part.write_text("new")
        assert path.read_text() == "old"
    assert path.read_text() == "new"
    assert os.listdir(tmp_path) == ["rows.json"]


def begin(path: Path, keep: bool, stop: type[BaseException]) -> None:
    with written_whole(path, keep=keep) as part:
        part.write_text("half")
        raise stop


@pytest.mark.parametrize(("keep", "left"), [(False, ["rows.json"]), (True, ["rows.json", "rows.json.part"])])
@pytest.mark.parametrize("stop", [KeyboardInterrupt, ValueError, OSError])
def test_what_fails_leaves_the_old_file(tmp_path: Path, keep: bool, left: list[str], stop: type[BaseException]) -> None:
    path = tmp_path / "rows.json"
    path.write_text("old")
    with pytest.raises(stop):
        begin(path, keep, stop)
    assert sorted(os.listdir(tmp_path)) == left
    assert path.read_text() == "old"


@pytest.mark.skipif(os.name == "nt", reason="Windows knows no such modes")
@pytest.mark.parametrize(("private", "mode"), [(True, 0o600), (False, 0o644)])
def test_only_a_private_file_is_closed_to_others(tmp_path: Path, private: bool, mode: int) -> None:
    before = os.umask(0o022)
    try:
        with written_whole(tmp_path / "rows.json", private=private) as part:
            part.write_text("rows")
    finally:
        os.umask(before)
    assert (tmp_path / "rows.json").stat().st_mode & 0o777 == mode


def test_what_the_disk_refuses_is_one_line_with_the_advice(tmp_path: Path) -> None:
    with written_whole(tmp_path / "new" / "rows.json", advice="give another --json") as part:
        part.write_text("rows")
    (tmp_path / "file").touch()
    with (
        pytest.raises(OutputNotWritableError, match=r"rows\.json: cannot be written .*; give another --json"),
        written_whole(tmp_path / "file" / "rows.json", advice="give another --json"),
    ):
        pass
