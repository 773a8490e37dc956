"""Score settings on footage that is not Ped2's test set.

python -m benchmarks.proxy --seeds 3                                          # the defaults, all footage
python -m benchmarks.proxy --candidate "long: tubes.steps=9" --seeds 3        # against the defaults
python -m benchmarks.proxy --name mine --against baseline                     # this code against stored cells
python -m benchmarks.proxy --check                                            # does it rank as the test did?

Finished cells are kept and reused while settings, scoring code and footage are the same.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence
from pathlib import Path

import platformdirs

from benchmarks.proxy.footage import Footage, all_footage
from benchmarks.proxy.harness import Candidate, Cell, CellStore, measure_all
from benchmarks.proxy.report import KNOWN, check_table, kind_table, table
from crowdad.errors import ConfigError, CrowdadError
from crowdad.evaluation.protocols import provenance

__all__ = ["main"]

RESULT = Path(__file__).parents[1] / "results" / "proxy.json"
_CHECKED = "ped2-train"


def main(arguments: Sequence[str] | None = None) -> int:
    """Measure what is missing, print the tables; returns the exit code (1 with one line on stderr for bad input)."""
    arguments = list(sys.argv[1:] if arguments is None else arguments)
    options = _parser().parse_args(arguments)
    try:
        if options.check:
            _check(options, arguments)
        else:
            _compare(options, arguments)
    except CrowdadError as error:
        print(f"benchmarks.proxy: {error}", file=sys.stderr)
        return 1
    return 0


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="python -m benchmarks.proxy", description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--set", action="append", default=[], metavar="SECTION.KEY=VALUE", dest="overrides")
    parser.add_argument("--name", default="baseline", help="name of the settings given by --set")
    parser.add_argument("--candidate", action="append", default=[], metavar='"NAME: SECTION.KEY=VALUE ..."')
    parser.add_argument("--against", help="candidate that gains are over, of this run or stored; default: --name's")
    parser.add_argument("--footage", default="", help="only footage whose name holds one of these, comma between them")
    parser.add_argument("--seeds", type=int, default=3, help="number of seeds (default: 3)")
    parser.add_argument("--first-seed", type=int, default=0)
    parser.add_argument("--jobs", type=int, default=1, help="processes at once, each on one core (default: 1)")
    parser.add_argument("--data", type=Path, help="data folder; default: CROWDAD_DATA, then the user's cache")
    parser.add_argument("--cache", type=Path, help="folder for generated clips; default: in the user's cache")
    parser.add_argument(
        "--json", type=Path, default=RESULT, help="results file (default: benchmarks/results/proxy.json)"
    )
    parser.add_argument("--check", action="store_true", help="rank changes whose effect on the test set is known")
    parser.add_argument("--list", action="store_true", help="only list the footage")
    return parser


def _chosen(options: argparse.Namespace, wanted: str) -> list[Footage]:
    """Footage whose name holds one of the words in `wanted`.  Raises ConfigError where none does."""
    cache = options.cache or platformdirs.user_cache_path("crowdad", appauthor=False) / "proxy"
    every = all_footage(options.data, cache)
    words = [word.strip() for word in wanted.split(",") if word.strip()]
    found = [one for one in every if not words or any(word in one.name for word in words)]
    if not found:
        raise ConfigError(f"no footage is called {wanted!r}; some of {', '.join(one.name for one in every)} are needed")
    return found


def _seeds(options: argparse.Namespace) -> range:
    if options.seeds < 1 or options.first_seed < 0 or options.jobs < 1:
        raise ConfigError(
            f"{options.seeds} seeds from {options.first_seed} on, {options.jobs} jobs; at least 1, 0 and 1 are needed"
        )
    return range(options.first_seed, options.first_seed + options.seeds)


def _store(options: argparse.Namespace, arguments: Sequence[str]) -> CellStore:
    return CellStore(options.json, provenance(["python", "-m", "benchmarks.proxy", *arguments]))


def _compare(options: argparse.Namespace, arguments: Sequence[str]) -> None:
    footage = _chosen(options, options.footage)
    if options.list:
        print("\n".join(one.name for one in footage))
        return
    base = Candidate(options.name, tuple(options.overrides))
    candidates = [base, *(Candidate.parse(text, options.overrides) for text in options.candidate)]
    names = [candidate.name for candidate in candidates]
    if len(set(names)) < len(names):
        raise ConfigError(f"candidates are called {', '.join(names)}; give each its own name")
    store = _store(options, arguments)
    against = options.against or base.name
    stored = [] if against in names else store.named(against)
    if against not in names and not stored:
        raise ConfigError(f"--against {against}: no such candidate, neither here nor in {store.path}")
    seeds = _seeds(options)
    cells = measure_all(candidates, footage, seeds, store, jobs=options.jobs, told=_tell)
    wanted = {one.name for one in footage}
    cells += [cell for cell in stored if cell.footage in wanted and cell.seed in seeds]
    shown = [*([] if against in names else [against]), *names]
    print(table(cells, shown, against), kind_table(cells, shown), *_notes(cells), sep="\n\n")


def _check(options: argparse.Namespace, arguments: Sequence[str]) -> None:
    store, seeds = _store(options, arguments), _seeds(options)
    chosen = _chosen(options, options.footage or _CHECKED)
    tables = []
    for unlabelled in (False, True):
        footage = [one for one in chosen if one.name.endswith(":unlabelled") is unlabelled]
        known = [
            Candidate(one.candidate.name, (*options.overrides, *one.candidate.overrides))
            for one in KNOWN
            if one.unlabelled is unlabelled
        ]
        cells = measure_all(known, footage, seeds, store, jobs=options.jobs, told=_tell)
        if cells:
            tables.append(check_table(cells, unlabelled=unlabelled))
    print(*tables, sep="\n\n")


def _notes(cells: Sequence[Cell]) -> list[str]:
    """Why footage counts as chance."""
    notes = [
        f"{cell.footage} seed {cell.seed}, {cell.candidate}: counts as 0.5: {cell.note}" for cell in cells if cell.note
    ]
    return ["\n".join(notes)] if notes else []


def _tell(line: str) -> None:
    print(line, file=sys.stderr, flush=True)


if __name__ == "__main__":
    sys.exit(main())
