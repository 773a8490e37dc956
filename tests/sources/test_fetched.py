"""Footage in an object store is fetched once, whole or not at all, and goes when room is needed and nobody reads it."""

from __future__ import annotations

import errno
import os
import threading
from collections.abc import Callable, Coroutine
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest

from crowdad.errors import SourceNotFoundError, StorageError, UnreadableSourceError
from crowdad.sources import RemoteFootage, _fetched, at_hand, expand, open_source
from crowdad.sources._fetched import fetch
from tests.conftest import write_folder, write_video
from tests.object_store import Bucket
from tests.tiny_scene import walkers


@pytest.fixture
def cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The folder of fetched footage, empty."""
    monkeypatch.setattr(_fetched, "cache_folder", lambda: tmp_path / "cache")
    monkeypatch.setattr(_fetched, "_LOOK_AGAIN_S", 0.01)
    return tmp_path / "cache"


@pytest.fixture
def gets(bucket: Bucket, monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """What was fetched, one object after the other."""
    asked: list[str] = []
    original = bucket.files._get_file

    async def counting(rpath: str, lpath: str, **options: Any) -> None:
        asked.append(rpath.rpartition("/")[2])
        await original(rpath, lpath, **options)

    instead(counting, bucket, monkeypatch)
    return asked


def instead(get_file: Callable[..., Coroutine[Any, Any, None]], bucket: Bucket, patch: pytest.MonkeyPatch) -> None:
    """Have files fetched by `get_file`, single ones and those of folders."""
    from fsspec.asyn import sync_wrapper

    patch.setattr(bucket.files, "_get_file", get_file)
    patch.setattr(bucket.files, "get_file", sync_wrapper(get_file, obj=bucket.files))


def breaking(act: Callable[[Path], None], bucket: Bucket, patch: pytest.MonkeyPatch) -> None:
    """From now on, `act` is done in place of fetching a file."""

    async def broken(_rpath: str, lpath: str, **_options: Any) -> None:
        act(Path(lpath))

    instead(broken, bucket, patch)


def blob(bucket: Bucket, key: str, size: int = 1000) -> RemoteFootage:
    bucket.files.pipe_file(f"{bucket.name}/{key}", os.urandom(size))
    (footage,) = expand([f"{bucket.url}/{key}"])
    assert isinstance(footage, RemoteFootage)
    return footage


def files(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.rglob("*") if path.is_file())


def test_fetched_once(bucket: Bucket, cache: Path, gets: list[str]) -> None:
    footage, told = blob(bucket, "a.mp4", 200_000), list[tuple[int, int]]()
    copy = fetch(footage, lambda done, total: told.append((done, total)))
    assert copy.path.name == "a.mp4"
    assert cache.stat().st_mode & 0o077 == 0
    assert copy.path.read_bytes() == bucket.files.cat_file(f"{bucket.name}/a.mp4")
    assert told[0] == (0, 200_000)
    assert told[-1] == (200_000, 200_000)
    assert fetch(footage).path == copy.path
    assert at_hand(str(footage)) != copy.path
    assert Path(at_hand(str(footage))) == copy.path
    assert gets == ["a.mp4"]
    changed = fetch(blob(bucket, "a.mp4", 200_000))
    assert changed.path != copy.path
    assert gets == ["a.mp4", "a.mp4"]


def test_a_folder_of_pictures_reads_as_on_a_disk(bucket: Bucket, cache: Path, tmp_path: Path, gets: list[str]) -> None:
    folder = write_folder(tmp_path / "clip", list(walkers(12)), "{}.png")
    (folder / "notes.txt").write_text("nothing to fetch")
    (folder / "3.png").write_bytes(b"damaged")
    local, there = open_source(folder, fps=10), open_source(bucket.put(folder, "clip"), fps=10)
    assert there.info == local.info
    assert there.sha256() == local.sha256()
    assert [frame.time_s for frame in there.frames()] == [frame.time_s for frame in local.frames()]
    assert there.report == local.report
    assert sorted(gets) == sorted(path.name for path in folder.glob("*.png"))
    open_source(f"{bucket.url}/clip")
    assert len(gets) == 12


def test_a_video_reads_as_on_a_disk(bucket: Bucket, cache: Path, tmp_path: Path) -> None:
    clip = write_video(tmp_path / "a.mp4", walkers(12))
    local, there = open_source(clip), open_source(bucket.put(clip, "day/a.mp4"))
    assert there.info == local.info
    pairs = zip(there.frames(), local.frames(), strict=True)
    assert all(np.array_equal(one.luma, other.luma) for one, other in pairs)


def test_what_breaks_off_leaves_nothing_that_looks_whole(
    bucket: Bucket, cache: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    footage = blob(bucket, "a.mp4")

    def half(path: Path) -> None:
        path.write_bytes(b"half")
        raise ConnectionResetError("gone")

    with monkeypatch.context() as patch:
        breaking(half, bucket, patch)
        with pytest.raises(StorageError, match="reached"):
            fetch(footage)
        breaking(lambda path: path.write_bytes(b"half") and None, bucket, patch)
        with pytest.raises(StorageError, match="4 of 1000 bytes"):
            fetch(footage)
        assert files(cache) == []
    # What a killed process leaves is cleared away.
    (entry,) = cache.iterdir()
    (entry / "0123.part").write_bytes(b"half")
    fetch(footage)
    assert files(cache) == ["a.mp4"]


def test_what_changes_meanwhile_is_not_kept(bucket: Bucket, cache: Path) -> None:
    footage = blob(bucket, "a.mp4")
    blob(bucket, "a.mp4")
    with pytest.raises(UnreadableSourceError, match="changed"):
        fetch(footage)
    bucket.files.rm_file(f"{bucket.name}/a.mp4")
    with pytest.raises(SourceNotFoundError, match="bucket, folder or object"):
        fetch(footage)
    assert files(cache) == []


def test_two_at_once_fetch_it_once(bucket: Bucket, cache: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Threads here, which the locks keep apart as they do processes: each opens the folder by itself."""
    footage, began, go_on = blob(bucket, "a.mp4"), threading.Event(), threading.Event()
    content, told, copies = bucket.files.cat_file(f"{bucket.name}/a.mp4"), list[int](), list[bytes]()
    original = _fetched._download
    fetched = []

    def slow(store: Any, footage: RemoteFootage, part: Path, tell: Any) -> None:
        fetched.append(footage)
        part.write_bytes(b"half")
        began.set()
        assert go_on.wait(20)
        original(store, footage, part, tell)

    def second(done: int, _total: int) -> None:
        told.append(done)
        go_on.set()

    monkeypatch.setattr(_fetched, "_download", slow)
    first = threading.Thread(target=lambda: copies.append(fetch(footage).path.read_bytes()))
    first.start()
    assert began.wait(20)
    copies.append(fetch(footage, second).path.read_bytes())
    first.join(20)
    assert copies == [content, content]
    assert len(fetched) == 1
    assert told, "who waits tells how far the other is"
    assert all(0 <= done <= 1000 for done in told)


def test_what_was_fetched_first_goes_unless_it_is_read(
    bucket: Bucket, cache: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(_fetched, "CACHE_BYTES", 3500)
    footage = [blob(bucket, f"{number}.mp4") for number in range(5)]
    copies = [fetch(piece) for piece in footage[:3]]
    for number, copy in enumerate(copies):
        os.utime(copy.path.parent, (number, number))
    copies[1].close()
    del copy, copies[2]
    fetch(footage[3])
    assert files(cache) == ["0.mp4", "2.mp4", "3.mp4"], "0 is older, but read"
    fetch(footage[4])
    assert files(cache) == ["0.mp4", "3.mp4", "4.mp4"]
    monkeypatch.setattr(_fetched, "CACHE_BYTES", 10)
    copies[0].close()
    fetch(footage[1])
    assert files(cache) == ["1.mp4"], "what is needed is fetched, however large"


def test_what_is_used_again_stays_longer(bucket: Bucket, cache: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(_fetched, "CACHE_BYTES", 2500)
    footage = [blob(bucket, f"{number}.mp4") for number in range(3)]
    for number, piece in enumerate(footage[:2]):
        copy = fetch(piece)
        os.utime(copy.path.parent, (number, number))
        copy.close()
    fetch(footage[0]).close()
    fetch(footage[2])
    assert files(cache) == ["0.mp4", "2.mp4"], "1 was fetched later, but not used since"


def test_room_is_made_on_a_full_disk(bucket: Bucket, cache: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    fetch(blob(bucket, "old.mp4")).close()
    monkeypatch.setattr(_fetched.shutil, "disk_usage", lambda _path: SimpleNamespace(free=5))
    fetch(blob(bucket, "new.mp4"))
    assert files(cache) == ["new.mp4"]

    def full(path: Path) -> None:
        path.write_bytes(b"half")
        raise OSError(errno.ENOSPC, "No space left on device")

    breaking(full, bucket, monkeypatch)
    with pytest.raises(UnreadableSourceError, match=r"cache \(No space left on device\)"):
        fetch(blob(bucket, "newer.mp4"))
    assert files(cache) == []


def test_a_disk_that_knows_no_locks(bucket: Bucket, cache: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(_fetched, "open_folder", lambda _folder: None)
    monkeypatch.setattr(_fetched, "CACHE_BYTES", 10)
    one, other = blob(bucket, "a.mp4"), blob(bucket, "b.mp4")
    for footage in (one, other, one):
        fetch(footage)
    assert files(cache) == ["a.mp4", "b.mp4"], "nobody can tell what is in use"


@pytest.mark.parametrize("name", ["..", "."])
def test_names_do_not_lead_out_of_the_cache(name: str, cache: Path) -> None:
    from crowdad.sources.storage import Url

    with pytest.raises(UnreadableSourceError, match="name for a file"):
        fetch(RemoteFootage(Url("s3", f"bucket/{name}"), "", 1))
    assert not cache.exists()


def test_messages_name_the_address(bucket: Bucket, cache: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    footage = blob(bucket, "a.mp4")
    fetch(footage).path.chmod(0)
    with pytest.raises(UnreadableSourceError) as caught:
        open_source(str(footage))
    assert str(cache) not in str(caught.value)
    blob(bucket, "b.mp4")
    with pytest.raises(UnreadableSourceError, match="2 videos"):
        open_source(bucket.url)
