"""Command line of the digit benchmark: `python -m benchmarks.digits --all`."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence
from pathlib import Path

import torch

from benchmarks.digits.plots import draw_plots
from benchmarks.digits.runner import TABLES, Runner
from benchmarks.digits.store import RowStore, device_name, provenance
from crowdad.errors import ConfigError, CrowdadError
from crowdad.evaluation.datasets.digits import DIGIT_SETS, load_digits
from crowdad.evaluation.datasets.root import data_root
from crowdad.evaluation.digits.experiments import CLUSTERING_METHODS
from crowdad.evaluation.digits.settings import load_digit_settings

ROOT = Path(__file__).parents[2]
RESULTS = ROOT / "benchmarks" / "results" / "digits.json"
PRIVATE = ROOT / "benchmarks" / "private" / "digits"
"""Ignored by git: codes, pictures of digits, and the rows of --quick."""

QUICK = (
    "clustering.dense_epochs=3",
    "clustering.conv_epochs=15",
    "clustering.looks=3",
    "clustering.restarts=5",
    "anomaly.epochs=4",
    "anomaly.digits=[4, 9]",
    "anomaly.contaminations=[0.0]",
    "duad.digits=[0]",
    "duad.contaminations=[0.1]",
    "duad.epochs_per_round=2",
    "duad.max_rounds=3",
    "beyond.epochs_augmented=4",
    "beyond.epochs_clustered=4",
)


def main(arguments: Sequence[str] | None = None) -> int:
    """Run what the arguments ask for; returns the exit code (1 with one line on stderr for bad input)."""
    arguments = list(sys.argv[1:] if arguments is None else arguments)
    options = _parser().parse_args(arguments)
    try:
        _run(options, arguments)
    except CrowdadError as error:
        print(f"error: {error}", file=sys.stderr)
        return 1
    return 0


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.digits", description=__doc__)
    what = parser.add_mutually_exclusive_group(required=True)
    what.add_argument("--all", action="store_true", help="every row that is missing")
    what.add_argument("--only", metavar="TABLES", help=f"some tables, comma between them: {', '.join(TABLES)}")
    what.add_argument("--quick", action="store_true", help="a few minutes on USPS, never published")
    what.add_argument("--plots", action="store_true", help="draw the pictures again from what is there")
    parser.add_argument(
        "--methods",
        metavar="METHODS",
        default=",".join(CLUSTERING_METHODS),
        help="some rows of clustering, normalisation, anomaly and shared (default: %(default)s)",
    )
    parser.add_argument("--dataset", choices=tuple(DIGIT_SETS), help="one data set instead of both")
    parser.add_argument("--data", type=Path, help="data folder; default: CROWDAD_DATA, then the user's cache")
    parser.add_argument("--seeds", type=int, help="number of seeds (default: the configuration's)")
    parser.add_argument("--first-seed", type=int, default=0, help="the first seed (default: 0)")
    parser.add_argument("--set", action="append", default=[], metavar="SECTION.KEY=VALUE", dest="overrides")
    parser.add_argument("--device", choices=("cpu", "cuda"), help="default: cuda where there is one")
    parser.add_argument("--out", type=Path, help=f"results file (default: {RESULTS.relative_to(ROOT)})")
    return parser


def _run(options: argparse.Namespace, arguments: Sequence[str]) -> None:
    out = options.out or (PRIVATE / "quick.json" if options.quick else RESULTS)
    store = RowStore(out, provenance(arguments))
    if options.plots:
        draw_plots(store.rows, PRIVATE, out.parent, data_root(options.data))
        return
    tables = _named(options.only, TABLES, "table") if options.only else TABLES
    methods = _named(options.methods, tuple(CLUSTERING_METHODS), "method")
    device = options.device or ("cuda" if torch.cuda.is_available() else "cpu")
    names = [options.dataset] if options.dataset else ["usps"] if options.quick else ["usps", "mnist"]
    for name in names:
        overrides = [f"dataset={name}", *(QUICK if options.quick else ()), *options.overrides]
        settings = load_digit_settings(ROOT / "configs" / f"{name}.toml", overrides)
        count = options.seeds or (1 if options.quick else settings.seeds)
        digits = load_digits(name, data_root(options.data))
        codes_dir = None if options.quick else PRIVATE
        runner = Runner(digits, settings, store, device, device_name(device), codes_dir, methods)
        runner.run(tables, range(options.first_seed, options.first_seed + count))
    if not options.quick:
        draw_plots(store.rows, PRIVATE, out.parent, data_root(options.data))


def _named(given: str, known: Sequence[str], what: str) -> list[str]:
    """The names in `given`, comma between them; raises ConfigError for one that is not known."""
    names = given.split(",")
    for name in names:
        if name not in known:
            raise ConfigError(f"no {what} called {name!r}; some of {', '.join(known)} are needed")
    return names


if __name__ == "__main__":
    sys.exit(main())
