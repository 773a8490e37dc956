"""The live benchmark, from clips to its table."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from benchmarks import live
from tests.conftest import TINY_SETTINGS
from tests.tiny_ucsd import write_tiny_ped2

METRIC = {"mean": 0.9853, "spread": 0.0, "low": 0.97, "high": 0.99}


def test_the_table_tells_lag_auc_and_flagged_normal_frames() -> None:
    rows = [
        {
            "name": "offline",
            "lag_frames": None,
            "fps": 10.0,
            "metrics": {"frame AUC, micro": METRIC},
            "normal_flagged": 0.014,
        },
        {
            "name": "at once",
            "lag_frames": 0,
            "fps": 10.0,
            "metrics": {"frame AUC, micro": METRIC},
            "normal_flagged": 0.0,
        },
    ]
    lines = live.live_table(rows).splitlines()
    assert lines[2] == "| offline | – | 0.985 [0.970, 0.990] | 1.4% |"
    assert lines[3] == "| at once | 0 (0.0 s) | 0.985 [0.970, 0.990] | 0.0% |"
    assert "python -m benchmarks.live" in live.live_table([])


def test_missing_data_is_one_line(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert live.main(["--data", str(tmp_path), "--json", str(tmp_path / "live.json")]) == 1
    error = capsys.readouterr().err
    assert error.startswith("benchmarks.live: ped2 was not found")
    assert error.count("\n") == 1
    assert not (tmp_path / "live.json").exists()


@pytest.mark.slow
def test_every_lag_is_measured(tmp_path: Path) -> None:
    out = tmp_path / "live.json"
    settings = [part for override in TINY_SETTINGS for part in ("--set", override)]
    data = write_tiny_ped2(tmp_path / "data", duration_s=12)
    assert live.main(["--data", str(data), "--json", str(out), "--resamples", "0", *settings]) == 0
    rows = json.loads(out.read_text())["rows"]
    assert [row["name"] for row in rows] == ["offline", "a tube late", "at once"]
    assert [row["lag_frames"] for row in rows][0::2] == [None, 0]
    assert all(0 <= row["metrics"]["frame AUC, micro"]["mean"] <= 1 for row in rows)
