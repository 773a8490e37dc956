"""Scores of every frame of the test clips, kept for the pictures; derived from the data, so git ignores them."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

from crowdad.config import Settings
from crowdad.evaluation.protocols import ClipScores

__all__ = ["PICTURED", "PRIVATE", "keep_scores", "kept_scores"]

PRIVATE = Path(__file__).parents[1] / "private"
"""Holds a folder for each data set."""
PICTURED = ("one-class", "unsupervised")
"""Protocols whose seed 0 is kept, scored on the footage as published."""


def keep_scores(protocol: str, settings: Settings, run: Sequence[ClipScores], folder: Path) -> Path:
    """Write anomaly, maps and labels of all clips into one .npz, with the settings they were made with."""
    arrays: dict[str, Any] = {
        "names": np.array([Path(clip.name).stem for clip in run]),
        "cell_px": np.array([clip.cell_px for clip in run]),
        "settings": np.array(settings.model_dump_json()),
    }
    for place, clip in enumerate(run):
        arrays[f"anomaly_{place}"] = clip.anomaly
        arrays[f"maps_{place}"] = clip.maps.astype(np.float16)  # a picture shows no more, and ten times fits
        arrays[f"labels_{place}"] = clip.labels
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / f"{protocol}.npz"
    np.savez_compressed(path, **arrays)
    return path


def kept_scores(protocol: str, settings: Settings, folder: Path) -> list[ClipScores] | None:
    """The clips of a protocol, without masks, or None where none were kept or other settings made them."""
    path = folder / f"{protocol}.npz"
    if not path.exists():
        return None
    with np.load(path) as kept:
        if str(kept["settings"]) != settings.model_dump_json():
            return None
        return [
            ClipScores(
                str(name),
                kept[f"anomaly_{place}"],
                kept[f"maps_{place}"].astype(np.float32),
                float(kept["cell_px"][place]),
                kept[f"labels_{place}"],
                None,
                0.0,
            )
            for place, name in enumerate(kept["names"])
        ]
