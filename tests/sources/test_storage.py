"""Addresses of object stores, and what a store refuses: one line each, no login in any."""

from __future__ import annotations

import errno
from collections.abc import Iterator

import pytest

from crowdad.errors import (
    ConfigError,
    CrowdadError,
    StorageError,
    StorageNotFoundError,
    StorageNotInstalledError,
)
from crowdad.sources import storage
from crowdad.sources.storage import Url, is_stored, local_spec
from tests.object_store import Bucket


@pytest.mark.parametrize(
    ("text", "shown", "login"),
    [
        ("s3://bucket/day/cam 1.mp4", "s3://bucket/day/cam 1.mp4", None),
        ("S3://bucket/", "s3://bucket", None),
        ("s3://bucket/a@b:c.mp4", "s3://bucket/a@b:c.mp4", None),
        ("s3://key:s%2Fcr%40t@bucket/day/", "s3://bucket/day", ("key", "s/cr@t")),
        ("gs://bucket/day", "gs://bucket/day", None),
    ],
)
def test_an_address_and_what_is_shown_of_it(text: str, shown: str, login: tuple[str, str] | None) -> None:
    url = Url.of(text)
    assert is_stored(text)
    assert (str(url), url.login) == (shown, login)
    assert "cr@t" not in repr(url)
    assert str(url / "x.mp4") == f"{shown}/x.mp4"
    assert (url / "x.mp4").login == login
    assert (url / "x.mp4").name == "x.mp4"


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("s3://", "names no bucket"),
        ("s3:///key", "names no bucket"),
        ("s3://key:s3cr/et@bucket/a.mp4", "no name of a bucket; write / and @"),
        ("s3://s3cret@bucket/a.mp4", "is user:password@"),
        ("gs://me:s3cret@bucket/a.mp4", "takes no login"),
        ("http://host/a.mp4", "no address of an object store"),
    ],
)
def test_what_is_no_address(text: str, said: str) -> None:
    with pytest.raises(ConfigError, match=said) as caught:
        Url.of(text)
    assert "s3cr" not in str(caught.value)


def test_addresses_of_files_are_paths() -> None:
    assert local_spec("file:///day/a%20b.mp4") == "/day/a b.mp4"
    assert local_spec("file://localhost/a.mp4") == "/a.mp4"
    assert local_spec("day/a%20b.mp4") == "day/a%20b.mp4"
    assert local_spec(7) == 7
    for text in ("file://host/a.mp4", "file://a.mp4"):
        with pytest.raises(ConfigError, match="this machine"):
            local_spec(text)


def test_cameras_and_paths_are_not_stored() -> None:
    assert not any(map(is_stored, ("rtsp://host/1", "http://host/a.mp4", "s3:/bucket/a", "a.mp4", 7)))


@pytest.fixture
def fresh(object_store: str) -> Iterator[None]:
    """Clients are made anew, as what they have read of the environment stays with them."""
    from s3fs import S3FileSystem

    S3FileSystem.clear_instance_cache()
    yield
    S3FileSystem.clear_instance_cache()


def refusal(url: str) -> str:
    with pytest.raises(StorageError) as caught, Url.of(url).reached() as store:
        store.info(Url.of(url).path)
    return str(caught.value)


def test_nothing_there(bucket: Bucket) -> None:
    for url in ("s3://no-such-bucket/a.mp4", f"{bucket.url}/a.mp4"):
        with (
            pytest.raises(StorageNotFoundError, match=f"^{url}: "),
            Url.of(url).reached() as store,
        ):
            store.info(Url.of(url).path)


def test_no_credentials(fresh: None, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"):
        monkeypatch.delenv(name)
    assert refusal("s3://bucket/a.mp4").startswith("s3://bucket/a.mp4: no credentials (Unable to locate credentials)")
    assert "AWS_ACCESS_KEY_ID" in refusal("s3://bucket/a.mp4")


def test_a_login_in_the_address_is_used_and_not_told(
    fresh: None, bucket: Bucket, monkeypatch: pytest.MonkeyPatch
) -> None:
    bucket.files.pipe_file(f"{bucket.name}/a.mp4", b"a")
    for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"):
        monkeypatch.delenv(name)
    url = Url.of(f"s3://key:s3cret@{bucket.name}/a.mp4")
    with url.reached() as store:
        assert store.info(url.path)["size"] == 1
    assert "s3cret" not in refusal(f"s3://key:s3cret@{bucket.name}/b.mp4")


def test_nobody_answers(fresh: None, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AWS_ENDPOINT_URL", "http://127.0.0.1:9")
    assert "the store cannot be reached (Could not connect" in refusal("s3://bucket/a.mp4")


@pytest.mark.parametrize(
    ("error", "said"),
    [
        (PermissionError("Forbidden"), r"\(Forbidden\)"),
        (OSError(errno.EINVAL, "The specified bucket is not valid."), "not valid"),
        (TimeoutError("slow\nvery"), r"reached \(slow very\)"),
    ],
)
def test_what_else_a_store_says(object_store: str, error: Exception, said: str) -> None:
    with pytest.raises(StorageError, match=said), Url.of("s3://bucket/a").reached():
        raise error


@pytest.mark.parametrize(
    "error",
    [ValueError("a bug"), OSError(errno.ENOSPC, "full"), FileNotFoundError(2, "gone", "/here"), CrowdadError("ours")],
)
def test_what_is_not_the_stores_is_left_as_it_is(object_store: str, error: Exception) -> None:
    with pytest.raises(type(error)) as caught, Url.of("s3://bucket/a").reached():
        raise error
    assert caught.value is error


@pytest.mark.parametrize(("scheme", "driver"), [("s3", "s3fs"), ("gs", "gcsfs")])
def test_a_driver_that_is_not_installed(scheme: str, driver: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(storage, "find_spec", lambda name: None if name == driver else object())
    with (
        pytest.raises(StorageNotInstalledError, match=rf"{driver}; pip install 'crowdad\[url\]'"),
        Url.of(f"{scheme}://bucket/a").reached(),
    ):
        pass
