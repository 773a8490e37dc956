"""The runtimes benchmark, from footage to its file."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from benchmarks import runtimes
from benchmarks.rows import spread
from tests.conftest import TinyCamera


def test_a_cell_tells_median_range_and_ratio_to_torch() -> None:
    assert runtimes._cell(spread([3.0, 1.0, 2.0]), 4.0) == "2 (1-3) 0.50x"
    assert runtimes._cell(None, 4.0) == ""


def test_missing_data_is_one_line_before_anything_is_measured(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert runtimes.main(["--data", str(tmp_path), "--json", str(tmp_path / "runtimes.json")]) == 1
    told = capsys.readouterr()
    assert told.err.startswith("benchmarks.runtimes: ped2 was not found")
    assert told.err.count("\n") == 1
    assert not told.out


@pytest.mark.slow
def test_every_runtime_has_its_figures(tiny_camera: TinyCamera, tmp_path: Path) -> None:
    out = tmp_path / "runtimes.json"
    options = ["--frames", "60", "--repeats", "1", "--model", str(tiny_camera.model), "--json", str(out)]
    assert runtimes.main(options) == 0
    report = json.loads(out.read_text())
    assert set(report["rows"]) == {"torch", "onnx"}
    assert report["exported"]["off_torch"] < 1e-4
    for name in ("torch", "onnx"):
        row = report["rows"][name]
        assert row["tubes_per_s"]["median"] > 100
        assert 0 < row["first_frame_s"]["median"] < 120
    assert report["rows"]["onnx"]["peak_mb"]["median"] < report["rows"]["torch"]["peak_mb"]["median"]
