"""Messages that wait keep their order, survive the program, and are bounded."""

from __future__ import annotations

from pathlib import Path

import pytest

from crowdad.errors import OutputNotReadableError
from crowdad.outputs.alerts import Outbox


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
    assert [outbox.put(line) for line in ("one", "zwei – ü", "three")] == [0, 0, 0]
    assert len(outbox) == 3
    assert outbox.first() == outbox.first()
    assert waiting(outbox) == ["one", "zwei – ü", "three"]
    outbox.close()
    assert not list(tmp_path.iterdir())


def test_what_waits_on_disk_is_there_at_the_next_start(tmp_path: Path) -> None:
    path = tmp_path / "webhook.queue"
    first = Outbox(path)
    for line in ("one", "two"):
        first.put(line)
    number, _ = first.first() or (0, "")
    first.remove(number)
    second = Outbox(path)  # the first was never closed, as by a program that was killed
    second.put("three")
    assert waiting(second) == ["two", "three"]


def test_the_oldest_are_thrown_out_where_more_come_than_fit() -> None:
    outbox = Outbox(limit=3)
    assert [outbox.put(str(number)) for number in range(5)] == [0, 0, 0, 1, 1]
    assert waiting(outbox) == ["2", "3", "4"]


def test_a_file_that_is_something_else_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "webhook.queue"
    path.write_bytes(b"not a queue at all, but long enough to be looked at" * 50)
    with pytest.raises(OutputNotReadableError, match=r"cannot be used to keep alerts that wait .*; remove it"):
        Outbox(path)
