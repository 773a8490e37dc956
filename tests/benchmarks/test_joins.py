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
    row = joins._of_recordings("some", recordings, fps=1000.0)
    counted = {"told": 2, "elsewhere": 1}
    assert row == {
        "camera": "some",
        "frames": 75,
        "joins": 3,
        "plain": counted,
        "jolted": counted,
        "passed": counted,
    }


def test_jolts_come_every_five_seconds(monkeypatch: pytest.MonkeyPatch) -> None:
    shaken: list[int] = []
    monkeypatch.setattr(joins, "_jolted", lambda luma, _rng: shaken.append(1) or 255 - luma)
    row = joins._of_recordings("one", [still(1, 80)], fps=8.0)
    assert len(shaken) == 2
    assert (row["plain"]["elsewhere"], row["jolted"]["elsewhere"]) == (0, 4)


def test_a_lorry_passes_from_one_side_to_the_other() -> None:
    picture = np.full((100, 200), 200, np.uint8)
    entering, within, leaving = (joins._with_lorry(picture, share) != 200 for share in (0.1, 0.5, 0.9))
    assert not np.any([joins._with_lorry(picture, share) != 200 for share in (0.0, 1.0, 3.0)])
    for seen, columns in ((entering, (0, 26)), (within, (65, 134)), (leaving, (173, 199))):
        rows, across = np.nonzero(seen)
        assert (rows.min(), rows.max()) == (20, 99)
        assert (across.min(), across.max()) == columns


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
