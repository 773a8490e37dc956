"""Footage in an object store, as it is now."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass

from crowdad.sources.images import is_picture, natural_order
from crowdad.sources.storage import Url

__all__ = ["RemoteFootage", "file_at", "footage_at", "members", "object_at"]

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


def object_at(text: str) -> RemoteFootage:
    """The object at an address, whatever it is.  Raises StorageError."""
    url = Url.of(text)
    with url.reached():
        return file_at(url.looked_at())


def footage_at(url: Url) -> RemoteFootage:
    """The file or folder of pictures, as it was listed."""
    return members(url)[0] if url.is_dir() else file_at(url)


def file_at(url: Url) -> RemoteFootage:
    """The object, as it was listed."""
    return RemoteFootage(url.at(url.path), _stamp(url), url.size_bytes)


def members(folder: Url) -> tuple[RemoteFootage, list[Url], list[Url]]:
    """A folder of pictures as it is now, its pictures and its other files, in order."""
    files = sorted(filter(Url.is_file, folder.iterdir()), key=natural_order)
    pictures = list(filter(is_picture, files))
    state = hashlib.sha256()
    for url in files:
        state.update(f"{url.path}\0{url.size_bytes}\0{_stamp(url)}\n".encode(errors="replace"))
    size_bytes = sum(url.size_bytes for url in pictures)
    footage = RemoteFootage(folder.at(folder.path), state.hexdigest(), size_bytes, pictures=True)
    return footage, pictures, [url for url in files if not is_picture(url)]


def _stamp(url: Url) -> str:
    listed = url.listed or {}
    return next((str(listed[name]) for name in _STAMPS if listed.get(name)), "")
