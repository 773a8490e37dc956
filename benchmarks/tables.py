"""Tables in README.md and benchmarks/README.md, generated from benchmarks/results/*.json between markers.

`python -m benchmarks.tables` rewrites them, `--check` only says whether they are up to date (exit code 1 where not).
A table stands between `<!-- table:NAME -->` and `<!-- /table:NAME -->`.
"""

from __future__ import annotations

import argparse
import re
import sys
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

from benchmarks.ablations import ABLATION_TABLES
from benchmarks.digits.tables import DIGIT_TABLES
from benchmarks.false_alarms import FALSE_ALARM_TABLES
from benchmarks.fleet_simulation import SCALE_TABLES
from benchmarks.generated import GENERATED_TABLES
from benchmarks.joins import JOIN_TABLES
from benchmarks.kinds import KIND_TABLES
from benchmarks.live import LIVE_TABLES
from benchmarks.right_camera import RIGHT_CAMERA_TABLES
from benchmarks.rows import Row, read_rows
from benchmarks.same_footage import SAME_FOOTAGE_TABLES
from benchmarks.scale.tables import PEOPLE_TABLES
from benchmarks.short_clips import SHORT_CLIP_TABLES
from benchmarks.speed.bars import SPEED_TABLES
from benchmarks.ucsd.tables import ucsd_tables

__all__ = ["TABLES", "fill", "main"]

ROOT = Path(__file__).parents[1]
RESULTS = ROOT / "benchmarks" / "results"
PAGES = (ROOT / "README.md", ROOT / "benchmarks" / "README.md", ROOT / "benchmarks" / "scale.md")

# A new benchmark adds one entry: its results file, and its tables by name.
TABLES: dict[str, Mapping[str, Callable[[Sequence[Row]], str]]] = {
    "digits.json": DIGIT_TABLES,
    "ped2.json": ucsd_tables("ped2"),
    "ped1.json": ucsd_tables("ped1"),
    "ablations.json": ABLATION_TABLES,
    "false_alarms.json": FALSE_ALARM_TABLES,
    "generated.json": GENERATED_TABLES,
    "joins.json": JOIN_TABLES,
    "kinds.json": KIND_TABLES,
    "live.json": LIVE_TABLES,
    "same_footage.json": SAME_FOOTAGE_TABLES,
    "right_camera.json": RIGHT_CAMERA_TABLES,
    "people.json": PEOPLE_TABLES,
    "scale.json": SCALE_TABLES,
    "short_clips.json": SHORT_CLIP_TABLES,
    "speed.json": SPEED_TABLES,
}

_MARKED = re.compile(r"<!-- table:(?P<name>[\w-]+) -->\n.*?<!-- /table:(?P=name) -->", re.DOTALL)


def fill(page: str, results: Path = RESULTS) -> str:
    """`page` with every marked table written anew from the files in `results`.

    Raises ValueError for a marker that names no table.
    """
    known = {name: (file, table) for file, tables in TABLES.items() for name, table in tables.items()}

    def written(match: re.Match[str]) -> str:
        name = match["name"]
        if name not in known:
            raise ValueError(f"no table called {name!r}; one of {', '.join(sorted(known))} is needed")
        file, table = known[name]
        return f"<!-- table:{name} -->\n{table(read_rows(results / file)).strip()}\n<!-- /table:{name} -->"

    return _MARKED.sub(written, page)


def main(arguments: Sequence[str] | None = None, pages: Sequence[Path] = PAGES) -> int:
    """Rewrite the pages, or check them; returns the exit code."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.tables", description=__doc__)
    parser.add_argument("--check", action="store_true", help="change nothing, fail where a table is out of date")
    check = parser.parse_args(arguments).check
    stale = 0
    for path in pages:
        if not path.exists():
            continue
        old = path.read_text(encoding="utf-8")
        new = fill(old)
        if new == old:
            continue
        stale += 1
        if check:
            print(f"{path.name}: tables differ from the results; run python -m benchmarks.tables", file=sys.stderr)
        else:
            path.write_text(new, encoding="utf-8")
    return 1 if check and stale else 0


if __name__ == "__main__":
    sys.exit(main())
