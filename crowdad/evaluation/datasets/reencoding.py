"""The layout that most re-encodings of data sets share, whatever the data set's own.

`training/frames/01/000.jpg`, `testing/frames/01/000.jpg`, and as ground truth, what says more winning:
mask pictures in `testing/frames/01_gt/`; arrays `testing/test_pixel_mask/01.npy` (masks) and
`testing/test_frame_mask/01.npy` (labels); one label vector over all test clips (`frame_labels.npy`,
`frame_labels_ped2.npy`, `ped2_labels.npy`).  Frames may be tif, bmp, png or jpg.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path

import numpy as np
import numpy.typing as npt

from crowdad.evaluation.datasets.clips import Clip, Dataset
from crowdad.evaluation.datasets.folders import (
    MASKS_ENDING,
    clip_folders,
    mask_pictures,
    normal_clips,
    numbered_pictures,
)
from crowdad.evaluation.datasets.ground_truth import (
    GroundTruth,
    LabelsAndMasks,
    LabelVector,
    MaskArray,
    Unknown,
    map_npy,
    read_vector,
)

__all__ = ["is_reencoding", "read_reencoding", "reencoded_test_clips"]


def is_reencoding(folder: Path) -> bool:
    """Whether the folder is laid out so."""
    return (folder / "training" / "frames").is_dir() or (folder / "testing" / "frames").is_dir()


def read_reencoding(name: str, folder: Path, fps: float) -> Dataset:
    """The clips of data set `name` in `folder`.  Raises DatasetNotFoundError, DataError where it is damaged."""
    train = normal_clips(clip_folders(folder / "training" / "frames"), fps)
    return Dataset(name, folder, train, reencoded_test_clips(name, folder, fps))


def reencoded_test_clips(name: str, folder: Path, fps: float) -> tuple[Clip, ...]:
    """Its test clips alone; reads names, and of the ground truth the label vectors."""
    testing = folder / "testing"
    folders = clip_folders(testing / "frames")
    frames = [numbered_pictures(clip_folder) for clip_folder in folders]
    vectors = _joint_vector(name, folder, [len(numbered) for numbered in frames])
    clips = []
    for clip_folder, numbered in zip(folders, frames, strict=True):
        shared = next(vectors, None)
        truth = _own_truth(testing, clip_folder, numbered)
        if truth is None and shared is not None:
            truth = LabelVector(shared)
        if truth is None:
            truth = Unknown(f"{clip_folder}: no ground truth; frame_labels_{name}.npy is needed in {folder}")
        clips.append(Clip(clip_folder.name, clip_folder, truth, fps, tuple(numbered.values())))
    return tuple(clips)


def _own_truth(testing: Path, clip_folder: Path, frames: dict[int, Path]) -> GroundTruth | None:
    """The clip's own ground truth, or None."""
    masks_folder = clip_folder.with_name(clip_folder.name + MASKS_ENDING)
    if masks_folder.is_dir():
        return mask_pictures(masks_folder, frames)
    labels: LabelVector | None = None
    masks: MaskArray | None = None
    for part in ("test_frame_mask", "test_pixel_mask"):
        path = testing / part / f"{clip_folder.name}.npy"
        # Both names are used for both kinds, so the shape decides.
        if path.is_file():
            if map_npy(path).ndim == 3:
                masks = MaskArray(path, len(frames))
            else:
                labels = LabelVector(read_vector(path, len(frames)))
    return LabelsAndMasks(labels, masks) if labels and masks else labels or masks


def _joint_vector(name: str, folder: Path, lengths: Sequence[int]) -> Iterator[npt.NDArray[np.bool_]]:
    """One vector over all test clips, cut into clips; nothing where there is no such file."""
    named = [f"frame_labels_{name}.npy", f"{name}_labels.npy", f"{name}_frame_labels.npy"]
    places = [place / n for place in (folder / "testing", folder) for n in ("frame_labels.npy", *named)]
    # Beside the data set's folder lie those of others, so a vector there must carry the name.
    for path in (*places, *(folder.parent / n for n in named)):
        if path.is_file():
            return iter(np.split(read_vector(path, sum(lengths)), np.cumsum(lengths)[:-1]))
    return iter(())
