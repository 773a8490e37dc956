"""Files: reading those that somebody else may have made, never more than is bounded, and writing whole or not at all.

Every reader of files uses this; tests/hostile/test_sizes.py walks the source for those that do not.  Each reader raises
OSError where the file is missing, larger than `most_bytes` or no file at all (a pipe has no end), and ValueError where
it does not hold what is wanted.
"""

from __future__ import annotations

import errno
import json
import os
import stat
import tomllib
import zipfile
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import IO, Any, BinaryIO

from crowdad.errors import OutputNotWritableError

__all__ = [
    "KB",
    "MB",
    "BoundedFile",
    "Npz",
    "check_size",
    "make_private",
    "open_file",
    "parse_json",
    "parse_toml",
    "read_bytes",
    "read_json",
    "read_text",
    "text_lines",
    "written_whole",
]

KB, MB = 2**10, 2**20

_PRIVATE = 0o600
_DIRECTORY_BYTES = 64 * MB
_TOO_LARGE = "is {size:,} bytes, at most {most:,} are read"


def check_size(path: str | os.PathLike[str], most_bytes: int) -> int:
    """Bytes of a file.  Raises OSError unless it is one of at most `most_bytes`."""
    known = os.stat(path)
    if not stat.S_ISREG(known.st_mode):
        raise OSError(errno.EINVAL, "is not a regular file", os.fspath(path))
    if known.st_size > most_bytes:
        raise OSError(errno.EFBIG, _TOO_LARGE.format(size=known.st_size, most=most_bytes), os.fspath(path))
    return known.st_size


def open_file(path: str | os.PathLike[str], most_bytes: int) -> BinaryIO:
    """The file, open for reading, no longer than `most_bytes` when it was opened."""
    check_size(path, most_bytes)
    return open(path, "rb")


def read_bytes(path: str | os.PathLike[str], most_bytes: int) -> bytes:
    """All that a file holds."""
    with open_file(path, most_bytes) as file:
        content = file.read(most_bytes + 1)
    if len(content) > most_bytes:  # it has grown meanwhile
        raise OSError(errno.EFBIG, f"is longer than {most_bytes:,} bytes", os.fspath(path))
    return content


def read_text(path: str | os.PathLike[str], most_bytes: int) -> str:
    """All that a file of UTF-8 holds, line breaks as `\\n`."""
    return read_bytes(path, most_bytes).decode("utf-8").replace("\r\n", "\n")


def text_lines(path: str | os.PathLike[str], most_bytes: int, most_in_line: int) -> Iterator[str]:
    """The whole lines of a file of UTF-8, without their breaks; what follows the last break is left out."""
    with open_file(path, most_bytes) as file:
        while (line := file.readline(most_in_line + 1)).endswith(b"\n"):
            yield line[:-1].removesuffix(b"\r").decode("utf-8")
        if len(line) > most_in_line:
            raise ValueError(f"a line is longer than {most_in_line} bytes")


def parse_json(text: str | bytes) -> Any:
    """What JSON says.  Raises ValueError, also where it is nested deeper than anybody writes."""
    try:
        return json.loads(text)
    except RecursionError:
        raise ValueError("its JSON is nested too deep") from None


def read_json(path: str | os.PathLike[str], most_bytes: int) -> Any:
    """What a file of JSON says."""
    return parse_json(read_bytes(path, most_bytes))


def parse_toml(text: str) -> dict[str, Any]:
    """What TOML says.  Raises ValueError, also where it is nested deeper than anybody writes."""
    try:
        return tomllib.loads(text)
    except RecursionError:
        raise ValueError("its TOML is nested too deep") from None


class BoundedFile:
    """A file of which no more than `most_bytes` are read at once, for libraries that ask for what a header says."""

    def __init__(self, file: BinaryIO, most_bytes: int) -> None:
        self._file = file
        self._most_bytes = most_bytes

    def __getattr__(self, name: str) -> Any:
        return getattr(self._file, name)

    def read(self, size: int | None = -1) -> bytes:
        if size is None or size < 0 or size > self._most_bytes:
            content = self._file.read(self._most_bytes + 1)
            if len(content) > self._most_bytes:
                raise ValueError(f"more than {self._most_bytes:,} bytes are asked for at once")
            return content
        return self._file.read(size)


class Npz:
    """An .npz file, read array by array.

    most_bytes: of the file.  most_in_array: of one array once it is unpacked.
    Raises OSError, ValueError, zipfile.BadZipFile.
    """

    def __init__(self, path: str | os.PathLike[str], most_bytes: int, most_in_array: int) -> None:
        self._most_in_array = most_in_array
        self._file = open_file(path, most_bytes)
        try:
            bounded: Any = BoundedFile(self._file, _DIRECTORY_BYTES)
            self._zip = zipfile.ZipFile(bounded)
        except BaseException:
            self._file.close()
            raise

    def __getitem__(self, name: str) -> Any:
        """An array.  Raises KeyError where there is none of this name, ValueError for a larger one, or no plain one."""
        import numpy as np

        known = self._zip.getinfo(f"{name}.npy")
        if known.file_size > self._most_in_array:
            raise ValueError(f"{name} is {known.file_size:,} bytes, at most {self._most_in_array:,} are read")
        with self._zip.open(known) as member:
            _check_shape(member, known.file_size)
        with self._zip.open(known) as member:
            return np.lib.format.read_array(member, allow_pickle=False)

    def close(self) -> None:
        """Close the file; a second call does nothing."""
        self._file.close()

    def __enter__(self) -> Npz:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()


def _check_shape(member: IO[bytes], most_bytes: int) -> None:
    """Raise ValueError where an array says that it is larger than what there is of it: memory is asked for first."""
    import numpy as np

    version = np.lib.format.read_magic(member)
    if version == (1, 0):
        shape, _, dtype = np.lib.format.read_array_header_1_0(member)
    elif version == (2, 0):
        shape, _, dtype = np.lib.format.read_array_header_2_0(member)
    else:
        raise ValueError(f"an array of format {version}")
    size = dtype.itemsize
    for side in shape:
        size *= side
    if size > most_bytes:
        raise ValueError(f"an array that says it is {size:,} bytes, of which there are {most_bytes:,}")


@contextmanager
def written_whole(
    path: str | os.PathLike[str],
    *,
    private: bool = False,
    keep: bool = False,
    ending: str = ".part",
    advice: str | None = None,
) -> Iterator[Path]:
    """The path to write to, `<name>.part` beside the file, which gets the file's name when the block ends well.

    private: nobody but the user may read it.  keep: what was written of it stays when the block fails.
    ending: of the name meanwhile.
    advice: what the user can do where the disk refuses, told by an OutputNotWritableError; the folder of the file is
    made, too.  None: OSError is raised.
    """
    path = Path(path)
    part = path.with_name(path.name + ending)
    try:
        if advice is not None:
            path.parent.mkdir(parents=True, exist_ok=True)
        with _kept(part, keep):
            yield part
            if private:
                make_private(part)
            os.replace(part, path)
        part.unlink(missing_ok=True)  # where both were names of one file, nothing was renamed
    except OSError as error:
        if advice is None:
            raise
        raise OutputNotWritableError(f"{path}: cannot be written ({error.strerror or error}); {advice}") from error


@contextmanager
def _kept(part: Path, keep: bool) -> Iterator[None]:
    """Nothing of an earlier attempt is there, nor of this one where it fails, unless that is to be kept."""
    part.unlink(missing_ok=True)
    try:
        yield
    except BaseException:
        if not keep:
            with suppress(OSError):
                part.unlink(missing_ok=True)
        raise


def make_private(path: Path) -> None:
    """Let nobody but the user read a file; one that has another name elsewhere keeps the mode it has there."""
    with suppress(OSError):
        if path.stat().st_nlink == 1:
            path.chmod(_PRIVATE)
