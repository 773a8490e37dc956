"""Every data set by the name that the command line takes."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from pathlib import Path

from crowdad.errors import DatasetNotFoundError
from crowdad.evaluation.datasets.avenue import find_avenue
from crowdad.evaluation.datasets.clips import Dataset
from crowdad.evaluation.datasets.digits import DIGIT_SETS
from crowdad.evaluation.datasets.shanghaitech import find_shanghaitech
from crowdad.evaluation.datasets.ucsd import find_clips

__all__ = ["CLIP_DATASETS", "dataset_names", "find_dataset"]

CLIP_DATASETS: dict[str, Callable[[Path | None], Dataset]] = {
    "ped2": partial(find_clips, "ped2"),
    "ped1": partial(find_clips, "ped1"),
    "avenue": find_avenue,
    "shanghaitech": find_shanghaitech,
}
"""Those of footage."""


def dataset_names() -> list[str]:
    """All that can be measured: footage, then digits."""
    return [*CLIP_DATASETS, *DIGIT_SETS]


def find_dataset(name: str, root: Path | None = None) -> Dataset:
    """The clips of a data set, a key of CLIP_DATASETS; root: the data folder (default: see `data_root`).

    Raises DatasetNotFoundError for another name and where it is not there, DataError where it is damaged.
    """
    if name not in CLIP_DATASETS:
        raise DatasetNotFoundError(f"no footage called {name!r}; one of {', '.join(CLIP_DATASETS)} is needed")
    return CLIP_DATASETS[name](root)
