"""Messages that wait to be delivered, in order, in memory or in a file that survives the program."""

from __future__ import annotations

import sqlite3
import threading
from contextlib import suppress
from pathlib import Path

from crowdad.errors import OutputNotReadableError

__all__ = ["Outbox"]

_TABLE = "CREATE TABLE IF NOT EXISTS waiting (number INTEGER PRIMARY KEY AUTOINCREMENT, line TEXT NOT NULL)"


class Outbox:
    """A bounded queue of lines; the oldest are thrown out where more come than fit.  Any thread may use it.

    path: of the file, or None for memory only; removed on `close` where nothing is left.  limit: lines it holds.
    Raises OutputNotReadableError where the file is something else or damaged.
    """

    def __init__(self, path: Path | None = None, limit: int = 1000) -> None:
        self.path = path
        self._limit = limit
        self._lock = threading.Lock()
        try:
            self._store = sqlite3.connect(":memory:" if path is None else path, check_same_thread=False)
            # What the program wrote must survive the program, not the machine: that would wait for the disk each time.
            self._store.execute("PRAGMA synchronous=OFF")
            with self._store:
                self._store.execute(_TABLE)
        except sqlite3.Error as error:
            raise OutputNotReadableError(
                f"{path}: cannot be used to keep alerts that wait ({error}); remove it, or choose another folder"
            ) from error

    def __len__(self) -> int:
        with self._lock:
            return int(self._store.execute("SELECT count(*) FROM waiting").fetchone()[0])

    def put(self, line: str) -> int:
        """Add a line; returns how many old ones were thrown out for it.  Raises sqlite3.Error if the disk refuses."""
        with self._lock, self._store:
            self._store.execute("INSERT INTO waiting (line) VALUES (?)", (line,))
            too_many = int(self._store.execute("SELECT count(*) FROM waiting").fetchone()[0]) - self._limit
            if too_many > 0:
                oldest = "SELECT number FROM waiting ORDER BY number LIMIT ?"
                self._store.execute(f"DELETE FROM waiting WHERE number IN ({oldest})", (too_many,))
            return max(0, too_many)

    def first(self) -> tuple[int, str] | None:
        """The number and the text of the oldest line."""
        with self._lock:
            found = self._store.execute("SELECT number, line FROM waiting ORDER BY number LIMIT 1").fetchone()
            return None if found is None else (int(found[0]), str(found[1]))

    def remove(self, number: int) -> None:
        """Forget a line."""
        with self._lock, self._store:
            self._store.execute("DELETE FROM waiting WHERE number = ?", (number,))

    def close(self) -> None:
        """Close the file; what waits in it is there at the next start."""
        left = len(self)
        self._store.close()
        if self.path is not None and not left:
            with suppress(OSError):
                self.path.unlink()
