"""UCSD Ped2, one-class, with one part of the detector exchanged at a time.

python -m benchmarks.ablations --data DIR               # every row that is missing; stop and go on at will
python -m benchmarks.ablations --data DIR --fresh       # all rows anew

A row of other settings or another number of seeds is measured again.  Writes benchmarks/results/ablations.json;
`python -m benchmarks.tables` puts it into benchmarks/README.md.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from benchmarks.rows import Row, measured_with, metric_cell, read_rows, write_rows
from crowdad.config import Settings, load_settings
from crowdad.errors import CrowdadError
from crowdad.evaluation.ablations import ABLATIONS, ablations
from crowdad.evaluation.protocols import provenance
from crowdad.workflows import Stage

__all__ = ["ABLATION_TABLES", "main"]

RESULT = Path(__file__).parent / "results" / "ablations.json"

_NAMES = {
    "frame AUC, micro": "micro",
    "frame AUC, macro": "macro",
    "EER": "EER",
    "pixel AUC, 40 % rule": "pixel AUC",
    "RBDC": "RBDC",
    "TBDC": "TBDC",
}


def table(rows: Sequence[Mapping[str, Any]]) -> str:
    """One line a row, with its loss against the default."""
    if not rows:
        return "No rows yet: run `python -m benchmarks.ablations`."
    default = next((row["metrics"]["frame AUC, micro"]["mean"] for row in rows if row["name"] == "default"), None)
    lines = ["| row | what it does | seeds | " + " | ".join(_NAMES.values()) + " | micro against default | fps |"]
    lines.append("|" + "---|" * (len(_NAMES) + 5))
    for row in rows:
        cells = [metric_cell(row["metrics"].get(name), len(row["seeds"])) for name in _NAMES]
        gain = "–"
        if default is not None and row["name"] != "default":
            gain = f"{row['metrics']['frame AUC, micro']['mean'] - default:+.3f}"
        fps = sum(row["fps"]) / len(row["fps"])
        cells = [row["name"], row["what"], str(len(row["seeds"])), *cells, gain, f"{fps:.0f}"]
        lines.append("| " + " | ".join(cells) + " |")
    return "\n".join(lines)


ABLATION_TABLES = {"ablations": table}


def main(arguments: Sequence[str] | None = None) -> int:
    """Measure the rows that are missing; returns the exit code."""
    options = _parser().parse_args(arguments)
    try:
        settings = load_settings(overrides=options.set)
        rows = {row["name"]: row for row in read_rows(options.output)}
        wanted = [
            name
            for name in ABLATIONS
            if options.only in name
            and (options.fresh or not _holds(rows.get(name), list(range(options.seeds)), settings))
        ]
        for outcome in ablations(
            options.data, rows=wanted, seeds=range(options.seeds), settings=settings, progress=_Teller()
        ):
            rows[outcome.name] = {
                "benchmark": "ped2",
                "protocol": "one-class",
                "seeds": list(range(options.seeds)),
                "settings": settings.model_dump(mode="json"),
                **outcome.as_dict(),
                **provenance(
                    ["python", "-m", "benchmarks.ablations", *(sys.argv[1:] if arguments is None else arguments)]
                ),
            }
            write_rows(options.output, [rows[name] for name in ABLATIONS if name in rows])
    except CrowdadError as error:
        print(f"benchmarks.ablations: {error}", file=sys.stderr)
        return 1
    print(table([rows[name] for name in ABLATIONS if name in rows]))
    return 0


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.ablations", description=__doc__)
    parser.add_argument("--data", type=Path, help="data folder; default: CROWDAD_DATA, then the user's cache")
    parser.add_argument("--seeds", type=int, default=3, help="number of fits of each row, with seeds 0, 1, ...")
    parser.add_argument("--fresh", action="store_true", help="measure every row anew")
    parser.add_argument("--only", default="", help="rows whose name contains this")
    parser.add_argument("--set", action="append", default=[], metavar="KEY=VALUE", help="a setting of every row")
    parser.add_argument("--output", type=Path, default=RESULT, help="file of rows; another one for trials")
    return parser


def _holds(row: Row | None, seeds: list[int], settings: Settings) -> bool:
    return row is not None and row["seeds"] == seeds and measured_with(row, settings)


class _Teller:
    """One line on the error stream for every fit."""

    def __init__(self) -> None:
        self._last = ""

    def __call__(self, stage: Stage) -> None:
        name = stage.what.partition(":")[0]
        if name != self._last:
            self._last = name
            print(f"fitting: {name}", file=sys.stderr, flush=True)


if __name__ == "__main__":
    sys.exit(main())
