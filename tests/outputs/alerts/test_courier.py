"""A courier delivers all it can, in order; a sink that fails, refuses or hangs holds up nobody."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from crowdad.outputs.alerts import Courier, Outbox, RefusedError, Sink


class Remembering(Sink):
    """Takes every message but those for which `fault` raises."""

    name = "test sink"

    def __init__(self, fault: Callable[[str, int], None] = lambda line, tries: None) -> None:
        self.taken: list[str] = []
        self.tries = 0
        self.closed = False
        self._fault = fault

    def send(self, line: str) -> None:
        self.tries += 1
        self._fault(line, self.tries)
        self.taken.append(line)

    def close(self) -> None:
        self.closed = True


def until(condition: Callable[[], bool], limit_s: float = 60.0) -> None:
    end_s = time.monotonic() + limit_s
    while not condition():
        assert time.monotonic() < end_s, "it never came true"
        time.sleep(0.01)


def courier_of(sink: Sink, outbox: Outbox | None = None) -> tuple[Courier, list[str]]:
    notices: list[str] = []
    kept = Outbox() if outbox is None else outbox  # an empty one is false, as a list is
    return Courier(sink, kept, notices.append, first_wait_s=0.01, longest_wait_s=0.05), notices


def test_messages_are_delivered_in_order_and_the_sink_is_closed() -> None:
    sink = Remembering()
    courier, notices = courier_of(sink)
    for number in range(20):
        courier.offer(str(number))
    assert courier.close(60) == 0
    assert sink.taken == [str(number) for number in range(20)]
    assert sink.closed
    assert notices == []
    assert courier.record().model_dump() == {"sink": "test sink", "delivered": 20, "waiting": 0, "lost": 0}


def test_a_sink_that_fails_is_tried_again_until_it_works_and_told_of_once() -> None:
    def fails_at_first(_: str, tries: int) -> None:
        if tries <= 3:
            raise ConnectionError("nobody there\nsecond line")

    sink = Remembering(fails_at_first)
    courier, notices = courier_of(sink)
    courier.offer("one")
    courier.offer("two")
    until(lambda: len(sink.taken) == 2)
    assert sink.taken == ["one", "two"]
    courier.close()
    assert notices == ["test sink: nobody there; alerts wait until it works again", "test sink: works again"]


def test_a_refused_message_is_given_up_and_the_next_one_goes_on() -> None:
    def refuses(line: str, _: int) -> None:
        if line == "bad":
            raise RefusedError("it answered 404")

    sink = Remembering(refuses)
    courier, notices = courier_of(sink)
    courier.offer("bad")
    courier.offer("good")
    until(lambda: sink.taken == ["good"])
    courier.close()
    assert notices == ["test sink: an alert was refused (it answered 404) and is not sent again"]
    assert courier.lost == 1


def test_a_sink_that_hangs_holds_up_neither_offers_nor_the_end() -> None:
    never = threading.Event()

    def hangs(_: str, __: int) -> None:
        never.wait(60)

    courier, _ = courier_of(Remembering(hangs))
    began_s = time.monotonic()
    for number in range(50):
        courier.offer(str(number))
    assert courier.close(0.2) == 50
    assert time.monotonic() - began_s < 10
    never.set()


def test_what_was_not_delivered_waits_on_disk_for_the_next_start(tmp_path: Path) -> None:
    def fails(_: str, __: int) -> None:
        raise ConnectionError("nobody there")

    path = tmp_path / "webhook.queue"
    courier, _ = courier_of(Remembering(fails), Outbox(path))
    courier.offer('{"n": 1}')
    courier.offer('{"n": 2}')
    assert courier.close(0.2) == 2
    assert courier.kept_where == f"; they wait in {path}"
    sink = Remembering()
    later, _ = courier_of(sink, Outbox(path))
    later.offer('{"n": 3}')
    assert later.close(60) == 0
    assert sink.taken == ['{"n": 1}', '{"n": 2}', '{"n": 3}']
    assert not path.exists()


def test_an_outage_longer_than_the_queue_loses_the_oldest_and_says_so_once() -> None:
    def fails(_: str, __: int) -> None:
        raise ConnectionError("nobody there")

    courier, notices = courier_of(Remembering(fails), Outbox(limit=3))
    for number in range(9):
        courier.offer(str(number))
    assert courier.close(0.1) == 3
    assert courier.lost == 6
    assert notices.count("test sink: too many alerts wait, the oldest are thrown out") == 1


def test_a_queue_that_breaks_at_any_moment_neither_ends_the_courier_nor_loses_an_alert(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def breaks(*_: object, **__: object) -> None:
        raise OSError(28, "No space left on device")

    notices: list[str] = []
    outbox = Outbox(tmp_path / "webhook.queue", notice=notices.append)

    def fills(_: str, tries: int) -> None:
        if tries == 1:
            monkeypatch.setattr(Path, "write_text", breaks)  # between sending and forgetting
            monkeypatch.setattr(Path, "unlink", breaks)

    sink = Remembering(fills)
    courier, _ = courier_of(sink, outbox)
    for number in range(8):
        courier.offer(f'{{"n": {number}}}')
        time.sleep(0.02)
    until(lambda: len(sink.taken) == 8)
    assert courier.lost == 0
    monkeypatch.undo()
    courier.offer('{"n": 8}')
    until(lambda: courier.delivered == 9)
    assert courier.close(60) == 0
    assert len(notices) == 1
    assert not list(tmp_path.iterdir())


def test_what_cannot_be_kept_at_the_end_is_said_to_be_lost(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def fails(_: str, __: int) -> None:
        raise ConnectionError("nobody there")

    (tmp_path / "gone").mkdir()
    courier, _ = courier_of(Remembering(fails), Outbox(tmp_path / "gone" / "webhook.queue"))
    (tmp_path / "gone").rmdir()
    courier.offer('{"n": 1}')
    assert courier.close(0.1) == 1
    assert courier.kept_where == " and are lost"
