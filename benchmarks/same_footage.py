"""The demo's footage, drawn, learned and scored with other seeds, and as processors with other instructions would.

python -m benchmarks.same_footage                 # every run that is missing; stop and go on at will
python -m benchmarks.same_footage --fresh         # all runs anew

Each run is a process of its own: which instructions are used is decided where a library is loaded.  Writes
benchmarks/results/same_footage.json; `python -m benchmarks.tables` puts it into benchmarks/README.md.
"""

from __future__ import annotations

import argparse
import hashlib
import json
import os
import statistics
import subprocess
import sys
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from benchmarks.rows import read_rows, write_rows
from crowdad.config import load_settings
from crowdad.evaluation.protocols import provenance
from crowdad.outputs.tables import read_frames_csv
from crowdad.synthetic import load_truth
from crowdad.synthetic.demo import DEMO_SETTINGS, in_scope_auc, prepare_clip
from crowdad.workflows import detect

__all__ = ["ENVIRONMENTS", "SAME_FOOTAGE_TABLES", "Environment", "main"]

Row = Mapping[str, Any]

RESULT = Path(__file__).parent / "results" / "same_footage.json"
SEEDS = range(5)


@dataclass(frozen=True)
class Environment:
    """What a run's processor is taken for.  variables: of the process.  processors: at most so many, None: all."""

    variables: Mapping[str, str] = field(default_factory=dict)
    processors: int | None = None


ENVIRONMENTS = {
    "as it is": Environment(),
    "one processor": Environment(processors=1),
    "AVX-512 without bfloat16": Environment({"ONEDNN_MAX_CPU_ISA": "AVX512_CORE"}),
    "AVX2": Environment(
        {
            "ATEN_CPU_CAPABILITY": "avx2",
            "ONEDNN_MAX_CPU_ISA": "AVX2",
            "OPENBLAS_CORETYPE": "Haswell",
            "OPENCV_CPU_DISABLE": "AVX512-SKX",
            "NPY_DISABLE_CPU_FEATURES": "X86_V4 AVX512_ICL AVX512_SPR",
        }
    ),
    "SSE4": Environment(
        {
            "ATEN_CPU_CAPABILITY": "default",
            "ONEDNN_MAX_CPU_ISA": "SSE41",
            "OPENBLAS_CORETYPE": "Nehalem",
            "OPENCV_CPU_DISABLE": "AVX512-SKX,AVX2,FP16,AVX",
            "NPY_DISABLE_CPU_FEATURES": "X86_V3 X86_V4 AVX512_ICL AVX512_SPR",
        }
    ),
}
"""Names of instruction sets as the libraries call them; what a processor lacks anyhow is not missed."""


def table(rows: Sequence[Row]) -> str:
    """One line a run, against the first one, and the spread over environments and over seeds."""
    if not rows:
        return "No rows yet: run `python -m benchmarks.same_footage`."
    first = rows[0]
    lines = [
        "| processor taken for | seed | frame AUC | threshold | against the first | same video | s of scoring |",
        "|---|---|---|---|---|---|---|",
    ]
    for row in rows:
        apart = f"{row['auc'] - first['auc']:+.4f}, {row['threshold'] - first['threshold']:+.4f}"
        same = "yes" if row["video"] == first["video"] else "no"
        lines.append(
            f"| {row['environment']} | {row['seed']} | {row['auc']:.4f} | {row['threshold']:.4f} | "
            f"{'' if row is first else apart} | {same} | {row['seconds']:.0f} |"
        )
    return "\n".join(
        [
            *lines,
            "",
            f"Over processors, seed {first['seed']}: " + _spread([row for row in rows if row["seed"] == first["seed"]]),
            "",
            "Over seeds: " + _spread([row for row in rows if row["environment"] == first["environment"]]),
        ]
    )


SAME_FOOTAGE_TABLES = {"same-footage": table}


def _spread(rows: Sequence[Row]) -> str:
    told = []
    for name, what in (("auc", "AUC"), ("threshold", "threshold")):
        values = [row[name] for row in rows]
        told.append(
            f"{what} {statistics.mean(values):.3f} ± {statistics.pstdev(values):.4f} "
            f"({min(values):.4f} to {max(values):.4f})"
        )
    return "; ".join(told) + "."


def main(arguments: Sequence[str] | None = None) -> int:
    """Measure the runs that are missing; returns the exit code."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.same_footage", description=__doc__)
    parser.add_argument("--fresh", action="store_true", help="measure every run anew")
    parser.add_argument("--output", type=Path, default=RESULT, help="file of rows; another one for trials")
    parser.add_argument("--one", nargs=2, metavar=("SEED", "FOLDER"), help="print the row of one seed, as JSON")
    options = parser.parse_args(arguments)
    if options.one is not None:
        print(json.dumps(_measure(int(options.one[0]), Path(options.one[1]))))
        return 0
    rows = {} if options.fresh else {(row["environment"], row["seed"]): row for row in read_rows(options.output)}
    wanted = [("as it is", seed) for seed in SEEDS] + [(name, 0) for name in ENVIRONMENTS if name != "as it is"]
    with tempfile.TemporaryDirectory(prefix="crowdad-") as temporary:
        for run in wanted:
            if run not in rows:
                place = Path(temporary) / run[0]  # each environment draws its own video, once for all seeds
                rows[run] = {"environment": run[0], **_in_a_process(ENVIRONMENTS[run[0]], run[1], place)}
                write_rows(options.output, [rows[run] for run in wanted if run in rows])
    print(table([rows[run] for run in wanted]))
    return 0


def _in_a_process(environment: Environment, seed: int, folder: Path) -> dict[str, Any]:
    command = [sys.executable, "-m", "benchmarks.same_footage", "--one", str(seed), str(folder)]
    with _processors(environment.processors):
        done = subprocess.run(
            command, env={**os.environ, **environment.variables}, stdout=subprocess.PIPE, text=True, check=True
        )
    return {**json.loads(done.stdout), "variables": dict(environment.variables)}


@contextmanager
def _processors(count: int | None) -> Iterator[None]:
    """Processes that are started meanwhile run on the first `count` processors; on all where the system can't tell."""
    if count is None or not hasattr(os, "sched_setaffinity"):
        yield
        return
    allowed = os.sched_getaffinity(0)
    os.sched_setaffinity(0, sorted(allowed)[:count])
    try:
        yield
    finally:
        os.sched_setaffinity(0, allowed)


def _measure(seed: int, folder: Path) -> dict[str, Any]:
    video = prepare_clip(folder)
    run = folder / "run"
    results = detect(
        video,
        output=run,
        settings=load_settings(overrides=[*DEMO_SETTINGS, f"seed={seed}"]),
        overlay=False,
        heatmaps=False,
        report=False,
        overwrite=True,
        device="cpu",
    )
    return {
        "seed": seed,
        "auc": in_scope_auc(read_frames_csv(run / "frames.csv").anomaly, load_truth(video)),
        "threshold": results.threshold.raw,
        "events": len(results.events),
        "video": hashlib.sha256(video.read_bytes()).hexdigest(),
        "scale": results.model.scale,
        "seconds": results.timing.seconds,
        **provenance(["python", "-m", "benchmarks.same_footage"]),
    }


if __name__ == "__main__":
    sys.exit(main())
