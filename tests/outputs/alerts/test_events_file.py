"""events.jsonl: nothing told is lost and no line stays half, whatever ended the program or filled the disk."""

from __future__ import annotations

import errno
import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from crowdad.outputs.alerts import EventsFile

_WRITER = """
import sys, pathlib
from crowdad.outputs.alerts import EventsFile
sink = EventsFile(pathlib.Path(sys.argv[1]))
print("ready", flush=True)
number = 0
while True:
    sink.send('{"number": %d, "filling": "%s"}' % (number, "x" * 2000))
    number += 1
"""


def test_lines_are_appended_to_those_of_an_earlier_start(tmp_path: Path) -> None:
    path = tmp_path / "events.jsonl"
    for line in ("{}", '{"name": "ü"}'):
        sink = EventsFile(path)
        sink.send(line)
        assert path.read_bytes().endswith(line.encode() + b"\n")  # there at once
        sink.close()
    assert path.read_text(encoding="utf-8") == '{}\n{"name": "ü"}\n'


@pytest.mark.parametrize(("found", "kept"), [(b"", b""), (b"{}\n", b"{}\n"), (b"{}\n{half", b"{}\n"), (b"{half", b"")])
def test_half_a_line_is_cut_off(found: bytes, kept: bytes, tmp_path: Path) -> None:
    path = tmp_path / "events.jsonl"
    path.write_bytes(found)
    EventsFile(path).close()
    assert path.read_bytes() == kept


def test_after_a_killed_program_the_next_start_goes_on_with_whole_lines(tmp_path: Path) -> None:
    path = tmp_path / "events.jsonl"
    with subprocess.Popen([sys.executable, "-c", _WRITER, str(path)], stdout=subprocess.PIPE) as process:
        assert process.stdout is not None
        process.stdout.readline()
        while not path.exists() or path.stat().st_size < 200_000:
            assert process.poll() is None
        process.kill()
    left = path.read_bytes()
    told = left.count(b"\n")
    assert len(left) >= 200_000
    sink = EventsFile(path)
    sink.send(json.dumps({"number": told}))
    sink.close()
    content = path.read_bytes()
    assert content.startswith(left[: left.rindex(b"\n") + 1])
    assert content.endswith(b"\n")
    assert [json.loads(line)["number"] for line in content.splitlines()] == list(range(told + 1))


def test_a_line_that_the_disk_took_in_part_is_taken_back(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    sink = EventsFile(tmp_path / "events.jsonl")
    sink.send("{}")
    whole = os.write
    monkeypatch.setattr(os, "write", lambda file, content: whole(file, content[:3]))
    with pytest.raises(OSError, match="space") as told:
        sink.send('{"long": "line"}')
    assert told.value.errno == errno.ENOSPC
    monkeypatch.setattr(os, "write", whole)
    sink.send('{"next": 1}')
    assert (tmp_path / "events.jsonl").read_text() == '{}\n{"next": 1}\n'
    sink.close()


def test_a_file_or_folder_that_is_removed_is_made_again(tmp_path: Path) -> None:
    path = tmp_path / "watch" / "events.jsonl"
    path.parent.mkdir()
    sink = EventsFile(path)
    sink.send("{}")
    path.rename(tmp_path / "rotated")
    sink.send('{"n": 1}')
    assert path.read_text() == '{"n": 1}\n'
    path.unlink()
    path.parent.rmdir()
    sink.send('{"n": 2}')
    sink.close()
    assert path.read_text() == '{"n": 2}\n'
    assert (tmp_path / "rotated").read_text() == "{}\n"


def test_a_disk_that_refuses_even_to_cut_half_a_line_off_leaves_no_half_line(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "events.jsonl"
    sink = EventsFile(path)
    written = os.write

    def refuses(*_: object) -> None:
        raise OSError(errno.EIO, "Input/output error")

    with monkeypatch.context() as full:
        full.setattr(os, "write", lambda file, content: written(file, content[:5]))
        full.setattr(os, "ftruncate", refuses)
        with pytest.raises(OSError, match="Input/output"):
            sink.send('{"n": 1}')
    assert path.read_text() == '{"n":'
    sink.send('{"n": 1}')
    sink.close()
    assert path.read_text() == '{"n": 1}\n'
