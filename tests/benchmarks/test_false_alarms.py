"""False alarms: no clip is scored by a model that saw it, and what is counted is what the events say."""

from __future__ import annotations

import json
import shutil
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest

from benchmarks import false_alarms
from crowdad.config import Settings
from crowdad.records import FrameResult, Heatmap
from crowdad.sources import Source
from tests.conftest import moving_square, write_folder
from tests.evaluation.datasets.layouts import ped1_videos

FRAMES = 30


def pretended(index: int, time_s: float, anomaly: float) -> FrameResult:
    heat = np.zeros((6, 8), np.float32)
    heat[2:4, 2:4] = anomaly
    heatmap = Heatmap(heat, 8.0, (48, 64))
    return FrameResult(index, time_s, 1.0, anomaly, anomaly >= 0.5, False, 1, heatmap)


@pytest.fixture
def fits(monkeypatch: pytest.MonkeyPatch) -> list[list[str]]:
    """Names of the clips of every fit.  What is scored is calm, but for one second of Train002."""
    asked: list[list[str]] = []

    def fit(sources: list[Source], *, settings: Settings) -> Any:
        asked.append([source.name for source in sources])
        return SimpleNamespace(settings=settings, scale=SimpleNamespace(person_px=None))

    def score(source: Source, _scene: Any) -> list[FrameResult]:
        burst = range(5, 15) if source.name == "Train002" else range(0)
        return [pretended(f.index, f.time_s, 0.8 if f.index in burst else 0.1) for f in source.frames()]

    monkeypatch.setattr(false_alarms, "fit", fit)
    monkeypatch.setattr(false_alarms, "score", score)
    return asked


def footage(root: Path, train: int) -> Path:
    """Ped2's layout with drawn training clips; returns `root`."""
    for number in range(1, train + 1):
        write_folder(root / "UCSDped2" / "Train" / f"Train{number:03d}", list(moving_square(FRAMES)))
    write_folder(root / "UCSDped2" / "Test" / "Test001", list(moving_square(2)))
    return root


def test_each_clip_is_scored_by_a_model_without_it(fits: list[list[str]], tmp_path: Path) -> None:
    output = tmp_path / "rows.json"
    command = ["--data", str(footage(tmp_path / "data", 5)), "--output", str(output)]
    assert false_alarms.main(command) == 0
    rows = json.loads(output.read_text())["rows"]
    held = [[clip["clip"] for clip in row["clips"]] for row in rows]
    assert held == [["Train001", "Train005"], ["Train002"], ["Train003"], ["Train004"]]
    for names, learned in zip(held, fits, strict=True):
        assert sorted(names + learned) == [f"Train00{number}" for number in range(1, 6)]
    assert {clip["frames"] for row in rows for clip in row["clips"]} == {30}
    assert rows[0]["clips"][0]["seconds_of_footage"] == 3
    assert rows[0]["false_alarms_per_hour_wanted"] == 1

    assert false_alarms.main(command) == 0
    assert len(fits) == 4, "all folds were there"
    assert false_alarms.main([*command, "--set", "events.gap_s=0.1"]) == 0
    assert len(fits) == 8, "other settings, other measurement"
    output.write_text(json.dumps({"rows": json.loads(output.read_text())["rows"][:2]}))
    assert false_alarms.main([*command, "--set", "events.gap_s=0.1"]) == 0
    assert len(fits) == 10, "two folds were missing"


def test_events_and_flagged_frames_are_counted(fits: list[list[str]], tmp_path: Path) -> None:
    root = footage(tmp_path / "data", 4)
    output = tmp_path / "rows.json"
    assert false_alarms.main(["--data", str(root), "--output", str(output)]) == 0
    table = false_alarms.table(json.loads(output.read_text())["rows"])
    assert table.splitlines()[-1] == "| ped2 | 4 of 4 | 4 | 120 | 0.2 | **1** | 300.0 | 10 | 0.80 in Train002 |"


def test_ped1_stands_beside_ped2(fits: list[list[str]], tmp_path: Path) -> None:
    output = tmp_path / "rows.json"
    root = footage(tmp_path / "data", 4)
    folder = ped1_videos(root)
    for name in ("03", "04"):
        shutil.copy(folder / "training" / "videos" / "01.mp4", folder / "training" / "videos" / f"{name}.mp4")
    for dataset in ("ped1", "ped2"):
        assert false_alarms.main(["--dataset", dataset, "--data", str(root), "--output", str(output)]) == 0
    assert len(fits) == 8
    lines = false_alarms.table(json.loads(output.read_text())["rows"]).splitlines()[2:]
    assert [line.split(" | ")[:3] for line in lines] == [["| ped2", "4 of 4", "4"], ["| ped1", "4 of 4", "4"]]


def test_too_few_clips_are_one_line(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    root = footage(tmp_path / "data", 2)
    assert false_alarms.main(["--data", str(root), "--output", str(tmp_path / "rows.json")]) == 1
    assert "2 training clips, at least 4" in capsys.readouterr().err
    assert "No rows yet" in false_alarms.table([])
