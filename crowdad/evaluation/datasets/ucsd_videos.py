"""Ped1 and Ped2 as videos: `training/videos/01.mp4`, `testing/videos/01.mp4`, and the truth of the test clips.

`NAME.mat` (`ped1.mat`) holds a cell array `gt` with one 2 x N array a test clip: the first and the last numbers of its
ranges of anomalous frames, counted from 1, both included.  `testing/masks/01/000.png` are masks of a clip's frames,
counted from 0; a clip may have none.

Labels come from the .mat alone and masks from the pictures alone.  Of Ped1 they do not agree: of the 17 clips that have
masks, 73 to 96 % of the frames are labelled as their mask says in clips 1, 5, 6, 9, 10, 11, 13 and 17, and all but one
in clip 8.  So frame metrics follow `ped1.mat`, pixel, region and track metrics the masks.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt

from crowdad.errors import DataError
from crowdad.evaluation.datasets.clips import Clip, Dataset
from crowdad.evaluation.datasets.folders import numbered_pictures, video_files
from crowdad.evaluation.datasets.ground_truth import GroundTruth, MaskPictures, Unknown, read_mat_ranges
from crowdad.sources import open_source

__all__ = ["is_videos", "read_videos"]

_VARIABLE = "gt"
_CLIP = r"\d+"


def is_videos(name: str, folder: Path) -> bool:
    """Whether the folder holds data set `name` laid out so; videos alone do not show which data set they are."""
    parts = (folder / part / "videos" for part in ("training", "testing"))
    return any(part.is_dir() for part in parts) and (_labels_file(name, folder).is_file() or _called(name, folder))


def read_videos(name: str, folder: Path) -> Dataset:
    """The clips of data set `name` in `folder`; reads names, and the .mat.

    Raises DatasetNotFoundError where there are no videos, DataError where the truth is damaged.
    """
    train, test = (video_files(folder / part / "videos", _CLIP) for part in ("training", "testing"))
    truths = _truths(name, folder, test)
    return Dataset(
        name,
        folder,
        tuple(Clip(path.stem, path) for path in train),
        tuple(Clip(path.stem, path, truth) for path, truth in zip(test, truths, strict=True)),
    )


@dataclass(frozen=True)
class _RangesAndMasks:
    """Ranges of anomalous frames of a video, counted from 1, both ends included, and one mask picture a frame, or none.

    Raises DataError for a range outside of the video, and as `MaskPictures` does.
    """

    footage: Path
    ranges: tuple[tuple[int, int], ...]
    mask_paths: tuple[Path, ...]

    @property
    def has_masks(self) -> bool:
        return bool(self.mask_paths)

    def labels(self) -> npt.NDArray[np.bool_]:
        count = open_source(self.footage).expected_frames
        if count is None:
            raise DataError(f"{self.footage}: does not say how many frames it holds; write it anew as .mp4")
        anomalous = np.zeros(count, np.bool_)
        for first, last in self.ranges:
            if not 1 <= first <= last <= count:
                raise DataError(
                    f"{self.footage}: range {first}:{last} of anomalous frames, the video has {count}; "
                    "get the data set again"
                )
            anomalous[first - 1 : last] = True
        return anomalous

    def masks(self) -> npt.NDArray[np.bool_] | None:
        return MaskPictures(self.mask_paths).masks() if self.mask_paths else None


def _truths(name: str, folder: Path, videos: Sequence[Path]) -> list[GroundTruth]:
    path = _labels_file(name, folder)
    if not path.is_file():
        return [Unknown(f"{video}: no ground truth; {path.name} is needed in {folder}") for video in videos]
    of_clips = read_mat_ranges(path, _VARIABLE)
    # By number, so that a data set of which some clips are missing keeps the truth of the others.
    highest = max(int(video.stem) for video in videos)
    if highest > len(of_clips):
        raise DataError(f"{path}: ranges for {len(of_clips)} clips, clip {highest} is there; get the data set again")
    return [
        _RangesAndMasks(video, tuple(of_clips[int(video.stem) - 1]), _mask_paths(folder / "testing" / "masks", video))
        for video in videos
    ]


def _mask_paths(masks: Path, video: Path) -> tuple[Path, ...]:
    folder = masks / video.stem
    return tuple(numbered_pictures(folder).values()) if folder.is_dir() else ()


def _labels_file(name: str, folder: Path) -> Path:
    return folder / f"{name}.mat"


def _called(name: str, folder: Path) -> bool:
    return folder.resolve().name == name
