"""What can be watched."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Protocol

from crowdad.sources import LiveFrame, ReadReport, StreamStatus, StreamTally

__all__ = ["Camera", "OpenCamera"]


class Camera(Protocol):
    """What can be watched; `sources.Stream` is one."""

    @property
    def name(self) -> str:
        """To be shown: no login in it."""

    @property
    def fps(self) -> float:
        """Frames a second; there from the first frame on."""

    @property
    def tally(self) -> StreamTally:
        """What was read, skipped and dropped up to now."""

    @property
    def report(self) -> ReadReport:
        """The same, frozen."""

    def frames(self, color: bool = False) -> Iterator[LiveFrame]:
        """Frame after frame, waiting for each; a camera that is lost does not end it, `close` does."""

    def close(self) -> None:
        """End `frames`; from any thread, any number of times."""


OpenCamera = Callable[[Callable[[StreamStatus], None]], Camera]
"""Opens a camera, given what is to be told when it is found or lost, from any thread."""
