"""UCSD's layouts from tiny trees drawn here, broken ones, and the real data where there is some."""

from __future__ import annotations

import os
import shutil
from pathlib import Path

import cv2
import numpy as np
import pytest

from crowdad.errors import DataError, DatasetNotFoundError
from crowdad.evaluation.datasets.root import data_root
from crowdad.evaluation.datasets.ucsd import ARCHIVE_FOLDER, find_clips

HEIGHT, WIDTH = 18, 24


def draw(path: Path, value: int = 0, *, from_x: int = 0, size_hw: tuple[int, int] = (HEIGHT, WIDTH)) -> None:
    """A black picture, `value` from column `from_x` on."""
    picture = np.zeros(size_hw, dtype=np.uint8)
    picture[:, from_x:] = value
    path.parent.mkdir(parents=True, exist_ok=True)
    cv2.imwrite(str(path), picture)


def archive(
    root: Path, *, folder: str = "UCSDped2", frames: str = "tif", masks: str | None = "bmp", m_file: str | None = None
) -> Path:
    """Two training clips of 3 frames, two test clips of 4; masks: frames 3 and 4 of Test001, frame 1 of Test002."""
    place = root / ARCHIVE_FOLDER / folder
    for clip in (1, 2):
        for number in (1, 2, 3):
            draw(place / "Train" / f"Train{clip:03}" / f"{number:03}.{frames}", 90)
        for number in (1, 2, 3, 4):
            draw(place / "Test" / f"Test{clip:03}" / f"{number:03}.{frames}", 90)
            anomalous = number >= 3 if clip == 1 else number == 1
            if masks is not None:
                name = f"{number:03}.{masks}" if clip == 1 else f"frame{number:03}.{masks}"
                draw(place / "Test" / f"Test{clip:03}_gt" / name, 255 * anomalous, from_x=12)
    if m_file is not None:
        (place / "Test" / f"{folder}.m").write_text(m_file)
    return place


def reencoding(root: Path) -> Path:
    """ped2/training/frames/01/000.jpg ...: one training clip of 3 frames, test clips 01 of 4 and 02 of 2."""
    place = root / "ped2"
    for part, clip, count in (("training", "01", 3), ("testing", "01", 4), ("testing", "02", 2)):
        for number in range(count):
            draw(place / part / "frames" / clip / f"{number:03}.jpg", 90)
    return place


LABELS = [[False, False, True, True], [True, False, False, False]]


@pytest.mark.parametrize("up", ["root", "archive", "own"])
def test_root_may_be_any_of_three_folders(tmp_path, up):
    place = archive(tmp_path)
    dataset = find_clips("ped2", {"root": tmp_path, "archive": place.parent, "own": place}[up])
    assert (dataset.name, dataset.folder) == ("ped2", place)
    assert [c.name for c in dataset.train] == ["Train001", "Train002"]
    assert [c.name for c in dataset.test] == ["Test001", "Test002"]
    assert [len(c) for c in dataset.train + dataset.test] == [3, 3, 4, 4]


@pytest.mark.parametrize("frames", ["tif", "jpg", "png", "bmp", "TIF"])
@pytest.mark.parametrize("masks", ["bmp", "png", "tif", "jpg"])
def test_any_ending_of_frames_and_masks(tmp_path, frames, masks):
    archive(tmp_path, frames=frames, masks=masks)
    dataset = find_clips("ped2", tmp_path)
    assert [path.name for path in dataset.test[0].frame_paths] == [f"{n:03}.{frames}" for n in (1, 2, 3, 4)]
    assert [c.labels().tolist() for c in dataset.test] == LABELS
    found = dataset.test[0].masks()
    assert (found.dtype, found.shape) == (np.bool_, (4, HEIGHT, WIDTH))
    assert not found[:2].any()
    assert found[2:, :, 13:].all()
    assert not found[2:, :, :11].any()


def test_training_clips_are_normal_and_have_no_masks(tmp_path):
    archive(tmp_path)
    clip = find_clips("ped2", tmp_path).train[1]
    assert clip.labels().tolist() == [False] * 3
    assert clip.masks() is None


def test_masks_of_zero_and_one_count(tmp_path):
    place = archive(tmp_path)
    draw(place / "Test" / "Test001_gt" / "001.bmp", 1, from_x=15)
    assert find_clips("ped2", tmp_path).test[0].labels().tolist() == [True, False, True, True]


def test_black_of_a_jpeg_mask_need_not_be_zero(tmp_path):
    place = archive(tmp_path, masks="jpg")
    draw(place / "Test" / "Test001_gt" / "001.jpg", 9, from_x=8)
    assert find_clips("ped2", tmp_path).test[0].labels().tolist() == LABELS[0]


def test_files_of_other_systems_are_skipped(tmp_path):
    place = archive(tmp_path)
    for folder in ("Train/Train001", "Test/Test001", "Test/Test001_gt"):
        (place / folder / "._001.tif").write_bytes(b"AppleDouble")
        (place / folder / ".DS_Store").write_bytes(b"x")
        (place / folder / "Thumbs.db").write_bytes(b"x")
    (place / "Test" / "._UCSDped2.m").write_bytes(b"\x00\x05")
    (place / "Train" / "._Train001").write_bytes(b"x")
    dataset = find_clips("ped2", tmp_path)
    assert [len(c) for c in dataset.train + dataset.test] == [3, 3, 4, 4]
    assert dataset.test[0].labels().tolist() == LABELS[0]


def test_frames_are_in_order_of_their_numbers(tmp_path):
    place = archive(tmp_path)
    folder = place / "Train" / "Train001"
    for number in (10, 9, 100):
        draw(folder / f"{number}.tif", 90)
    names = [path.name for path in find_clips("ped2", tmp_path).train[0].frame_paths]
    assert names == ["001.tif", "002.tif", "003.tif", "9.tif", "10.tif", "100.tif"]


@pytest.mark.parametrize("frames", ["tif", "jpg", "png", "bmp"])
def test_reading_a_clips_folder_gives_its_frames_in_its_order(tmp_path, frames):
    place = archive(tmp_path, frames=frames)
    folder = place / "Train" / "Train001"
    for number in range(1, 13):
        draw(folder / f"{number:03}.{frames}", 20 * number)
    (folder / f"._001.{frames}").write_bytes(b"AppleDouble")
    clip = find_clips("ped2", tmp_path).train[0]
    read = [int(frame.luma[0, 0]) for frame in clip.open().frames()]
    assert read == pytest.approx([20 * number for number in range(1, 13)], abs=2)
    assert len(read) == len(clip)


def test_labels_from_the_m_file_where_a_clip_has_no_masks(tmp_path):
    written = "TestVideoFile = {};\n% TestVideoFile{end+1}.gt_frame = [1:1];\n"
    written += "TestVideoFile{end+1}.gt_frame = [1:1];\nTestVideoFile{end+1}.gt_frame = [ 1, 3 : 4 ]; % two\n"
    place = archive(tmp_path, m_file=written)
    shutil.rmtree(place / "Test" / "Test002_gt")
    one, two = find_clips("ped2", tmp_path).test
    # Test001 keeps its masks, which say more than the file's 1:1.
    assert one.labels().tolist() == LABELS[0]
    assert two.labels().tolist() == [True, False, True, True]
    assert two.masks() is None


@pytest.mark.parametrize(
    ("written", "expected"),
    [
        ("a.gt_frame = [1:2 4];a.gt_frame = [];", [[1, 1, 0, 1], [0, 0, 0, 0]]),
        ("a.gt_frame = 2:3;\nb.gt_frame=[4]", [[0, 1, 1, 0], [0, 0, 0, 1]]),
        ("a.gt_frame = [1, ...\n 3];\nb.gt_frame = [2;4];", [[1, 0, 1, 0], [0, 1, 0, 1]]),
    ],
)
def test_ways_of_writing_ranges(tmp_path, written, expected):
    archive(tmp_path, masks=None, m_file=written)
    assert [c.labels().astype(int).tolist() for c in find_clips("ped2", tmp_path).test] == expected


@pytest.mark.parametrize(
    ("written", "said"),
    [
        ("a.gt_frame = [1:2];", "1 clips, 2 "),
        ("a.gt_frame = [1:5];a.gt_frame = [1:2];", "1:5 of Test001.* 1 to 4"),
        ("a.gt_frame = [3:2];a.gt_frame = [1:2];", "3:2"),
        ("a.gt_frame = [x:2];a.gt_frame = [1:2];", "'x:2'"),
    ],
)
def test_broken_m_files(tmp_path, written, said):
    place = archive(tmp_path, masks=None, m_file=written)
    with pytest.raises(DataError, match=said) as caught:
        find_clips("ped2", tmp_path)
    assert str(caught.value).startswith(str(place / "Test" / "UCSDped2.m"))
    assert "\n" not in str(caught.value)


def test_no_ground_truth_is_said_when_it_is_asked_for(tmp_path):
    archive(tmp_path, masks=None)
    clip = find_clips("ped2", tmp_path).test[0]
    assert len(clip) == 4
    assert clip.masks() is None
    with pytest.raises(DataError, match=r"Test001_gt .*\.m file"):
        clip.labels()


def test_reencoding_with_one_label_vector(tmp_path):
    place = reencoding(tmp_path)
    np.save(tmp_path / "frame_labels_ped2.npy", np.array([[0, 1, 1, 0, 0, 1]]))
    for root in (tmp_path, place):
        dataset = find_clips("ped2", root)
        assert [(c.name, len(c)) for c in dataset.train + dataset.test] == [("01", 3), ("01", 4), ("02", 2)]
        assert [c.labels().astype(int).tolist() for c in dataset.test] == [[0, 1, 1, 0], [0, 1]]
        assert dataset.test[0].masks() is None
        assert dataset.test[0].frame_paths[0].name == "000.jpg"


@pytest.mark.parametrize("name", ["ped2_labels.npy", "frame_labels.npy", "testing/frame_labels.npy"])
def test_reencoding_label_file_names(tmp_path, name):
    place = reencoding(tmp_path)
    np.save(place / name, np.array([0, 1, 1, 0, 0, 1], dtype=np.float32))
    assert find_clips("ped2", tmp_path).test[1].labels().tolist() == [False, True]


def test_a_nameless_vector_beside_the_folder_belongs_to_nobody(tmp_path):
    reencoding(tmp_path)
    np.save(tmp_path / "frame_labels.npy", np.zeros(9))
    with pytest.raises(DataError, match=r"frame_labels_ped2\.npy"):
        find_clips("ped2", tmp_path).test[0].labels()


def test_reencoding_with_arrays_and_pictures_per_clip(tmp_path):
    place = reencoding(tmp_path)
    masks = np.zeros((4, HEIGHT, WIDTH), dtype=np.uint8)
    masks[1, 2, 3] = 1
    (place / "testing" / "test_frame_mask").mkdir()
    np.save(place / "testing" / "test_frame_mask" / "01.npy", masks)
    for number in (0, 1):
        draw(place / "testing" / "frames" / "02_gt" / f"{number:03}.png", 255 * number)
    one, two = find_clips("ped2", tmp_path).test
    assert one.labels().tolist() == [False, True, False, False]
    np.testing.assert_array_equal(one.masks(), masks.astype(bool))
    assert two.labels().tolist() == [False, True]
    np.save(place / "testing" / "test_frame_mask" / "01.npy", np.array([1, 0, 0, 1]))
    one, _ = find_clips("ped2", tmp_path).test
    assert one.labels().tolist() == [True, False, False, True]
    assert one.masks() is None


@pytest.mark.parametrize(
    ("array", "said"),
    [
        (np.zeros(5), "labels of shape (5,) for 6 frames"),
        (np.array([0, 1, 2, 0, 0, 0]), "labels from 0 to 2"),
        (np.array([0, 1, None, 0, 0, 0]), "no plain numeric .npy file"),
        (np.array(["0"] * 6), "no single numeric array"),
    ],
)
def test_broken_label_vectors(tmp_path, array, said):
    place = reencoding(tmp_path)
    np.save(place / "frame_labels.npy", array, allow_pickle=True)
    with pytest.raises(DataError) as caught:
        find_clips("ped2", tmp_path)
    assert said in str(caught.value)
    assert str(caught.value).startswith(str(place / "frame_labels.npy"))
    assert "\n" not in str(caught.value)


def test_mask_array_of_another_length(tmp_path):
    place = reencoding(tmp_path)
    (place / "testing" / "test_pixel_mask").mkdir()
    np.save(place / "testing" / "test_pixel_mask" / "01.npy", np.zeros((3, 4, 4)))
    with pytest.raises(DataError, match=r"\(3, 4, 4\); \(4, height, width\)"):
        find_clips("ped2", tmp_path).test[0].labels()


def test_ped1_and_ped2_are_not_mixed_up(tmp_path):
    place = archive(tmp_path, folder="UCSDped1")
    assert find_clips("ped1", place).folder == place
    with pytest.raises(DatasetNotFoundError, match="ped2"):
        find_clips("ped2", place)


def test_where_it_looked_and_what_to_do(tmp_path):
    with pytest.raises(DatasetNotFoundError) as caught:
        find_clips("ped2", tmp_path)
    message = str(caught.value)
    for expected in (
        str(tmp_path / ARCHIVE_FOLDER / "UCSDped2"),
        str(tmp_path / "ped2"),
        "crowdad data get ucsd",
        "--data",
        "CROWDAD_DATA",
    ):
        assert expected in message
    assert "\n" not in message
    with pytest.raises(DatasetNotFoundError, match=r"'ped3'.* ped1, ped2"):
        find_clips("ped3", tmp_path)


def test_half_a_data_set(tmp_path):
    place = archive(tmp_path)
    shutil.rmtree(place / "Train")
    with pytest.raises(DatasetNotFoundError, match="Train: "):
        find_clips("ped2", tmp_path)


def test_a_frame_without_its_mask(tmp_path):
    place = archive(tmp_path)
    (place / "Test" / "Test002_gt" / "frame003.bmp").unlink()
    with pytest.raises(DataError, match=r"1 of 4 frames .*003\.tif"):
        find_clips("ped2", tmp_path)


def test_one_frame_under_two_endings(tmp_path):
    place = archive(tmp_path)
    draw(place / "Train" / "Train001" / "002.png", 90)
    with pytest.raises(DataError, match=r"002\.png and 002\.tif"):
        find_clips("ped2", tmp_path)


def test_an_empty_clip(tmp_path):
    place = archive(tmp_path)
    (place / "Test" / "Test003").mkdir()
    with pytest.raises(DataError, match="Test003: "):
        find_clips("ped2", tmp_path)


@pytest.mark.parametrize("content", [b"", b"no picture"])
def test_a_damaged_mask(tmp_path, content):
    place = archive(tmp_path)
    (place / "Test" / "Test001_gt" / "002.bmp").write_bytes(content)
    with pytest.raises(DataError, match=r"002\.bmp: "):
        find_clips("ped2", tmp_path).test[0].labels()


def test_masks_of_two_sizes(tmp_path):
    place = archive(tmp_path)
    draw(place / "Test" / "Test001_gt" / "002.bmp", size_hw=(5, 5))
    with pytest.raises(DataError, match=r"\(5, 5\) .*\(18, 24\)"):
        find_clips("ped2", tmp_path).test[0].masks()


def test_data_root_prefers_what_is_given(tmp_path, monkeypatch):
    monkeypatch.setenv("CROWDAD_DATA", str(tmp_path / "env"))
    assert data_root(tmp_path / "given") == tmp_path / "given"
    assert data_root() == tmp_path / "env"
    monkeypatch.setenv("CROWDAD_DATA", " ")
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    assert data_root().name == "crowdad"
    monkeypatch.delenv("CROWDAD_DATA")
    assert data_root().name == "crowdad"


def test_find_clips_uses_the_environment(tmp_path, monkeypatch):
    place = archive(tmp_path)
    monkeypatch.setenv("CROWDAD_DATA", str(tmp_path))
    assert find_clips("ped2").folder == place


@pytest.fixture
def data() -> Path:
    if not os.environ.get("CROWDAD_DATA"):
        pytest.skip("CROWDAD_DATA is not set: UCSD Ped2 is read only where it names the data folder")
    return Path(os.environ["CROWDAD_DATA"])


def test_real_ped2_counts(data):
    dataset = find_clips("ped2", data)
    assert (len(dataset.train), sum(map(len, dataset.train))) == (16, 2550)
    assert (len(dataset.test), sum(map(len, dataset.test))) == (12, 2010)
    assert sum(int(clip.labels().sum()) for clip in dataset.test) == 1648
    # Anomalous throughout, so without an AUC of their own.
    assert [clip.name for clip in dataset.test if clip.labels().all()] == ["Test008", "Test009", "Test010", "Test011"]
    assert dataset.test[0].masks().shape == (180, 240, 360)


def test_real_ped2_ranges_agree_with_its_masks(data, tmp_path):
    dataset = find_clips("ped2", data)
    (tmp_path / "UCSDped2" / "Test").mkdir(parents=True)
    (tmp_path / "UCSDped2" / "Train").symlink_to(dataset.folder / "Train")
    for clip in dataset.test:
        (tmp_path / "UCSDped2" / "Test" / clip.name).symlink_to(clip.footage)
    shutil.copy(dataset.folder / "Test" / "UCSDped2.m", tmp_path / "UCSDped2" / "Test")
    for masked, ranged in zip(dataset.test, find_clips("ped2", tmp_path).test, strict=True):
        assert ranged.masks() is None
        np.testing.assert_array_equal(masked.labels(), ranged.labels())
