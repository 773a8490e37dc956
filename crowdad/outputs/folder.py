"""A run's folder: never overwrites another run, and every file in it is either whole or named `.part`."""

from __future__ import annotations

import errno
import os
import re
import shutil
import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from pathlib import Path
from types import TracebackType
from typing import Any

from crowdad.errors import OutputExistsError, OutputNotWritableError
from crowdad.files import written_whole
from crowdad.outputs.journal import Journal
from crowdad.wording import without_login

if sys.platform != "win32":
    import fcntl

__all__ = ["JOURNAL", "PIECES", "PRIVATE_FOLDER", "RUN_FILES", "RunFolder", "run_name"]

RUN_FILES = (
    "results.json",
    "frames.csv",
    "heatmaps.npz",
    "overlay.mp4",
    "timeline.png",
    "report.html",
    "footage.mp4",
    "footage.webm",
    "scene.safetensors",
    "events.jsonl",
    "status.json",
)
"""What a run writes; a folder that holds one of these holds a run."""

JOURNAL = "resume.part"
"""What an unfinished run goes on from; gone when the run is whole."""

PIECES = "pieces.part"
"""Folder of what was scored of a run that is spread over processes; gone when the run is whole."""

PRIVATE_FOLDER = 0o700
"""What shows people is for the user's own eyes; who wants to share it says so with chmod."""

_LEFTOVERS = ("warm-up-*.mp4.part*", "*.mp4.part.whole", "scene.safetensors.part*", "clips/*.part*", ".crowdad-*.part")
_NOT_OURS = re.compile(r"[^\w.+-]+", re.UNICODE)
_WRITE_FAILURES = {
    errno.EACCES: "permission denied",
    errno.EPERM: "permission denied",
    errno.EROFS: "the disk is read-only",
    errno.ENOSPC: "the disk is full",
    errno.EDQUOT: "the disk quota is used up",
    errno.EFBIG: "the file is larger than the disk allows",
    errno.ENOENT: "there is no such place",
    errno.EIO: "the disk reports an error",
    errno.ENOTDIR: "a part of the path is a file",
    errno.EISDIR: "a folder has this name",
    errno.EEXIST: "a file has this name",
    errno.ENAMETOOLONG: "the name is too long",
}


def run_name(source_name: str) -> str:
    """A folder name for footage: no suffix, no user or password of an address, nothing a shell trips over."""
    plain = source_name.encode("utf-8", "replace").decode()
    _, address, place = without_login(plain).rpartition("://")
    only_host = address and "/" not in place
    stem = place if only_host else re.sub(r"\.[A-Za-z0-9]{1,5}$", "", Path(place).name)
    return _NOT_OURS.sub("-", stem).strip("-.")[:80] or "run"


class RunFolder:
    """The folder of one run.

    path: where the user wants it; made here, with its parents.
    overwrite: let an earlier run in it go (when the first file is written, so that a failed start costs nothing).
    resume: go on with the run that is in it.
    As a context manager, removes the folder again if it made it and nothing was written.

    No other process can write a run into it meanwhile (where the system has file locks; a killed process holds none).
    Raises OutputExistsError when the folder holds a run or another process writes one, OutputNotWritableError when it
    cannot be written.
    """

    def __init__(self, path: str | os.PathLike[str], overwrite: bool = False, resume: bool = False) -> None:
        self._lock: int | None = None
        self.path = Path(path)
        if re.match(r"(s3|gs|file):/", os.fspath(path)):  # a path has lost the second slash
            raise OutputNotWritableError(
                f"{path}: only crowdad detect puts what it writes to an address; give a folder"
            )
        self.resume = resume
        if not os.fspath(path):
            raise OutputNotWritableError("the name of the run's folder is empty; give a folder with -o")
        self._overwrite = overwrite
        with self.one_line_errors():
            self._refuse_another(overwrite or resume)
            self._made = not self.path.exists()
            self.path.mkdir(mode=PRIVATE_FOLDER, parents=True, exist_ok=True)
            self._check_writable()
            self._lock = _locked(self.path)
            self._refuse_another(overwrite or resume)

    def _refuse_another(self, allowed: bool) -> None:
        held = held_files(self.path)
        if held and not allowed:
            self.close()
            unfinished = (self.path / JOURNAL).is_file() and not (self.path / "results.json").is_file()
            go_on = "--resume to go on with it, " if unfinished else ""
            raise OutputExistsError(
                f"{self.path}: holds another run ({held[0].name}); choose another folder, {go_on}or --overwrite to "
                "replace it"
            )

    def close(self) -> None:
        """Let others write into the folder; a second call does nothing."""
        if self._lock is not None:
            os.close(self._lock)
            self._lock = None

    def __enter__(self) -> RunFolder:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        try:
            with suppress(OSError):  # removed meanwhile, or not permitted: what is told is why the run failed
                self._clear_away()
        finally:
            self.close()

    def _clear_away(self) -> None:
        left = [path.name for path in self.path.iterdir()] if self.path.is_dir() else [""]
        if left == [JOURNAL]:  # no result yet, there is nothing to go on with
            (self.path / JOURNAL).unlink()
            left = []
        if self._made and not left:
            self.path.rmdir()

    def __del__(self) -> None:
        self.close()

    def file(self, name: str) -> Path:
        """Where the finished file of this name is, or will be."""
        return self.path / name

    @contextmanager
    def part(self, name: str) -> Iterator[Path]:
        """The path `<name>.part` to write to; renamed to `name` when the block ends well, left as it is otherwise.

        Raises OutputNotWritableError where the disk refuses (full, read-only, not permitted).
        """
        with self.one_line_errors():
            self._let_go_of_earlier_run()
            with written_whole(self.path / name, private=True, keep=True) as part:
                yield part

    def journal(self, run: Mapping[str, Any]) -> Journal:
        """The run's journal, begun or gone on with; an earlier run that may be overwritten is let go of.

        run: what the results depend on, plain JSON.  Raises OutputExistsError where the journal is of another run.
        """
        with self.one_line_errors():
            self._let_go_of_earlier_run()
            return Journal(self.path / JOURNAL, run)

    def finished(self) -> bool:
        """Whether the run in it is whole."""
        return (self.path / "results.json").is_file()

    def forget_how_to_go_on(self) -> None:
        """Remove the journal and the pieces, once the run is whole."""
        (self.path / JOURNAL).unlink(missing_ok=True)
        shutil.rmtree(self.path / PIECES, ignore_errors=True)

    def clear_leftovers(self) -> None:
        """Remove what a program that was killed left half-written: pictures of people among it."""
        for pattern in _LEFTOVERS:
            for path in self.path.glob(pattern):
                path.unlink(missing_ok=True)

    def _let_go_of_earlier_run(self) -> None:
        if self._overwrite:
            self._overwrite = False
            for path in held_files(self.path):
                path.unlink()
            self.forget_how_to_go_on()
            self.clear_leftovers()

    def _check_writable(self) -> None:
        probe = self.path / f".crowdad-{os.getpid()}.part"
        with self.one_line_errors():
            probe.touch()
            probe.unlink()

    @contextmanager
    def one_line_errors(self) -> Iterator[None]:
        """Turn what the disk refuses here into OutputNotWritableError."""
        try:
            yield
        except OSError as error:
            if error.errno not in _WRITE_FAILURES or not self._concerns(error):
                raise
            free = f" ({_free_mb(self.path)} MB free)" if error.errno == errno.ENOSPC else ""
            raise OutputNotWritableError(
                f"{error.filename or self.path}: cannot be written, {_WRITE_FAILURES[error.errno]}{free}; "
                "choose another folder with -o"
            ) from error

    def _concerns(self, error: OSError) -> bool:
        """Whether it was this folder (or a folder above it) that refused, not the footage being read."""
        if error.filename is None:
            return True
        named, here = Path(os.path.abspath(os.fsdecode(error.filename))), Path(os.path.abspath(self.path))
        return named == here or here in named.parents or named in here.parents


def held_files(path: Path) -> list[Path]:
    """The files of a run in this folder, finished or not."""
    names = [*(name + suffix for name in RUN_FILES for suffix in ("", ".part")), JOURNAL]
    return [path / name for name in names if (path / name).is_file()]


def _locked(path: Path) -> int | None:
    """Hold the folder against other processes; None where the system or the disk knows no such lock.

    On the folder itself: a lock file would have to be cleared away, and a process that was killed cannot.
    Raises OutputExistsError where another holds it.
    """
    if sys.platform == "win32":
        return None
    held = None
    try:
        held = os.open(path, os.O_RDONLY)
        fcntl.flock(held, fcntl.LOCK_EX | fcntl.LOCK_NB)
        return held
    except OSError as error:
        if held is not None:
            os.close(held)
        if isinstance(error, BlockingIOError):
            raise OutputExistsError(
                f"{path}: another process is writing a run into it; choose another folder, or wait for it to end"
            ) from None
        return None  # some network disks know no locks


def _free_mb(path: Path) -> int:
    while not path.exists() and path != path.parent:
        path = path.parent
    return shutil.disk_usage(path).free // 1_000_000
