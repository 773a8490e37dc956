"""Result files of benchmarks: of one that goes row by row, read where it was left, and of one that ends in a report."""

from __future__ import annotations

import json
import statistics
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from crowdad.config import Settings
from crowdad.errors import DataError
from crowdad.evaluation.protocols import provenance
from crowdad.files import written_whole

__all__ = ["Row", "measured_with", "metric_cell", "published_ped2", "read_rows", "spread", "write_report", "write_rows"]

Row = dict[str, Any]


def read_rows(path: Path) -> list[Row]:
    """Rows of `{"rows": [...]}`, none where there is no file yet.  Raises DataError for another file."""
    if not path.exists():
        return []
    try:
        return list(json.loads(path.read_text(encoding="utf-8"))["rows"])
    except (ValueError, KeyError, TypeError) as error:
        raise DataError(f"{path}: not a file of rows ({error}); move it away to start afresh") from error


def published_ped2() -> Row:
    """The row of the default on Ped2 as it is, one-class, in results/ped2.json.  Raises DataError without one."""
    path = Path(__file__).parent / "results" / "ped2.json"
    for row in read_rows(path):
        if (row["protocol"], row["variant"]) == ("one-class", "native"):
            return row
    raise DataError(f"{path}: no row of Ped2 as it is, one-class; run python -m benchmarks.ped2")


def write_rows(path: Path, rows: Sequence[Row]) -> None:
    """Replace the file by these rows, whole or not at all."""
    path.parent.mkdir(parents=True, exist_ok=True)
    with written_whole(path) as part:
        part.write_text(json.dumps({"rows": list(rows)}, indent=1) + "\n", encoding="utf-8")


def measured_with(row: Row, settings: Settings) -> bool:
    """Whether a row still says what these settings do."""
    return bool(row["settings"] == settings.model_dump(mode="json"))


def metric_cell(metric: Mapping[str, Any] | None, seeds: int) -> str:
    """A metric as a cell of a table: its mean, with spread over several seeds and interval where they are known."""
    if metric is None:
        return "–"
    spread = f" ± {metric['spread']:.3f}" if seeds > 1 else ""
    interval = "" if metric["low"] is None else f" [{metric['low']:.3f}, {metric['high']:.3f}]"
    return f"{metric['mean']:.3f}{spread}{interval}"


def spread(values: Sequence[float]) -> dict[str, float]:
    """Median, least and largest of repeats."""
    return {"median": statistics.median(values), "least": min(values), "largest": max(values)}


def write_report(path: Path, report: Mapping[str, Any], command: Sequence[str]) -> None:
    """Write what was measured at one go, with the command that did it, commit, versions and machine."""
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps({**report, **provenance(command)}, indent=2) + "\n", encoding="utf-8")
