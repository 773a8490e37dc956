"""Messages that wait keep their order, survive the program, and are bounded."""

from __future__ import annotations

import json
import os
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from crowdad.outputs.alerts import Outbox
from crowdad.outputs.alerts import outbox as module

ONE, TWO, THREE = '{"n": 1}', '{"n": "zwei – ü"}', '{"n": 3}'


def until(condition: Callable[[], bool]) -> None:
    end_s = time.monotonic() + 10
    while not condition():
        assert time.monotonic() < end_s, "it never came true"
        time.sleep(0.01)


def waiting(outbox: Outbox) -> list[str]:
    lines = []
    while (first := outbox.first()) is not None:
        lines.append(first[1])
        outbox.remove(first[0])
    return lines


@pytest.mark.parametrize("on_disk", [False, True])
def test_first_in_first_out_and_nothing_is_left_behind(on_disk: bool, tmp_path: Path) -> None:
    path = tmp_path / "webhook.queue" if on_disk else None
    outbox = Outbox(path)
    assert outbox.first() is None
    assert [outbox.put(line) for line in (ONE, TWO, THREE)] == [0, 0, 0]
    assert len(outbox) == 3
    assert outbox.first() == outbox.first()
    assert waiting(outbox) == [ONE, TWO, THREE]
    outbox.close()
    assert not list(tmp_path.iterdir())


def test_what_waits_on_disk_is_there_at_the_next_start(tmp_path: Path) -> None:
    path = tmp_path / "webhook.queue"
    first = Outbox(path)
    for line in (ONE, TWO):
        first.put(line)
    number, _ = first.first() or (0, "")
    first.remove(number)
    until(lambda: first.is_kept)
    second = Outbox(path)  # the first was never closed, as by a program that was killed
    second.put(THREE)
    assert waiting(second) == [TWO, THREE]


def test_the_oldest_are_thrown_out_where_more_come_than_fit() -> None:
    outbox = Outbox(limit=3)
    assert [outbox.put(str(number)) for number in range(5)] == [0, 0, 0, 1, 1]
    assert waiting(outbox) == ["2", "3", "4"]


def refuses(*_: object, **__: object) -> None:
    raise OSError(28, "No space left on device")


@pytest.mark.parametrize("damage", [b"SQLite format 3\0" + bytes(5000), b"\xff\xfe\n[1]\n" + b"[" * 9000, b'"half'])
def test_what_is_damaged_is_set_aside_and_told_once_and_the_rest_is_kept(damage: bytes, tmp_path: Path) -> None:
    path, notices = tmp_path / "webhook.queue", list[str]()
    path.write_bytes(f"{ONE}\n".encode() + damage + f"\n{TWO}\n".encode())
    outbox = Outbox(path, notice=notices.append)
    assert waiting(outbox) == [ONE, TWO]
    assert notices == ["webhook.queue: damaged; 2 alerts in it are sent, the file is kept as webhook.queue.damaged"]
    outbox.close()
    assert [found.name for found in tmp_path.iterdir()] == ["webhook.queue.damaged"]


def test_a_queue_that_is_a_folder_hinders_nobody(tmp_path: Path) -> None:
    path, notices = tmp_path / "webhook.queue", list[str]()
    path.mkdir()
    outbox = Outbox(path, notice=notices.append)
    outbox.put(ONE)
    until(lambda: outbox.is_kept)
    assert waiting(outbox) == [ONE]
    assert len(notices) == 1
    outbox.close()


def test_a_full_disk_is_told_once_and_what_waits_is_in_memory_and_kept_once_there_is_room(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "_AGAIN_S", 0.05)
    path, notices = tmp_path / "webhook.queue", list[str]()
    outbox = Outbox(path, notice=notices.append)
    outbox.put(ONE)
    until(lambda: outbox.is_kept)
    with monkeypatch.context() as full:
        full.setattr(module.Path, "write_text", refuses)
        outbox.put(TWO)
        until(lambda: bool(notices))
        outbox.put(THREE)
        time.sleep(0.3)
        assert not outbox.is_kept
        assert waiting(outbox) == [ONE, TWO, THREE]
        until(lambda: outbox.is_kept)  # nothing waits, which takes no room
        for line in (ONE, TWO, THREE):
            outbox.put(line)
        time.sleep(0.2)
        assert len(outbox) == 3
    until(lambda: outbox.is_kept)
    assert [json.loads(line) for line in path.read_text().splitlines()] == [json.loads(x) for x in (ONE, TWO, THREE)]
    assert notices == ["webhook.queue: cannot be written (No space left on device); alerts wait in memory"]
    outbox.close()


def test_a_folder_that_is_removed_and_made_again_loses_nothing(tmp_path: Path) -> None:
    folder, notices = tmp_path / "watch", list[str]()
    folder.mkdir()
    outbox = Outbox(folder / "webhook.queue", notice=notices.append)
    outbox.put(ONE)
    until(lambda: outbox.is_kept)
    os.remove(folder / "webhook.queue")
    folder.rmdir()
    outbox.put(TWO)
    until(lambda: bool(notices))
    folder.mkdir()
    outbox.put(THREE)
    until(lambda: outbox.is_kept)
    assert waiting(Outbox(folder / "webhook.queue")) == [ONE, TWO, THREE]
    assert len(notices) == 1
    outbox.close()
