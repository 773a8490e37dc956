"""A watched camera: its options, its pictures, and what its folder tells."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from crowdad.outputs.watch_status import WatchStatus
from crowdad.workflows import WatchOptions
from crowdad.workflows.detect_options import DetectOptions
from tests.tiny_scene import walkers

FPS = 10.0


def options_of(model: Path | None, **changes: Any) -> WatchOptions:
    scoring = {"model": model, **changes.pop("scoring", {})}
    return WatchOptions(scoring=DetectOptions(**scoring), **changes)


def walk(count: int, still: int = 0) -> list[npt.NDArray[np.uint8]]:
    """People walk, and then nobody moves: the last picture again and again."""
    pictures = list(walkers(count))
    return pictures + [pictures[-1]] * still


def lines(folder: Path) -> list[dict[str, Any]]:
    return [json.loads(line) for line in (folder / "events.jsonl").read_text().splitlines()]


def events(folder: Path) -> list[dict[str, Any]]:
    return [line for line in lines(folder) if line["type"] != "status"]


def states(folder: Path) -> list[str]:
    return [line["state"] for line in lines(folder) if line["type"] == "status"]


def check_account(status: WatchStatus, came: int) -> None:
    assert status.frames_total == came
    assert status.scored + sum(status.skipped.values()) + status.waiting == came
