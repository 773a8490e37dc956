"""UCSD Ped1 and Ped2: clips of a walkway, normal ones for training, anomalies in the test clips.

Two layouts are read:

- the archive's: `UCSDped2/Train/Train001/001.tif`, `Test/Test001/001.tif`, masks in `Test/Test001_gt/001.bmp` (or
  `frame001.bmp`), and `Test/UCSDped2.m` with ranges of anomalous frames for clips without masks (26 of Ped1's 36);
- the one many re-encodings use: `ped2/training/frames/01/000.jpg`, `ped2/testing/frames/01/000.jpg`, ground truth as
  `testing/test_pixel_mask/01.npy`, `testing/test_frame_mask/01.npy`, mask pictures in `testing/frames/01_gt/`, or one
  label vector over all test clips (`frame_labels.npy`, `frame_labels_ped2.npy`, `ped2_labels.npy`).

Frames and masks may be tif, bmp, png or jpg and are matched by number.  Files of other systems (`._001.tif`,
`.DS_Store`) are skipped.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt

from crowdad.datasets.ground_truth import (
    GroundTruth,
    LabelVector,
    MaskArray,
    MaskPictures,
    NormalOnly,
    Unknown,
    load_npy,
    read_ranges,
    read_vector,
)
from crowdad.datasets.root import DATA_VARIABLE, data_root
from crowdad.errors import DataError, DatasetNotFoundError

__all__ = ["ARCHIVE_FOLDER", "ASSUMED_FPS", "Clip", "UcsdDataset", "find_clips"]

ASSUMED_FPS = 10.0
"""Frames a second; not published, assumed throughout the field."""

ARCHIVE_FOLDER = "UCSD_Anomaly_Dataset.v1p2"

_FOLDERS = {"ped1": "UCSDped1", "ped2": "UCSDped2"}
_PICTURES = {".tif", ".tiff", ".bmp", ".png", ".jpg", ".jpeg"}
_MASKS_ENDING = "_gt"


@dataclass(frozen=True)
class Clip:
    """One clip: its frames in order, and what is known of them.

    folder: where its frames lie.  frame_paths: one picture per frame.
    """

    name: str
    folder: Path
    frame_paths: tuple[Path, ...]
    truth: GroundTruth

    def __len__(self) -> int:
        return len(self.frame_paths)

    def labels(self) -> npt.NDArray[np.bool_]:
        """bool (n_frames,), True where the frame holds an anomaly.  Raises DataError where nobody labelled it."""
        return self._fitting(self.truth.labels())

    def masks(self) -> npt.NDArray[np.bool_] | None:
        """bool (n_frames, H, W), True where the pixel is anomalous; None where only frames are labelled."""
        masks = self.truth.masks()
        return None if masks is None else self._fitting(masks)

    def _fitting(self, truth: npt.NDArray[np.bool_]) -> npt.NDArray[np.bool_]:
        if len(truth) != len(self):
            raise DataError(f"{self.name}: ground truth of {len(truth)} frames for {len(self)}; one each is needed")
        return truth


@dataclass(frozen=True)
class UcsdDataset:
    """name: "ped1" or "ped2".  folder: where it was found.  train: normal frames only.  test: with ground truth."""

    name: str
    folder: Path
    train: tuple[Clip, ...]
    test: tuple[Clip, ...]


def find_clips(name: str, root: Path | None = None) -> UcsdDataset:
    """The clips of "ped1" or "ped2", in the archive's order; reads names, and of the ground truth what is text.

    root: the data folder (default: see `data_root`), the unpacked archive in it, or the data set's own folder.
    Raises DatasetNotFoundError where it is not there, DataError where it is damaged.
    """
    if name not in _FOLDERS:
        raise DatasetNotFoundError(f"no clips called {name!r}; one of {', '.join(_FOLDERS)} is needed")
    base = data_root(root)
    places = _places(name, base)
    for folder in places:
        if (folder / "Train").is_dir() or (folder / "Test").is_dir():
            return _read_archive(name, folder)
        if (folder / "training" / "frames").is_dir() or (folder / "testing" / "frames").is_dir():
            return _read_reencoding(name, folder)
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


def _read_archive(name: str, folder: Path) -> UcsdDataset:
    train_folders, test_folders = (_clip_folders(folder / part, rf"{part}\d+") for part in ("Train", "Test"))
    ranges_file = next((p for p in sorted((folder / "Test").glob("*.m")) if not p.name.startswith(".")), None)
    ranges: list[list[tuple[int, int]]] | None = None
    test = []
    for place, clip_folder in enumerate(test_folders):
        frames = _numbered_pictures(clip_folder)
        masks_folder = clip_folder.with_name(clip_folder.name + _MASKS_ENDING)
        truth: GroundTruth
        if masks_folder.is_dir():
            truth = _mask_pictures(masks_folder, frames)
        elif ranges_file is not None:
            ranges = ranges or _ranges_for(ranges_file, len(test_folders))
            truth = LabelVector(_in_ranges(ranges_file, clip_folder.name, list(frames), ranges[place]))
        else:
            truth = Unknown(f"{clip_folder}: no masks in {masks_folder.name} and no .m file beside it; one is needed")
        test.append(Clip(clip_folder.name, clip_folder, tuple(frames.values()), truth))
    return UcsdDataset(name, folder, _training_clips(train_folders), tuple(test))


def _read_reencoding(name: str, folder: Path) -> UcsdDataset:
    testing = folder / "testing"
    train_folders, test_folders = (_clip_folders(folder / p / "frames", r"[^.].*") for p in ("training", "testing"))
    frames = [_numbered_pictures(clip_folder) for clip_folder in test_folders]
    vectors = _joint_vector(name, folder, [len(f) for f in frames])
    test = []
    for clip_folder, numbered in zip(test_folders, frames, strict=True):
        shared = next(vectors, None)
        truth = _own_truth(testing, clip_folder, numbered)
        if truth is None and shared is not None:
            truth = LabelVector(shared)
        if truth is None:
            truth = Unknown(f"{clip_folder}: no ground truth; frame_labels_{name}.npy is needed in {folder}")
        test.append(Clip(clip_folder.name, clip_folder, tuple(numbered.values()), truth))
    return UcsdDataset(name, folder, _training_clips(train_folders), tuple(test))


def _training_clips(folders: Sequence[Path]) -> tuple[Clip, ...]:
    clips = []
    for folder in folders:
        paths = tuple(_numbered_pictures(folder).values())
        clips.append(Clip(folder.name, folder, paths, NormalOnly(len(paths))))
    return tuple(clips)


def _clip_folders(folder: Path, pattern: str) -> list[Path]:
    found = [p for p in folder.iterdir() if p.is_dir() and re.fullmatch(pattern, p.name)] if folder.is_dir() else []
    clips = [p for p in found if not p.name.endswith(_MASKS_ENDING)]
    if not clips:
        raise DatasetNotFoundError(f"{folder}: no clips; folders of frames are needed there, get the data set again")
    return sorted(clips, key=lambda p: ([int(digits) for digits in re.findall(r"\d+", p.name)], p.name))


def _numbered_pictures(folder: Path) -> dict[int, Path]:
    """Pictures by the number that ends their name, in order; DataError where there is none or one comes twice."""
    numbered: dict[int, Path] = {}
    for path in sorted(folder.iterdir()):
        number = _number(path.stem)
        if path.name.startswith(".") or path.suffix.lower() not in _PICTURES or number is None:
            continue
        if number in numbered:
            raise DataError(f"{folder}: {numbered[number].name} and {path.name} are one frame; keep one of them")
        numbered[number] = path
    if not numbered:
        raise DataError(f"{folder}: no numbered pictures ({', '.join(sorted(_PICTURES))}); get the data set again")
    return dict(sorted(numbered.items()))


def _number(name: str) -> int | None:
    digits = re.search(r"\d+$", name)
    return int(digits[0]) if digits else None


def _mask_pictures(folder: Path, frames: dict[int, Path]) -> MaskPictures:
    masks = _numbered_pictures(folder)
    missing = [path.name for number, path in frames.items() if number not in masks]
    if missing:
        raise DataError(
            f"{folder}: {len(missing)} of {len(frames)} frames have no mask of their number (first: {missing[0]}); "
            "get the data set again"
        )
    return MaskPictures(tuple(masks[number] for number in frames))


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


def _own_truth(testing: Path, clip_folder: Path, frames: dict[int, Path]) -> GroundTruth | None:
    """The clip's own ground truth, masks before labels, or None."""
    masks_folder = clip_folder.with_name(clip_folder.name + _MASKS_ENDING)
    if masks_folder.is_dir():
        return _mask_pictures(masks_folder, frames)
    for part in ("test_pixel_mask", "test_frame_mask"):
        path = testing / part / f"{clip_folder.name}.npy"
        # Both names are used for both kinds, so the shape decides.
        if path.is_file():
            return (
                MaskArray(path, len(frames))
                if load_npy(path).ndim == 3
                else LabelVector(read_vector(path, len(frames)))
            )
    return None


def _joint_vector(name: str, folder: Path, lengths: Sequence[int]) -> Iterator[npt.NDArray[np.bool_]]:
    """One vector over all test clips, cut into clips; nothing where there is no such file."""
    named = [f"frame_labels_{name}.npy", f"{name}_labels.npy", f"{name}_frame_labels.npy"]
    places = [place / n for place in (folder / "testing", folder) for n in ("frame_labels.npy", *named)]
    # Beside the data set's folder lie those of others, so a vector there must carry the name.
    for path in (*places, *(folder.parent / n for n in named)):
        if path.is_file():
            return iter(np.split(read_vector(path, sum(lengths)), np.cumsum(lengths)[:-1]))
    return iter(())
