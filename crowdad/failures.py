"""What the system or a library refused, in one line with the right culprit; only what is left is called a bug."""

from __future__ import annotations

import errno
import os

__all__ = ["bug_line", "line_of", "reason_of"]

_MEMORY_SIGNS = (
    "allocate",  # torch, OpenCV, NumPy
    "insufficient memory",
    "out of memory",
    "can't start new thread",
    "failed to map segment",  # a library that the loader has no room for
    "std::bad_alloc",
)
_NO_MEMORY = "there is too little memory for it; close other programs, give it more, or use smaller footage"
_NO_FILES = "too many files are open (ulimit -n); raise the limit, or use fewer --jobs"


def line_of(error: BaseException, about: str = "") -> str:
    """One line for a person.  about: what was being done, such as the name of the footage; empty where nothing was."""
    before = f"{about}: " if about else ""
    reason = reason_of(error)
    return before + (bug_line(error) if reason is None else reason)


def bug_line(error: BaseException) -> str:
    """What is said of an error that nobody foresaw."""
    where = f"{type(error).__name__}: {error}".splitlines()[0]
    return f"a bug in crowdad ({where}); run again with -vv for the traceback, and please report it"


def reason_of(error: BaseException) -> str | None:
    """Why it failed where the system or its resources refused, and what to do; None for what looks like a bug."""
    if _is_memory(error):
        return _NO_MEMORY
    if type(error).__module__.startswith("av."):
        what = getattr(error, "strerror", None) or error
        return f"FFmpeg refused ({what}); is the footage whole, and is there enough memory?"
    if not isinstance(error, OSError):
        return None
    if error.errno in (errno.EMFILE, errno.ENFILE):
        return _NO_FILES
    if isinstance(error, FileNotFoundError) and not _working_folder():
        return "the working folder was removed; change to a folder that exists"
    what = error.strerror or str(error) or type(error).__name__
    if error.filename is None:
        return f"the system refused ({what})"
    name = os.fsdecode(error.filename) if isinstance(error.filename, str | bytes | os.PathLike) else str(error.filename)
    return f"{name} cannot be read or written ({what})"


def _is_memory(error: BaseException) -> bool:
    if isinstance(error, MemoryError) or getattr(error, "errno", None) == errno.ENOMEM:
        return True
    foreign = isinstance(error, RuntimeError | ImportError | SystemError) or type(error).__module__ == "cv2"
    return foreign and any(sign in str(error).lower() for sign in _MEMORY_SIGNS)


def _working_folder() -> bool:
    """Whether there is one: another process may have deleted it."""
    try:
        os.getcwd()
    except OSError:
        return False
    return True
