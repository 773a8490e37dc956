"""Tiny data sets drawn in the exact layouts of the published ones: a block of pixels is anomalous in known frames."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import cv2
import numpy as np
import numpy.typing as npt
from scipy.io import savemat

from tests.conftest import moving_square, write_folder, write_video

__all__ = ["PED1_MASKED", "avenue", "block_masks", "ped1", "ped1_videos", "save_cells", "save_ranges", "shanghaitech"]

PED1_MASKED = (3, 4, 14, 18, 19, 21, 22, 23, 24, 32)
"""The test clips of Ped1 that come with masks."""


def block_masks(anomalous: Sequence[bool], size_hw: tuple[int, int]) -> npt.NDArray[np.uint8]:
    """0 / 1, (T, H, W): a block at rows 8..15, columns 16..31 of the anomalous frames."""
    masks = np.zeros((len(anomalous), *size_hw), np.uint8)
    masks[np.array(anomalous), 8:16, 16:32] = 1
    return masks


def save_cells(path: Path, masks: Sequence[npt.NDArray[np.generic]], variable: str = "volLabel") -> Path:
    """A MATLAB file with a 1 x T cell array of one mask a frame, as Avenue's ground truth is."""
    cells = np.empty((1, len(masks)), object)
    for place, mask in enumerate(masks):
        cells[0, place] = mask
    path.parent.mkdir(parents=True, exist_ok=True)
    savemat(path, {variable: cells}, do_compression=True)
    return path


def avenue(root: Path, *, size_hw: tuple[int, int] = (48, 64)) -> Path:
    """Two training clips of 6 frames; test clips 01 (5 frames, 3 to 5 anomalous), 02 (4, normal), 10 (3, 1 anomalous).

    Returns the folder "Avenue Dataset"; the ground truth lies beside it.
    """
    folder = root / "Avenue Dataset"
    for part in ("training_videos", "testing_videos"):
        (folder / part).mkdir(parents=True)
    for name in ("01", "02"):
        _avi(folder / "training_videos" / f"{name}.avi", 6, size_hw, fps=25)
    truth = {"01": [False, False, True, True, True], "02": [False] * 4, "10": [True, False, False]}
    for name, anomalous in truth.items():
        _avi(folder / "testing_videos" / f"{name}.avi", len(anomalous), size_hw, fps=25)
        masks = root / "ground_truth_demo" / "testing_label_mask" / f"{int(name)}_label.mat"
        save_cells(masks, list(block_masks(anomalous, size_hw)))
    return folder


def shanghaitech(root: Path, *, training: str = "videos", size_hw: tuple[int, int] = (48, 64)) -> Path:
    """Cameras 01 (two training clips, two test clips), 02 (one each) and 13 (one training clip, none to test).

    training: "videos" or "frames".  Test clips have 4 frames, the last two anomalous.
    """
    folder = root / "shanghaitech"
    (folder / "training" / training).mkdir(parents=True)
    for name in ("01_001", "01_002", "02_001", "13_001"):
        if training == "videos":
            _avi(folder / "training" / "videos" / f"{name}.avi", 6, size_hw, fps=24)
        else:
            _jpegs(folder / "training" / "frames" / name, 6, size_hw)
    anomalous = [False, False, True, True]
    for part in ("test_frame_mask", "test_pixel_mask"):
        (folder / "testing" / part).mkdir(parents=True)
    for name in ("01_0014", "01_0130", "02_0128"):
        _jpegs(folder / "testing" / "frames" / name, len(anomalous), size_hw)
        np.save(folder / "testing" / "test_frame_mask" / f"{name}.npy", np.array(anomalous, np.int8))
        np.save(folder / "testing" / "test_pixel_mask" / f"{name}.npy", block_masks(anomalous, size_hw).astype(bool))
    return folder


def ped1(root: Path, *, n_frames: int = 3) -> Path:
    """34 training and 36 test clips of 238x158, the last frame of each test clip anomalous.

    Ten clips have masks; the .m file lists all.
    """
    folder = root / "UCSD_Anomaly_Dataset.v1p2" / "UCSDped1"
    size_hw = (158, 238)
    frames = moving_square(n_frames, size_hw)
    masks = block_masks([False] * (n_frames - 1) + [True], size_hw) * 255
    for number in range(1, 35):
        write_folder(folder / "Train" / f"Train{number:03}", list(frames), "{:03d}.tif")
    for number in range(1, 37):
        write_folder(folder / "Test" / f"Test{number:03}", list(frames), "{:03d}.tif")
        if number in PED1_MASKED:
            write_folder(folder / "Test" / f"Test{number:03}_gt", list(masks), "{:03d}.bmp")
    lines = ["TestVideoFile = {};"] + [f"TestVideoFile{{end+1}}.gt_frame = [{n_frames}:{n_frames}];"] * 36
    (folder / "Test" / "UCSDped1.m").write_text("\n".join(lines) + "\n")
    return folder


def ped1_videos(root: Path, *, n_frames: int = 8, size_hw: tuple[int, int] = (48, 64)) -> Path:
    """Ped1 as videos: training clips 01 and 02, test clips 01, 02 and 10.

    Anomalous numbers, counted from 1: 3 to 5 of clip 01, 1 and the last of clip 02, none of clip 10.  Clip 01 has
    masks, in which the block is there in frames 3 and 4, counted from 0.
    """
    folder = root / "ped1"
    for part, names in (("training", ("01", "02")), ("testing", ("01", "02", "10"))):
        (folder / part / "videos").mkdir(parents=True)
        for name in names:
            write_video(folder / part / "videos" / f"{name}.mp4", moving_square(n_frames, size_hw), 10)
    masks = block_masks([number in (3, 4) for number in range(n_frames)], size_hw) * 255
    write_folder(folder / "testing" / "masks" / "01", list(masks), "{:03d}.png")
    save_ranges(folder / "ped1.mat", [[(3, 5)], [(1, 1), (n_frames, n_frames)], *[[]] * 8])
    return folder


def save_ranges(path: Path, clips: Sequence[Sequence[tuple[int, int]]]) -> None:
    """A MATLAB file with `gt`, a 1 x N cell array of one 2 x M array a clip: first and last numbers."""
    cells = np.empty((1, len(clips)), object)
    for place, ranges in enumerate(clips):
        cells[0, place] = np.array(ranges, np.uint8).reshape(-1, 2).T
    savemat(path, {"gt": cells})


def _avi(path: Path, count: int, size_hw: tuple[int, int], fps: int) -> None:
    write_video(path, moving_square(count, size_hw, color=True), fps, "mpeg4")


def _jpegs(folder: Path, count: int, size_hw: tuple[int, int]) -> None:
    folder.mkdir(parents=True)
    for number, picture in enumerate(moving_square(count, size_hw)):
        assert cv2.imwrite(str(folder / f"{number:03}.jpg"), picture)
