"""Avenue's layout from tiny videos and MATLAB files drawn here, and broken ones."""

from __future__ import annotations

import shutil
from pathlib import Path

import numpy as np
import pytest

from crowdad.errors import DataError, DatasetNotFoundError
from crowdad.evaluation.datasets.avenue import find_avenue
from tests.conftest import moving_square, write_folder
from tests.evaluation.datasets.layouts import avenue, block_masks, save_cells

MATS = Path("ground_truth_demo", "testing_label_mask")


@pytest.mark.parametrize("given", ["root", "own"])
def test_clips_in_order_of_their_numbers(given: str, tmp_path: Path) -> None:
    folder = avenue(tmp_path)
    dataset = find_avenue(tmp_path if given == "root" else folder)
    assert (dataset.name, dataset.folder, dataset.cameras) == ("avenue", folder, ("1",))
    assert [clip.name for clip in dataset.train] == ["01", "02"]
    assert [clip.name for clip in dataset.test] == ["01", "02", "10"]
    assert dataset.test[2].footage == folder / "testing_videos" / "10.avi"


def test_what_the_videos_and_the_cells_hold(tmp_path: Path) -> None:
    avenue(tmp_path)
    dataset = find_avenue(tmp_path)
    for clip in dataset.test:
        frames = list(clip.open().frames())
        assert len(frames) == len(clip) == len(clip.labels())
        assert clip.open().fps == 25
    one, normal, ten = dataset.test
    assert one.labels().tolist() == [False, False, True, True, True]
    assert not normal.labels().any()
    assert ten.labels().tolist() == [True, False, False]
    masks = one.masks()
    assert masks is not None
    assert (masks.dtype, masks.shape) == (np.bool_, (5, 48, 64))
    np.testing.assert_array_equal(masks, block_masks([False, False, True, True, True], (48, 64)).astype(bool))


def test_training_clips_are_normal_and_as_long_as_their_video(tmp_path: Path) -> None:
    avenue(tmp_path)
    clip = find_avenue(tmp_path).train[1]
    assert clip.labels().tolist() == [False] * 6
    assert (clip.has_masks, clip.masks()) == (False, None)


def test_masks_are_read_when_they_are_asked_for(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    avenue(tmp_path)
    read: list[str] = []

    def refuse(path: Path, **_: object) -> dict[str, object]:
        read.append(path.name)
        raise ValueError("too early")

    monkeypatch.setattr("crowdad.evaluation.datasets.ground_truth.loadmat", refuse)
    clip = find_avenue(tmp_path).test[2]
    assert clip.has_masks
    assert read == []
    with pytest.raises(DataError, match="too early"):
        clip.masks()
    assert read == ["10_label.mat"]


def test_ground_truth_may_lie_inside_the_folder(tmp_path: Path) -> None:
    folder = avenue(tmp_path)
    shutil.move(tmp_path / "ground_truth_demo", folder)
    assert find_avenue(tmp_path).test[0].labels().sum() == 3


def test_without_ground_truth_it_says_which_file_is_needed(tmp_path: Path) -> None:
    avenue(tmp_path)
    (tmp_path / MATS / "10_label.mat").unlink()
    clip = find_avenue(tmp_path).test[2]
    assert not clip.has_masks
    with pytest.raises(DataError, match=r"10\.avi: .*10_label\.mat") as caught:
        clip.labels()
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize("content", [b"", b"no MATLAB file at all", "cut", "hdf5"])
def test_files_that_are_no_mat(content: bytes | str, tmp_path: Path) -> None:
    avenue(tmp_path)
    path = tmp_path / MATS / "1_label.mat"
    whole = path.read_bytes()
    if content == "cut":
        content = whole[: len(whole) * 2 // 3]
    elif content == "hdf5":
        content = b"MATLAB 7.3 MAT-file".ljust(124) + b"\x00\x02IM" + whole[128:]
    assert isinstance(content, bytes)
    path.write_bytes(content)
    with pytest.raises(DataError, match=r"1_label\.mat: ") as caught:
        find_avenue(tmp_path).test[0].labels()
    assert "\n" not in str(caught.value)


def test_mats_that_hold_something_else(tmp_path: Path) -> None:
    avenue(tmp_path)
    path, mask = tmp_path / MATS / "1_label.mat", np.zeros((48, 64))
    for said, masks, variable in (
        ("'volLabel'", [mask] * 5, "other"),
        ("'volLabel'", [], "volLabel"),
        ("masks", [mask, mask, mask, mask, mask[:9]], "volLabel"),
        ("masks", [np.array("text")] * 5, "volLabel"),
    ):
        save_cells(path, masks, variable)
        with pytest.raises(DataError, match=said):
            find_avenue(tmp_path).test[0].masks()


def test_masks_of_another_size_than_the_pictures(tmp_path: Path) -> None:
    avenue(tmp_path)
    save_cells(tmp_path / MATS / "1_label.mat", [np.zeros((24, 32))] * 5)
    with pytest.raises(DataError, match=r"01: .*\(24, 32\).*\(48, 64\)"):
        find_avenue(tmp_path).test[0].masks()


def test_files_of_other_systems_and_doubles(tmp_path: Path) -> None:
    folder = avenue(tmp_path)
    for name in ("._01.avi", ".DS_Store", "Thumbs.db", "notes.avi"):
        (folder / "testing_videos" / name).write_bytes(b"x")
    assert len(find_avenue(tmp_path).test) == 3
    shutil.copy(folder / "testing_videos" / "02.avi", folder / "testing_videos" / "02.mp4")
    with pytest.raises(DataError, match=r"02\.avi and 02\.mp4"):
        find_avenue(tmp_path)


def test_half_a_data_set(tmp_path: Path) -> None:
    folder = avenue(tmp_path)
    shutil.rmtree(folder / "training_videos")
    with pytest.raises(DatasetNotFoundError, match="training_videos: "):
        find_avenue(tmp_path)


def test_where_it_looked_and_what_to_do(tmp_path: Path) -> None:
    with pytest.raises(DatasetNotFoundError) as caught:
        find_avenue(tmp_path)
    for expected in (str(tmp_path / "Avenue Dataset"), "crowdad data get avenue", "--data", "CROWDAD_DATA"):
        assert expected in str(caught.value)
    assert "\n" not in str(caught.value)


def reencoded(root: Path, name: str = "avenue") -> Path:
    folder = root / name
    write_folder(folder / "training" / "frames" / "01", list(moving_square(3)), "{:04d}.jpg")
    for clip, count in (("01", 4), ("02", 2)):
        write_folder(folder / "testing" / "frames" / clip, list(moving_square(count)), "{:04d}.jpg")
    return folder


def test_reencoding_with_one_vector_of_labels(tmp_path: Path) -> None:
    folder = reencoded(tmp_path)
    np.save(tmp_path / "frame_labels_avenue.npy", np.array([[0, 1, 1, 0, 1, 0]]))
    for given in (tmp_path, folder):
        one, two = find_avenue(given).test
        assert one.labels().tolist() == [False, True, True, False]
        assert two.labels().tolist() == [True, False]
        assert (one.has_masks, one.open().fps) == (False, 25)


def test_reencoding_takes_the_masks_of_the_archive_first(tmp_path: Path) -> None:
    folder = reencoded(tmp_path)
    np.save(folder / "frame_labels.npy", np.zeros(6))
    save_cells(folder / MATS / "2_label.mat", list(block_masks([False, True], (48, 64))))
    one, two = find_avenue(tmp_path).test
    assert not one.labels().any()
    assert not one.has_masks
    assert two.labels().tolist() == [False, True]
    assert two.has_masks
    save_cells(folder / MATS / "2_label.mat", list(block_masks([False, True, True], (48, 64))))
    with pytest.raises(DataError, match=r"02: .* 3 .* 2"):
        find_avenue(tmp_path).test[1].labels()


def test_another_reencoded_data_set_is_not_taken_for_it(tmp_path: Path) -> None:
    with pytest.raises(DatasetNotFoundError):
        find_avenue(reencoded(tmp_path, "ped2"))
