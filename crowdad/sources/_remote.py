"""Footage in an object store: from an address, a folder or a glob there to the pieces of footage it means."""

from __future__ import annotations

import difflib
import glob
import hashlib
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import PurePosixPath
from typing import TYPE_CHECKING, Any

from crowdad.errors import SourceNotFoundError, StorageNotFoundError, UnreadableSourceError
from crowdad.sources._names import MASK_SUFFIX, is_video
from crowdad.sources.images import is_picture, natural_order
from crowdad.sources.storage import Url

if TYPE_CHECKING:
    from fsspec import AbstractFileSystem

__all__ = ["RemoteFootage", "expand_url", "file_at", "members", "object_at"]

_STAMPS = ("ETag", "etag", "generation", "LastModified", "updated", "mtime")
"""What tells one state of an object from the next, as different stores call it, the surest first."""


@dataclass(frozen=True)
class RemoteFootage:
    """A file in an object store, or a folder of pictures there, as it is now.

    stamp: another one whenever the content is another.  size_bytes: of all that is to be fetched.
    pictures: a folder of pictures.
    """

    url: Url
    stamp: str
    size_bytes: int
    pictures: bool = False

    @property
    def name(self) -> str:
        """The last part of the address."""
        return self.url.name

    def __str__(self) -> str:
        return str(self.url)


def expand_url(text: str) -> list[RemoteFootage]:
    """The footage that an address means, in the order of `expand`; a file, a folder or a glob, as on a disk.

    Raises SourceNotFoundError for what is missing, UnreadableSourceError for folders without footage, StorageError
    where the store cannot be asked.
    """
    url = Url.of(text)
    try:
        with url.reached() as store:
            info = store.info(url.path)
            return _footage_in(store, url) if info["type"] == "directory" else [file_at(url, info)]
    except StorageNotFoundError as error:
        if glob.has_magic(url.path):
            return _matches(url)
        near = _nearest(url)
        hint = "" if near is None else f"; did you mean {near}?"
        raise SourceNotFoundError(f"{error}{hint}") from None


def object_at(text: str) -> RemoteFootage:
    """The object at an address, whatever it is.  Raises StorageError."""
    url = Url.of(text)
    with url.reached() as store:
        return file_at(url, store.info(url.path))


def file_at(url: Url, info: Mapping[str, Any]) -> RemoteFootage:
    """The object of which the store tells this."""
    return RemoteFootage(url, _stamp(info), int(info["size"] or 0))


def members(store: AbstractFileSystem, folder: Url) -> tuple[RemoteFootage, list[str], list[str]]:
    """A folder of pictures as it is now, and the paths of its pictures and of its other files, in order."""
    files = [entry for entry in _entries(store, folder.path) if entry["type"] == "file"]
    pictures = [entry for entry in files if is_picture(_path(entry))]
    state = hashlib.sha256()
    for entry in files:
        state.update(f"{entry['name']}\0{entry['size']}\0{_stamp(entry)}\n".encode(errors="replace"))
    footage = RemoteFootage(folder, state.hexdigest(), sum(int(entry["size"]) for entry in pictures), True)
    names = [str(entry["name"]) for entry in pictures]
    return footage, names, [str(entry["name"]) for entry in files if entry not in pictures]


def _matches(url: Url) -> list[RemoteFootage]:
    with url.reached() as store:
        found: dict[str, Any] = store.glob(url.path, detail=True)
        entries = sorted(_shown(found.values(), url.path), key=lambda e: [natural_order(_path(p)) for p in _parts(e)])
        videos_and_clips = list(_footage_among(store, url, entries))
    if videos_and_clips:
        return videos_and_clips
    if not entries:
        raise SourceNotFoundError(f"{url}: matches no object or folder; check the pattern, or quote it for your shell")
    if any(is_picture(_path(entry)) for entry in entries):
        folder = url.at(str(_path(entries[0]).parent))
        raise UnreadableSourceError(f"{url}: matches single pictures; give their folder {folder} instead")
    raise UnreadableSourceError(f"{url}: none of its {len(entries)} matches is a video or a folder of pictures")


def _footage_in(store: AbstractFileSystem, folder: Url) -> list[RemoteFootage]:
    entries = list(_shown(_entries(store, folder.path), folder.path))
    if any(entry["type"] == "file" and is_picture(_path(entry)) for entry in entries):
        return [members(store, folder)[0]]
    videos = [entry for entry in entries if entry["type"] == "file"]
    found = list(_footage_among(store, folder, videos)) or list(_footage_among(store, folder, entries))
    if not found:
        raise UnreadableSourceError(
            f"{folder}: holds no video, no pictures and no folder of pictures; give another folder or {folder}/**/*.mp4"
        )
    return found


def _footage_among(
    store: AbstractFileSystem, url: Url, entries: Iterable[Mapping[str, Any]]
) -> Iterator[RemoteFootage]:
    """Those of the entries that are videos, or folders of pictures that are no masks."""
    for entry in entries:
        path = str(entry["name"])
        if entry["type"] == "file":
            if is_video(_path(entry)):
                yield file_at(url.at(path), entry)
        elif not _is_mask_folder(store, path):
            footage, pictures, _ = members(store, url.at(path))
            if pictures:
                yield footage


def _is_mask_folder(store: AbstractFileSystem, path: str) -> bool:
    return path.endswith(MASK_SUFFIX) and bool(store.isdir(path.removesuffix(MASK_SUFFIX)))


def _entries(store: AbstractFileSystem, folder: str) -> list[dict[str, Any]]:
    """What lies in the folder; some programs put an empty object there that stands for the folder itself."""
    entries: list[dict[str, Any]] = store.ls(folder, detail=True)
    own = [entry for entry in entries if str(entry["name"]).rstrip("/") != folder]
    return sorted(own, key=lambda entry: natural_order(_path(entry)))


def _shown(entries: Iterable[dict[str, Any]], asked: str) -> Iterator[dict[str, Any]]:
    """The entries without hidden files and folders, which globs of a disk leave out, too."""
    named = set(asked.split("/"))
    return (entry for entry in entries if not any(part[:1] == "." and part not in named for part in _parts(entry)))


def _stamp(info: Mapping[str, Any]) -> str:
    return next((str(info[name]) for name in _STAMPS if info.get(name)), "")


def _path(entry: Mapping[str, Any] | str) -> PurePosixPath:
    return PurePosixPath(entry if isinstance(entry, str) else entry["name"])


def _parts(entry: Mapping[str, Any]) -> list[str]:
    return str(entry["name"]).rstrip("/").split("/")


def _nearest(url: Url) -> Url | None:
    """What has the most similar name in the same folder."""
    folder = url.path.rpartition("/")[0]
    try:
        with url.reached() as store:
            names = [entry["name"] for entry in _entries(store, folder)] if folder else []
    except StorageNotFoundError:
        return None
    near = difflib.get_close_matches(url.path, names, n=1)
    return url.at(near[0]) if near else None
