"""What every data set of footage keeps to, whatever its layout."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from crowdad.errors import DatasetNotFoundError
from crowdad.evaluation.datasets.catalogue import CLIP_DATASETS, find_dataset
from crowdad.evaluation.datasets.clips import Dataset
from tests.evaluation.datasets.layouts import PED1_MASKED, avenue, ped1, shanghaitech
from tests.tiny_ucsd import write_tiny_ped2

LAYOUTS: dict[str, Callable[[Path], Path]] = {
    "ped2": lambda root: write_tiny_ped2(root, train=1, test=1, duration_s=0.5),
    "ped1": ped1,
    "avenue": avenue,
    "shanghaitech": shanghaitech,
}


@pytest.fixture(scope="module", params=CLIP_DATASETS)
def dataset(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Dataset:
    root = tmp_path_factory.mktemp("data")
    LAYOUTS[request.param](root)
    return find_dataset(request.param, root)


def test_training_clips_are_normal(dataset: Dataset) -> None:
    assert dataset.train
    for clip in dataset.train[:3]:
        frames = list(clip.open().frames())
        assert len(frames) == len(clip) == len(clip.labels())
        assert not clip.labels().any()
        assert clip.masks() is None


def test_truth_has_a_place_for_every_frame(dataset: Dataset) -> None:
    assert any(clip.labels().any() for clip in dataset.test)
    for clip in dataset.test[:4]:
        frames = list(clip.open().frames())
        labels, masks = clip.labels(), clip.masks()
        assert len(frames) == len(clip) == len(labels)
        assert labels.dtype == np.bool_
        assert clip.has_masks == (masks is not None)
        if masks is not None:
            assert (masks.dtype, masks.shape) == (np.bool_, (len(frames), *frames[0].luma.shape))
            assert (masks.any(axis=(1, 2)) == labels).all()


def test_labels_are_the_callers_own(dataset: Dataset) -> None:
    clip = dataset.test[0]
    before = clip.labels()
    clip.labels()[:] = ~before
    assert (clip.labels() == before).all()


def test_each_clip_has_one_camera(dataset: Dataset) -> None:
    by_camera = [clip for camera in dataset.cameras for clip in dataset.of_camera(camera).test]
    assert by_camera == list(dataset.test)
    assert len(dataset.cameras) == (2 if dataset.name == "shanghaitech" else 1)


def test_a_stride_leaves_frames_out(dataset: Dataset) -> None:
    clip = dataset.test[0]
    assert len(list(clip.open(stride=2).frames())) == -(-len(clip) // 2)


def test_names_are_known(tmp_path: Path) -> None:
    assert CLIP_DATASETS.keys() == LAYOUTS.keys()
    with pytest.raises(DatasetNotFoundError, match=r"'mnist'.* ped2, ped1, avenue, shanghai"):
        find_dataset("mnist", tmp_path)


def test_ped1_has_masks_for_ten_clips_and_ranges_for_the_rest(tmp_path: Path) -> None:
    ped1(tmp_path)
    dataset = find_dataset("ped1", tmp_path)
    assert (len(dataset.train), len(dataset.test)) == (34, 36)
    assert [number for number, clip in enumerate(dataset.test, 1) if clip.has_masks] == list(PED1_MASKED)
    assert all(clip.labels().tolist() == [False, False, True] for clip in dataset.test)
    assert dataset.test[0].open().info.size_hw == (158, 238)
