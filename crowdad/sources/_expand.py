"""From what a person typed (files, folders, globs) to the list of footage it means."""

from __future__ import annotations

import difflib
import glob
import os
import re
from collections import deque
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import suppress
from os import PathLike
from pathlib import Path
from typing import TypeVar

import numpy as np
import numpy.typing as npt

from crowdad.errors import SourceNotFoundError, StorageNotFoundError, UnreadableSourceError
from crowdad.sources._base import Source
from crowdad.sources._remote import RemoteFootage, footage_at
from crowdad.sources.images import is_picture, natural_order
from crowdad.sources.storage import SCHEMES, Url, is_stored, local_spec
from crowdad.wording import address_shown

__all__ = ["LIVE_SCHEMES", "Footage", "Spec", "expand", "path_of", "refuse_address", "refuse_run", "require_existing"]

Spec = Path | RemoteFootage
"""A piece of footage that has a name: a file or a folder of pictures, here or in an object store."""

_Named = str | PathLike[str] | RemoteFootage | Source
_Picture = npt.NDArray[np.uint8]

Footage = (
    _Named | Sequence[_Named] | _Picture | Sequence[_Picture] | Iterator[_Picture] | Callable[[], Iterable[_Picture]]
)
"""What a library user may give: a video file, a folder of pictures, a glob, an address in an object store, a list of
these, or numpy frames: an array (T, H, W) or (T, H, W, 3), a list of frames, a generator (which can be read once), or a
function that returns a fresh one.  Each frame is uint8 (H, W), or (H, W, 3) in the order blue, green, red unless `rgb`
is given."""

LIVE_SCHEMES = ("rtsp", "rtsps", "http", "https", "tcp", "udp")
"""Of cameras and streams."""

# fmt: off
_VIDEO_SUFFIXES = frozenset({
    ".3gp", ".264", ".265", ".asf", ".avi", ".dav", ".flv", ".gif", ".h264", ".h265",
    ".hevc", ".ivf", ".m2ts", ".m4v", ".mjpeg", ".mjpg", ".mkv", ".mov", ".mp4", ".mpeg",
    ".mpg", ".mts", ".mxf", ".ogv", ".ts", ".vob", ".webm", ".wmv", ".y4m",
})
# fmt: on
"""Names by which a folder's videos are found; a file given by its own name may be called anything."""

_MASK_SUFFIX = "_gt"
"""Ends the name of a folder of masks; what stands before is the name of the footage they belong to."""

_ANY_DEPTH = "**"
_COMPARED_AT_MOST = 10_000
_OF_RUNS = {"results.json", "frames.csv", "frames.csv.part", "status.json", "resume.part"}

AnyPath = TypeVar("AnyPath", Path, Url)
"""Of a disk or of a store: what is footage is the same in both."""


def expand(specs: Iterable[str | PathLike[str] | RemoteFootage]) -> list[Spec]:
    """The files and folders of pictures that `specs` mean, in order, each once.

    A file stands for itself.  A folder with pictures is one clip; a folder with videos stands for its videos; a folder
    of folders of pictures (UCSD's Train) for each of them, masks (`Test001_gt`) left out.  A glob (`**` goes down any
    depth) stands for every video and every folder of pictures that it matches.  All of that also in an object store
    (`s3://bucket/day/*.mp4`).

    Raises SourceNotFoundError for what is missing, with the nearest name that exists; UnreadableSourceError for folders
    without footage and for addresses such as rtsp://; StorageError where a store cannot be asked.
    """
    found: dict[Spec, None] = {}
    for given in specs:
        spec = local_spec(given)
        if isinstance(spec, RemoteFootage):
            found[spec] = None
        elif is_stored(spec):
            found.update(dict.fromkeys(_footage_there(Url.of(spec))))
        else:
            found.update(dict.fromkeys(_footage_here(path_of(spec), str(spec))))
    return list(found)


def _footage_here(path: Path, given: str) -> list[Path]:
    if not _exists(path) and glob.has_magic(given):
        return _footage_among(_matching_here(given), given)
    require_existing(path)
    return _footage_in(path) if path.is_dir() else [path]


def _footage_there(url: Url) -> list[RemoteFootage]:
    try:
        with url.reached():
            there = url.looked_at()
            return [footage_at(found) for found in (_footage_in(there) if there.is_dir() else [there])]
    except StorageNotFoundError as error:
        missing = error
    with url.reached():
        if glob.has_magic(url.path):
            return [footage_at(found) for found in _footage_among(url.matching(), str(url))]
        try:
            near = difflib.get_close_matches(url.name, [other.name for other in url.parent.iterdir()], n=1)
        except FileNotFoundError:
            near = []
    hint = f"; did you mean {url.with_name(near[0])}?" if near else ""
    raise SourceNotFoundError(f"{missing}{hint}")


def path_of(spec: str | PathLike[str]) -> Path:
    """The path that `spec` names.  Raises SourceNotFoundError for an empty one, UnreadableSourceError for addresses."""
    spec = local_spec(spec)
    refuse_address(spec)
    if not os.fspath(spec):
        raise SourceNotFoundError("no footage was named; give a video file or a folder of pictures")
    return Path(spec)


def refuse_address(spec: str | PathLike[str]) -> None:
    """Raise UnreadableSourceError for addresses (rtsp://, http://, ..)."""
    scheme = re.match(r"([A-Za-z][A-Za-z0-9+.-]+)://", str(spec))
    if scheme is None:
        return
    shown = address_shown(str(spec))
    if scheme[1].lower() not in LIVE_SCHEMES:
        known = ", ".join(f"{name}://" for name in (*SCHEMES, "file"))
        raise UnreadableSourceError(
            f"{shown}: footage is not read over {scheme[1]}; give {known} or a path, or download it"
        )
    raise UnreadableSourceError(
        f"{shown}: is an address ({scheme[1]}), no file; watch it live with crowdad watch, or record it to a file"
    )


def require_existing(path: Path) -> None:
    """Raise SourceNotFoundError where nothing is at `path`, naming the nearest that is."""
    if _exists(path):
        return
    try:
        names = [entry.name for _, entry in zip(range(_COMPARED_AT_MOST), path.parent.iterdir(), strict=False)]
    except OSError:
        names = []
    if _is_link(path):
        raise SourceNotFoundError(f"{path}: is a link to what does not exist; mend the link, or give the file itself")
    near = difflib.get_close_matches(path.name, names, n=1)
    if near:
        hint = f"did you mean {path.parent / near[0]}?"
    elif path.parent.is_dir():
        hint = f"{path.parent.resolve()} holds nothing of a similar name"
    else:
        hint = f"the folder {path.parent} does not exist either"
    raise SourceNotFoundError(f"{path}: no such file or folder; {hint}")


def _exists(path: Path) -> bool:
    try:
        return path.exists()
    except OSError:  # a name that is too long for any file
        return False


def _is_link(path: Path) -> bool:
    try:
        return path.is_symlink()
    except OSError:
        return False


def _footage_among(matched: Iterable[AnyPath], pattern: str) -> list[AnyPath]:
    """Those of a glob's matches that are videos or folders of pictures, in order."""
    matched = sorted(matched, key=lambda path: [natural_order(Path(part)) for part in path.parts])
    footage = [path for path in matched if _is_clip_of_its_own(path) or _is_video_file(path)]
    if footage:
        return footage
    if not matched:
        raise SourceNotFoundError(
            f"{pattern}: matches no file or folder; check the pattern, or quote it for your shell"
        )
    if any(is_picture(path) for path in matched):
        raise UnreadableSourceError(
            f"{pattern}: matches single pictures; give their folder {matched[0].parent} instead"
        )
    raise UnreadableSourceError(f"{pattern}: none of its {len(matched)} matches is a video or a folder of pictures")


def _footage_in(folder: AnyPath) -> list[AnyPath]:
    try:
        entries = sorted(folder.iterdir(), key=natural_order)
        if _are_of_run(entries):
            raise _run_error(folder)
        if _is_clip(folder):
            return [folder]
        footage = list(filter(_is_video_file, entries)) or list(filter(_is_clip_of_its_own, entries))
    except OSError as error:
        if isinstance(folder, Url):
            raise
        raise UnreadableSourceError(f"{folder}: the folder cannot be listed ({error.strerror})") from None
    if not footage:
        raise UnreadableSourceError(
            f"{folder}: holds no video, no pictures and no folder of pictures; give another folder or {folder}/**/*.mp4"
        )
    return footage


def _is_video_file(path: AnyPath) -> bool:
    return path.suffix.lower() in _VIDEO_SUFFIXES and not path.name.startswith(".") and path.is_file()


def _is_clip(path: AnyPath) -> bool:
    if not path.is_dir() or path.name.startswith("."):
        return False
    entries = list(path.iterdir())
    return any(map(is_picture, entries)) and not _are_of_run(entries)


def _is_clip_of_its_own(path: AnyPath) -> bool:
    """Whether it is a folder of pictures, and not of the masks that belong to those beside it."""
    name = path.name.removesuffix(_MASK_SUFFIX)
    return _is_clip(path) and not (name != path.name and path.with_name(name).is_dir())


def refuse_run(folder: Path) -> None:
    """Raise UnreadableSourceError for the folder of a run."""
    with suppress(OSError):  # which whoever reads it tells
        if _are_of_run(list(folder.iterdir())):
            raise _run_error(folder)


def _run_error(folder: AnyPath) -> UnreadableSourceError:
    return UnreadableSourceError(f"{folder}: is the folder of a run, not footage; give what it was made from")


def _are_of_run(entries: Sequence[AnyPath]) -> bool:
    """Whether crowdad wrote what is in a folder, so that its pictures and videos are results, not footage."""
    pictures = {entry.name for entry in entries if is_picture(entry)}
    return any(entry.name in _OF_RUNS for entry in entries) and pictures <= {"timeline.png"}


def _matching_here(pattern: str) -> list[Path]:
    """The paths that a glob matches; `**` goes down any depth.

    Where it matches nothing, parts that are names of folders are taken as they stand: `cam[1]/*.mkv` in `cam[1]`.
    """
    found = set(_matches(pattern)) or set(_matches(_literal(pattern)))
    return [Path(path) for path in found]


def _matches(pattern: str) -> Iterator[str]:
    """As `glob.glob` with `recursive`, which goes round in circles where links do."""
    parts = pattern.split(os.sep)
    if _ANY_DEPTH not in parts:
        yield from glob.iglob(pattern)
        return
    place = parts.index(_ANY_DEPTH)
    before, after = os.sep.join(parts[:place]), os.sep.join(parts[place + 1 :])
    roots = glob.glob(before or os.sep) if place else [os.curdir]
    seen: set[tuple[int, int]] = set()
    for root in roots:
        for folder in _folders(root, seen):
            shown = os.path.relpath(folder) if not place else folder
            if after:
                yield from _matches(os.path.join(glob.escape(shown) if shown != os.curdir else "", after))
            else:
                yield shown
                yield from glob.iglob(os.path.join(glob.escape(shown), "*"))


def _folders(root: str, seen: set[tuple[int, int]]) -> Iterator[str]:
    """The folder and those below it, hidden ones left out, each under one name: its own before that of a link."""
    waiting, links = deque([root]), deque[str]()
    while waiting or links:
        folder = (waiting or links).popleft()
        try:
            known = os.stat(folder)
            if (known.st_dev, known.st_ino) in seen:
                continue
            with os.scandir(folder) as entries:
                inner = sorted(entries, key=lambda entry: entry.name)
        except OSError:  # no folder, gone, or not permitted
            continue
        seen.add((known.st_dev, known.st_ino))
        yield folder
        for entry in inner:
            if not entry.name.startswith(".") and entry.is_dir():
                (links if entry.is_symlink() else waiting).append(entry.path)


def _literal(pattern: str) -> str:
    """The pattern, with each part that is the name of something taken as it stands."""
    parts: list[str] = []
    base = os.sep if pattern.startswith(os.sep) else ""
    for part in pattern.split(os.sep):
        there = part and glob.has_magic(part) and os.path.lexists(os.path.join(base, part))
        base = os.path.join(base, part)
        parts.append(glob.escape(part) if there else part)
    return os.sep.join(parts)
