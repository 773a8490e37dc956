"""ShanghaiTech's layout from tiny videos, pictures and arrays drawn here, and broken ones."""

from __future__ import annotations

import shutil
from pathlib import Path

import numpy as np
import pytest

from crowdad.errors import DataError, DatasetNotFoundError
from crowdad.evaluation.datasets import reencoding
from crowdad.evaluation.datasets.ground_truth import MaskArray
from crowdad.evaluation.datasets.shanghaitech import find_shanghaitech
from tests.evaluation.datasets.layouts import block_masks, shanghaitech

TRUTH = [False, False, True, True]


@pytest.mark.parametrize("training", ["videos", "frames"])
@pytest.mark.parametrize("given", ["root", "own"])
def test_clips_by_camera(given: str, training: str, tmp_path: Path) -> None:
    folder = shanghaitech(tmp_path, training=training)
    dataset = find_shanghaitech(tmp_path if given == "root" else folder)
    assert (dataset.name, dataset.folder) == ("shanghaitech", folder)
    assert [clip.name for clip in dataset.train] == ["01_001", "01_002", "02_001", "13_001"]
    assert [clip.name for clip in dataset.test] == ["01_0014", "01_0130", "02_0128"]
    assert dataset.cameras == ("01", "02"), "no test clip is of camera 13"
    first = dataset.of_camera("01")
    assert [clip.name for clip in first.train + first.test] == ["01_001", "01_002", "01_0014", "01_0130"]
    assert [clip.name for clip in dataset.of_camera("13").train] == ["13_001"]
    for clip in dataset.train + dataset.test:
        assert len(list(clip.open().frames())) == len(clip) == (6 if clip in dataset.train else 4)
        assert clip.open().fps == 24


def test_labels_and_masks_each_from_their_own_file(tmp_path: Path) -> None:
    folder = shanghaitech(tmp_path)
    # A frame that is labelled though nobody drew its mask.
    np.save(folder / "testing" / "test_frame_mask" / "01_0014.npy", np.array([0, 1, 1, 1], np.int8))
    clip = find_shanghaitech(tmp_path).test[0]
    masks = clip.masks()
    assert masks is not None
    assert clip.labels().tolist() == [False, True, True, True]
    assert (masks.dtype, masks.any(axis=(1, 2)).tolist()) == (np.bool_, TRUTH)
    np.testing.assert_array_equal(masks, block_masks(TRUTH, (48, 64)).astype(bool))


@pytest.mark.parametrize(("left", "has_masks"), [("test_frame_mask", False), ("test_pixel_mask", True)])
def test_one_kind_of_truth_is_enough(left: str, has_masks: bool, tmp_path: Path) -> None:
    folder = shanghaitech(tmp_path)
    for part in {"test_frame_mask", "test_pixel_mask"} - {left}:
        shutil.rmtree(folder / "testing" / part)
    clip = find_shanghaitech(tmp_path).test[2]
    assert clip.labels().tolist() == TRUTH
    assert clip.has_masks == has_masks
    assert (clip.masks() is not None) == has_masks


def test_no_truth_at_all(tmp_path: Path) -> None:
    folder = shanghaitech(tmp_path)
    for part in ("test_frame_mask", "test_pixel_mask"):
        (folder / "testing" / part / "02_0128.npy").unlink()
    one, _, three = find_shanghaitech(tmp_path).test
    assert one.labels().tolist() == TRUTH
    with pytest.raises(DataError, match="02_0128: "):
        three.labels()


def test_masks_are_read_when_they_are_asked_for(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    shanghaitech(tmp_path)
    read: list[str] = []
    masks_of = MaskArray.masks

    def counted(self: MaskArray) -> np.ndarray:
        read.append(self.path.name)
        return masks_of(self)

    monkeypatch.setattr(MaskArray, "masks", counted)
    # Finding the clips looks at the shape alone: the file is mapped, not loaded.
    mapped = reencoding.map_npy(tmp_path / "shanghaitech" / "testing" / "test_pixel_mask" / "01_0014.npy")
    assert isinstance(mapped, np.memmap)
    clip = find_shanghaitech(tmp_path).test[1]
    assert clip.has_masks
    clip.labels()
    assert read == []
    clip.masks()
    assert read == ["01_0130.npy"]


@pytest.mark.parametrize(
    ("part", "array", "said"),
    [
        ("test_frame_mask", np.zeros(5), r"\(5,\) .*4 frames"),
        ("test_frame_mask", np.array([0, 2, 0, 0]), "0 to 2"),
        ("test_pixel_mask", np.zeros((5, 48, 64), bool), r"\(5, 48, 64\); \(4, height, width\)"),
        ("test_pixel_mask", np.zeros((48, 64, 4), bool), r"\(48, 64, 4\); \(4, height, width\)"),
        ("test_pixel_mask", np.zeros((4, 24, 32), bool), r"\(24, 32\) .*\(48, 64\)"),
        ("test_pixel_mask", np.array([None] * 4), r"\.npy"),
    ],
)
def test_damaged_truth(part: str, array: np.ndarray, said: str, tmp_path: Path) -> None:
    folder = shanghaitech(tmp_path)
    np.save(folder / "testing" / part / "01_0014.npy", array, allow_pickle=True)
    with pytest.raises(DataError, match=said) as caught:
        find_shanghaitech(tmp_path).test[0].masks()
    assert "01_0014" in str(caught.value)
    assert "\n" not in str(caught.value)


def test_where_it_looked_and_what_to_do(tmp_path: Path) -> None:
    with pytest.raises(DatasetNotFoundError) as caught:
        find_shanghaitech(tmp_path)
    for expected in (str(tmp_path / "shanghaitech"), "01_0014", "crowdad data get shanghaitech", "CROWDAD_DATA"):
        assert expected in str(caught.value)
    assert "\n" not in str(caught.value)


def test_another_data_set_of_the_same_layout_is_not_taken_for_it(tmp_path: Path) -> None:
    (tmp_path / "testing" / "frames" / "01").mkdir(parents=True)
    with pytest.raises(DatasetNotFoundError, match="shanghaitech"):
        find_shanghaitech(tmp_path)


def test_without_training_clips(tmp_path: Path) -> None:
    folder = shanghaitech(tmp_path)
    shutil.rmtree(folder / "training")
    with pytest.raises(DatasetNotFoundError, match="videos: "):
        find_shanghaitech(tmp_path)
