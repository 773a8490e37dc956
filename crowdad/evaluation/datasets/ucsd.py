"""UCSD Ped1 and Ped2: clips of a walkway, normal ones for training, anomalies in the test clips.

Three layouts are read: the archive's, and in a folder `ped1` or `ped2` those of `reencoding.py` and `ucsd_videos.py`.
The archive's is `UCSDped2/Train/Train001/001.tif`, `Test/Test001/001.tif`, masks in `Test/Test001_gt/001.bmp` (or
`frame001.bmp`), and `Test/UCSDped2.m` with ranges of anomalous frames for clips without masks (26 of Ped1's 36).

Frames and masks may be tif, bmp, png or jpg and are matched by number.  Files of other systems (`._001.tif`,
`.DS_Store`) are skipped.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np
import numpy.typing as npt

from crowdad.errors import DataError, DatasetNotFoundError
from crowdad.evaluation.datasets.clips import Clip, Dataset
from crowdad.evaluation.datasets.folders import (
    MASKS_ENDING,
    clip_folders,
    mask_pictures,
    normal_clips,
    numbered_pictures,
)
from crowdad.evaluation.datasets.ground_truth import GroundTruth, LabelVector, Unknown, read_ranges
from crowdad.evaluation.datasets.kinds import with_kinds
from crowdad.evaluation.datasets.reencoding import is_reencoding, read_reencoding
from crowdad.evaluation.datasets.root import DATA_VARIABLE, data_root
from crowdad.evaluation.datasets.ucsd_videos import is_videos, read_videos

__all__ = ["ARCHIVE_FOLDER", "ASSUMED_FPS", "find_clips"]

ASSUMED_FPS = 10.0
"""Frames a second; not published, assumed throughout the field."""

ARCHIVE_FOLDER = "UCSD_Anomaly_Dataset.v1p2"

_FOLDERS = {"ped1": "UCSDped1", "ped2": "UCSDped2"}


def find_clips(name: str, root: Path | None = None) -> Dataset:
    """The clips of "ped1" or "ped2", in the archive's order; reads names, and of the ground truth what is text.

    root: the data folder (default: see `data_root`), the unpacked archive in it, or the data set's own folder.
    Raises DatasetNotFoundError where it is not there, DataError where it is damaged.
    """
    if name not in _FOLDERS:
        raise DatasetNotFoundError(f"no clips called {name!r}; one of {', '.join(_FOLDERS)} is needed")
    base = data_root(root)
    places = _places(name, base)
    for folder in places:
        dataset = _read(name, folder)
        if dataset is not None:
            return replace(dataset, test=with_kinds(name, dataset.test))
    looked = ", ".join(map(str, places))
    raise DatasetNotFoundError(
        f"{name} was not found; looked in {looked}; get it with `crowdad data get ucsd`, "
        f"or point --data or {DATA_VARIABLE} to the folder that holds {_FOLDERS[name]}"
    )


def _places(name: str, base: Path) -> list[Path]:
    own = [folder for folder in _FOLDERS.values() if folder != _FOLDERS[name]] + [n for n in _FOLDERS if n != name]
    places = [base / _FOLDERS[name], base / ARCHIVE_FOLDER / _FOLDERS[name], base / name]
    # The folder of the other set looks alike inside.
    return places if base.resolve().name in own else [base, *places]


def _read(name: str, folder: Path) -> Dataset | None:
    """The data set in the layout that `folder` has; None where it has none of them."""
    if (folder / "Train").is_dir() or (folder / "Test").is_dir():
        return _read_archive(name, folder)
    if is_reencoding(folder):
        return read_reencoding(name, folder, ASSUMED_FPS)
    return read_videos(name, folder) if is_videos(name, folder) else None


def _read_archive(name: str, folder: Path) -> Dataset:
    train_folders, test_folders = (clip_folders(folder / part, rf"{part}\d+") for part in ("Train", "Test"))
    ranges_file = next((p for p in sorted((folder / "Test").glob("*.m")) if not p.name.startswith(".")), None)
    ranges: list[list[tuple[int, int]]] | None = None
    test = []
    for place, clip_folder in enumerate(test_folders):
        frames = numbered_pictures(clip_folder)
        masks_folder = clip_folder.with_name(clip_folder.name + MASKS_ENDING)
        truth: GroundTruth
        if masks_folder.is_dir():
            truth = mask_pictures(masks_folder, frames)
        elif ranges_file is not None:
            ranges = ranges or _ranges_for(ranges_file, len(test_folders))
            truth = LabelVector(_in_ranges(ranges_file, clip_folder.name, list(frames), ranges[place]))
        else:
            truth = Unknown(f"{clip_folder}: no masks in {masks_folder.name} and no .m file beside it; one is needed")
        test.append(Clip(clip_folder.name, clip_folder, truth, ASSUMED_FPS, tuple(frames.values())))
    return Dataset(name, folder, normal_clips(train_folders, ASSUMED_FPS), tuple(test))


def _ranges_for(path: Path, n_clips: int) -> list[list[tuple[int, int]]]:
    ranges = read_ranges(path)
    if len(ranges) != n_clips:
        raise DataError(f"{path}: ranges for {len(ranges)} clips, {n_clips} are there; get the data set again")
    return ranges


def _in_ranges(
    path: Path, clip_name: str, numbers: list[int], ranges: Sequence[tuple[int, int]]
) -> npt.NDArray[np.bool_]:
    anomalous = np.zeros(len(numbers), dtype=bool)
    for first, last in ranges:
        if not numbers[0] <= first <= last <= numbers[-1]:
            raise DataError(
                f"{path}: range {first}:{last} of {clip_name}, whose frames are {numbers[0]} to {numbers[-1]}; "
                "get the data set again"
            )
        anomalous |= (np.array(numbers) >= first) & (np.array(numbers) <= last)
    return anomalous
