"""What lies in an object store, fetched once into a folder of the user's cache that several processes share.

Fetched whole, not read in place: footage is opened several times (looked at, learned from, scored, drawn), the report
lays it beside its page, and a decoder that seeks asks for many small parts.  fsspec's own `filecache` does not keep two
processes from fetching the same, and nothing in it bounds the folder or spares what is in use.
"""

from __future__ import annotations

import hashlib
import os
import random
import shutil
import time
import uuid
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

import platformdirs

from crowdad.errors import SourceNotFoundError, StorageError, StorageNotFoundError, UnreadableSourceError
from crowdad.sources._holding import hold, is_still, let_go, open_folder
from crowdad.sources._remote import RemoteFootage, file_at, members
from crowdad.sources.storage import on_this_machine, telling

if TYPE_CHECKING:
    from fsspec import AbstractFileSystem

__all__ = ["CACHE_BYTES", "Fetched", "OnBytes", "cache_folder", "fetch"]

CACHE_BYTES = 20 * 10**9
"""What was fetched first goes where the folder would hold more, unless it is in use."""

SPARE_BYTES = 10**9
"""... and where less than this would be left on the disk."""

OnBytes = Callable[[int, int], None]
"""Told how many bytes are here, of how many."""

_LOOK_AGAIN_S = 0.2
_BLOCK_BYTES = 512  # whatever the disk's own are


def cache_folder() -> Path:
    """Where fetched footage is kept; need not exist yet."""
    return platformdirs.user_cache_path("crowdad") / "fetched"


class Fetched(os.PathLike[str]):
    """A copy on this machine; no process deletes it to make room while this object lives.

    path: the file, or the folder of pictures, under its own name.
    """

    def __init__(self, path: Path, opened: int | None) -> None:
        self.path = path
        self._opened = opened

    def __fspath__(self) -> str:
        return str(self.path)

    def close(self) -> None:
        """Let it go; a second call does nothing."""
        let_go(self._opened)
        self._opened = None

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
            opened = open_folder(place.parent)
            try:
                if _is_held(opened, place, footage, tell):
                    return Fetched(place, opened)
            except BaseException:
                let_go(opened)
                raise
            let_go(opened)
            tell(min(_on_disk(place.parent), footage.size_bytes), footage.size_bytes)
            # At odds with each other, so that two who stand in each other's way do not go on doing so.
            time.sleep(_LOOK_AGAIN_S * random.uniform(0.5, 1.0))


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


def _is_held(opened: int | None, place: Path, footage: RemoteFootage, tell: OnBytes) -> bool:
    """Hold the copy, fetched first where it is not here; False where others are in the way, or deleted its folder.

    opened: its folder; None where locks are not known.
    """
    if opened is None:
        if not place.exists():
            _fetch_into(place, footage, tell)
        return True
    if not hold(opened, alone=False) or not is_still(opened, place.parent):
        return False
    if not place.exists():
        if not hold(opened, alone=True) or not is_still(opened, place.parent):
            return False
        if not place.exists():
            for left in place.parent.iterdir():  # by a process that was killed
                _remove(left)
            _fetch_into(place, footage, tell)
        # Not in one step: somebody who makes room may come in between.
        if not hold(opened, alone=False):
            return False
    return place.exists() and is_still(opened, place.parent)


def _fetch_into(place: Path, footage: RemoteFootage, tell: OnBytes) -> None:
    _make_room(footage.size_bytes, place.parent)
    part = place.with_name(f"{uuid.uuid4().hex}.part")
    tell(0, footage.size_bytes)
    try:
        try:
            with footage.url.reached() as store:
                _download(store, footage, part, tell)
        except StorageNotFoundError as error:
            raise SourceNotFoundError(str(error)) from None
        if _size(part) != footage.size_bytes:
            raise StorageError(f"{footage}: {_size(part)} of {footage.size_bytes} bytes came; try again")
        if not place.exists():  # without locks, another process may have been faster
            os.replace(part, place)
    finally:
        _remove(part)


def _download(store: AbstractFileSystem, footage: RemoteFootage, part: Path, tell: OnBytes) -> None:
    # Of a folder, the share is counted in files.
    callback = telling(lambda share: tell(round(share * footage.size_bytes), footage.size_bytes))
    if footage.pictures:
        now, pictures, others = members(store, footage.url)
        if now == footage:
            part.mkdir()
            here = {path: str(part / path.rpartition("/")[2]) for path in pictures}
            store.get(list(here), list(here.values()), callback=callback)
            for path in others:  # only their names are told, by whoever reads the folder
                (part / path.rpartition("/")[2]).touch()
            now = members(store, footage.url)[0]
    else:
        store.get_file(footage.url.path, str(part), callback=callback)
        now = file_at(footage.url, store.info(footage.url.path))
    if now != footage:
        raise UnreadableSourceError(f"{footage}: changed while it was fetched; try again once it is whole")


def _make_room(needed: int, keep: Path) -> None:
    """Delete what was fetched first until `needed` bytes more fit, as far as it is not in use."""
    entries = sorted((entry for entry in cache_folder().iterdir() if entry != keep), key=_fetched_at)
    sizes = {entry: _size(entry) for entry in entries}
    held = sum(sizes.values())
    for entry in entries:
        free = shutil.disk_usage(cache_folder()).free
        if held + needed <= CACHE_BYTES and free >= needed + SPARE_BYTES:
            return
        if _deleted(entry):
            held -= sizes[entry]


def _deleted(entry: Path) -> bool:
    """Whether it is gone now; what is in use stays, and where locks are not known nobody can tell what is."""
    try:
        opened = open_folder(entry)
    except OSError:
        return False
    try:
        if opened is None or not hold(opened, alone=True) or not is_still(opened, entry):
            return False
        shutil.rmtree(entry, ignore_errors=True)
        return not entry.exists()
    finally:
        let_go(opened)


def _fetched_at(entry: Path) -> float:
    try:
        return entry.stat().st_mtime
    except OSError:  # another process was there first
        return 0.0


def _on_disk(folder: Path) -> int:
    """Bytes that have come so far: a file may have its full length from the beginning, and be empty still."""
    try:
        return _BLOCK_BYTES * sum(getattr(path.stat(), "st_blocks", 0) for path in folder.rglob("*"))
    except OSError:  # it is whole now, and has its name
        return 0


def _size(path: Path) -> int:
    """Bytes of a file or of all files in a folder; 0 where there is nothing (any more)."""
    try:
        if path.is_file():
            return path.stat().st_size
        return sum(_size(inner) for inner in path.iterdir())
    except OSError:
        return 0


def _remove(path: Path) -> None:
    if path.is_dir():
        shutil.rmtree(path, ignore_errors=True)
    else:
        path.unlink(missing_ok=True)
