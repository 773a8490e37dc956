"""What a fixed lag costs: frame AUC on Ped2 scored offline, a tube late, and at once: `python -m benchmarks.live`.

One scene is fitted on the training clips, then every test clip is scored frame by frame as a camera would be.
"""

from __future__ import annotations

import argparse
import sys
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

from benchmarks.rows import Row, metric_cell, write_rows
from crowdad.config import load_settings
from crowdad.detection.detector import Detector
from crowdad.detection.live import tube_lag
from crowdad.errors import CrowdadError
from crowdad.evaluation.datasets.catalogue import find_dataset
from crowdad.evaluation.datasets.clips import Dataset
from crowdad.evaluation.protocols import ClipScores, measure, provenance
from crowdad.scene.model import SceneModel
from crowdad.workflows import fit

__all__ = ["LIVE_TABLES", "live_table"]

RESULTS = Path(__file__).parent / "results" / "live.json"
_METRIC = "frame AUC, micro"


def main(arguments: Sequence[str] | None = None) -> int:
    """Measure, print and write; returns the exit code."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.live", description=__doc__)
    parser.add_argument("--data", type=Path, help="data folder; default: CROWDAD_DATA, then the user's cache")
    parser.add_argument("--model", type=Path, help="model of Ped2 (default: one is fitted)")
    parser.add_argument("--set", dest="overrides", action="append", default=[], help="SECTION.KEY=VALUE of the fit")
    parser.add_argument("--resamples", type=int, default=1000, help="of the bootstrap over clips")
    parser.add_argument("--json", type=Path, default=RESULTS, help=f"results file (default: {RESULTS})")
    options = parser.parse_args(arguments)
    try:
        dataset = find_dataset("ped2", options.data)
        settings = load_settings(overrides=options.overrides)
        scene = (
            fit([clip.open() for clip in dataset.train], settings=settings)
            if options.model is None
            else SceneModel.load(options.model)
        )
        common = {
            "settings": scene.settings.model_dump(mode="json"),
            **provenance(["python", "-m", "benchmarks.live", *(sys.argv[1:] if arguments is None else arguments)]),
        }
        rows: list[Row] = []
        for name, lag in (("offline", None), ("a tube late", tube_lag(scene)), ("at once", 0)):
            rows.append({"name": name, **_measured(scene, dataset, lag, options.resamples), **common})
            write_rows(options.json, rows)
    except CrowdadError as error:
        print(f"benchmarks.live: {error}", file=sys.stderr)
        return 1
    print(live_table(rows))
    return 0


def _measured(scene: SceneModel, dataset: Dataset, lag: int | None, resamples: int) -> dict[str, Any]:
    """Frame AUC, and the share of normal frames at or above the threshold of the fit."""
    clips = []
    for clip in dataset.test:
        source = clip.open()
        fitted = scene.fitted_to(source.info.size_hw, source.fps)
        began_s = time.perf_counter()
        results = list(Detector(fitted, lag=lag).run(source.frames()))
        seconds = time.perf_counter() - began_s
        anomaly = np.array([result.anomaly for result in results], np.float32)
        clips.append(ClipScores(clip.name, anomaly, np.zeros((0, 0, 0)), 1.0, clip.labels(), None, seconds))
    (metric,) = (metric for metric in measure([clips], resamples) if metric.name == _METRIC)
    normal = np.concatenate([clip.anomaly[~clip.labels] for clip in clips])
    return {
        "lag_frames": lag,
        "fps": fitted.scale.fps,
        "gap": fitted.scale.gap,
        "metrics": {_METRIC: metric.as_dict()},
        "normal_flagged": float((normal >= 0.5).mean()),
        "scored_per_s": sum(len(clip.labels) for clip in clips) / sum(clip.seconds for clip in clips),
    }


def live_table(rows: Sequence[Row]) -> str:
    """The rows as a table: lag, frame AUC, and normal frames flagged at the threshold of the fit."""
    if not rows:
        return "No rows yet: run `python -m benchmarks.live`."
    lines = [f"| results come | frames late | {_METRIC} | normal frames flagged |", "|---|---|---|---|"]
    for row in rows:
        lag = "–" if row["lag_frames"] is None else f"{row['lag_frames']} ({row['lag_frames'] / row['fps']:.1f} s)"
        cell = metric_cell(row["metrics"][_METRIC], 1)
        lines.append(f"| {row['name']} | {lag} | {cell} | {row['normal_flagged']:.1%} |")
    return "\n".join(lines)


LIVE_TABLES = {"live": live_table}

if __name__ == "__main__":
    raise SystemExit(main())
