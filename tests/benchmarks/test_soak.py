"""The soak: what counts as flat, and a short one at four times the speed."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from benchmarks import soak
from tests.servers import require_rtsp_server

CAMERA = soak.Camera(minutes=30, fps=25, speed=1, outages=2)


@pytest.mark.parametrize(("last_mb", "flat"), [(105.0, True), (105.2, False), (60.0, True)])
def test_flat_is_five_percent_over_the_first_third(last_mb: float, flat: bool) -> None:
    rss_mb = [80.0, 100.0, 90.0, 400.0, 90.0, 90.0, 50.0, last_mb, 50.0]
    report = soak._report(CAMERA, rss_mb, {}, [])
    assert (report["first_third_mb"], report["last_third_mb"]) == (100.0, last_mb)
    assert report["flat"] is flat


def test_the_curve_is_drawn(tmp_path: Path) -> None:
    report = soak._report(CAMERA, [100.0 + number % 3 for number in range(360)], {}, [])
    soak._draw(report, tmp_path / "curve.png")
    assert (tmp_path / "curve.png").read_bytes().startswith(b"\x89PNG")


@pytest.mark.slow
def test_ten_minutes_at_four_times_the_speed_take_no_more_memory(tmp_path: Path) -> None:
    require_rtsp_server()
    out = tmp_path / "soak.json"
    code = soak.main(["--minutes", "2.5", "--speed", "4", "--json", str(out)])
    report = json.loads(out.read_text())
    assert report["status"]["reconnects"] == 2
    assert report["status"]["scored"] > 0
    assert report["flat"], f"{report['first_third_mb']} MB, then {report['last_third_mb']} MB"
    assert code == 0
