"""ShanghaiTech Campus (Liu, Luo, Lian and Gao, CVPR 2018): 13 cameras, 856x480 at 24 frames a second.

330 training clips of 274,515 frames, 107 test clips of 40,791 frames.  The number before the underscore of a clip's
name is its camera; a scene is fitted for each.  The archive's layout: `training/videos/01_001.avi`,
`testing/frames/01_0014/000.jpg`, `testing/test_frame_mask/01_0014.npy` (labels of frames) and
`testing/test_pixel_mask/01_0014.npy` (masks).  Training frames may be unpacked as `training/frames/01_001/000.jpg`.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

from crowdad.errors import DatasetNotFoundError
from crowdad.evaluation.datasets.clips import Clip, Dataset
from crowdad.evaluation.datasets.folders import clip_folders, normal_clips, video_files
from crowdad.evaluation.datasets.reencoding import reencoded_test_clips
from crowdad.evaluation.datasets.root import DATA_VARIABLE, data_root

__all__ = ["FPS", "find_shanghaitech"]

FPS = 24.0
"""Frames a second of the published videos, used for folders of frames."""

_FOLDERS = ("shanghaitech", "ShanghaiTech")
_CLIP = r"\d\d_\d{3,4}"


def find_shanghaitech(root: Path | None = None) -> Dataset:
    """ShanghaiTech's clips by camera and number; reads names and labels of frames, masks when they are asked for.

    root: the data folder (default: see `data_root`), or the data set's own.
    Raises DatasetNotFoundError where it is not there, DataError where it is damaged.
    """
    base = data_root(root)
    places = [base, *(base / name for name in _FOLDERS)]
    for folder in places:
        if _is_own(folder):
            test = reencoded_test_clips("shanghaitech", folder, FPS)
            return Dataset("shanghaitech", folder, _by_camera(_training_clips(folder / "training")), _by_camera(test))
    looked = ", ".join(map(str, places))
    raise DatasetNotFoundError(
        f"shanghaitech was not found; looked in {looked} for testing/frames/01_0014 and the like; "
        f"`crowdad data get shanghaitech` says where to get it, or point --data or {DATA_VARIABLE} to the folder "
        f"that holds {_FOLDERS[0]}"
    )


def _is_own(folder: Path) -> bool:
    frames = folder / "testing" / "frames"
    return frames.is_dir() and any(re.fullmatch(_CLIP, path.name) for path in frames.iterdir())


def _training_clips(training: Path) -> Sequence[Clip]:
    # Pictures before videos: the test clips come as such.
    if (training / "frames").is_dir():
        return normal_clips(clip_folders(training / "frames", _CLIP), FPS)
    return [Clip(path.stem, path) for path in video_files(training / "videos", _CLIP)]


def _by_camera(clips: Sequence[Clip]) -> tuple[Clip, ...]:
    return tuple(replace(clip, camera=clip.name.partition("_")[0]) for clip in clips)
