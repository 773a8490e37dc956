"""UCSD Ped1 and Ped2, row by row: both protocols, and Ped2's camera at other sizes and rates and in poor pictures.

`python -m benchmarks.ped1` and `python -m benchmarks.ped2` call it.  Scores of seed 0 are kept for
`python -m benchmarks.ucsd.plots`, apart from the results.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from benchmarks.rows import read_rows, write_rows
from benchmarks.ucsd.scores import PICTURED, PRIVATE, keep_scores
from benchmarks.ucsd.tables import alarms, everything, kinds
from crowdad.config import Settings
from crowdad.errors import CrowdadError
from crowdad.evaluation.datasets.catalogue import find_dataset
from crowdad.evaluation.video import benchmark_video, report

__all__ = ["ROWS", "main"]

RESULTS = Path(__file__).parents[1] / "results"
_BOTH = (("one-class", "native", 3), ("unsupervised", "native", 3))
ROWS: dict[str, tuple[tuple[str, str, int], ...]] = {
    "ped1": _BOTH,
    "ped2": (
        *_BOTH,
        ("one-class", "double", 1),
        ("one-class", "half", 1),
        ("one-class", "every2", 1),
        ("one-class", "20fps", 1),
        ("one-class", "warp", 3),
        ("one-class", "jpeg30", 1),
        ("one-class", "noise", 1),
        ("one-class", "shake", 1),
        ("one-class", "drift", 1),
        ("alone", "native", 1),
    ),
}
"""By data set, (protocol, variant, seeds) of every published row."""


def main(dataset: str, arguments: Sequence[str] | None = None) -> int:
    """Measure the rows of a data set, a key of ROWS, that are missing; returns the exit code."""
    parser = argparse.ArgumentParser(prog=f"python -m benchmarks.{dataset}", description=__doc__)
    parser.add_argument("--data", type=Path, help="data folder; default: CROWDAD_DATA, then the user's cache")
    parser.add_argument("--fresh", action="store_true", help="measure anew also what is there")
    parser.add_argument("--only", default="", help="rows whose protocol or footage contains this")
    options = parser.parse_args(arguments)
    path = RESULTS / f"{dataset}.json"
    try:
        rows = {(row["protocol"], row["variant"]): row for row in read_rows(path)}
        for protocol, variant, seeds in ROWS[dataset]:
            key = (protocol, variant)
            if options.only not in f"{protocol} {variant}" or (key in rows and not options.fresh):
                continue
            print(f"{protocol}, {variant}: {seeds} seeds", file=sys.stderr, flush=True)
            rows[key] = _row(dataset, protocol, variant, range(seeds), options.data)
            write_rows(path, _in_order(dataset, rows))
    except CrowdadError as error:
        print(f"benchmarks.{dataset}: {error}", file=sys.stderr)
        return 1
    done = _in_order(dataset, rows)
    print("\n\n".join(filter(None, (table(done) for table in (everything, alarms, kinds)))))
    return 0


def _in_order(dataset: str, rows: Mapping[tuple[str, str], dict[str, Any]]) -> list[dict[str, Any]]:
    return [rows[protocol, variant] for protocol, variant, _ in ROWS[dataset] if (protocol, variant) in rows]


def _row(dataset: str, protocol: str, variant: str, seeds: Sequence[int], root: Path | None) -> dict[str, Any]:
    settings = Settings()
    outcome = benchmark_video(protocol, find_dataset(dataset, root), seeds=seeds, settings=settings, variant=variant)
    if variant == "native" and protocol in PICTURED:
        keep_scores(protocol, settings, outcome.runs[0], PRIVATE / dataset)
    told = report(
        [outcome],
        name=dataset,
        seeds=seeds,
        settings=settings,
        variant=variant,
        command=["python", "-m", f"benchmarks.{dataset}"],
    )
    measured = told.pop("outcomes")[protocol]
    explained = measured.pop("protocol")
    return {**told, "protocol": protocol, "explained": explained, "variant": variant, **measured}
