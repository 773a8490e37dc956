"""The benchmark of one footage over seeds and processors: runs that go on where they were left, and the table."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import pytest

from benchmarks import same_footage
from benchmarks.rows import read_rows
from benchmarks.same_footage import ENVIRONMENTS, Environment


@pytest.fixture
def measured(monkeypatch: pytest.MonkeyPatch) -> list[tuple[Environment, int]]:
    """Runs that were measured: AUC falls with the seed, and the threshold is higher elsewhere."""
    runs: list[tuple[Environment, int]] = []

    def measure(environment: Environment, seed: int, folder: Path) -> dict[str, Any]:
        runs.append((environment, seed))
        elsewhere = bool(environment.variables)
        return {
            "seed": seed,
            "auc": 0.98 - 0.01 * seed,
            "threshold": 0.11 if elsewhere else 0.1,
            "video": "other" if elsewhere else "same",
            "seconds": 30.0,
        }

    monkeypatch.setattr(same_footage, "_in_a_process", measure)
    return runs


def test_runs_go_on_where_they_were_left(
    measured: list[tuple[Environment, int]], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    output = ["--output", str(tmp_path / "rows.json")]
    monkeypatch.setattr(same_footage, "SEEDS", range(2))
    assert same_footage.main(output) == 0
    assert [seed for _, seed in measured] == [0, 1] + [0] * (len(ENVIRONMENTS) - 1)
    monkeypatch.setattr(same_footage, "SEEDS", range(3))
    assert same_footage.main(output) == 0
    assert measured[len(ENVIRONMENTS) + 1 :] == [(ENVIRONMENTS["as it is"], 2)]
    assert [row["seed"] for row in read_rows(tmp_path / "rows.json")][:3] == [0, 1, 2]


def test_the_table_tells_the_spread_over_processors_and_over_seeds(
    measured: list[tuple[Environment, int]], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    same_footage.main(["--output", str(tmp_path / "rows.json")])
    told = capsys.readouterr().out
    assert "| AVX2 | 0 | 0.9800 | 0.1100 | +0.0000, +0.0100 | no | 30 |" in told
    assert "Over processors, seed 0: AUC 0.980 ± 0.0000 (0.9800 to 0.9800); threshold 0.106 ± 0.0049" in told
    assert "Over seeds: AUC 0.960 ± 0.0141 (0.9400 to 0.9800); threshold 0.100 ± 0.0000" in told


@pytest.mark.skipif(not hasattr(os, "sched_setaffinity"), reason="processors cannot be chosen here")
def test_one_processor_is_given_back() -> None:
    before = os.sched_getaffinity(0)
    with same_footage._processors(1):
        assert len(os.sched_getaffinity(0)) == 1
    assert os.sched_getaffinity(0) == before
