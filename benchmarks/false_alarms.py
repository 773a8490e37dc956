"""False alarms on Ped2's and Ped1's normal training clips, each scored by a model that was fitted without it.

python -m benchmarks.false_alarms --data DIR                   # Ped2's folds that are missing; stop and go on at will
python -m benchmarks.false_alarms --dataset ped1 --data DIR    # Ped1's

Four folds; fold k holds out every fourth clip, from the k-th on.  The threshold is the default's: one false alarm an
hour wanted.  No test frame and no test label is read.  Folds of other settings are measured again.  Writes
benchmarks/results/false_alarms.json; `python -m benchmarks.tables` makes the table of it.
"""

from __future__ import annotations

import argparse
import sys
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from benchmarks.rows import measured_with, read_rows, write_rows
from crowdad.config import Settings, load_settings
from crowdad.detection.events import EventFinder
from crowdad.errors import CrowdadError, DataError
from crowdad.evaluation.datasets.ucsd import find_clips
from crowdad.evaluation.metrics import find_alarms
from crowdad.evaluation.protocols import provenance
from crowdad.scene.model import SceneModel
from crowdad.sources import Source
from crowdad.workflows import fit, score

__all__ = ["FALSE_ALARM_TABLES", "FOLDS", "main"]

RESULT = Path(__file__).parent / "results" / "false_alarms.json"
DATASETS = ("ped2", "ped1")
FOLDS = 4

Row = Mapping[str, Any]


def table(rows: Sequence[Row]) -> str:
    """All folds of a data set in one line."""
    if not rows:
        return "No rows yet: run `python -m benchmarks.false_alarms`."
    lines = [
        "| data set | folds | clips | normal frames | minutes | events | an hour | flagged frames | highest anomaly |",
        "|" + "---|" * 9,
    ]
    for dataset in DATASETS:
        of_dataset = [row for row in rows if row["benchmark"] == dataset]
        if of_dataset:
            lines.append(_line(dataset, of_dataset))
    return "\n".join(lines)


def _line(dataset: str, rows: Sequence[Row]) -> str:
    clips = [clip for row in rows for clip in row["clips"]]
    frames, events, flagged = (sum(clip[key] for clip in clips) for key in ("frames", "events", "flagged_frames"))
    seconds = sum(clip["seconds_of_footage"] for clip in clips)
    worst = max(clips, key=lambda clip: clip["peak_anomaly"])
    return (
        f"| {dataset} | {len(rows)} of {FOLDS} | {len(clips)} | {frames} | {seconds / 60:.1f} | **{events}** | "
        f"{events * 3600 / seconds:.1f} | {flagged} | {worst['peak_anomaly']:.2f} in {worst['clip']} |"
    )


FALSE_ALARM_TABLES = {"false-alarms": table}


def main(arguments: Sequence[str] | None = None) -> int:
    """Measure the folds that are missing; returns the exit code."""
    options = _parser().parse_args(arguments)
    try:
        settings = load_settings(overrides=options.set)
        rows = {(row["benchmark"], row["fold"]): row for row in read_rows(options.output)}
        clips = [clip.open() for clip in find_clips(options.dataset, options.data).train]
        if len(clips) < FOLDS:
            raise DataError(f"{len(clips)} training clips, at least {FOLDS} are needed; get the data set again")
        for fold in range(FOLDS):
            key = (options.dataset, fold)
            if not options.fresh and key in rows and measured_with(rows[key], settings):
                continue
            print(f"{options.dataset}, fold {fold + 1} of {FOLDS}", file=sys.stderr, flush=True)
            command = ["python", "-m", "benchmarks.false_alarms", *(sys.argv[1:] if arguments is None else arguments)]
            rows[key] = {"benchmark": options.dataset, **_fold(clips, fold, settings), **provenance(command)}
            write_rows(options.output, _in_order(rows))
    except CrowdadError as error:
        print(f"benchmarks.false_alarms: {error}", file=sys.stderr)
        return 1
    print(table(_in_order(rows)))
    return 0


def _in_order(rows: Mapping[tuple[str, int], dict[str, Any]]) -> list[dict[str, Any]]:
    return [rows[dataset, fold] for dataset in DATASETS for fold in range(FOLDS) if (dataset, fold) in rows]


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.false_alarms", description=__doc__)
    parser.add_argument("--dataset", choices=DATASETS, default=DATASETS[0], help="default: %(default)s")
    parser.add_argument("--data", type=Path, help="data folder; default: CROWDAD_DATA, then the user's cache")
    parser.add_argument("--fresh", action="store_true", help="measure every fold anew")
    parser.add_argument("--set", action="append", default=[], metavar="KEY=VALUE", help="a setting of every fold")
    parser.add_argument("--output", type=Path, default=RESULT, help="file of rows; another one for trials")
    return parser


def _fold(clips: Sequence[Source], fold: int, settings: Settings) -> dict[str, Any]:
    held = clips[fold::FOLDS]
    began_s = time.perf_counter()
    scene = fit([clip for clip in clips if clip not in held], settings=settings)
    fit_s = time.perf_counter() - began_s
    return {
        "protocol": f"training clips in {FOLDS} folds, each scored by a model fitted without it",
        "fold": fold,
        "false_alarms_per_hour_wanted": settings.calibration.false_alarms_per_hour,
        "clips": [_alarms(scene, clip) for clip in held],
        "fit_s": fit_s,
        "settings": settings.model_dump(mode="json"),
    }


def _alarms(scene: SceneModel, clip: Source) -> dict[str, Any]:
    results = list(score(clip, scene))
    finder = EventFinder.from_settings(scene.settings.events, clip.fps, scene.scale.person_px)
    return {
        "clip": clip.name,
        "frames": len(results),
        "seconds_of_footage": len(results) / clip.fps,
        "events": len(find_alarms(results, finder)),
        "flagged_frames": sum(result.flagged for result in results),
        "peak_anomaly": max(result.anomaly for result in results),
    }


if __name__ == "__main__":
    sys.exit(main())
