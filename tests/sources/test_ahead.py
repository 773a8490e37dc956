"""Reading ahead changes when items are made, and nothing else."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator

import pytest

from crowdad.sources import read_ahead


def test_same_items_same_order() -> None:
    assert list(read_ahead(range(100), depth=3)) == list(range(100))
    assert list(read_ahead([])) == []


def test_at_most_so_many_are_made_ahead() -> None:
    made: list[int] = []

    def items() -> Iterator[int]:
        for number in range(50):
            made.append(number)
            yield number

    ahead = read_ahead(items(), depth=4)
    assert next(ahead) == 0
    time.sleep(0.3)
    # One was taken, four wait, one more is held by the thread.
    assert len(made) == 6
    ahead.close()


def test_an_error_comes_in_its_place() -> None:
    def items() -> Iterator[int]:
        yield 1
        raise ValueError("broken")

    ahead = read_ahead(items())
    assert next(ahead) == 1
    with pytest.raises(ValueError, match="broken"):
        next(ahead)


def test_stopping_early_closes_what_was_opened() -> None:
    closed = threading.Event()

    def items() -> Iterator[int]:
        try:
            yield from range(1000)
        finally:
            closed.set()

    ahead = read_ahead(items(), depth=2)
    next(ahead)
    ahead.close()
    assert closed.is_set()
    assert not any(thread.name == "crowdad-read-ahead" for thread in threading.enumerate())


def test_where_nothing_comes_a_sign_of_life_does() -> None:
    more, closed = threading.Event(), threading.Event()

    def items() -> Iterator[int]:
        yield 1
        more.wait(60)
        yield 2
        closed.wait(60)

    ahead = read_ahead(items(), 1, idle_s=0.05, stop=closed.set, join_s=60.0)
    assert [next(ahead), next(ahead), next(ahead)] == [1, None, None]
    more.set()
    assert next(item for item in ahead if item is not None) == 2
    ahead.close()
    assert closed.is_set(), "what is waited for is ended before the thread is"
    assert not any(thread.name == "crowdad-read-ahead" for thread in threading.enumerate())


def test_a_thread_that_hangs_is_left_alone() -> None:
    hangs = threading.Event()

    def items() -> Iterator[int]:
        yield 1
        hangs.wait(60)

    ahead = read_ahead(items(), 1, idle_s=0.05, stop=lambda: None, join_s=0.1)
    assert next(ahead) == 1
    began_s = time.monotonic()
    ahead.close()
    assert time.monotonic() - began_s < 30
    hangs.set()
