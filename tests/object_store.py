"""An object store on loopback: moto's S3, started by the test run, reached as any other store is."""

from __future__ import annotations

import itertools
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from crowdad.sources.storage import Url

if TYPE_CHECKING:
    from fsspec import AbstractFileSystem

CREDENTIALS = {
    "AWS_ACCESS_KEY_ID": "testing",
    "AWS_SECRET_ACCESS_KEY": "testing",
    "AWS_DEFAULT_REGION": "us-east-1",
    "AWS_EC2_METADATA_DISABLED": "true",
    "AWS_MAX_ATTEMPTS": "1",
    "AWS_CONFIG_FILE": "/dev/null",
    "AWS_SHARED_CREDENTIALS_FILE": "/dev/null",
}

_numbers = itertools.count(1)


@dataclass(frozen=True)
class Bucket:
    """An empty bucket.  url: `s3://<name>`.  files: the store, as crowdad reaches it."""

    url: str
    files: AbstractFileSystem

    @property
    def name(self) -> str:
        return self.url.removeprefix("s3://")

    def put(self, path: Path, key: str) -> str:
        """Put a file, or the files of a folder at any depth, there; its address."""
        for inner in sorted(path.rglob("*")) if path.is_dir() else [path]:
            if inner.is_file():
                below = f"/{inner.relative_to(path).as_posix()}" if path.is_dir() else ""
                self.files.put_file(str(inner), f"{self.name}/{key}{below}")
        return f"{self.url}/{key}"

    def names(self, folder: str) -> list[str]:
        """What lies in a folder, sorted."""
        return sorted(str(path).rpartition("/")[2] for path in self.files.ls(f"{self.name}/{folder}", detail=False))


def served() -> Iterator[str]:
    """The endpoint of a running store, with credentials for it in the environment."""
    pytest.importorskip("s3fs", reason="s3fs is not installed (pip install 'crowdad[url]')")
    server = pytest.importorskip("moto.server", reason="moto's server is not installed (pip install 'crowdad[dev]')")
    started = server.ThreadedMotoServer(ip_address="127.0.0.1", port=0, verbose=False)
    started.start()
    host, port = started.get_host_and_port()
    with pytest.MonkeyPatch.context() as patch:
        for name, value in {**CREDENTIALS, "AWS_ENDPOINT_URL": f"http://{host}:{port}"}.items():
            patch.setenv(name, value)
        yield f"http://{host}:{port}"
    started.stop()


def new_bucket() -> Bucket:
    """A bucket of its own in the running store."""
    url = Url.of(f"s3://bucket-{next(_numbers)}")
    with url.reached() as files:
        files.mkdir(url.path)
    return Bucket(str(url), files)
