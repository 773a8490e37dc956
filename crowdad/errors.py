"""Every error crowdad raises on purpose.  A leaf says what happened, a middle class is what callers catch.

Each message is one line: what was found, what is needed, what to do.  `line_of` says as much of what the system or a
library refused; only what is left is called a bug.
"""

from __future__ import annotations

import errno
import os

from crowdad.wording import one_line, reader_text, without_login

__all__ = [
    "ConfigError",
    "CrowdadError",
    "DataError",
    "DatasetNotFoundError",
    "DownloadError",
    "FitError",
    "FleetError",
    "GraphFormatError",
    "GraphMismatchError",
    "ModelError",
    "ModelFormatError",
    "ModelVersionError",
    "NoVideoError",
    "NotFittedError",
    "OutputError",
    "OutputExistsError",
    "OutputNotReadableError",
    "OutputNotWritableError",
    "PageAddressError",
    "PageError",
    "PageNotInstalledError",
    "SourceError",
    "SourceNotFoundError",
    "StorageError",
    "StorageNotFoundError",
    "StorageNotInstalledError",
    "TooLittleMotionError",
    "TooShortError",
    "UnclearSizeError",
    "UndefinedMetricError",
    "UnknownSettingError",
    "UnreadableSourceError",
    "bug_line",
    "line_of",
    "reason_of",
]

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


class CrowdadError(Exception):
    """Anything crowdad refuses to do; `str(error)` is the one line a person should read.

    Parameters
    ----------
    message : str
        Names options of the command line (`--overwrite`); who reads it in Python reads arguments (`overwrite=True`).
        Names of files and addresses in it may hold anything: what breaks lines or steers a terminal is escaped, and
        logins of addresses are left out.

    Examples
    --------
    >>> str(crowdad.OutputError("runs/monday: holds another run; give another folder with -o, or --overwrite"))
    'runs/monday: holds another run; give another folder with output, or overwrite=True'
    """

    def __init__(self, message: str = "") -> None:
        super().__init__(one_line(without_login(message)))

    def __str__(self) -> str:
        return reader_text(self.args[0])


class SourceError(CrowdadError):
    """The footage cannot be used."""


class SourceNotFoundError(SourceError):
    """No file, folder or glob match at the given place."""


class UnreadableSourceError(SourceError):
    """There is something, but no frame can be decoded from it."""


class NoVideoError(SourceError):
    """A media file without a video stream."""


class TooShortError(SourceError):
    """Fewer frames than one window needs."""


class FitError(CrowdadError):
    """A scene cannot be learned from the footage."""


class TooLittleMotionError(FitError):
    """So little moves that nothing can be learned.

    nothing: nothing moves at all.  contradicted: what was measured against the people's height that was given, where
    the two are far apart.
    """

    def __init__(self, message: str = "", *, nothing: bool = False, contradicted: str = "") -> None:
        super().__init__(message)
        self.nothing = nothing
        self.contradicted = contradicted


class UnclearSizeError(FitError):
    """What moves does not tell how tall people are."""


class ModelError(CrowdadError):
    """The scene model cannot be used."""


class NotFittedError(ModelError):
    """An estimator was asked for a score before `fit`."""


class ModelFormatError(ModelError):
    """Not a crowdad scene model, or a damaged one."""


class ModelVersionError(ModelError):
    """A scene model written by an incompatible version."""


class GraphFormatError(ModelError):
    """An exported graph that no runtime can load."""


class GraphMismatchError(ModelError):
    """An exported graph that does not score as its scene does."""


class ConfigError(CrowdadError):
    """A setting has a wrong value or shape."""


class UnknownSettingError(ConfigError):
    """A setting that does not exist; the message names the nearest one."""


class DataError(CrowdadError):
    """A data set is not usable."""


class DatasetNotFoundError(DataError):
    """The data folder, or a part of it, is missing."""


class DownloadError(DataError):
    """A data set could not be fetched or failed its hash check."""


class UndefinedMetricError(DataError):
    """A metric has no value for this ground truth (one class only, no true region)."""


class OutputError(CrowdadError):
    """Results cannot be written."""


class OutputExistsError(OutputError):
    """The run's folder already holds another run."""


class OutputNotWritableError(OutputError):
    """The run's folder cannot be written."""


class OutputNotReadableError(OutputError):
    """A run's folder lacks what is asked of it, or holds it damaged."""


class StorageError(CrowdadError):
    """An object store cannot be reached, or refuses what is asked of it."""


class StorageNotFoundError(StorageError):
    """No such bucket, folder or object."""


class StorageNotInstalledError(StorageError):
    """What talks to the store is not installed."""


class FleetError(CrowdadError):
    """Work cannot be spread over processes or machines, or one of them died again and again."""


class PageError(CrowdadError):
    """The live page cannot be served."""


class PageAddressError(PageError):
    """The page's address is taken, or is none of this machine."""


class PageNotInstalledError(PageError):
    """What serves the page is not installed."""


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
