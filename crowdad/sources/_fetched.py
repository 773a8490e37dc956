"""What lies in an object store, fetched once into a folder of the user's cache that several processes share.

Fetched whole, not read in place: footage is opened several times (looked at, learned from, scored, drawn), the report
lays it beside its page, and a decoder that seeks asks for many small parts.  fsspec's own `filecache` gives a file its
name before all of it is there, does not keep two processes from fetching the same, and neither bounds the folder nor
spares what is in use.
"""

from __future__ import annotations

import hashlib
import os
import random
import shutil
import sys
import time
import uuid
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import TYPE_CHECKING

import platformdirs

from crowdad.errors import SourceNotFoundError, StorageError, StorageNotFoundError, UnreadableSourceError
from crowdad.sources._remote import RemoteFootage, file_at, members
from crowdad.sources.storage import on_this_machine, share_callback

if TYPE_CHECKING:
    from fsspec import AbstractFileSystem

if sys.platform != "win32":
    import fcntl

__all__ = ["CACHE_BYTES", "Fetched", "OnBytes", "cache_folder", "fetch"]

CACHE_BYTES = 20 * 10**9
"""What was not used for longest goes where the folder would hold more, unless it is in use."""

SPARE_BYTES = 10**9
"""... and where less than this would be left on the disk."""

OnBytes = Callable[[int, int], None]
"""Told how many bytes are here, of how many."""

_LOOK_AGAIN_S = 0.2


def cache_folder() -> Path:
    """Where fetched footage is kept; need not exist yet."""
    return platformdirs.user_cache_path("crowdad") / "fetched"


class Fetched(os.PathLike[str]):
    """A copy on this machine; no process deletes it to make room while this object lives.

    path: the file, or the folder of pictures, under its own name.
    """

    def __init__(self, path: Path, lock: _FolderLock) -> None:
        self.path = path
        self._lock = lock

    def __fspath__(self) -> str:
        return str(self.path)

    def close(self) -> None:
        """Let it go; a second call does nothing."""
        self._lock.let_go()

    def __del__(self) -> None:
        self.close()


def fetch(footage: RemoteFootage, on_bytes: OnBytes | None = None) -> Fetched:
    """The copy of what lies at an address, fetched unless it is here already.

    Where another process is fetching the same, this one waits for it.
    Raises SourceNotFoundError where it is gone, StorageError where the store refuses, UnreadableSourceError where it
    changes meanwhile or does not fit on the disk; nothing stands under the name of the copy then.
    """
    place, tell = _place_of(footage), on_bytes or (lambda _done, _total: None)
    with _disk_errors(footage):
        cache_folder().parent.mkdir(parents=True, exist_ok=True)
        cache_folder().mkdir(mode=0o700, exist_ok=True)
        while True:
            place.parent.mkdir(parents=True, exist_ok=True)
            lock = _FolderLock(place.parent)
            try:
                if _is_held(lock, place, footage, tell):
                    with suppress(OSError):  # a cache that may only be read
                        os.utime(place.parent)
                    return Fetched(place, lock)
            except BaseException:
                lock.let_go()
                raise
            lock.let_go()
            tell(min(_size(place.parent), footage.size_bytes), footage.size_bytes)
            # At odds with each other, so that two who stand in each other's way do not go on doing so.
            time.sleep(_LOOK_AGAIN_S * random.uniform(0.5, 1.0))


class _FolderLock:
    """Of a folder that several processes of this machine use: held by many to read, or by one alone to change.

    The lock is on the folder itself: a lock file would have to be cleared away, and a process that was killed cannot.
    Raises OSError where the folder is gone.
    """

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._opened = open_folder(folder)

    def hold(self, *, alone: bool) -> bool:
        """Hold it; False where others are in the way, or deleted the folder meanwhile.  True where no lock is known."""
        if self._opened is None or sys.platform == "win32":
            return True
        try:
            fcntl.flock(self._opened, (fcntl.LOCK_EX if alone else fcntl.LOCK_SH) | fcntl.LOCK_NB)
            return os.path.samestat(os.fstat(self._opened), self._folder.stat())
        except (BlockingIOError, FileNotFoundError):
            return False

    @property
    def is_known(self) -> bool:
        """Whether there are locks here: without, nobody can tell who uses the folder."""
        return self._opened is not None

    def let_go(self) -> None:
        """Neither hold it nor keep it open; a second call does nothing."""
        if self._opened is not None:
            os.close(self._opened)
        self._opened = None


def open_folder(folder: Path) -> int | None:
    """The folder, to be locked; None where the system or its disk knows no locks.  Raises OSError where it is gone."""
    if sys.platform == "win32":
        return None
    opened = os.open(folder, os.O_RDONLY)
    try:
        fcntl.flock(opened, fcntl.LOCK_UN)
    except OSError:  # some network disks
        os.close(opened)
        return None
    return opened


def _place_of(footage: RemoteFootage) -> Path:
    if footage.name in ("", ".", "..") or "\0" in footage.name:
        raise UnreadableSourceError(f"{footage}: {footage.name!r} is no name for a file; give it another one")
    state = f"{footage.url}\0{footage.size_bytes}\0{footage.stamp}"
    return cache_folder() / hashlib.sha256(state.encode(errors="replace")).hexdigest()[:24] / footage.name


@contextmanager
def _disk_errors(footage: RemoteFootage) -> Iterator[None]:
    try:
        yield
    except OSError as error:
        if not on_this_machine(error):
            raise
        raise UnreadableSourceError(
            f"{footage}: cannot be kept in {cache_folder()} ({error.strerror}); make room, or choose another cache "
            "folder with XDG_CACHE_HOME"
        ) from error


def _is_held(lock: _FolderLock, place: Path, footage: RemoteFootage, tell: OnBytes) -> bool:
    """Hold the copy, fetched first where it is not here; False where others are in the way, or deleted its folder."""
    if lock.hold(alone=False) and not place.exists() and lock.hold(alone=True) and not place.exists():
        if lock.is_known:
            for left in place.parent.iterdir():  # by a process that was killed
                _remove(left)
        _fetch_into(place, footage, tell)
    # Not in one step: somebody who makes room may come in between.
    return lock.hold(alone=False) and place.exists()


def _fetch_into(place: Path, footage: RemoteFootage, tell: OnBytes) -> None:
    _make_room(footage.size_bytes, place.parent)
    part = place.with_name(f"{uuid.uuid4().hex}.part")
    tell(0, footage.size_bytes)
    try:
        with footage.url.reached() as store:
            _download(store, footage, part, tell)
        if _size(part) != footage.size_bytes:
            raise StorageError(f"{footage}: {_size(part)} of {footage.size_bytes} bytes came; try again")
        if not place.exists():  # without locks, another process may have been faster
            os.replace(part, place)
    except StorageNotFoundError as error:
        raise SourceNotFoundError(str(error)) from None
    finally:
        _remove(part)


def _download(store: AbstractFileSystem, footage: RemoteFootage, part: Path, tell: OnBytes) -> None:
    # Of a folder, the share is counted in files.
    callback = share_callback(lambda share: tell(round(share * footage.size_bytes), footage.size_bytes))
    if footage.pictures:
        now, pictures, others = members(footage.url)
        if now == footage:
            part.mkdir()
            store.get([url.path for url in pictures], [str(part / url.name) for url in pictures], callback=callback)
            for url in others:  # only their names are told, by whoever reads the folder
                (part / url.name).touch()
            now = members(footage.url)[0]
    else:
        store.get_file(footage.url.path, str(part), callback=callback)
        now = file_at(footage.url.looked_at())
    if now != footage:
        raise UnreadableSourceError(f"{footage}: changed while it was fetched; try again once it is whole")


def _make_room(needed: int, keep: Path) -> None:
    """Delete what was not used for longest until `needed` bytes more fit, as far as it is not in use."""
    entries = sorted((entry for entry in cache_folder().iterdir() if entry != keep), key=_used_at)
    sizes = {entry: _size(entry) for entry in entries}
    held = sum(sizes.values())
    for entry in entries:
        free = shutil.disk_usage(cache_folder()).free
        if held + needed <= CACHE_BYTES and free >= needed + SPARE_BYTES:
            return
        if _deleted(entry):
            held -= sizes[entry]


def _deleted(entry: Path) -> bool:
    """Whether it is gone now; what is in use stays."""
    try:
        lock = _FolderLock(entry)
    except OSError:
        return False
    try:
        if lock.is_known and lock.hold(alone=True):
            shutil.rmtree(entry, ignore_errors=True)
        return not entry.exists()
    finally:
        lock.let_go()


def _used_at(entry: Path) -> float:
    try:
        return entry.stat().st_mtime
    except OSError:  # another process was there first
        return 0.0


def _size(path: Path) -> int:
    """Bytes of a file or of all files in a folder; 0 where there is nothing (any more)."""
    try:
        return sum(_size(inner) for inner in path.iterdir()) if path.is_dir() else path.stat().st_size
    except OSError:
        return 0


def _remove(path: Path) -> None:
    if path.is_dir():
        shutil.rmtree(path, ignore_errors=True)
    else:
        path.unlink(missing_ok=True)
