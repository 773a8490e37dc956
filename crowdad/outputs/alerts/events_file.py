"""events.jsonl: every message of a watch, one a line, each written once and at once."""

from __future__ import annotations

import errno
import os
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
        self._file = os.open(path, os.O_RDWR | os.O_CREAT | os.O_APPEND, 0o600)
        self._cut_unfinished_line()

    def send(self, line: str) -> None:
        before = os.fstat(self._file).st_size
        whole = line.encode() + b"\n"
        try:
            # One call for the whole line, but the kernel copies it page by page and a kill stops it between two pages.
            written = os.write(self._file, whole)
        except OSError:
            os.ftruncate(self._file, before)
            raise
        if written < len(whole):
            os.ftruncate(self._file, before)
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    def close(self) -> None:
        os.close(self._file)

    def _cut_unfinished_line(self) -> None:
        """A program that was killed, or a machine that went down, may have left a piece of a line."""
        end = os.lseek(self._file, 0, os.SEEK_END)
        tail = os.pread(self._file, min(end, 2**16), max(0, end - 2**16))
        if tail and not tail.endswith(b"\n"):
            os.ftruncate(self._file, end - len(tail) + tail.rfind(b"\n") + 1)
