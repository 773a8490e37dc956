"""Mutated inputs against crowdad: `python -m benchmarks.fuzz --count 2000 --seed 0`.

Sound clips of twenty containers and codecs, pictures, a scene model and the files of a run are damaged (flipped, cut,
wiped, spliced, lying headers) and handed to the reader, to the whole of `detect`, to the model loader and to the
readers of run files, each input in a child process with a time and a memory limit.  Sound pictures are given other
timestamps, headers that claim another rate, and repeats; a disk fills at some write of `detect` or `fit`; in a short
watch clocks jump, connections idle and the alert queue breaks.  Counted are crashes, hangs, errors that are not one
clear line, silent losses (frames that a plain reader gets and that are neither handed out nor reported) and broken
promises (frames out of order or at another rate, counts that do not add up, a second pass that differs, half-written
files under their final names, alerts lost or told twice, a page that keeps its owner out).

Every input follows from the seed and its number alone: `--only 1234` runs that one again and prints what it gave.
Writes benchmarks/results/fuzz.json; exits with 1 where anything was found.
"""

from __future__ import annotations

import argparse
import json
import os
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Mapping, Sequence
from functools import partial
from pathlib import Path
from typing import Any

import av
import cv2

from benchmarks.fuzz.checks import UNSTEADY, check
from benchmarks.fuzz.seeds import write_seeds
from benchmarks.fuzz.watchdog import Case, Verdict, watched
from crowdad.evaluation.protocols import provenance

RESULT = Path(__file__).parents[1] / "results" / "fuzz.json"
_SHARES = {
    "clip, reader": 42,
    "clip, detect": 12,
    "pictures": 8,
    "model": 10,
    "run files": 8,
    "timestamps": 9,
    "lying headers": 4,
    "repeated pictures": 3,
    "full disk": 2,
    "watch": 2,
}
"""Inputs of each kind in a hundred."""

_ROUND = [target for target, share in _SHARES.items() for _ in range(share)]
FAULTS = ("crash", "hang", "exception", "silent loss", "broken promise")
_TELL_EVERY = 200


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the inputs; returns the exit code."""
    options = _parser().parse_args(arguments)
    numbers = range(options.count) if options.only is None else options.only
    # A step that shares no divisor with the length of a round spreads the targets evenly over any count.
    cases = [Case(_ROUND[number * 37 % len(_ROUND)], options.seed, number) for number in numbers]
    began_s = time.monotonic()
    done: list[tuple[Case, Verdict, float]] = []
    with tempfile.TemporaryDirectory(prefix="crowdad-fuzz-") as place:
        seeds = write_seeds(Path(place))
        work = partial(check, seeds=seeds, folder=Path(place))
        for case, verdict, seconds in watched(cases, work, options.workers, options.limit):
            done.append((case, verdict, seconds))
            _tell(case, verdict, len(done), len(cases), options.only is not None)
    report = _report(done, options, time.monotonic() - began_s)
    print(json.dumps({name: report[name] for name in ("inputs", "found", "outcomes")}, indent=2))
    if options.only is None:
        command = ["python", "-m", "benchmarks.fuzz", *(sys.argv[1:] if arguments is None else arguments)]
        known = provenance(command)
        options.output.parent.mkdir(parents=True, exist_ok=True)
        options.output.write_text(json.dumps({**report, **known}, indent=1) + "\n", encoding="utf-8")
    return int(any(report["found"].values()))


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="python -m benchmarks.fuzz", description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--count", type=int, default=2000, help="inputs (default: 2000)")
    parser.add_argument("--seed", type=int, default=0, help="of all damage (default: 0)")
    parser.add_argument("--workers", type=int, default=max(1, (os.cpu_count() or 2) // 2), help="child processes")
    parser.add_argument("--limit", type=float, default=60.0, help="seconds that one input may take (default: 60)")
    parser.add_argument("--only", type=int, nargs="+", metavar="NUMBER", help="run these inputs again, write nothing")
    parser.add_argument("--output", type=Path, default=RESULT, help=f"results file (default: {RESULT})")
    return parser


def _tell(case: Case, verdict: Verdict, done: int, total: int, every: bool) -> None:
    if every or verdict.outcome in FAULTS:
        print(
            f"{case.number}: {verdict.target}: {verdict.outcome}: {verdict.what}: {verdict.detail}",
            file=sys.stderr,
            flush=True,
        )
    if done % _TELL_EVERY == 0:
        print(f"{done} of {total}", file=sys.stderr, flush=True)


def _report(
    done: Sequence[tuple[Case, Verdict, float]], options: argparse.Namespace, seconds: float
) -> Mapping[str, Any]:
    by_target: dict[str, Counter[str]] = {target: Counter() for target in _SHARES}
    for _, verdict, _ in done:
        by_target[verdict.target][verdict.outcome] += 1
    found = {fault: sum(counts[fault] for counts in by_target.values()) for fault in FAULTS}
    return {
        "benchmark": "fuzz",
        "inputs": len(done),
        "seed": options.seed,
        "limit_s": options.limit,
        "found": found,
        "outcomes": {target: dict(sorted(counts.items())) for target, counts in by_target.items()},
        "filled_in_otherwise": sum(verdict.detail == UNSTEADY for _, verdict, _ in done),
        "slowest_s": round(max((took_s for *_, took_s in done), default=0.0), 2),
        "seconds": round(seconds, 1),
        "faults": [
            {
                "number": case.number,
                "target": verdict.target,
                "outcome": verdict.outcome,
                "what": verdict.what,
                "detail": verdict.detail[:300],
            }
            for case, verdict, _ in sorted(done, key=lambda entry: entry[0].number)
            if verdict.outcome in FAULTS
        ],
        "libraries": {"av": av.__version__, "ffmpeg": av.ffmpeg_version_info, "opencv": cv2.__version__},
    }


if __name__ == "__main__":
    sys.exit(main())
