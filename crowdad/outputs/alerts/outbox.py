"""Messages that wait to be delivered, in order: in memory, with a copy in a file that survives the program."""

from __future__ import annotations

import os
import threading
from collections import deque
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path

from crowdad.files import MB, parse_json, written_whole

__all__ = ["Outbox"]

_MOST_BYTES = 64 * MB
_AGAIN_S = 5.0
_CLOSE_S = 2.0


def _nobody(_: str) -> None:
    pass


class Outbox:
    """A bounded queue of lines; the oldest are thrown out where more come than fit.  Any thread may use it.

    path: of the copy, or None for memory only; there only while something waits.  limit: lines it holds.
    notice: told in one line when the file cannot be read or written; from any thread.

    The file is read here and then only written, as a whole and by a thread of its own: whatever becomes of it, nothing
    waits for it and nothing is lost while the program runs.  What is not ours in it is kept beside it, as `.damaged`.
    """

    def __init__(self, path: Path | None = None, limit: int = 1000, notice: Callable[[str], None] = _nobody) -> None:
        self.path = path
        self._limit = limit
        self._notice = notice
        self._lines: deque[tuple[int, str]] = deque()
        self._next = 0
        self._changed = threading.Condition()
        self._revision = 0
        self._written = 0  # revision of what the file holds
        self._failing = False
        self._told = False
        self._closed = False
        if path is not None:
            for line in self._left_by_an_earlier_start(path):
                self.put(line)
            self._thread = threading.Thread(target=self._work, name="crowdad-outbox", daemon=True)
            self._thread.start()

    def __len__(self) -> int:
        with self._changed:
            return len(self._lines)

    @property
    def is_kept(self) -> bool:
        """Whether what waits survives the program."""
        with self._changed:
            return self.path is not None and self._written == self._revision

    def put(self, line: str) -> int:
        """Add a line; returns how many old ones were thrown out for it."""
        with self._changed:
            self._lines.append((self._next, line))
            self._next += 1
            too_many = max(0, len(self._lines) - self._limit)
            for _ in range(too_many):
                self._lines.popleft()
            self._touched()
            return too_many

    def first(self) -> tuple[int, str] | None:
        """The number and the text of the oldest line."""
        with self._changed:
            return self._lines[0] if self._lines else None

    def remove(self, number: int) -> None:
        """Forget the oldest line, unless it was thrown out meanwhile."""
        with self._changed:
            if self._lines and self._lines[0][0] == number:
                self._lines.popleft()
                self._touched()

    def close(self) -> None:
        """Bring the file up to date; what waits in it is there at the next start."""
        with self._changed:
            self._closed = True
            self._changed.notify_all()
        if self.path is not None:
            self._thread.join(_CLOSE_S)

    def _touched(self) -> None:
        self._revision += 1
        self._changed.notify_all()

    def _work(self) -> None:
        """Write the file whenever something has changed, and again after a while where the disk refused."""
        while True:
            with self._changed:
                if self._failing and not self._closed:
                    self._changed.wait(_AGAIN_S)
                self._changed.wait_for(lambda: self._closed or self._written != self._revision)
                if self._written == self._revision:
                    return
                revision, closed = self._revision, self._closed
                lines = [line for _, line in self._lines]
            self._failing = not self._is_written(lines)
            if not self._failing:
                self._written = revision
            if closed:
                return

    def _is_written(self, lines: list[str]) -> bool:
        assert self.path is not None
        try:
            if lines:
                with written_whole(self.path) as part:
                    part.write_text("".join(f"{line}\n" for line in lines), encoding="utf-8")
                self._told = False
            else:
                self.path.unlink(missing_ok=True)
            return True
        except OSError as error:
            if not self._told:
                self._told = True
                self._notice(f"{self.path.name}: cannot be written ({error.strerror}); alerts wait in memory")
            return False

    def _left_by_an_earlier_start(self, path: Path) -> list[str]:
        """The lines of the file; one with anything else in it is set aside."""
        try:
            with path.open("rb") as file:
                lines = [line for line in file.read(_MOST_BYTES).decode("utf-8", "replace").split("\n") if line]
        except FileNotFoundError:
            return []
        except OSError:
            lines = [""]
        sound = [line for line in lines if _is_message(line)]
        if len(sound) < len(lines):
            aside = path.with_name(f"{path.name}.damaged")
            with suppress(OSError):
                os.replace(path, aside)
            self._notice(f"{path.name}: damaged; {len(sound)} alerts in it are sent, the file is kept as {aside.name}")
        return sound


def _is_message(line: str) -> bool:
    try:
        return isinstance(parse_json(line), dict)
    except ValueError:
        return False
