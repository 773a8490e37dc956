"""What an address means is what the same path on a disk means: the same footage in the same order."""

from __future__ import annotations

from pathlib import Path

import pytest

from crowdad.errors import SourceNotFoundError, UnreadableSourceError
from crowdad.sources import RemoteFootage, expand
from tests.conftest import write_folder, write_video
from tests.object_store import Bucket, new_bucket
from tests.tiny_scene import walkers

TREE = (
    "a.mp4",
    "day/cam10.mp4",
    "day/cam2.mp4",
    "day/.hidden.mp4",
    "day/notes.txt",
    "day/night/cam1.AVI",
    "clip/001.png",
    "clip/notes.txt",
    "clips/Test10/1.png",
    "clips/Test2/1.png",
    "clips/Test2_gt/1.png",
    "clips/readme.txt",
    "none/notes.txt",
    "odd [1]/cam.mp4",
    "run/results.json",
    "run/timeline.png",
    "run/overlay.mov",
)


@pytest.fixture(scope="module")
def tree(object_store: str, tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Bucket]:
    """The same files on the disk and in a bucket.  Shared: read them, don't change them."""
    folder, bucket = tmp_path_factory.mktemp("tree"), new_bucket()
    for name in TREE:
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(b"1")
        bucket.put(path, name)
    return folder, bucket


@pytest.mark.parametrize(
    ("spec", "count"),
    [
        ("a.mp4", 1),
        ("day", 2),
        ("day/", 2),
        ("day/notes.txt", 1),
        ("day/*.mp4", 2),
        ("day/cam?.mp4", 1),
        ("**/*.mp4", 4),
        ("day/**/cam*", 3),
        ("clip", 1),
        ("clips", 2),
        ("clips/*", 2),
        ("clips/Test2_gt", 1),
        ("odd [1]/cam.mp4", 1),
        ("odd [1]", 1),
    ],
)
def test_as_on_a_disk(tree: tuple[Path, Bucket], spec: str, count: int) -> None:
    folder, bucket = tree
    local = [str(Path(str(path)).relative_to(folder)) for path in expand([f"{folder}/{spec}"])]
    there = [str(footage).removeprefix(f"{bucket.url}/") for footage in expand([f"{bucket.url}/{spec}"])]
    assert there == local
    assert len(there) == count


@pytest.mark.parametrize("spec", ["none", "run", "day/*.txt", "clip/*.png", "day/*.mkv", "b.mp4", "nowhere/b.mp4"])
def test_refused_as_on_a_disk(tree: tuple[Path, Bucket], spec: str) -> None:
    folder, bucket = tree
    with pytest.raises((SourceNotFoundError, UnreadableSourceError)) as local:
        expand([f"{folder}/{spec}"])
    with pytest.raises(local.type) as there:
        expand([f"{bucket.url}/{spec}"])
    assert str(there.value).startswith(f"{bucket.url}/{spec}: ")


def test_the_nearest_name_is_told(tree: tuple[Path, Bucket]) -> None:
    _, bucket = tree
    with pytest.raises(SourceNotFoundError, match=f"{bucket.url}/day/cam10.mp4"):
        expand([f"{bucket.url}/day/cam11.mp4"])


def test_what_is_known_changes_with_the_content(bucket: Bucket, tmp_path: Path) -> None:
    clip = write_video(tmp_path / "a.mp4", walkers(3))
    folder = write_folder(tmp_path / "clip", list(walkers(3)))
    (file,) = expand([bucket.put(clip, "a.mp4")])
    (pictures,) = expand([bucket.put(folder, "clip")])
    assert isinstance(file, RemoteFootage)
    assert isinstance(pictures, RemoteFootage)
    assert (file.name, file.size_bytes, file.pictures) == ("a.mp4", clip.stat().st_size, False)
    assert pictures.size_bytes == sum(path.stat().st_size for path in folder.iterdir())
    assert (pictures.name, pictures.pictures) == ("clip", True)
    # A listing tells the same of a file as a look at the file.
    assert expand([f"{bucket.url}/*.mp4"]) == [file]
    bucket.files.pipe_file(f"{bucket.name}/a.mp4", bytes(clip.stat().st_size))
    bucket.files.pipe_file(f"{bucket.name}/clip/001.png", b"another")
    assert expand([f"{bucket.url}/a.mp4"]) != [file]
    assert expand([f"{bucket.url}/clip"]) != [pictures]


def test_a_folders_own_object_is_no_footage(bucket: Bucket, tmp_path: Path) -> None:
    bucket.put(write_video(tmp_path / "a.mp4", walkers(3)), "day/a.mp4")
    bucket.files.call_s3("put_object", Bucket=bucket.name, Key="day/", Body=b"")
    assert [str(footage) for footage in expand([f"{bucket.url}/day"])] == [f"{bucket.url}/day/a.mp4"]
    assert expand([f"{bucket.url}/day/"]) == expand([f"{bucket.url}/day"])


def test_files_by_url_are_files(tmp_path: Path) -> None:
    clip = write_video(tmp_path / "a b.mp4", walkers(3))
    assert expand([f"file://{tmp_path}/a%20b.mp4"]) == [clip]
    assert expand([f"file://{tmp_path}/*.mp4"]) == [clip]


def test_other_addresses_are_refused() -> None:
    with pytest.raises(UnreadableSourceError, match=r"foo://host: .*s3://"):
        expand(["foo://host/a.mp4"])
