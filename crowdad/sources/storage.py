"""Object stores (`s3://`, `gs://`) through fsspec: an address in one, and what it refuses said in one line."""

from __future__ import annotations

import errno
import os
import re
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from importlib.util import find_spec
from pathlib import PurePosixPath
from typing import TYPE_CHECKING, Any
from urllib.parse import unquote

from crowdad.errors import ConfigError, StorageError, StorageNotFoundError, StorageNotInstalledError

if TYPE_CHECKING:
    from fsspec import AbstractFileSystem
    from fsspec.callbacks import Callback

__all__ = ["SCHEMES", "Url", "is_stored", "local_spec", "on_this_machine", "share_callback"]


@dataclass(frozen=True)
class _Kind:
    """A kind of store.

    driver: what fsspec needs beside itself.  install: how to get it.  credentials: where they are looked for.
    login: what the driver calls user and password of an address, None where it takes none.  options: of the driver.
    """

    driver: str
    install: str
    credentials: str
    login: tuple[str, str] | None = None
    options: Mapping[str, Any] = field(default_factory=dict)


_KINDS = {
    "s3": _Kind(
        "s3fs",
        "pip install 'crowdad[url]'",
        "set AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY, or AWS_PROFILE; for a public bucket FSSPEC_S3_ANON=true",
        ("key", "secret"),
        # One part of a file after the other: a connection that breaks is then taken up where it broke, and ten parts
        # of 50 MB need not be in memory.  Several files, such as pictures, still come side by side.
        {"max_concurrency": 1},
    ),
    "gs": _Kind(
        "gcsfs",
        "pip install 'crowdad[url]' gcsfs",
        "set GOOGLE_APPLICATION_CREDENTIALS; for a public bucket FSSPEC_GS_TOKEN=anon",
    ),
}

SCHEMES = tuple(_KINDS)

# By name: the drivers, which define most of them, are loaded only when they are used.
_NO_CREDENTIALS = {
    "CredentialRetrievalError",
    "DefaultCredentialsError",
    "NoCredentialsError",
    "PartialCredentialsError",
    "ProfileNotFound",
    "TokenRetrievalError",
}
_NOT_REACHED = {"ClientConnectionError", "ConnectionError", "HTTPClientError", "TimeoutError", "gaierror"}
_DRIVERS = {"aiobotocore", "aiohttp", "botocore", "fsspec", "gcsfs", "google", "requests", "s3fs"}
_LOCAL_FAILURES = {errno.ENOSPC, errno.EDQUOT, errno.EROFS, errno.EMFILE}


def is_stored(spec: Any) -> bool:
    """Whether `spec` is the address of a place in an object store."""
    return isinstance(spec, str) and _scheme(spec) in _KINDS


def local_spec(spec: Any) -> Any:
    """`file:///a%20b.mp4` as the path it names; everything else as it is.  Raises ConfigError for other machines."""
    if not isinstance(spec, str) or _scheme(spec) != "file":
        return spec
    host, slash, path = spec.partition("://")[2].partition("/")
    if host not in ("", "localhost") or not slash:
        raise ConfigError(f"{spec}: names no file of this machine; write file:///folder/name or the plain path")
    return unquote(slash + path)


@dataclass(frozen=True)
class Url:
    """A place in an object store, with what is needed of `pathlib.Path`; all of that in a block of `reached`.

    scheme: "s3" or "gs".  path: bucket/key, without a slash at the end.  login: user and password; shown nowhere.
    listed: what a listing said of it, so that the store is not asked again; None before.

    The paths of universal_pathlib show the login, ask the store once more for every file of a listing, take a store
    that does not answer for "no such file", and read `a::b.mp4` as two addresses.
    """

    scheme: str
    path: str
    login: tuple[str, str] | None = field(default=None, repr=False)
    listed: Mapping[str, Any] | None = field(default=None, repr=False, compare=False)

    @classmethod
    def of(cls, text: str) -> Url:
        """The address as a person writes it: `s3://bucket/key`, `s3://user:password@bucket/key`.

        Raises ConfigError for what is none.
        """
        scheme = _scheme(text)
        if scheme not in _KINDS:
            raise ConfigError(f"{text}: is no address of an object store; write {'://.. or '.join(SCHEMES)}://..")
        bucket, slash, key = text.partition("://")[2].partition("/")
        login, _, bucket = bucket.rpartition("@")
        if ":" in bucket:  # nothing of it is shown: where a login ends cannot be told
            raise ConfigError(f"{scheme}://..: is no name of a bucket; write / and @ of a password as %2F and %40")
        if not bucket:
            raise ConfigError(f"{scheme}://: names no bucket; write {scheme}://bucket/folder")
        return cls(scheme, (bucket + slash + key).rstrip("/"), _login(scheme, login))

    def __str__(self) -> str:
        return f"{self.scheme}://{self.path}"

    def __truediv__(self, name: str) -> Url:
        return self.at(f"{self.path}/{name}")

    def at(self, path: str, listed: Mapping[str, Any] | None = None) -> Url:
        """Another place, bucket/key, with the same login."""
        return replace(self, path=path.rstrip("/"), listed=listed)

    @property
    def parts(self) -> list[str]:
        """The bucket, each folder and the name."""
        return self.path.split("/")

    @property
    def name(self) -> str:
        """The last part."""
        return self.parts[-1]

    @property
    def suffix(self) -> str:
        """Of the name, with its dot."""
        return PurePosixPath(self.name).suffix

    @property
    def parent(self) -> Url:
        """The folder or bucket that it lies in; a bucket itself."""
        return self.at(self.path.rpartition("/")[0] or self.path)

    def with_name(self, name: str) -> Url:
        """Another place in the same folder."""
        return self.parent / name

    def looked_at(self) -> Url:
        """The same with what the store says of it now.  Raises FileNotFoundError."""
        return self.at(self.path, self.store.info(self.path))

    def is_dir(self) -> bool:
        """Whether it is a folder."""
        return bool(self.store.isdir(self.path) if self.listed is None else self.listed["type"] == "directory")

    def is_file(self) -> bool:
        """Whether it is an object.  Raises FileNotFoundError where it is not listed, and not there."""
        return bool((self.listed or self.store.info(self.path))["type"] == "file")

    @property
    def size_bytes(self) -> int:
        """Of an object that is listed; 0 for everything else."""
        return int((self.listed or {}).get("size") or 0)

    def iterdir(self) -> Iterator[Url]:
        """What lies in the folder now.  Raises FileNotFoundError."""
        inner = [self.at(entry["name"], entry) for entry in self.store.ls(self.path, detail=True)]
        # Some programs put an empty object there that stands for the folder itself.
        return (url for url in inner if url != self)

    def matching(self) -> list[Url]:
        """What it matches as a glob, without hidden files and folders, which globs of a disk leave out, too."""
        found = [self.at(path, entry) for path, entry in self.store.glob(self.path, detail=True).items()]
        return [url for url in found if not any(part[:1] == "." and part not in self.parts for part in url.parts)]

    @contextmanager
    def reached(self) -> Iterator[AbstractFileSystem]:
        """The store.

        Raises StorageNotInstalledError without its driver, and in the block StorageNotFoundError for what is not there
        and StorageError for everything else that the store refuses, each in one line that begins with the address.
        What the disk of this machine refuses comes through as OSError.
        """
        kind = _KINDS[self.scheme]
        if find_spec("fsspec") is None or find_spec(kind.driver) is None:
            raise StorageNotInstalledError(f"{self}: {self.scheme}:// needs {kind.driver}; {kind.install}")
        try:
            yield self.store
        except Exception as error:
            refusal = self._refusal(error, kind)
            if refusal is None:
                raise
            raise refusal from error

    @property
    def store(self) -> AbstractFileSystem:
        """The store in terms of fsspec; no listing of it is kept."""
        import fsspec

        kind = _KINDS[self.scheme]
        login = {} if self.login is None or kind.login is None else dict(zip(kind.login, self.login, strict=True))
        store: AbstractFileSystem = fsspec.filesystem(self.scheme, use_listings_cache=False, **kind.options, **login)
        return store

    def _refusal(self, error: Exception, kind: _Kind) -> StorageError | None:
        """What the store refused, in one line; None where it is none of the store's doing."""
        names = {parent.__name__ for parent in type(error).__mro__}
        said = " ".join(str(error).split())
        if on_this_machine(error):
            return None
        if names & _NO_CREDENTIALS:
            return StorageError(f"{self}: no credentials ({said}); {kind.credentials}")
        if isinstance(error, FileNotFoundError):
            return StorageNotFoundError(f"{self}: no such bucket, folder or object; check the address")
        if isinstance(error, PermissionError):
            return StorageError(f"{self}: access is denied ({said}); check the credentials and what they may do")
        if names & _NOT_REACHED:
            return StorageError(f"{self}: the store cannot be reached ({said}); check the network and the endpoint")
        if isinstance(error, OSError) or type(error).__module__.partition(".")[0] in _DRIVERS:
            return StorageError(f"{self}: the store refuses ({said or type(error).__name__}); check the address")
        return None


def share_callback(tell: Callable[[float], None]) -> Callback:
    """What fsspec's transfers take to say how far they are: `tell` is given the share that is done, 0..1."""
    from fsspec.callbacks import Callback

    def tell_share(size: int | None, value: int) -> None:
        if size:
            tell(min(value / size, 1.0))

    return Callback(hooks={"share": tell_share})


def on_this_machine(error: BaseException) -> bool:
    """Whether it was the disk of this machine that refused: stores name no file of it."""
    return isinstance(error, OSError) and (error.filename is not None or error.errno in _LOCAL_FAILURES)


def _scheme(text: str) -> str:
    found = re.match(r"([A-Za-z][A-Za-z0-9+.-]+)://", os.fspath(text))
    return found[1].lower() if found else ""


def _login(scheme: str, login: str) -> tuple[str, str] | None:
    if not login:
        return None
    if _KINDS[scheme].login is None:
        raise ConfigError(f"{scheme}://..: takes no login in the address; {_KINDS[scheme].credentials}")
    user, colon, password = login.partition(":")
    if not colon:
        raise ConfigError(f"{scheme}://..: a login in the address is user:password@; {_KINDS[scheme].credentials}")
    return unquote(user), unquote(password)
