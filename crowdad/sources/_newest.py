"""A queue between two threads that throws the oldest out where the reader is late."""

from __future__ import annotations

import threading
from collections import deque
from typing import Generic, TypeVar

__all__ = ["NewestQueue"]

Item = TypeVar("Item")


class NewestQueue(Generic[Item]):
    """Holds the newest items, in order: at most `depth` of them, and at most `max_bytes` (but always one).

    `put` never waits, so that who fills it is never held up by who empties it.
    """

    def __init__(self, depth: int, max_bytes: int) -> None:
        self._depth = depth
        self._max_bytes = max_bytes
        self._items: deque[tuple[Item, int]] = deque()
        self._bytes = 0
        self._ended = False
        self._closed = False
        self._error: BaseException | None = None
        self._changed = threading.Condition()

    def put(self, item: Item, n_bytes: int) -> list[Item]:
        """Add an item; returns those that were thrown out for it, oldest first.  A closed queue takes none."""
        thrown_out: list[Item] = []
        with self._changed:
            if self._closed:
                return thrown_out
            self._items.append((item, n_bytes))
            self._bytes += n_bytes
            while len(self._items) > self._depth or (self._bytes > self._max_bytes and len(self._items) > 1):
                oldest, size = self._items.popleft()
                self._bytes -= size
                thrown_out.append(oldest)
            self._changed.notify_all()
        return thrown_out

    def get(self) -> Item | None:
        """The oldest item, waited for; None once the queue has ended and is empty.

        Raises the error that it ended with, once, after the items before it.
        """
        with self._changed:
            self._changed.wait_for(lambda: self._items or self._ended)
            if self._items:
                item, size = self._items.popleft()
                self._bytes -= size
                return item
            if self._error is not None:
                error, self._error = self._error, None
                raise error
            return None

    def end(self, error: BaseException | None = None) -> None:
        """Nothing more will come, because of `error` if there is one; what is there may still be taken."""
        with self._changed:
            self._ended = True
            self._error = None if self._closed else error
            self._changed.notify_all()

    def close(self) -> None:
        """Nothing more is wanted: what is there is thrown out, and `get` gives None at once."""
        with self._changed:
            self._ended = self._closed = True
            self._error = None
            self._items.clear()
            self._bytes = 0
            self._changed.notify_all()
