"""Generated crowds seen by unlike cameras, each learned from itself alone: what Ped2 cannot tell.

python -m benchmarks.generated                    # every scene that is missing
python -m benchmarks.generated --keep DIR         # keep the clips and the runs' folders, to look at

Writes benchmarks/results/generated.json; `python -m benchmarks.tables` puts it into benchmarks/README.md.
"""

from __future__ import annotations

import argparse
import sys
import tempfile
from collections.abc import Mapping, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from benchmarks.cameras import cameras, small_cameras
from benchmarks.rows import read_rows, write_rows
from crowdad.errors import UnclearSizeError
from crowdad.evaluation.metrics import KIND_PROTOCOL, Alarm, AlarmScores, intervals, score_kinds
from crowdad.evaluation.protocols import provenance
from crowdad.outputs.results import EventRecord
from crowdad.outputs.tables import read_frames_csv
from crowdad.synthetic import ClipTruth, GeneratedClip, SceneConfig, load_truth, write_clip
from crowdad.synthetic.demo import frame_differences, in_scope_auc, score_by_kind
from crowdad.workflows import detect

__all__ = ["GENERATED_TABLES", "main"]

Row = Mapping[str, Any]
Floats = npt.NDArray[np.floating]

RESULT = Path(__file__).parent / "results" / "generated.json"
SEED = 1
_FLAGGED = 0.5  # anomaly of a flagged frame


def table(rows: Sequence[Row]) -> str:
    """One line a scene."""
    if not rows:
        return "No rows yet: run `python -m benchmarks.generated`."
    lines = [
        "| scene | picture | people, px | frame AUC, in scope | by kind | frame differencing | events | "
        "intervals told | false events | told by kind | s |",
        "|" + "---|" * 11,
    ]
    for row in rows:
        kinds = ", ".join(f"{kind} {auc:.2f}" for kind, auc in row["by_kind"].items())
        width, height = row["size_wh"]
        people = "-".join(f"{px:.0f}" for px in row["people_px"])
        people += "; refused, so the true height was given" if "refused" in row else ""
        lines.append(
            f"| {row['scene']} | {width}x{height}, {row['fps']:g} fps | {people} | **{row['auc']:.3f}** | {kinds} | "
            f"{row['baseline_auc']:.3f} | {row['events']} | {_told(row)} | {row['seconds']:.0f} |"
        )
    return "\n".join(lines)


def _told(row: Row) -> str:
    """Cells of what was told; a row measured before it was counted has none."""
    if "told" not in row:
        return "– | – | –"
    told = row["told"]
    kinds = ", ".join(f"{kind['kind']} {kind['told']} of {kind['intervals']}" for kind in told["kinds"])
    return f"{told['intervals_told']} of {told['intervals']} | {told['false_events']} | {kinds}"


GENERATED_TABLES = {"generated": table}


def main(arguments: Sequence[str] | None = None) -> int:
    """Measure the scenes that are missing; returns the exit code."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.generated", description=__doc__)
    parser.add_argument("--keep", type=Path, help="folder for the clips and runs; default: a temporary one")
    parser.add_argument("--fresh", action="store_true", help="measure every scene anew")
    options = parser.parse_args(arguments)
    rows = [] if options.fresh else read_rows(RESULT)
    done = {row["scene"] for row in rows}
    with tempfile.TemporaryDirectory(prefix="crowdad-") as temporary:
        for name, scene in {**cameras(), **small_cameras()}.items():
            if name not in done:
                rows.append(_measure(scene, options.keep or Path(temporary)))
                write_rows(RESULT, rows)
                print(table(rows[-1:]).splitlines()[-1], flush=True)
    return 0


def _measure(scene: SceneConfig, folder: Path) -> dict[str, Any]:
    clip = GeneratedClip(scene, SEED)
    video = folder / f"{scene.name}.mp4"
    write_clip(clip, video)
    truth = load_truth(video)
    refused, given = None, None
    try:
        results = detect(video, output=folder / scene.name, overwrite=True)
    except UnclearSizeError as error:
        refused, given = str(error), _true_height(clip)
        results = detect(video, output=folder / scene.name, overwrite=True, person_height=given)
    anomaly = read_frames_csv(folder / scene.name / "frames.csv").anomaly
    height, width = clip.size_hw
    return {
        "scene": scene.name,
        "seed": SEED,
        "protocol": "self-fitted: learned from this clip alone, anomalies inside; frame AUC of frames with an "
        "anomaly in scope against frames without any",
        "size_wh": [width, height],
        "fps": clip.fps,
        "people_px": [float(clip.camera.person_height_px(width / 2, y)) for y in (0, height)],
        **({"refused": refused, "person_height": given} if refused else {}),
        "auc": in_scope_auc(anomaly, truth),
        "by_kind": {kind.kind: kind.auc for kind in score_by_kind(anomaly, truth)},
        "baseline_auc": in_scope_auc(frame_differences(video), truth),
        "events": len(results.events),
        "told": _what_was_told(anomaly, results.events, truth),
        "seconds": results.timing.seconds,
        "scale": results.model.scale,
        **provenance(["python", "-m", "benchmarks.generated"]),
    }


def _what_was_told(anomaly: Floats, events: Sequence[EventRecord], truth: ClipTruth) -> dict[str, Any]:
    """Intervals told, false events and flagged frames, of all anomalies and by kind; known limits count, too.

    When a run's events had lasted long enough is not in its results, so no delay is given.
    """
    kinds = {kind: truth.of_kind(kind) for kind in sorted({kind for kinds in truth.kinds for kind in kinds})}
    alarms = tuple(Alarm(event.start_frame, event.end_frame, event.end_frame) for event in events)
    anomalous = truth.labels | truth.out_of_scope
    clip = AlarmScores("clip", anomaly >= _FLAGGED, anomalous, alarms, truth.fps, kinds)
    runs = intervals(anomalous)
    return {
        "protocol": "intervals: runs of frames with any anomaly, told where an event overlaps one in time; by kind: "
        f"{KIND_PROTOCOL}",
        "intervals": len(runs),
        "intervals_told": sum(any(alarm.overlaps(*run) for alarm in alarms) for run in runs),
        "false_events": clip.false_events,
        "normal_seconds": float(np.count_nonzero(~anomalous) / truth.fps),
        "anomalous_frames_flagged": int(np.count_nonzero(clip.flagged & anomalous)),
        "normal_frames_flagged": int(np.count_nonzero(clip.flagged & ~anomalous)),
        "kinds": [asdict(kind) for kind in score_kinds([(anomaly, clip)])],
    }


def _true_height(clip: GeneratedClip) -> str:
    """What to give as --person-height: a mean person's at a quarter and at three quarters of the picture's height."""
    height, width = clip.size_hw
    return ",".join(
        f"{float(clip.camera.person_height_px(width / 2, row, at=0.5)):.1f}@{row:g}"
        for row in (height / 4, 3 * height / 4)
    )


if __name__ == "__main__":
    sys.exit(main())
