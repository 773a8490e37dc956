"""Where data sets live: the one place that knows."""

from __future__ import annotations

import os
from pathlib import Path

import platformdirs

__all__ = ["DATA_VARIABLE", "data_root"]

DATA_VARIABLE = "CROWDAD_DATA"


def data_root(given: Path | None = None) -> Path:
    """Folder that holds (or will hold) the data sets: `given` (--data), else $CROWDAD_DATA, else the user's cache.

    Whether it exists is for the caller to say: readers raise DatasetNotFoundError, downloads make it.
    """
    if given is not None:
        return Path(given).expanduser()
    named = os.environ.get(DATA_VARIABLE, "").strip()
    if named:
        return Path(named).expanduser()
    return platformdirs.user_cache_path("crowdad", appauthor=False)
