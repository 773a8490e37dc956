"""The Ped2 benchmark around its measurement: rows that go on where they were left, kept scores, plots and pictures."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import numpy.typing as npt
import pytest

from benchmarks import ped2, ped2_plots
from benchmarks.ped2_pictures import Moment, clearest_finds, worst_mistakes
from benchmarks.ped2_scores import PICTURED, keep_scores, kept_scores
from crowdad.config import Settings
from crowdad.evaluation.protocols import ClipScores, measure
from crowdad.evaluation.video import PROTOCOLS, Outcome
from tests.tiny_ucsd import write_tiny_ped2


def clip(name: str, anomaly: npt.ArrayLike, labels: npt.ArrayLike, *, masks: bool = False) -> ClipScores:
    """A clip of 240x360 in cells of 8 px whose left half is hot."""
    scores, anomalous = np.asarray(anomaly, np.float32), np.asarray(labels, bool)
    maps = np.zeros((len(scores), 30, 45), np.float32)
    maps[:, :, :22] = scores[:, None, None]
    truth = np.zeros((len(scores), 240, 360), np.bool_)
    truth[anomalous, :, :176] = True
    return ClipScores(name, scores, maps, 8.0, anomalous, truth if masks else None, 1.0)


RUN = [
    clip("Test001.mp4", np.linspace(0.1, 0.8, 40), [0] * 20 + [1] * 20),
    clip("Test002.mp4", np.linspace(0.9, 0.3, 40), [0] * 10 + [1] * 30),
]


def test_every_row_is_there_once() -> None:
    assert len({row[:2] for row in ped2.ROWS}) == len(ped2.ROWS)
    assert {variant for protocol, variant, _ in ped2.ROWS if protocol == "one-class"} == set(ped2.VARIANTS)


@pytest.fixture
def measured(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> list[tuple[str, str]]:
    """Rows that were asked for; each scores RUN.  Nothing is written into the repository."""
    asked: list[tuple[str, str]] = []

    def benchmark(protocol: str, dataset: str, *, seeds: Sequence[int], variant: str, **_: Any) -> Any:
        assert dataset == "ped2"
        asked.append((protocol, variant))
        count = len(seeds)
        with_masks = [clip(c.name, c.anomaly, c.labels, masks=True) for c in RUN]
        metrics = tuple(measure([with_masks] * count, 5))
        return Outcome(protocol, metrics, (1.0,) * count, (9.0,) * count, 10.0, (RUN,) * count)

    monkeypatch.setattr(ped2, "benchmark_video", benchmark)
    monkeypatch.setattr(ped2, "find_dataset", lambda name, root: name)
    monkeypatch.setattr(ped2, "RESULT", tmp_path / "results" / "ped2.json")
    monkeypatch.setattr(
        ped2, "keep_scores", lambda protocol, settings, run: keep_scores(protocol, settings, run, tmp_path / "private")
    )
    return asked


def test_rows_go_on_where_they_were_left(measured: list[tuple[str, str]], tmp_path: Path) -> None:
    assert ped2.main(["--only", "native"]) == 0
    native = [(protocol, "native") for protocol in PROTOCOLS]
    assert measured == native
    assert ped2.main([]) == 0
    assert measured[3:] == [row[:2] for row in ped2.ROWS if row[1] != "native"]
    rows = json.loads((tmp_path / "results" / "ped2.json").read_text())["rows"]
    assert [(row["protocol"], row["variant"]) for row in rows] == [row[:2] for row in ped2.ROWS]
    measured.clear()
    assert ped2.main(["--only", "shake", "--fresh"]) == 0
    assert measured == [("one-class", "shake")]
    assert len(json.loads((tmp_path / "results" / "ped2.json").read_text())["rows"]) == len(ped2.ROWS), "none was lost"


def test_scores_of_the_headline_rows_are_kept(measured: list[tuple[str, str]], tmp_path: Path) -> None:
    ped2.main([])
    assert sorted(path.stem for path in (tmp_path / "private").iterdir()) == sorted(PICTURED)
    kept = kept_scores("one-class", Settings(), tmp_path / "private")
    assert kept is not None
    assert [c.name for c in kept] == ["Test001", "Test002"]
    for found, scored in zip(kept, RUN, strict=True):
        assert (found.anomaly == scored.anomaly).all()
        assert (found.labels == scored.labels).all()
        assert found.maps == pytest.approx(scored.maps, abs=1e-3)
        assert found.cell_px == 8
    assert kept_scores("one-class", Settings(seed=3), tmp_path / "private") is None, "made with other settings"
    assert kept_scores("unsupervised", Settings(), tmp_path) is None


def robust_row(variant: str, per_seed: Sequence[float]) -> dict[str, Any]:
    names = ("frame AUC, micro", "pixel AUC, 40 % rule")
    return {"protocol": "one-class", "variant": variant, "metrics": {name: {"per_seed": per_seed} for name in names}}


def test_a_change_is_held_against_the_same_seeds() -> None:
    table = ped2.robustness([robust_row("native", [0.95, 0.99, 0.98]), robust_row("jpeg30", [0.93])])
    (line,) = [line for line in table.splitlines() if line.startswith("| jpeg30")]
    assert line.endswith("| 0.930 | -0.020 | 0.930 | -0.020 |")
    assert "No rows yet" in ped2.robustness([robust_row("jpeg30", [0.93])])


def test_mistakes_are_the_worst_and_apart() -> None:
    false_alarm, second, *_ = worst_mistakes(RUN, count=4)
    assert false_alarm == Moment(1, 0, float(np.float32(0.9)), False)
    assert (second.clip, second.frame) == (0, 19), "the next normal frames of clip 1 are within a second of the worst"
    misses = [moment for moment in worst_mistakes(RUN, count=4) if moment.anomalous]
    assert [(m.clip, m.frame) for m in misses] == [(1, 39), (1, 29)]
    assert worst_mistakes(RUN, count=80)[-1].anomalous, "fewer than wanted are given where there are no more"


def test_finds_are_the_clearest_of_different_clips() -> None:
    assert [(m.clip, m.frame) for m in clearest_finds(RUN, 6)] == [(0, 39), (1, 10)]
    many = [clip(f"{i}", [0.1, 0.9], [0, i % 2]) for i in range(16)]
    assert [m.clip for m in clearest_finds(many, 4)] == [1, 5, 9, 13], "evenly, clips without an anomaly left out"


def test_plots_and_pictures_are_drawn(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    root = write_tiny_ped2(tmp_path / "data", train=1, duration_s=4)
    plots, private = tmp_path / "plots", tmp_path / "private"
    keep_scores("one-class", Settings(), RUN, private)
    fitted: list[str] = []

    def benchmark(protocol: str, *_: Any, **__: Any) -> Outcome:
        fitted.append(protocol)
        return Outcome(protocol, (), (1.0,), (9.0,), 10.0, (RUN,))

    monkeypatch.setattr(ped2_plots, "benchmark_video", benchmark)
    command = ["--data", str(root), "--plots", str(plots), "--private", str(private)]
    assert ped2_plots.main(command) == 0
    assert fitted == ["unsupervised"], "the other one was kept"
    assert ped2_plots.main(command) == 0
    assert fitted == ["unsupervised"], "now both are"
    assert sorted(path.name for path in plots.iterdir()) == ["ped2-clips.png", "ped2-roc.png"]
    assert all(path.stat().st_size < 200_000 for path in plots.iterdir())
    told = capsys.readouterr().out
    assert "1: Test002 frame 0, truly normal, anomaly 0.90" in told
    sheet = cv2.imread(str(private / "one-class-mistakes.png"))
    assert sheet is not None
    assert sheet.shape == (4 * 504, 2 * 720, 3), "eight frames, twice as large, with captions"
    hot, cold = sheet[100:400, 50:300].astype(int), sheet[100:400, 420:700].astype(int)
    spread = [np.abs(np.ptp(part, axis=2)).mean() for part in (hot, cold)]
    assert spread[0] > 5 * spread[1] + 5, "heat is coloured, the rest is grey"


def test_missing_data_is_one_line(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert ped2_plots.main(["--data", str(tmp_path), "--plots", str(tmp_path), "--private", str(tmp_path)]) == 1
    error = capsys.readouterr().err.strip()
    assert error.startswith("benchmarks.ped2_plots: ped2 was not found")
    assert "\n" not in error
