"""Frames decoded ahead by a thread of their own, so that reading and scoring run side by side."""

from __future__ import annotations

import queue
import threading
from collections.abc import Generator, Iterable
from typing import TypeVar

__all__ = ["read_ahead"]

Item = TypeVar("Item")

_END = object()


def read_ahead(items: Iterable[Item], depth: int = 16) -> Generator[Item, None, None]:
    """The same items in the same order, at most `depth` of them made ahead of the consumer.

    What making them raises is raised here, in its place.  A consumer that stops early stops the thread, and with it
    closes what `items` had opened.
    """
    waiting: queue.Queue[object] = queue.Queue(maxsize=depth)
    stop = threading.Event()

    def offer(item: object) -> bool:
        while not stop.is_set():
            try:
                waiting.put(item, timeout=0.1)
                return True
            except queue.Full:
                continue
        return False

    def work() -> None:
        iterator = iter(items)
        try:
            for item in iterator:
                if not offer(item):
                    break
        except BaseException as error:
            offer(_Failure(error))
        finally:
            close = getattr(iterator, "close", None)
            if close is not None:
                close()
            offer(_END)

    worker = threading.Thread(target=work, name="crowdad-read-ahead", daemon=True)
    worker.start()
    try:
        while (item := waiting.get()) is not _END:
            if isinstance(item, _Failure):
                raise item.error
            yield item  # type: ignore[misc]
    finally:
        stop.set()
        worker.join()


class _Failure:
    def __init__(self, error: BaseException) -> None:
        self.error = error
