"""What a person types, and the footage it means."""

from __future__ import annotations

from pathlib import Path

import pytest

from crowdad.errors import SourceNotFoundError, UnreadableSourceError
from crowdad.sources import expand


@pytest.fixture
def tree(tmp_path: Path) -> Path:
    """Names are all that counts here, so the files are empty."""
    for name in (
        "week/mon2.mp4",
        "week/mon10.mp4",
        "week/tue.MKV",
        "week/notes.txt",
        "week/._mon2.mp4",
        "week/deep/night.avi",
        "Test/Test001/001.tif",
        "Test/Test002/001.tif",
        "Test/Test001_gt/001.bmp",
        "Test/._Test001/001.tif",
        "Test/readme.m",
        "empty/notes.txt",
    ):
        path = tmp_path / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.touch()
    return tmp_path


def names(root: Path, *specs: str) -> list[str]:
    return [str(path.relative_to(root)) for path in expand([str(root / spec) for spec in specs])]


def test_files_stand_for_themselves_in_order_and_once(tree: Path) -> None:
    assert names(tree, "week/tue.MKV", "week/mon2.mp4", "week/tue.MKV") == ["week/tue.MKV", "week/mon2.mp4"]


def test_a_file_may_be_called_anything(tree: Path) -> None:
    assert names(tree, "week/notes.txt") == ["week/notes.txt"]


def test_a_folder_of_videos_is_its_videos(tree: Path) -> None:
    assert names(tree, "week") == ["week/mon2.mp4", "week/mon10.mp4", "week/tue.MKV"]


def test_a_folder_of_pictures_is_one_clip(tree: Path) -> None:
    assert names(tree, "Test/Test001") == ["Test/Test001"]


def test_a_folder_of_clips_is_its_clips_without_masks(tree: Path) -> None:
    assert names(tree, "Test") == ["Test/Test001", "Test/Test002"]


def test_globs(tree: Path) -> None:
    assert names(tree, "week/mon*.mp4") == ["week/mon2.mp4", "week/mon10.mp4"]
    assert names(tree, "**/*.avi") == ["week/deep/night.avi"]
    assert names(tree, "Test/*") == ["Test/Test001", "Test/Test002"]
    assert names(tree, "**") == [
        "Test/Test001",
        "Test/Test002",
        "week/deep/night.avi",
        "week/mon2.mp4",
        "week/mon10.mp4",
        "week/tue.MKV",
    ]


def test_a_name_that_looks_like_a_glob_is_a_name_first(tree: Path) -> None:
    (tree / "week" / "cam[1].mp4").touch()
    assert names(tree, "week/cam[1].mp4") == ["week/cam[1].mp4"]


@pytest.mark.parametrize(
    ("spec", "message"),
    [
        ("week/mon3.mp4", r"did you mean .*week/mon2\.mp4\?"),
        ("wek", r"did you mean .*week\?"),
        ("week/zzzzzzzz", "holds nothing of a similar name"),
        ("nowhere/mon2.mp4", "nowhere does not exist either"),
        ("week/*.mov", "matches no file or folder"),
    ],
)
def test_what_is_missing_is_said_with_the_nearest_name(spec: str, message: str, tree: Path) -> None:
    with pytest.raises(SourceNotFoundError, match=message):
        names(tree, spec)


@pytest.mark.parametrize(
    ("spec", "message"),
    [
        ("empty", "holds no video, no pictures and no folder of pictures"),
        ("empty/*", "none of its 1 matches is a video"),
        ("Test/Test001/*.tif", r"matches single pictures; give their folder .*Test001 instead"),
    ],
)
def test_what_holds_no_footage(spec: str, message: str, tree: Path) -> None:
    with pytest.raises(UnreadableSourceError, match=message):
        names(tree, spec)


@pytest.mark.parametrize("address", ["rtsp://camera/1", "http://host/a.mp4", "https://host/a.m3u8"])
def test_addresses_are_refused(address: str) -> None:
    with pytest.raises(UnreadableSourceError, match=r"crowdad\.watch"):
        expand([address])
