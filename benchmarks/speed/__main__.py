"""How fast crowdad is, in one run on one machine: `python -m benchmarks.speed --data DIR`.

Every stage, and whole commands in processes of their own, over three pieces of footage on one core and on all; how time
grows with length and resolution; how soon something is seen; real scenes that are learned from themselves.  Medians
over the repeats after a warm-up, with the least and the largest.  Numbers are the machine's; ratios to decoding alone,
taken in the same run, say more.  Run it on an idle machine.
"""

from __future__ import annotations

import argparse
import os
import sys
from collections.abc import Sequence
from pathlib import Path

from benchmarks.rows import Row, read_rows, write_rows
from benchmarks.speed.bars import bar_lines
from benchmarks.speed.footage import FOOTAGE
from benchmarks.speed.measuring import Measuring
from benchmarks.speed.plots import draw_plots
from crowdad.config import load_settings
from crowdad.errors import ConfigError, CrowdadError
from crowdad.evaluation.protocols import provenance

ROOT = Path(__file__).parents[2]
RESULTS = ROOT / "benchmarks" / "results" / "speed.json"
KEPT = ROOT / "benchmarks" / "private" / "speed"
"""Footage and models from one run to the next; git ignores it."""

PARTS = ("stages", "commands", "starting", "growth", "fit", "accuracy", "scenes")
QUICK = ("encoder.epochs=2", "encoder.max_tubes=8000", "normality.clusters=64")


def main(arguments: Sequence[str] | None = None) -> int:
    """Measure, print and write; returns the exit code."""
    arguments = list(sys.argv[1:] if arguments is None else arguments)
    options = _parser().parse_args(arguments)
    out = options.json or (None if options.quick else RESULTS)
    known = provenance(["python", "-m", "benchmarks.speed", *arguments])
    try:
        measuring = Measuring(
            folder=options.folder or (KEPT / "quick" if options.quick else KEPT),
            data=_data(options.data),
            settings=load_settings(overrides=QUICK if options.quick else ()),
            repeats=options.repeats or (1 if options.quick else 5),
            frames=120 if options.quick else 250,
            quick=options.quick,
        )
        parts, names = _named(options.only, PARTS), _named(options.footage, tuple(FOOTAGE))
        rows = [] if out is None else [row for row in read_rows(out) if not _is_among(row, parts, names)]
        for part in parts:
            for row in measuring.rows(part, names):
                rows.append({**row, **known})
                if out is not None:
                    write_rows(out, rows)
    except CrowdadError as error:
        print(f"benchmarks.speed: {error}", file=sys.stderr)
        return 1
    print("\n".join(bar_lines(rows)))
    if out is not None and rows:
        draw_plots(rows, out.parent)
    return 0


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.speed", description=__doc__)
    parser.add_argument("--quick", action="store_true", help="120 frames, once; not written unless --json is given")
    parser.add_argument("--data", type=Path, help="folder with UCSD Ped2 (default: $CROWDAD_DATA; without: left out)")
    parser.add_argument("--footage", default=",".join(FOOTAGE), help="some of it, comma between (default: %(default)s)")
    parser.add_argument(
        "--only",
        default=",".join(PARTS),
        help="some parts, comma between; the rows of others stay (default: %(default)s)",
    )
    parser.add_argument("--repeats", type=int, help="of each measurement; the median counts (default: 5)")
    parser.add_argument("--folder", type=Path, help=f"where footage and models are kept (default: {KEPT})")
    parser.add_argument("--json", type=Path, help=f"results file (default: {RESULTS})")
    return parser


def _named(given: str, known: Sequence[str]) -> list[str]:
    names = given.split(",")
    for name in names:
        if name not in known:
            raise ConfigError(f"nothing called {name!r} is measured; choose among {', '.join(known)}")
    return names


def _is_among(row: Row, parts: Sequence[str], footage: Sequence[str]) -> bool:
    """Whether a row is about to be measured anew."""
    return row["part"] in parts and row.get("footage", footage[0]) in footage


def _data(given: Path | None) -> Path | None:
    folder = given or os.environ.get("CROWDAD_DATA")
    return None if folder is None else Path(folder)


if __name__ == "__main__":
    sys.exit(main())
