"""False alarms on UCSD Ped2's normal training clips, each scored by a model that was fitted without it.

python -m benchmarks.false_alarms --data DIR            # the folds that are missing; stop and go on at will

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
from crowdad.detection.events import find_events
from crowdad.errors import CrowdadError, DataError
from crowdad.evaluation.datasets.ucsd import find_clips
from crowdad.evaluation.protocols import provenance
from crowdad.scene.model import SceneModel
from crowdad.sources import Source
from crowdad.workflows import fit, score

__all__ = ["FALSE_ALARM_TABLES", "FOLDS", "main"]

RESULT = Path(__file__).parent / "results" / "false_alarms.json"
FOLDS = 4


def table(rows: Sequence[Mapping[str, Any]]) -> str:
    """All folds in one line."""
    if not rows:
        return "No rows yet: run `python -m benchmarks.false_alarms`."
    clips = [clip for row in rows for clip in row["clips"]]
    frames, events, flagged = (sum(clip[key] for clip in clips) for key in ("frames", "events", "flagged_frames"))
    minutes = sum(clip["seconds_of_footage"] for clip in clips) / 60
    worst = max(clips, key=lambda clip: clip["peak_anomaly"])
    lines = ["| folds | clips | normal frames | minutes | events | flagged frames | highest anomaly |"]
    lines.append("|" + "---|" * 7)
    lines.append(
        f"| {len(rows)} of {FOLDS} | {len(clips)} | {frames} | {minutes:.1f} | **{events}** | {flagged} | "
        f"{worst['peak_anomaly']:.2f} in {worst['clip']} |"
    )
    return "\n".join(lines)


FALSE_ALARM_TABLES = {"false-alarms": table}


def main(arguments: Sequence[str] | None = None) -> int:
    """Measure the folds that are missing; returns the exit code."""
    options = _parser().parse_args(arguments)
    try:
        settings = load_settings(overrides=options.set)
        rows = {row["fold"]: row for row in read_rows(options.output)}
        clips = [clip.open() for clip in find_clips("ped2", options.data).train]
        if len(clips) < FOLDS:
            raise DataError(f"{len(clips)} training clips, at least {FOLDS} are needed; get the data set again")
        for fold in range(FOLDS):
            if not options.fresh and fold in rows and measured_with(rows[fold], settings):
                continue
            print(f"fold {fold + 1} of {FOLDS}", file=sys.stderr, flush=True)
            command = ["python", "-m", "benchmarks.false_alarms", *(sys.argv[1:] if arguments is None else arguments)]
            rows[fold] = {**_fold(clips, fold, settings), **provenance(command)}
            write_rows(options.output, [rows[done] for done in sorted(rows)])
    except CrowdadError as error:
        print(f"benchmarks.false_alarms: {error}", file=sys.stderr)
        return 1
    print(table([rows[fold] for fold in sorted(rows)]))
    return 0


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.false_alarms", description=__doc__)
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
        "benchmark": "ped2",
        "protocol": f"training clips in {FOLDS} folds, each scored by a model fitted without it",
        "fold": fold,
        "false_alarms_per_hour_wanted": settings.calibration.false_alarms_per_hour,
        "clips": [_alarms(scene, clip) for clip in held],
        "fit_s": fit_s,
        "settings": settings.model_dump(mode="json"),
    }


def _alarms(scene: SceneModel, clip: Source) -> dict[str, Any]:
    chosen = scene.settings.events
    results = list(score(clip, scene))
    events = find_events(results, clip.fps, low=chosen.low, min_duration_s=chosen.min_duration_s, gap_s=chosen.gap_s)
    return {
        "clip": clip.name,
        "frames": len(results),
        "seconds_of_footage": len(results) / clip.fps,
        "events": len(events),
        "flagged_frames": sum(result.flagged for result in results),
        "peak_anomaly": max(result.anomaly for result in results),
    }


if __name__ == "__main__":
    sys.exit(main())
