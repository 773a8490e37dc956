"""The sum and the simulation of many cameras, where their results can be told beforehand."""

from __future__ import annotations

import math
from pathlib import Path

import numpy as np
import pytest

from benchmarks.fleet_simulation import SCALE_TABLES, Fleet, costs, frames_per_core, main, simulate
from benchmarks.rows import read_rows


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


def test_costs_grow_with_cameras() -> None:
    one, many = costs(10, 100.0), costs(1000, 100.0)
    assert (one["cores"], many["cores"], many["nodes"]) == (4, 358, 23)
    assert many["footage_tb_day"] == pytest.approx(10.8)


def test_results_are_written_with_a_picture(tmp_path: Path) -> None:
    assert frames_per_core() > 1
    assert main(["--hours", "1", "--output", str(tmp_path)]) == 0
    assert (tmp_path / "scale.png").stat().st_size > 10_000
    rows = read_rows(tmp_path / "scale.json")
    assert all("|" in table(rows) for table in SCALE_TABLES.values())
