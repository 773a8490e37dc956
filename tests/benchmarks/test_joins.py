"""Joins: what is told is counted where the recordings begin, and nowhere else."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import numpy.typing as npt
import pytest

from benchmarks import joins
from benchmarks.rows import read_rows
from tests.tiny_scene import texture

Pictures = npt.NDArray[np.uint8]


def still(seed: int, count: int) -> Pictures:
    return np.repeat(texture((96, 128), seed, coarseness=24)[None], count, axis=0)


def test_told_joins_and_other_cuts_are_counted_apart() -> None:
    recordings = [still(1, 30), np.concatenate([still(2, 10), still(3, 10)]), still(1, 20), still(1, 5)]
    row = joins._of_recordings("some", recordings)
    assert row == {"camera": "some", "frames": 75, "joins": 3, "plain": {"told": 2, "elsewhere": 1}, "jolted": None}


def test_jolts_come_as_often_as_asked(monkeypatch: pytest.MonkeyPatch) -> None:
    shaken: list[int] = []
    monkeypatch.setattr(joins, "_jolted", lambda luma, _rng: shaken.append(1) or 255 - luma)
    row = joins._of_recordings("one", [still(1, 80)], jolt_every=40)
    assert len(shaken) == 2
    assert (row["plain"]["elsewhere"], row["jolted"]["elsewhere"]) == (0, 4)


def test_a_quick_run_prints_writes_and_goes_on(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    output = tmp_path / "joins.json"
    assert joins.main(["--quick", "--output", str(output)]) == 0
    (row,) = read_rows(output)
    assert (row["frames"], row["joins"]) == (6 * 30, 5)
    assert "| ped2like | 180 | 5 |" in capsys.readouterr().out
    before = output.read_bytes()
    assert joins.main(["--quick", "--output", str(output)]) == 0
    assert output.read_bytes() == before


def test_missing_data_is_one_line(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert joins.main(["--quick", "--data", str(tmp_path)]) == 1
    assert capsys.readouterr().err.splitlines()[-1].startswith("benchmarks.joins: ")
