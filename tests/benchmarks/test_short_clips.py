"""The tables of short clips, from rows made by hand, and what counts as a hit."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest

from benchmarks import short_clips
from benchmarks.rows import read_rows
from benchmarks.short_clips import SHORT_CLIP_TABLES, main


def row(clip: str, **changes: Any) -> dict[str, Any]:
    moment = {"start_s": 1.0, "surprise": 9.0, "candidate": False}
    told = {"hit": True, "events": 1, "false_events": 0, "refused": "", "seconds": 7.0, "moments": [moment]}
    return {"set": "ped2", "clip": clip, "unusual": True, **told, **changes}


def test_a_set_is_one_line_with_its_hits_and_false_events() -> None:
    rows = [row("Test001"), row("Test002", hit=False, events=0, refused="people's size cannot be measured")]
    assert "| ped2, 2 clips | yes | **1 of 2** | 10 of 12 | 1 | 0 | 1 |" in SHORT_CLIP_TABLES["short-clips"](rows)


def test_a_scene_is_one_line_with_its_candidates_in_brackets() -> None:
    scene = row("mall", set="scenes", unusual=False, events=0)
    scene["moments"] = [{"start_s": 2.5, "surprise": 3.1, "candidate": True}]
    assert "| mall | 7 | 0 | (2.5 s, 3.1 times) |" in SHORT_CLIP_TABLES["short-clips-scenes"]([scene])


def test_only_missing_clips_are_measured_unless_fresh(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    measured: list[str] = []

    def measure(clip: short_clips.Clip, root: Path) -> dict[str, Any]:
        measured.append(clip[1])
        return row(clip[1], set=clip[0], events=len(measured))

    monkeypatch.setattr(short_clips, "ProcessPoolExecutor", ThreadPoolExecutor)
    monkeypatch.setattr(short_clips, "_clips", lambda name, root: [(name, f"{name} {n}", True) for n in (1, 2)])
    monkeypatch.setattr(short_clips, "_measure", measure)
    out = tmp_path / "rows.json"
    given = ["--data", str(tmp_path), "--jobs", "1", "--out", str(out)]
    for more in (["--only", "ped2"], [], ["--only", "ped2", "--fresh"]):
        assert main([*given, *more]) == 0
    others = [f"{name} {n}" for name in ("ped1", "training", "generated", "scenes") for n in (1, 2)]
    assert measured == ["ped2 1", "ped2 2", *others, "ped2 1", "ped2 2"]
    rows = read_rows(out)
    assert [row["clip"] for row in rows] == ["ped2 1", "ped2 2", *others]
    assert [row["events"] for row in rows[:3]] == [11, 12, 3]


def test_missing_data_is_one_line(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["--data", str(tmp_path), "--only", "ped1", "--out", str(tmp_path / "rows.json")]) == 1
    assert capsys.readouterr().err.startswith("error: ")
