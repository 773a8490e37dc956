"""Folders that several processes of this machine use: held by many to read, or by one alone to change.

The lock is on the folder itself: a lock file would have to be cleared away, and a process that was killed cannot.
"""

from __future__ import annotations

import os
import sys
from pathlib import Path

if sys.platform != "win32":
    import fcntl

__all__ = ["hold", "is_still", "let_go", "open_folder"]


def open_folder(folder: Path) -> int | None:
    """The folder, to be held; None where the system or its disk knows no locks.  Raises OSError where it is gone."""
    if sys.platform == "win32":
        return None
    opened = os.open(folder, os.O_RDONLY)
    try:
        fcntl.flock(opened, fcntl.LOCK_UN)
    except OSError:  # some network disks
        os.close(opened)
        return None
    return opened


def hold(opened: int, *, alone: bool) -> bool:
    """Hold it, with others or alone; False, and not held any more, where others are in the way."""
    if sys.platform == "win32":
        return True
    try:
        fcntl.flock(opened, (fcntl.LOCK_EX if alone else fcntl.LOCK_SH) | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True


def is_still(opened: int, folder: Path) -> bool:
    """Whether the open folder is the one that stands there: it may have been deleted, and made anew, meanwhile."""
    try:
        return os.path.samestat(os.fstat(opened), folder.stat())
    except OSError:
        return False


def let_go(opened: int | None) -> None:
    """Neither hold it nor keep it open."""
    if opened is not None:
        os.close(opened)
