"""A run's folder: never overwrites another run, and every file in it is either whole or named `.part`."""

from __future__ import annotations

import errno
import os
import re
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from types import TracebackType

from crowdad.errors import OutputExistsError, OutputNotWritableError
from crowdad.wording import without_login

__all__ = ["RUN_FILES", "RunFolder", "run_name"]

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
)
"""What a run writes; a folder that holds one of these holds a run."""

_NOT_OURS = re.compile(r"[^\w.+-]+", re.UNICODE)
_WRITE_FAILURES = {
    errno.EACCES: "permission denied",
    errno.EPERM: "permission denied",
    errno.EROFS: "the disk is read-only",
    errno.ENOSPC: "the disk is full",
    errno.EDQUOT: "the disk quota is used up",
    errno.EFBIG: "the file is larger than the disk allows",
    errno.EIO: "the disk reports an error",
    errno.ENOTDIR: "a part of the path is a file",
    errno.EISDIR: "a folder has this name",
    errno.EEXIST: "a file has this name",
    errno.ENAMETOOLONG: "the name is too long",
}


def run_name(source_name: str) -> str:
    """A folder name for footage: no suffix, no user or password of an address, nothing a shell trips over."""
    plain = source_name.encode("utf-8", "replace").decode()
    place = re.sub(r"^[a-z][a-z0-9+.-]*://", "", without_login(plain), flags=re.IGNORECASE)
    stem = re.sub(r"\.[A-Za-z0-9]{1,5}$", "", Path(place).name)
    return _NOT_OURS.sub("-", stem).strip("-.")[:80] or "run"


class RunFolder:
    """The folder of one run.

    path: where the user wants it; made here, with its parents.
    overwrite: let an earlier run in it go (when the first file is written, so that a failed start costs nothing).
    As a context manager, removes the folder again if it made it and nothing was written.

    Raises OutputExistsError when the folder holds a run, OutputNotWritableError when it cannot be written.
    """

    def __init__(self, path: str | os.PathLike[str], overwrite: bool = False) -> None:
        self.path = Path(path)
        self._overwrite = overwrite
        held = held_files(self.path)
        if held and not overwrite:
            raise OutputExistsError(
                f"{self.path}: holds another run ({held[0].name}); choose another folder, or --overwrite to replace it"
            )
        self._made = not self.path.exists()
        with self._one_line_errors():
            self.path.mkdir(parents=True, exist_ok=True)
        self._check_writable()

    @classmethod
    def numbered(cls, source_name: str, runs: str | os.PathLike[str] = "runs") -> RunFolder:
        """The default folder for footage, `runs/<name>`, or `-2`, `-3`, ... where that exists."""
        name = run_name(source_name)
        number = 1
        while True:
            path = Path(runs) / (name if number == 1 else f"{name}-{number}")
            if not path.exists():
                return cls(path)
            number += 1

    def __enter__(self) -> RunFolder:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        if self._made and self.path.is_dir() and not any(self.path.iterdir()):
            self.path.rmdir()

    def file(self, name: str) -> Path:
        """Where the finished file of this name is, or will be."""
        return self.path / name

    @contextmanager
    def part(self, name: str) -> Iterator[Path]:
        """The path `<name>.part` to write to; renamed to `name` when the block ends well, left as it is otherwise.

        Raises OutputNotWritableError where the disk refuses (full, read-only, not permitted).
        """
        part = self.path / f"{name}.part"
        with self._one_line_errors():
            self._let_go_of_earlier_run()
            part.unlink(missing_ok=True)
            yield part
            os.replace(part, self.path / name)

    def _let_go_of_earlier_run(self) -> None:
        if self._overwrite:
            self._overwrite = False
            for path in held_files(self.path):
                path.unlink()

    def _check_writable(self) -> None:
        probe = self.path / f".crowdad-{os.getpid()}.part"
        with self._one_line_errors():
            probe.touch()
            probe.unlink()

    @contextmanager
    def _one_line_errors(self) -> Iterator[None]:
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
    names = [name + suffix for name in RUN_FILES for suffix in ("", ".part")]
    return [path / name for name in names if (path / name).is_file()]


def _free_mb(path: Path) -> int:
    while not path.exists() and path != path.parent:
        path = path.parent
    return shutil.disk_usage(path).free // 1_000_000
