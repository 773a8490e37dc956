"""Fetching of data sets into the data folder, each file checked against its hash, nothing left half-done."""

from __future__ import annotations

import gzip
import os
import shlex
import shutil
import sys
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import BinaryIO

import pooch
import requests

from crowdad.errors import DataError, DatasetNotFoundError, DownloadError
from crowdad.evaluation.datasets.catalogue import find_dataset
from crowdad.evaluation.datasets.root import data_root
from crowdad.evaluation.datasets.ucsd import ARCHIVE_FOLDER, find_clips
from crowdad.evaluation.datasets.unpack import unpack_tar
from crowdad.files import MB, written_whole

__all__ = ["DOWNLOADS", "UCSD_ARCHIVE", "RemoteFile", "fetch", "get"]

_TIMEOUT_S = 30
_CHUNK_BYTES = 1 << 20


@dataclass(frozen=True)
class RemoteFile:
    """addresses: tried in order.  known_hash: "sha256:..." or "md5:...", hexadecimal.  most_bytes: its upper bound."""

    name: str
    addresses: tuple[str, ...]
    known_hash: str
    most_bytes: int = 1024 * MB

    def is_valid(self, path: Path) -> bool:
        algorithm, _, digest = self.known_hash.partition(":")
        return path.is_file() and pooch.file_hash(str(path), alg=algorithm) == digest


UCSD_ARCHIVE = RemoteFile(
    "UCSD_Anomaly_Dataset.tar.gz",
    ("http://www.svcl.ucsd.edu/projects/anomaly/UCSD_Anomaly_Dataset.tar.gz",),
    "sha256:2329af326951f5097fdd114c50e853957d3e569493a49d22fc082a9fd791915b",
)


def get(name: str, root: Path | None = None, progress: bool = True) -> Path:
    """Makes sure that a data set, a key of DOWNLOADS, is in the data folder; returns the data folder.

    root: default see `data_root`; made where it is missing.  What is there and readable is not fetched again, so an
    interrupted call is continued by the next.  progress: a bar, only on a terminal.
    Raises DownloadError (one line: the address, the hash, where to put the file, what to run then; also for what its
    owners do not offer to programs), DatasetNotFoundError for an unknown name.
    """
    if name not in DOWNLOADS:
        raise DatasetNotFoundError(f"no data set called {name!r}; one of {', '.join(DOWNLOADS)} is needed")
    folder = data_root(root)
    command = f"crowdad data get {name}" + (f" --data {shlex.quote(str(folder))}" if root is not None else "")
    try:
        folder.mkdir(parents=True, exist_ok=True)
        DOWNLOADS[name](folder, command, progress)
    except OSError as error:
        raise DownloadError(
            f"{error.filename or folder}: cannot be written ({error.strerror or error}); "
            "make room, or choose another folder with --data"
        ) from error
    return folder


def fetch(files: Sequence[RemoteFile], folder: Path, command: str, progress: bool = True) -> list[Path]:
    """Brings each file into `folder` and checks its hash; a valid one that is there already is kept.

    A file is written under a .part name and renamed when whole and right.
    Raises DownloadError, naming all files that are still missing, OSError where the folder cannot be written.
    """
    for file in files:
        if file.is_valid(folder / file.name):
            continue
        reasons = []
        for address in file.addresses:
            reason = _fetch_one(file, address, folder, progress)
            if reason is None:
                break
            reasons.append(f"{address}: {reason}")
        else:
            raise DownloadError(_by_hand(files, reasons, folder, command))
    return [folder / file.name for file in files]


def _fetch_one(file: RemoteFile, address: str, folder: Path, progress: bool) -> str | None:
    """None, or in a few words why the file could not be had from this address."""
    show = progress and sys.stderr.isatty()
    # As it is stored: a server that packs or unpacks on the way would change the hash.
    as_stored = {"Accept-Encoding": "identity"}
    download = pooch.HTTPDownloader(progressbar=show, chunk_size=_CHUNK_BYTES, timeout=_TIMEOUT_S, headers=as_stored)
    try:
        with written_whole(folder / file.name) as part:
            with part.open("wb") as sink:
                download(address, _Limited(sink, file.most_bytes), None)
            if not file.is_valid(part):
                algorithm = file.known_hash.partition(":")[0]
                raise _OtherFileError(f"sent another file, {algorithm}:{pooch.file_hash(str(part), alg=algorithm)}")
        return None
    except _OtherFileError as error:
        return str(error)
    except requests.RequestException as error:
        if error.response is not None:
            return f"answered {error.response.status_code} {error.response.reason}"
        return f"not reached or broken off, {type(error).__name__}"


class _OtherFileError(Exception):
    """What came is not the file that was asked for."""


class _Limited:
    """A file to write to that takes no more than `most_bytes`: whoever sends without end fills no disk."""

    def __init__(self, file: BinaryIO, most_bytes: int) -> None:
        self._file = file
        self._most_bytes = self._left = most_bytes

    def write(self, content: bytes) -> int:
        self._left -= len(content)
        if self._left < 0:
            raise _OtherFileError(f"sends more than {self._most_bytes:,} bytes, which is another file")
        return self._file.write(content)

    def flush(self) -> None:
        self._file.flush()


def _by_hand(files: Sequence[RemoteFile], reasons: Sequence[str], folder: Path, command: str) -> str:
    missing = [file for file in files if not file.is_valid(folder / file.name)]
    wanted = ", ".join(f"{file.addresses[0]} ({file.known_hash})" for file in missing)
    wrong = [file.name for file in missing if (folder / file.name).exists()]
    note = f" (the {wrong[0]} there now has another hash)" if wrong else ""
    return f"{'; '.join(reasons)}; fetch {wanted} elsewhere, put it into {folder}{note} and run: {command}"


def _get_ucsd(folder: Path, command: str, progress: bool) -> None:
    target = folder / ARCHIVE_FOLDER
    if target.exists():
        _check_ucsd(target)
        return
    was_there = (folder / UCSD_ARCHIVE.name).exists()
    (archive,) = fetch([UCSD_ARCHIVE], folder, command, progress)
    part = folder / f"{ARCHIVE_FOLDER}.part"
    shutil.rmtree(part, ignore_errors=True)
    part.mkdir()
    try:
        unpack_tar(archive, part)
        if not (part / ARCHIVE_FOLDER).is_dir():
            raise DownloadError(f"{archive}: holds no {ARCHIVE_FOLDER}; delete it and run: {command}")
        os.replace(part / ARCHIVE_FOLDER, target)
    finally:
        shutil.rmtree(part, ignore_errors=True)
    if not was_there:
        # Unpacked it is of no further use; one that was put there by hand is not ours to delete.
        archive.unlink()


def _check_ucsd(target: Path) -> None:
    for name in ("ped2", "ped1"):
        try:
            find_clips(name, target)
        except DatasetNotFoundError:
            continue
        return
    raise DownloadError(f"{target}: there, but without UCSDped1 or UCSDped2; move it away and run again")


def _get_mnist(folder: Path, command: str, progress: bool) -> None:
    from torchvision.datasets import MNIST

    from crowdad.evaluation.datasets.digits import load_mnist

    if _loads(load_mnist, folder):
        return
    raw = folder / "MNIST" / "raw"
    raw.mkdir(parents=True, exist_ok=True)
    files = [RemoteFile(name, tuple(m + name for m in MNIST.mirrors), f"md5:{md5}") for name, md5 in MNIST.resources]
    for packed in fetch(files, raw, command, progress):
        with written_whole(packed.with_suffix("")) as part, gzip.open(packed) as source, part.open("wb") as sink:
            shutil.copyfileobj(source, sink)
    load_mnist(folder)


def _get_usps(folder: Path, command: str, progress: bool) -> None:
    from torchvision.datasets import USPS

    from crowdad.evaluation.datasets.digits import load_usps

    if _loads(load_usps, folder):
        return
    files = [RemoteFile(name, (address,), f"md5:{md5}") for address, name, md5 in USPS.split_list.values()]
    fetch(files, folder, command, progress)
    load_usps(folder)


@dataclass(frozen=True)
class ByHand:
    """A data set that its owners offer on a page, for a person to fetch.  files: what to fetch there."""

    page: str
    files: str


BY_HAND = {
    "avenue": ByHand(
        "http://www.cse.cuhk.edu.hk/leojia/projects/detectabnormal/dataset.html",
        "Avenue_Dataset.zip and ground_truth_demo.zip",
    ),
    "shanghaitech": ByHand("https://svip-lab.github.io/dataset/campus_dataset.html", "shanghaitech.tar.gz"),
}


def _get_by_hand(name: str, folder: Path, command: str, progress: bool) -> None:
    try:
        find_dataset(name, folder)
    except DatasetNotFoundError:
        offered = BY_HAND[name]
        raise DownloadError(
            f"{name} is not in {folder} and not offered for download by programs; fetch {offered.files} from "
            f"{offered.page}, unpack into {folder} and run: {command}"
        ) from None


def _loads(load: Callable[[Path], object], folder: Path) -> bool:
    try:
        load(folder)
    except DataError:
        return False
    return True


DOWNLOADS: dict[str, Callable[[Path, str, bool], None]] = {
    "ucsd": _get_ucsd,
    "mnist": _get_mnist,
    "usps": _get_usps,
    **{name: partial(_get_by_hand, name) for name in BY_HAND},
}
