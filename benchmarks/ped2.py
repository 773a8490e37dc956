"""UCSD Ped2: both protocols, and the same camera at other sizes and frame rates, through a warp and in poor pictures.

python -m benchmarks.ped2 --data DIR            # every row that is missing; stop and go on at will
python -m benchmarks.ped2 --data DIR --fresh    # all rows anew

Writes benchmarks/results/ped2.json; `python -m benchmarks.tables` puts it into the READMEs.  Scores of seed 0 are kept
for `python -m benchmarks.ped2_plots`, apart from the results.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from benchmarks.ped2_scores import PICTURED, keep_scores
from benchmarks.rows import metric_cell, read_rows, write_rows
from crowdad.config import Settings
from crowdad.errors import CrowdadError
from crowdad.evaluation.datasets.catalogue import find_dataset
from crowdad.evaluation.datasets.variants import VARIANTS
from crowdad.evaluation.video import benchmark_video, report

__all__ = ["PED2_TABLES", "ROWS", "main"]

Row = Mapping[str, Any]

RESULT = Path(__file__).parent / "results" / "ped2.json"
ROWS: tuple[tuple[str, str, int], ...] = (
    ("one-class", "native", 3),
    ("unsupervised", "native", 3),
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
)
"""(protocol, variant, seeds) of every published row."""

_NAMES = {
    "frame AUC, micro": "micro",
    "frame AUC, macro": "macro",
    "frame AUC, micro, clip min-max": "micro, clip min-max",
    "EER": "EER",
    "average precision": "AP",
    "pixel AUC, 40 % rule": "pixel AUC",
    "RBDC": "RBDC",
    "TBDC": "TBDC",
}


def _cells(row: Row) -> list[str]:
    """Mean, spread over seeds and interval of every metric of a row."""
    return [metric_cell(row["metrics"].get(name), len(row["seeds"])) for name in _NAMES]


def headline(rows: Sequence[Row]) -> str:
    """The two protocols, four metrics."""
    native = [row for row in rows if row["variant"] == "native" and row["protocol"] != "alone"]
    if not native:
        return "No rows yet: run `python -m benchmarks.ped2`."
    lines = ["| protocol | frame AUC, micro | pixel level (40 % rule) | RBDC | TBDC |", "|---|---|---|---|---|"]
    for row in native:
        cells = dict(zip(_NAMES, _cells(row), strict=True))
        shown = [cells[name] for name in ("frame AUC, micro", "pixel AUC, 40 % rule", "RBDC", "TBDC")]
        lines.append(f"| {row['protocol']} | " + " | ".join(shown) + " |")
    return "\n".join(lines)


def everything(rows: Sequence[Row]) -> str:
    """Every row, every metric, with the cost."""
    if not rows:
        return "No rows yet: run `python -m benchmarks.ped2`."
    lines = ["| protocol | footage | seeds | " + " | ".join(_NAMES.values()) + " | fit, s | fps |"]
    lines.append("|" + "---|" * (len(_NAMES) + 5))
    for row in rows:
        fit_s, fps = (sum(row[key]) / len(row[key]) for key in ("fit_s", "fps"))
        head = f"| {row['protocol']} | {row['variant']} | {len(row['seeds'])} | "
        lines.append(head + " | ".join(_cells(row)) + f" | {fit_s:.0f} | {fps:.0f} |")
    return "\n".join(lines)


def robustness(rows: Sequence[Row]) -> str:
    """What each change of the footage costs against the footage as published, at the same seeds."""
    one_class = {row["variant"]: row for row in rows if row["protocol"] == "one-class"}
    changed = [variant for variant in VARIANTS if variant in one_class and variant != "native"]
    if "native" not in one_class or not changed:
        return "No rows yet: run `python -m benchmarks.ped2`."
    lines = [
        "| footage | what it is | micro | against native | pixel AUC | against native |",
        "|---|---|---|---|---|---|",
    ]
    for variant in changed:
        row, cells = one_class[variant], []
        for name in ("frame AUC, micro", "pixel AUC, 40 % rule"):
            found = row["metrics"][name]["per_seed"]
            as_published = one_class["native"]["metrics"][name]["per_seed"][: len(found)]
            mean = sum(found) / len(found)
            cells += [f"{mean:.3f}", f"{mean - sum(as_published) / len(as_published):+.3f}"]
        lines.append(f"| {variant} | {VARIANTS[variant].what} | " + " | ".join(cells) + " |")
    return "\n".join(lines)


PED2_TABLES = {"ped2-headline": headline, "ped2": everything, "ped2-robustness": robustness}


def main(arguments: Sequence[str] | None = None) -> int:
    """Measure the rows that are missing; returns the exit code."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.ped2", description=__doc__)
    parser.add_argument("--data", type=Path, help="data folder; default: CROWDAD_DATA, then the user's cache")
    parser.add_argument("--fresh", action="store_true", help="measure anew also what is there")
    parser.add_argument("--only", default="", help="rows whose protocol or footage contains this")
    options = parser.parse_args(arguments)
    try:
        rows = {(row["protocol"], row["variant"]): row for row in read_rows(RESULT)}
        for protocol, variant, seeds in ROWS:
            key = (protocol, variant)
            if options.only not in f"{protocol} {variant}" or (key in rows and not options.fresh):
                continue
            print(f"{protocol}, {variant}: {seeds} seeds", file=sys.stderr, flush=True)
            rows[key] = _row(protocol, variant, range(seeds), options.data)
            write_rows(RESULT, _in_order(rows))
    except CrowdadError as error:
        print(f"benchmarks.ped2: {error}", file=sys.stderr)
        return 1
    print(everything(_in_order(rows)))
    return 0


def _in_order(rows: Mapping[tuple[str, str], dict[str, Any]]) -> list[dict[str, Any]]:
    return [rows[protocol, variant] for protocol, variant, _ in ROWS if (protocol, variant) in rows]


def _row(protocol: str, variant: str, seeds: Sequence[int], root: Path | None) -> dict[str, Any]:
    settings = Settings()
    outcome = benchmark_video(protocol, find_dataset("ped2", root), seeds=seeds, settings=settings, variant=variant)
    if variant == "native" and protocol in PICTURED:
        keep_scores(protocol, settings, outcome.runs[0])
    told = report(
        [outcome],
        name="ped2",
        seeds=seeds,
        settings=settings,
        variant=variant,
        command=["python", "-m", "benchmarks.ped2"],
    )
    measured = told.pop("outcomes")[protocol]
    explained = measured.pop("protocol")
    return {**told, "protocol": protocol, "explained": explained, "variant": variant, **measured}


if __name__ == "__main__":
    sys.exit(main())
