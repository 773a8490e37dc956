"""The sum and the simulation of many cameras, where their results can be told beforehand."""

from __future__ import annotations

import math
from pathlib import Path

import numpy as np
import pytest

from benchmarks.fleet_simulation import SCALE_TABLES, Fleet, Scorer, costs, main, scorers, simulate
from benchmarks.rows import read_rows, write_rows
from crowdad.errors import DataError


def test_with_cores_to_spare_nobody_waits() -> None:
    delays = simulate(10, Fleet(100, 40.0, 0.0, math.inf), hours=2)
    assert len(delays) == 10 * (60 - 15)
    assert np.median(delays) == pytest.approx(40, rel=0.05)
    assert delays.max() < 100


def test_with_too_few_cores_the_queue_grows() -> None:
    few, more = (simulate(10, Fleet(cores, 40.0, 0.0, math.inf), hours=3) for cores in (3, 4))
    assert few.max() > 1000
    assert more.max() < 200


def test_a_dead_node_delays_and_loses_nothing() -> None:
    whole = simulate(40, Fleet(16, 40.0, 0.0, math.inf), hours=3)
    dying = simulate(40, Fleet(16, 40.0, 0.0, node_days=1 / 24), hours=3)
    assert len(dying) == len(whole)
    assert dying.max() > whole.max() + 300


def test_costs_grow_with_cameras_and_fall_with_speed() -> None:
    measured = {"torch": Scorer(100.0, 700.0), "ONNX Runtime": Scorer(200.0, 250.0)}
    one, many = costs(10, measured), costs(1000, measured)
    assert one["cores"] == {"torch": 4, "ONNX Runtime": 2}
    assert many["cores"] == {"torch": 358, "ONNX Runtime": 179}
    assert many["nodes"] == {"torch": 23, "ONNX Runtime": 12}
    assert many["memory_gb"]["torch"] == pytest.approx(358 * 0.7, abs=0.1)
    assert many["footage_tb_day"] == pytest.approx(10.8)


def test_what_is_measured_is_read_and_missed_where_it_is_not_there(tmp_path: Path) -> None:
    row = {"part": "commands", "footage": "ped2", "form": "scores, torch", "fps": 180.0, "peak_mb": {"median": 700.0}}
    write_rows(tmp_path / "speed.json", [{**row, "cores": cores} for cores in (1, 2)])
    with pytest.raises(DataError, match="ONNX Runtime"):
        scorers(tmp_path)
    rows = [{**row, "cores": 2}, {**row, "form": "scores, ONNX Runtime", "cores": 2, "fps": 280.0}]
    write_rows(tmp_path / "speed.json", rows)
    assert scorers(tmp_path) == {"torch": Scorer(90.0, 700.0), "ONNX Runtime": Scorer(140.0, 700.0)}


def test_results_are_written_with_a_picture(tmp_path: Path) -> None:
    assert main(["--hours", "1", "--output", str(tmp_path)]) == 0
    assert (tmp_path / "scale.png").stat().st_size > 10_000
    rows = read_rows(tmp_path / "scale.json")
    assert all("|" in table(rows) for table in SCALE_TABLES.values())
