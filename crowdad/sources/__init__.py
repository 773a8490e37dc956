"""Footage of every kind behind one interface: `open_source(...)`, then `for frame in source.frames()`.

A new kind is one file with a subclass of `Source` and one line in `SOURCES`.
"""

from __future__ import annotations

from os import PathLike, fspath
from pathlib import Path
from typing import Any

from crowdad.errors import ConfigError, CrowdadError, UnreadableSourceError
from crowdad.sources._ahead import read_ahead
from crowdad.sources._base import MAX_PIXELS, MIN_SIDE_PX, Playable, Source
from crowdad.sources._connection import StreamLimits
from crowdad.sources._expand import Footage, Spec, expand, path_of, refuse_run, require_existing
from crowdad.sources._fetched import Fetched, OnBytes, fetch
from crowdad.sources._listing import Entry, Listing
from crowdad.sources._remote import RemoteFootage, object_at
from crowdad.sources._repeats import hardly_differ
from crowdad.sources._report import Break, ReadReport, Skip, Tally
from crowdad.sources.arrays import ArraySource
from crowdad.sources.file import VideoFile
from crowdad.sources.images import ImageFolder, is_picture
from crowdad.sources.mask import read_mask
from crowdad.sources.storage import is_stored, local_spec
from crowdad.sources.stream import LiveFrame, Stream, StreamStatus, StreamTally

__all__ = [
    "MAX_PIXELS",
    "MIN_SIDE_PX",
    "SOURCES",
    "ArraySource",
    "Break",
    "Entry",
    "Fetched",
    "Footage",
    "ImageFolder",
    "Listing",
    "LiveFrame",
    "OnBytes",
    "Playable",
    "ReadReport",
    "RemoteFootage",
    "Skip",
    "Source",
    "Spec",
    "Stream",
    "StreamLimits",
    "StreamStatus",
    "StreamTally",
    "Tally",
    "VideoFile",
    "at_hand",
    "expand",
    "hardly_differ",
    "named",
    "open_source",
    "pinned",
    "read_ahead",
    "read_mask",
]

SOURCES: tuple[type[Source], ...] = (
    VideoFile,
    ImageFolder,
    ArraySource,
)
"""Every kind of source; the first that accepts what it is given reads it."""


def open_source(
    footage: Footage,
    *,
    fps: float | None = None,
    start_s: float | None = None,
    end_s: float | None = None,
    stride: int = 1,
    max_pixels: int = MAX_PIXELS,
    rgb: bool = False,
    on_bytes: OnBytes | None = None,
) -> Source:
    """The source for a video file, a folder of pictures, or numpy frames (array, sequence, generator, function).

    A file or folder in an object store (`s3://bucket/day/cam1.mp4`) is fetched first, unless it is here already.

    fps: frames a second, for what carries no times: folders (10 if not given), raw streams, arrays (needed).
    start_s, end_s: the part to read, start_s <= time < end_s, in seconds from the first frame.
    stride: keep every n-th frame.
    max_pixels: footage with larger pictures is refused; arrays, which are in memory already, are not.
    rgb: the colours of numpy frames are red, green, blue, not blue, green, red.
    on_bytes: told how far fetching is, (bytes here, bytes in all).

    The footage is opened and its first frame decoded, so that what cannot be read says so here.
    Raises SourceError with one clear line, ConfigError for a setting that makes no sense, StorageError where an object
    store refuses.
    """
    if isinstance(footage, Source):
        return footage
    spec = local_spec(footage)
    if is_stored(spec):
        found = expand([spec])
        if len(found) != 1:
            raise UnreadableSourceError(f"{spec}: is {len(found)} videos; give one at a time here")
        spec = found[0]
    part = {"fps": fps, "start_s": start_s, "end_s": end_s, "stride": stride, "max_pixels": max_pixels, "rgb": rgb}
    return _fetched_source(spec, part, on_bytes) if isinstance(spec, RemoteFootage) else _source(spec, part)


def _fetched_source(footage: RemoteFootage, part: dict[str, Any], on_bytes: OnBytes | None) -> Source:
    copy = fetch(footage, on_bytes)
    try:
        source = _source(copy.path, part)
    except CrowdadError as error:
        error.args = (error.args[0].replace(str(copy.path), str(footage)),)
        raise
    source.held = copy
    return source


def _source(spec: Any, part: dict[str, Any]) -> Source:
    if isinstance(spec, str | PathLike):
        spec = path_of(spec)
        require_existing(spec)
        if spec.is_dir():
            refuse_run(spec)
        if is_picture(spec) and spec.is_file():
            raise UnreadableSourceError(f"{spec}: is a single picture; give the folder of frames {spec.parent} instead")
    for kind in SOURCES:
        if kind.accepts(spec):
            if part["rgb"] and kind is not ArraySource:
                raise ConfigError(
                    f"{spec}: rgb is for numpy frames; files carry the order of their colours, leave it out"
                )
            unknown = "max_pixels" if kind is ArraySource else "rgb"
            source: Source = kind(spec, **{name: value for name, value in part.items() if name != unknown})
            _ = source.info
            return source
    if isinstance(spec, Path):
        raise UnreadableSourceError(f"{spec}: neither a file nor a folder but a device or pipe; record it to a file")
    raise UnreadableSourceError(f"{spec!r:.80}: neither a file nor a folder nor numpy frames; give one of these")


def named(spec: Any) -> str | None:
    """What footage is called in results, the same each time it is given; None for what has no name (numpy frames)."""
    if isinstance(spec, RemoteFootage):
        return str(spec)
    return fspath(spec) if isinstance(spec, str | PathLike) else None


def pinned(spec: str | PathLike[str] | RemoteFootage) -> str | PathLike[str] | RemoteFootage:
    """A file, or the object at an address as it is now: should another take its place, it is missing, not mixed up.

    Raises StorageError, ConfigError.
    """
    found: str | PathLike[str] | RemoteFootage = local_spec(spec)
    return object_at(found) if isinstance(found, str) and is_stored(found) else found


def at_hand(spec: str | PathLike[str] | RemoteFootage, on_bytes: OnBytes | None = None) -> str | PathLike[str]:
    """The file to open: the given one, or a copy of the object at the given address, which stays while it is kept.

    Raises StorageError, ConfigError, UnreadableSourceError.
    """
    found = pinned(spec)
    return fetch(found, on_bytes) if isinstance(found, RemoteFootage) else found
