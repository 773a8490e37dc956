"""CUHK Avenue (Lu, Shi and Jia, ICCV 2013): one camera on a campus walkway, 640x360 at 25 frames a second.

16 training clips of 15,328 frames, 21 test clips of 15,324 frames.  Two layouts are read:

- the archive's: `training_videos/01.avi`, `testing_videos/01.avi`, and from the ground truth's own archive, unpacked
  inside of or beside that folder, `ground_truth_demo/testing_label_mask/1_label.mat` with a mask a frame in `volLabel`;
- that of `reencoding.py` in a folder `avenue`; the archive's masks win there too over labels of frames.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

from crowdad.errors import DatasetNotFoundError
from crowdad.evaluation.datasets.clips import Clip, Dataset
from crowdad.evaluation.datasets.folders import video_files
from crowdad.evaluation.datasets.ground_truth import GroundTruth, MaskCells, Unknown
from crowdad.evaluation.datasets.reencoding import is_reencoding, read_reencoding
from crowdad.evaluation.datasets.root import DATA_VARIABLE, data_root

__all__ = ["FPS", "find_avenue"]

FPS = 25.0
"""Frames a second of the published videos, used for folders of their frames."""

_FOLDERS = ("Avenue Dataset", "Avenue_Dataset", "Avenue", "avenue")
_MASKS = Path("ground_truth_demo", "testing_label_mask")
_VARIABLE = "volLabel"
_CLIP = r"\d+"


def find_avenue(root: Path | None = None) -> Dataset:
    """Avenue's clips in order; reads names only, masks when they are asked for.

    root: the data folder (default: see `data_root`), or the data set's own.
    Raises DatasetNotFoundError where it is not there, DataError where it is damaged.
    """
    base = data_root(root)
    places = [base, *(base / name for name in _FOLDERS)]
    for folder in places:
        if (folder / "training_videos").is_dir() or (folder / "testing_videos").is_dir():
            return _read_archive(folder)
        # A re-encoded data set shows by its folder's name alone which one it is.
        if folder.resolve().name in _FOLDERS and is_reencoding(folder):
            dataset = read_reencoding("avenue", folder, FPS)
            return replace(dataset, test=_with_masks(dataset.test, folder))
    looked = ", ".join(map(str, places))
    raise DatasetNotFoundError(
        f"avenue was not found; looked in {looked}; `crowdad data get avenue` says where to get it, "
        f"or point --data or {DATA_VARIABLE} to the folder that holds {_FOLDERS[0]!r}"
    )


def _read_archive(folder: Path) -> Dataset:
    train, test = (
        tuple(Clip(path.stem, path) for path in video_files(folder / part, _CLIP))
        for part in ("training_videos", "testing_videos")
    )
    return Dataset("avenue", folder, train, _with_masks(test, folder))


def _with_masks(clips: Sequence[Clip], folder: Path) -> tuple[Clip, ...]:
    places = [place / _MASKS for place in (folder, folder.parent)]
    return tuple(replace(clip, truth=_truth(clip, places)) for clip in clips)


def _truth(clip: Clip, places: Sequence[Path]) -> GroundTruth:
    """The clip's masks where they are in one of `places`, else what is known of it without them."""
    file_name = f"{int(clip.name)}_label.mat" if clip.name.isdecimal() else f"{clip.name}_label.mat"
    for place in places:
        if (place / file_name).is_file():
            return MaskCells(place / file_name, _VARIABLE)
    if clip.truth is not None and not isinstance(clip.truth, Unknown):
        return clip.truth
    return Unknown(f"{clip.footage}: no ground truth; {file_name} of ground_truth_demo.zip is needed in {places[0]}")
