"""Ped1 as videos, drawn here, broken ones, and the real data where there is some."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from scipy.io import savemat

from crowdad.errors import DataError, DatasetNotFoundError
from crowdad.evaluation.datasets.root import data_root
from crowdad.evaluation.datasets.ucsd import find_clips
from tests.conftest import write_folder
from tests.evaluation.datasets.layouts import block_masks, ped1_videos, save_ranges


@pytest.mark.parametrize("up", ["root", "own"])
def test_clips_labels_and_masks(tmp_path: Path, up: str) -> None:
    folder = ped1_videos(tmp_path)
    dataset = find_clips("ped1", {"root": tmp_path, "own": folder}[up])
    assert (dataset.name, dataset.folder) == ("ped1", folder)
    assert [clip.name for clip in dataset.train + dataset.test] == ["01", "02", "01", "02", "10"]
    one, two, ten = dataset.test
    assert [len(clip) for clip in dataset.test] == [8, 8, 8]
    # Numbers 3 to 5, and 1 and 8, counted from 1, both ends included.
    assert np.flatnonzero(one.labels()).tolist() == [2, 3, 4]
    assert np.flatnonzero(two.labels()).tolist() == [0, 7]
    assert not ten.labels().any()
    assert [clip.has_masks for clip in dataset.test] == [True, False, False]
    masks = one.masks()
    assert masks is not None
    assert masks.shape == (8, 48, 64)
    # Masks may say other frames than the labels; neither changes the other.
    assert np.flatnonzero(masks.any(axis=(1, 2))).tolist() == [3, 4]
    assert two.masks() is None
    assert not dataset.train[0].labels().any()
    assert sum(1 for _ in one.open().frames()) == 8


def test_folders_of_frames_go_on_working_beside_videos(tmp_path: Path) -> None:
    folder = ped1_videos(tmp_path)
    for part in ("training", "testing"):
        write_folder(folder / part / "frames" / "01", list(block_masks([False] * 3, (48, 64))), "{:03d}.png")
    np.save(folder / "frame_labels.npy", np.array([0, 1, 0]))
    (clip,) = find_clips("ped1", tmp_path).test
    assert clip.labels().tolist() == [False, True, False]


def test_without_labels_it_is_said_what_is_missing(tmp_path: Path) -> None:
    folder = ped1_videos(tmp_path)
    (folder / "ped1.mat").unlink()
    clip = find_clips("ped1", tmp_path).test[0]
    with pytest.raises(DataError, match=r"ped1\.mat is needed"):
        clip.labels()


def test_videos_of_another_name_are_not_taken_for_ped1(tmp_path: Path) -> None:
    ped1_videos(tmp_path).rename(tmp_path / "street")
    (tmp_path / "street" / "ped1.mat").rename(tmp_path / "street" / "street.mat")
    with pytest.raises(DatasetNotFoundError):
        find_clips("ped1", tmp_path / "street")


@pytest.mark.parametrize(
    ("ranges", "said"),
    [
        ([[(1, 9)]] * 10, "range 1:9 of anomalous frames, the video has 8"),
        ([[(0, 2)]] * 10, "range 0:2"),
        ([[(1, 2)]] * 3, "ranges for 3 clips, clip 10 is there"),
    ],
)
def test_ranges_that_do_not_fit(tmp_path: Path, ranges: list[list[tuple[int, int]]], said: str) -> None:
    folder = ped1_videos(tmp_path)
    save_ranges(folder / "ped1.mat", ranges)
    with pytest.raises(DataError, match=said) as caught:
        find_clips("ped1", tmp_path).test[0].labels()
    assert "\n" not in str(caught.value)


def test_a_mat_of_something_else(tmp_path: Path) -> None:
    folder = ped1_videos(tmp_path)
    savemat(folder / "ped1.mat", {"gt": np.zeros((2, 3))})
    with pytest.raises(DataError, match=r"ped1\.mat: holds no cell array 'gt'"):
        find_clips("ped1", tmp_path)
    cells = np.empty((1, 10), object)
    for place in range(10):
        cells[0, place] = np.zeros((3, 1))
    savemat(folder / "ped1.mat", {"gt": cells})
    with pytest.raises(DataError, match=r"gt of clip 1 is float64 \(3, 1\); \(2, N\) is needed"):
        find_clips("ped1", tmp_path)
    (folder / "ped1.mat").write_bytes(b"no MATLAB file")
    with pytest.raises(DataError, match="no readable MATLAB file"):
        find_clips("ped1", tmp_path)


def test_real_ped1_has_its_published_counts() -> None:
    try:
        dataset = find_clips("ped1", data_root())
    except DatasetNotFoundError as error:
        pytest.skip(f"Ped1 is not at hand, set CROWDAD_DATA: {error}")
    if dataset.test[0].frame_paths:
        pytest.skip("Ped1 is here as folders of frames")
    assert (len(dataset.train), len(dataset.test)) == (34, 36)
    assert sum(int(clip.labels().sum()) for clip in dataset.test) == 4045
    assert [int(clip.name) for clip in dataset.test if clip.has_masks] == list(range(1, 18))
    disagree = [
        int(clip.name)
        for clip in dataset.test[:17]
        if (masks := clip.masks()) is not None and (masks.any(axis=(1, 2)) != clip.labels()).any()
    ]
    assert disagree == [1, 5, 6, 8, 9, 10, 11, 13, 17]
