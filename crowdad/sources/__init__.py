"""Footage of every kind behind one interface: `open_source(...)`, then `for frame in source.frames()`.

A new kind is one file with a subclass of `Source` and one line in `SOURCES`.
"""

from __future__ import annotations

from os import PathLike
from pathlib import Path
from typing import Any

from crowdad.errors import UnreadableSourceError
from crowdad.sources._ahead import read_ahead
from crowdad.sources._base import MAX_PIXELS, Playable, Source
from crowdad.sources._expand import expand, path_of, require_existing
from crowdad.sources._listing import Entry, Listing
from crowdad.sources._report import Break, ReadReport, Skip, Tally
from crowdad.sources.arrays import ArraySource
from crowdad.sources.file import VideoFile
from crowdad.sources.images import ImageFolder, is_picture
from crowdad.sources.mask import read_mask
from crowdad.sources.stream import LiveFrame, Stream, StreamStatus, StreamTally

__all__ = [
    "MAX_PIXELS",
    "SOURCES",
    "ArraySource",
    "Break",
    "Entry",
    "ImageFolder",
    "Listing",
    "LiveFrame",
    "Playable",
    "ReadReport",
    "Skip",
    "Source",
    "Stream",
    "StreamStatus",
    "StreamTally",
    "Tally",
    "VideoFile",
    "expand",
    "open_source",
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
    spec: Any,
    *,
    fps: float | None = None,
    start_s: float | None = None,
    end_s: float | None = None,
    stride: int = 1,
    max_pixels: int = MAX_PIXELS,
) -> Source:
    """The source for a video file, a folder of pictures, or numpy frames (array, sequence, generator, function).

    fps: frames a second, for what carries no times: folders (10 if not given), raw streams, arrays (needed).
    start_s, end_s: the part to read, start_s <= time < end_s, in seconds from the first frame.
    stride: keep every n-th frame.
    max_pixels: footage with larger pictures is refused; arrays, which are in memory already, are not.

    The footage is opened and its first frame decoded, so that what cannot be read says so here.
    Raises SourceError with one clear line, ConfigError for a setting that makes no sense.
    """
    if isinstance(spec, Source):
        return spec
    if isinstance(spec, str | PathLike):
        spec = path_of(spec)
        require_existing(spec)
        if is_picture(spec) and spec.is_file():
            raise UnreadableSourceError(f"{spec}: is a single picture; give the folder of frames {spec.parent} instead")
    for kind in SOURCES:
        if kind.accepts(spec):
            part: dict[str, Any] = {"fps": fps, "start_s": start_s, "end_s": end_s, "stride": stride}
            if kind is not ArraySource:
                part["max_pixels"] = max_pixels
            source: Source = kind(spec, **part)
            _ = source.info
            return source
    if isinstance(spec, Path):
        raise UnreadableSourceError(f"{spec}: neither a file nor a folder but a device or pipe; record it to a file")
    raise UnreadableSourceError(f"{spec!r:.80}: neither a file nor a folder nor numpy frames; give one of these")
