"""Output and error stream that outlast whoever reads them: printing never decides whether the work is done."""

from __future__ import annotations

import errno
import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from typing import Any, TextIO

__all__ = ["lasting_streams"]

_READER_GONE = (errno.EPIPE, errno.EIO, errno.EBADF)
"""`| head -1`, a terminal that was closed: whoever did that wants to read no more, and is told nothing."""


class _Lasting:
    """A text stream whose first failure is its last: what is written later goes nowhere.

    Characters that its encoding lacks are written as escapes.
    """

    def __init__(self, stream: TextIO, on_failure: Any) -> None:
        self._stream = stream
        self._on_failure = on_failure
        self._gone = False

    def __getattr__(self, name: str) -> Any:
        return getattr(self._stream, name)

    def write(self, text: str) -> int:
        try:
            if not self._gone:
                self._stream.write(self._encodable(text))
        except (OSError, ValueError) as error:  # ValueError: it was closed
            self._fail(error)
        return len(text)

    def writelines(self, lines: Any) -> None:
        for line in lines:
            self.write(line)

    def flush(self) -> None:
        try:
            if not self._gone:
                self._stream.flush()
        except (OSError, ValueError) as error:
            self._fail(error)

    def isatty(self) -> bool:
        try:
            return not self._gone and self._stream.isatty()
        except (OSError, ValueError):
            return False

    def _encodable(self, text: str) -> str:
        encoding = getattr(self._stream, "encoding", None) or "utf-8"
        return text.encode(encoding, "backslashreplace").decode(encoding, "replace")

    def _fail(self, error: Exception) -> None:
        self._gone = True
        # What is still buffered must not fail once more when the interpreter ends.
        with suppress(OSError, ValueError):
            number = self._stream.fileno()
            nowhere = os.open(os.devnull, os.O_WRONLY)
            os.dup2(nowhere, number)
            os.close(nowhere)
        if not (isinstance(error, OSError) and error.errno in _READER_GONE):
            self._on_failure(error)


@contextmanager
def lasting_streams() -> Iterator[None]:
    """Streams that are closed, full or of a narrow encoding stop nothing while the program runs."""
    _hold_numbers()
    before = sys.stdout, sys.stderr

    def tell(error: Exception) -> None:
        reason = getattr(error, "strerror", None) or error
        print(f"crowdad: what is printed cannot be written ({reason}); the work goes on", file=sys.stderr)

    with open(os.devnull, "w", encoding="utf-8") as nowhere:
        # Python has none where the stream was closed before it began.
        sys.stderr = _Lasting(before[1] or nowhere, lambda _error: None)  # type: ignore[assignment]
        sys.stdout = _Lasting(before[0] or nowhere, tell)  # type: ignore[assignment]
        try:
            yield
        finally:
            sys.stdout.flush()
            sys.stderr.flush()
            sys.stdout, sys.stderr = before


def _hold_numbers() -> None:
    """Give a closed stream a place that takes all: the next file to be opened would get its number otherwise."""
    for number in range(3):
        try:
            os.fstat(number)
        except OSError:
            with suppress(OSError):
                # Takes the lowest free number, which is this one.
                os.set_inheritable(os.open(os.devnull, os.O_RDWR), True)
