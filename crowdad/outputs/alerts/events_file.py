"""events.jsonl: every message of a watch, one a line, each written once and at once."""

from __future__ import annotations

import errno
import os
from contextlib import suppress
from pathlib import Path

from crowdad.outputs.alerts._base import Sink

__all__ = ["EventsFile"]


class EventsFile(Sink):
    """Appends to a file that may be there from an earlier start; what has a line break at its end is whole.

    Only a kill in the very moment of writing leaves a piece of a line, without a line break; the next start cuts it
    off, and `read_messages` leaves it out.  Raises OSError where the disk refuses.
    """

    def __init__(self, path: Path) -> None:
        self.name = path.name
        self._path = path
        self._half = False  # a line may be unfinished, as the last one could not be written
        self._file = self._opened()

    def send(self, line: str) -> None:
        self._open_again_where_gone()
        if self._half:
            _cut_unfinished_line(self._file)
        whole = line.encode() + b"\n"
        self._half = True
        # One call for the whole line, but the kernel copies it page by page and a kill stops it between two pages.
        if os.write(self._file, whole) < len(whole):
            _cut_unfinished_line(self._file)
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
        self._half = False

    def close(self) -> None:
        os.close(self._file)

    def _opened(self) -> int:
        file = os.open(self._path, os.O_RDWR | os.O_CREAT | os.O_APPEND, 0o600)
        _cut_unfinished_line(file)
        return file

    def _open_again_where_gone(self) -> None:
        """A file that was removed, or moved away, would take lines that nobody ever reads."""
        with suppress(FileNotFoundError):
            if os.path.samestat(os.fstat(self._file), os.stat(self._path)):
                return
        self._path.parent.mkdir(parents=True, exist_ok=True)
        opened = self._opened()
        os.close(self._file)
        self._file = opened


def _cut_unfinished_line(file: int) -> None:
    """A program that was killed, or a machine that went down, may have left a piece of a line."""
    end = os.lseek(file, 0, os.SEEK_END)
    tail = os.pread(file, min(end, 2**16), max(0, end - 2**16))
    if tail and not tail.endswith(b"\n"):
        os.ftruncate(file, end - len(tail) + tail.rfind(b"\n") + 1)
