"""The file of finished rows: kept sorted, written whole, never lost to a stop halfway."""

from __future__ import annotations

import json
import platform
import shlex
import subprocess
import sys
from collections.abc import Sequence
from importlib.metadata import version
from pathlib import Path

import torch

from benchmarks.rows import Row, read_rows
from crowdad.evaluation.digits.experiments import DigitRow, mean_auc
from crowdad.files import written_whole

__all__ = ["RowStore", "device_name", "provenance"]

_IDENTITY = ("table", "dataset", "method", "contamination", "seed")


class RowStore:
    """Rows of one results file, `{"rows": [...]}`.

    A row is known by table, data set, method, contamination and seed.  Another number of epochs makes it another
    measurement, which replaces the old one; digits of one row may come one after the other.
    """

    def __init__(self, path: Path, provenance: Row) -> None:
        self.path = path
        self.provenance = provenance
        self.rows = read_rows(path)

    def find(self, table: str, dataset: str, method: str, seed: int, contamination: float | None = None) -> Row | None:
        """The stored row, or None."""
        wanted = (table, dataset, method, contamination, seed)
        for row in self.rows:
            if tuple(row.get(key) for key in _IDENTITY) == wanted:
                return row
        return None

    def put(self, row: DigitRow) -> None:
        """Store a finished row in the place of an older one, and write the file."""
        self._replace(row.as_json() | self.provenance)

    def put_digit(self, row: DigitRow, digit: str, wanted: Sequence[str]) -> None:
        """Add one digit's (or class's) AUC and purity to a row; its mean appears once all of `wanted` are there.

        row: holds that digit only.  Seconds add up over the digits.
        """
        fresh = row.as_json() | self.provenance
        old = self.find(row.table, row.dataset, row.method, row.seed, row.contamination)
        if old is not None and old["epochs"] == row.epochs and digit not in old["auc"]:
            fresh["seconds"] = round(fresh["seconds"] + old["seconds"], 2)
            for name in ("auc", "purity"):
                if name in fresh:
                    fresh[name] = dict(sorted((old.get(name, {}) | fresh[name]).items()))
        mean = mean_auc(fresh["auc"], wanted)
        if mean is not None:
            fresh["auc_mean"] = mean
        self._replace(fresh)

    def has_digit(self, row: Row | None, digit: str, epochs: int) -> bool:
        """True where `row` already holds the AUC of `digit` for this number of epochs."""
        return row is not None and row["epochs"] == epochs and digit in row["auc"]

    def _replace(self, fresh: Row) -> None:
        identity = tuple(fresh.get(key) for key in _IDENTITY)
        self.rows = [row for row in self.rows if tuple(row.get(key) for key in _IDENTITY) != identity]
        self.rows.append(fresh)
        self.rows.sort(key=lambda row: tuple(str(row.get(key)) for key in _IDENTITY))
        self.path.parent.mkdir(parents=True, exist_ok=True)
        lines = ",\n".join(json.dumps(row, sort_keys=True) for row in self.rows)
        with written_whole(self.path) as part:
            part.write_text('{"rows": [\n' + lines + "\n]}\n", encoding="utf-8")


def device_name(device: str) -> str:
    """What the rows say they ran on: the GPU's name, or the CPU's instruction set and threads."""
    if device == "cuda":
        return torch.cuda.get_device_name()
    return f"{platform.machine()} CPU, {torch.get_num_threads()} threads, {torch.backends.cpu.get_cpu_capability()}"


def provenance(arguments: Sequence[str]) -> Row:
    """Command, commit and versions, for every row of this run."""
    described = subprocess.run(
        ["git", "describe", "--always", "--dirty"],
        capture_output=True,
        text=True,
        check=False,
        cwd=Path(__file__).parent,
    )
    return {
        "command": shlex.join(["python", "-m", "benchmarks.digits", *arguments]),
        "commit": described.stdout.strip() or "unknown",
        "versions": {"python": platform.python_version()}
        | {name: version(name) for name in ("numpy", "scikit-learn", "torch", "torchvision")},
        "platform": f"{sys.platform} {platform.machine()}",
    }
