"""The benchmark of right cameras judges what it says it judges."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from benchmarks import right_camera
from benchmarks.right_camera import CHANGES, Place, Tally, background, measure, table
from tests.scene.viewpoint.made_up import peopled, view


def place(name: str, seed: int, family: str | None = None) -> Place:
    seen = np.kron(view(seed), np.ones((2, 2), np.uint8))
    clips = [[peopled(seen, person) for person in range(first, first + 9)] for first in (0, 9)]
    return Place(name, family or name, clips[0], clips[1:])


def test_every_pair_is_judged_once_and_right() -> None:
    rows = {row["what"]: row for row in measure([place("one", 1)], [place("two", 2), place("twin", 1, "one")])}
    assert rows["the same camera, other footage"]["verdicts"] == {"same": 5}
    assert rows["another camera of the same shape"]["verdicts"] == {"another camera": 4}
    assert "another camera of another shape, resized" not in rows
    assert {name.removeprefix("changed: ") for name in rows if name.startswith("changed")} == CHANGES.keys()
    assert rows["changed: shifted 30 px of 640"]["verdicts"] == {"moved": 1}
    assert all(row["false_alarms"] == row["misses"] == 0 for row in rows.values())


def test_false_alarms_and_misses_are_counted() -> None:
    same, other = Tally("same", ("same",)), Tally("other", ("another camera",))
    model = background([view(1)])
    same.judge(model, [view(2)], "two")
    other.judge(model, [view(1)], "one")
    assert (same.row()["false_alarms"], same.row()["misses"]) == (1, 0)
    assert (other.row()["false_alarms"], other.row()["misses"]) == (0, 1)
    assert other.row()["wrong"] == ["one: same"]


def test_without_real_cameras_no_result_is_replaced(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(right_camera, "generated_places", lambda: [place("one", 1)])
    assert right_camera.main(["--data", str(tmp_path), "--out", str(tmp_path / "rows.json")]) == 1
    assert capsys.readouterr().err.startswith("error: ")
    assert not (tmp_path / "rows.json").exists()


def test_a_move_shows_what_was_beyond_the_border() -> None:
    picture = np.arange(640, dtype=np.float64)[None].repeat(360, axis=0)
    luma = (picture / 4).astype(np.uint8)
    [seen] = right_camera.moved((20, 0))([luma])
    assert seen.shape == (360 - 2 * 43, 640 - 2 * 77)
    assert seen[100, 100] == luma[143, 157]


def test_the_right_count_is_bold() -> None:
    shown = table([{**ROW, "what": "x"}])
    assert "| x | 3 | **2** | – | – | – | 1 | 1 | 0 | 0.10 (0.20) |" in shown
    assert "No rows yet" in table([])


ROW = {
    "wanted": ["same"],
    "pairs": 3,
    "verdicts": {"same": 2, "unsure": 1},
    "false_alarms": 1,
    "misses": 0,
    "seconds": 0.1,
    "longest_s": 0.2,
}
