"""From what a person typed (files, folders, globs) to the list of footage it means."""

from __future__ import annotations

import difflib
import glob
import os
import re
from collections.abc import Callable, Iterable, Iterator, Sequence
from os import PathLike
from pathlib import Path

import numpy as np
import numpy.typing as npt

from crowdad.errors import SourceNotFoundError, UnreadableSourceError
from crowdad.sources._base import Source
from crowdad.sources._matching import matching
from crowdad.sources._names import MASK_SUFFIX, is_video
from crowdad.sources._remote import RemoteFootage, expand_url
from crowdad.sources.images import is_picture, natural_order
from crowdad.sources.storage import SCHEMES, is_stored, local_spec
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

_COMPARED_AT_MOST = 10_000
_OF_RUNS = {"results.json", "frames.csv", "frames.csv.part", "status.json", "resume.part"}


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
            continue
        if is_stored(spec):
            found.update(dict.fromkeys(expand_url(spec)))
            continue
        path = path_of(spec)
        if _exists(path) or not glob.has_magic(str(spec)):
            require_existing(path)
            footage = _footage_in(path) if path.is_dir() else [path]
        else:
            footage = _matches(str(spec))
        found.update(dict.fromkeys(footage))
    return list(found)


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


def _matches(pattern: str) -> list[Path]:
    matched = sorted(set(map(Path, matching(pattern))), key=lambda p: [natural_order(Path(s)) for s in p.parts])
    footage = [p for p in matched if (_is_clip(p) and not _is_mask_folder(p)) or (p.is_file() and is_video(p))]
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


def _footage_in(folder: Path) -> list[Path]:
    try:
        refuse_run(folder)
        if _is_clip(folder):
            return [folder]
        entries = sorted(folder.iterdir(), key=natural_order)
        footage = [entry for entry in entries if entry.is_file() and is_video(entry)]
        footage = footage or [entry for entry in entries if _is_clip(entry) and not _is_mask_folder(entry)]
    except OSError as error:
        raise UnreadableSourceError(f"{folder}: the folder cannot be listed ({error.strerror})") from None
    if not footage:
        raise UnreadableSourceError(
            f"{folder}: holds no video, no pictures and no folder of pictures; give another folder or {folder}/**/*.mp4"
        )
    return footage


def _is_clip(path: Path) -> bool:
    if not path.is_dir() or path.name.startswith("."):
        return False
    return any(is_picture(entry) for entry in path.iterdir()) and not _is_run(path)


def refuse_run(folder: Path) -> None:
    """Raise UnreadableSourceError for the folder of a run."""
    if _is_run(folder):
        raise UnreadableSourceError(f"{folder}: is the folder of a run, not footage; give what it was made from")


def _is_run(folder: Path) -> bool:
    """Whether crowdad wrote the folder, so that its pictures and videos are results, not footage."""
    try:
        names = {entry.name for entry in folder.iterdir()}
    except OSError:  # which whoever reads it tells
        return False
    pictures = {name for name in names if is_picture(Path(name))}
    return bool(names & _OF_RUNS) and pictures <= {"timeline.png"}


def _is_mask_folder(path: Path) -> bool:
    return path.name.endswith(MASK_SUFFIX) and path.with_name(path.name.removesuffix(MASK_SUFFIX)).is_dir()
