"""Clips as they lie in folders: video files, or folders of numbered pictures with mask pictures of the same numbers."""

from __future__ import annotations

import re
from itertools import pairwise
from pathlib import Path

from crowdad.errors import DataError, DatasetNotFoundError
from crowdad.evaluation.datasets.clips import Clip
from crowdad.evaluation.datasets.ground_truth import MaskPictures

__all__ = ["MASKS_ENDING", "clip_folders", "mask_pictures", "normal_clips", "numbered_pictures", "video_files"]

MASKS_ENDING = "_gt"
"""Ends the name of the folder of masks beside a clip's folder."""

_PICTURES = {".tif", ".tiff", ".bmp", ".png", ".jpg", ".jpeg"}
_VIDEOS = {".avi", ".mp4", ".mkv", ".mov"}


def clip_folders(folder: Path, pattern: str = r"[^.].*") -> list[Path]:
    """The folders in `folder` whose name matches `pattern` as a whole, those of masks left out, in order of numbers.

    Raises DatasetNotFoundError where there is none.
    """
    found = [p for p in folder.iterdir() if p.is_dir() and re.fullmatch(pattern, p.name)] if folder.is_dir() else []
    clips = [p for p in found if not p.name.endswith(MASKS_ENDING)]
    if not clips:
        raise DatasetNotFoundError(f"{folder}: no clips; folders of frames are needed there, get the data set again")
    return sorted(clips, key=_in_order)


def video_files(folder: Path, pattern: str) -> list[Path]:
    """The video files in `folder` whose name without its ending matches `pattern`, in order of numbers.

    Raises DatasetNotFoundError where there is none, DataError where one comes in two formats.
    """
    listed = folder.iterdir() if folder.is_dir() else []
    files = [p for p in listed if p.suffix.lower() in _VIDEOS and re.fullmatch(pattern, p.stem)]
    if not files:
        raise DatasetNotFoundError(f"{folder}: no clips; its videos are needed there, get the data set again")
    files.sort(key=_in_order)
    for one, other in pairwise(files):
        if one.stem == other.stem:
            raise DataError(f"{folder}: {one.name} and {other.name} are one clip; keep one of them")
    return files


def _in_order(path: Path) -> tuple[list[int], str]:
    """Sort key by the numbers in a name: 2 before 10."""
    return [int(digits) for digits in re.findall(r"\d+", path.stem)], path.name


def numbered_pictures(folder: Path) -> dict[int, Path]:
    """Pictures by the number that ends their name, in order; DataError where there is none or one comes twice."""
    numbered: dict[int, Path] = {}
    for path in sorted(folder.iterdir()):
        digits = re.search(r"\d+$", path.stem)
        if path.name.startswith(".") or path.suffix.lower() not in _PICTURES or digits is None:
            continue
        number = int(digits[0])
        if number in numbered:
            raise DataError(f"{folder}: {numbered[number].name} and {path.name} are one frame; keep one of them")
        numbered[number] = path
    if not numbered:
        raise DataError(f"{folder}: no numbered pictures ({', '.join(sorted(_PICTURES))}); get the data set again")
    return dict(sorted(numbered.items()))


def mask_pictures(folder: Path, frames: dict[int, Path]) -> MaskPictures:
    """The mask of each frame, matched by number.  Raises DataError where one is missing."""
    masks = numbered_pictures(folder)
    missing = [path.name for number, path in frames.items() if number not in masks]
    if missing:
        raise DataError(
            f"{folder}: {len(missing)} of {len(frames)} frames have no mask of their number (first: {missing[0]}); "
            "get the data set again"
        )
    return MaskPictures(tuple(masks[number] for number in frames))


def normal_clips(folders: list[Path], fps: float) -> tuple[Clip, ...]:
    """Training clips from folders of frames."""
    return tuple(
        Clip(folder.name, folder, fps=fps, frame_paths=tuple(numbered_pictures(folder).values())) for folder in folders
    )
