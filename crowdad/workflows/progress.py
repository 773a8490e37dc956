"""How a workflow tells how far it is."""

from __future__ import annotations

from collections.abc import Callable, Generator, Iterable
from dataclasses import dataclass
from typing import TypeVar

__all__ = ["Progress", "Stage", "counted", "in_bytes", "silent", "told_by_share"]

Item = TypeVar("Item")


@dataclass(frozen=True)
class Stage:
    """Where a workflow is: `done` of `total` (None: not known) in `unit`s, "%" for shares of the work."""

    what: str
    done: int
    total: int | None
    unit: str


Progress = Callable[[Stage], None]


def silent(_stage: Stage) -> None:
    """Tell nobody."""


def counted(items: Iterable[Item], what: str, total: int | None, progress: Progress) -> Generator[Item, None, None]:
    """The items, each told once it was used; closes `items` when the consumer stops."""
    done = 0
    progress(Stage(what, done, total, "frame"))
    iterator = iter(items)
    try:
        for item in iterator:
            yield item
            done += 1
            progress(Stage(what, done, total, "frame"))
    finally:
        close = getattr(iterator, "close", None)
        if close is not None:
            close()


def in_bytes(progress: Progress, what: str) -> Callable[[int, int], None]:
    """Bytes done and bytes in all, in terms of stages."""

    def tell(done: int, total: int) -> None:
        progress(Stage(what, done, total, "B"))

    return tell


def told_by_share(progress: Progress) -> Callable[[str, float], None]:
    """`gathering.Progress` in terms of stages."""

    def tell(what: str, share: float) -> None:
        progress(Stage(what, round(100 * share), 100, "%"))

    return tell
