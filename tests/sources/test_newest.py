"""The queue that throws the oldest out."""

from __future__ import annotations

import threading
import time

import pytest

from crowdad.sources._newest import NewestQueue


def test_the_oldest_is_thrown_out() -> None:
    queue: NewestQueue[int] = NewestQueue(depth=3, max_bytes=100)
    assert [queue.put(number, 1) for number in range(5)] == [[], [], [], [0], [1]]
    queue.end()
    assert [queue.get() for _ in range(4)] == [2, 3, 4, None]


def test_memory_is_bounded_whatever_the_size_of_an_item() -> None:
    queue: NewestQueue[str] = NewestQueue(depth=50, max_bytes=10)
    queue.put("a", 4)
    queue.put("b", 4)
    assert queue.put("c", 4) == ["a"]
    assert queue.put("larger than all that is allowed", 11) == ["b", "c"]
    assert queue.get() == "larger than all that is allowed"
    assert queue.put("d", 10) == []


def test_an_error_comes_once_and_after_what_was_there_before_it() -> None:
    queue: NewestQueue[int] = NewestQueue(depth=3, max_bytes=100)
    queue.put(1, 1)
    queue.end(ZeroDivisionError("a bug"))
    assert queue.get() == 1
    with pytest.raises(ZeroDivisionError, match="a bug"):
        queue.get()
    assert queue.get() is None


def test_a_closed_queue_wakes_who_waits_and_takes_nothing_more() -> None:
    queue: NewestQueue[int] = NewestQueue(depth=3, max_bytes=100)
    closer = threading.Timer(0.1, queue.close)
    began_s = time.monotonic()
    closer.start()
    assert queue.get() is None
    assert time.monotonic() - began_s < 5
    assert queue.put(1, 1) == []
    queue.end(ZeroDivisionError())
    assert queue.get() is None
