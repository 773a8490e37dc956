"""Unpacking of archives that came over the network: nothing outside the folder, nothing without bounds."""

from __future__ import annotations

import gzip
import platform
import tarfile
import zlib
from pathlib import Path
from typing import Self

from crowdad.errors import DownloadError

__all__ = ["Limits", "unpack_tar"]

_DAMAGED = (tarfile.TarError, EOFError, gzip.BadGzipFile, zlib.error)


class Limits:
    """What an archive may hold; UCSD's has about 40,000 members and unpacks to a few GB, at a ratio below 10."""

    MEMBERS = 200_000
    BYTES = 16 * 2**30
    RATIO = 100
    HEADER_BYTES = 2**20


_HEADERS = (
    tarfile.GNUTYPE_LONGNAME,
    tarfile.GNUTYPE_LONGLINK,
    tarfile.XHDTYPE,
    tarfile.XGLTYPE,
    tarfile.SOLARIS_XHDTYPE,
)


class _LongHeaderError(Exception):
    """No `tarfile.HeaderError`: after one of those `tarfile` passes over the rest of the archive in silence."""


class _ShortHeaders(tarfile.TarInfo):
    """Headers for long names and the like are read into memory whole, whatever length they claim."""

    @classmethod
    def frombuf(cls, buf: bytes | bytearray, encoding: str | None, errors: str) -> Self:
        info = super().frombuf(buf, encoding, errors)  # type: ignore[arg-type]
        if info.type in _HEADERS and info.size > Limits.HEADER_BYTES:
            raise _LongHeaderError
        return info


def unpack_tar(archive: Path, folder: Path) -> None:
    """Unpacks `archive` (tar, any compression) into the existing `folder`.

    Only files and folders are unpacked, no links, no devices, nothing that macOS leaves behind.  Raises DownloadError
    for a damaged archive, for one beyond the limits, and for a member that would land outside the folder.
    What was unpacked before the error stays for the caller to remove.
    """
    if not hasattr(tarfile, "data_filter"):
        raise DownloadError(
            f"{archive}: Python {platform.python_version()} cannot unpack safely; "
            f"use Python 3.11.4 or newer, or unpack it by hand into {folder.parent}"
        )
    most_bytes = min(Limits.BYTES, Limits.RATIO * archive.stat().st_size)
    members = total_bytes = 0
    try:
        with tarfile.open(archive, tarinfo=_ShortHeaders) as tar:
            for member in tar:
                members += 1
                total_bytes += member.size
                if members > Limits.MEMBERS or total_bytes > most_bytes:
                    raise DownloadError(
                        f"{archive}: more than {members - 1} members or {most_bytes} bytes unpacked; "
                        "this is no archive of pictures, delete it"
                    )
                if (member.isfile() or member.isdir()) and not _is_litter(member.name):
                    tar.extract(member, folder, filter="data")
    except _LongHeaderError:
        raise DownloadError(
            f"{archive}: a header of more than {Limits.HEADER_BYTES} bytes; this is no archive of pictures, delete it"
        ) from None
    except tarfile.FilterError as error:
        raise DownloadError(f"{archive}: refused, unsafe member {error.tarinfo.name!r}; delete the archive") from error
    except _DAMAGED as error:
        raise DownloadError(f"{archive}: damaged ({type(error).__name__}); delete it and get it again") from error


def _is_litter(name: str) -> bool:
    last = Path(name).name
    return last.startswith("._") or last == ".DS_Store"
