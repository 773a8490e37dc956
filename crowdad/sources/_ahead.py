"""Frames made ahead by a thread of their own, so that reading and scoring run side by side."""

from __future__ import annotations

import queue
import threading
from collections.abc import Callable, Generator, Iterable
from typing import TypeVar, overload

__all__ = ["read_ahead"]

Item = TypeVar("Item")

_END = object()


@overload
def read_ahead(items: Iterable[Item], depth: int = ...) -> Generator[Item, None, None]: ...
@overload
def read_ahead(
    items: Iterable[Item], depth: int = ..., *, idle_s: float, stop: Callable[[], None], join_s: float
) -> Generator[Item | None, None, None]: ...


def read_ahead(
    items: Iterable[Item],
    depth: int = 16,
    *,
    idle_s: float | None = None,
    stop: Callable[[], None] | None = None,
    join_s: float | None = None,
) -> Generator[Item | None, None, None]:
    """The same items in the same order, at most `depth` of them made ahead of the consumer.

    What making them raises is raised here, in its place.  A consumer that stops early stops the thread, and with it
    closes what `items` had opened.
    idle_s: where nothing came for so long, None is passed on instead.  stop: called when the consumer stops, so that
    items that are waited for end.  join_s: the thread is left alone where it has not ended by then; None: waited for.
    """
    waiting: queue.Queue[object] = queue.Queue(maxsize=depth)
    stopped = threading.Event()

    def offer(item: object) -> bool:
        while not stopped.is_set():
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
        while True:
            try:
                item = waiting.get(timeout=idle_s)
            except queue.Empty:
                yield None
                continue
            if item is _END:
                return
            if isinstance(item, _Failure):
                raise item.error
            yield item  # type: ignore[misc]
    finally:
        stopped.set()
        if stop is not None:
            stop()
        worker.join(join_s)


class _Failure:
    def __init__(self, error: BaseException) -> None:
        self.error = error
