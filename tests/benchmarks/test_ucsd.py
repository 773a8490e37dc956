"""The Ped1 and Ped2 benchmarks around their measurement: rows, kept scores, tables, plots and pictures."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import numpy.typing as npt
import pytest

from benchmarks.ucsd import measuring, plots
from benchmarks.ucsd.pictures import Moment, clearest_finds, worst_mistakes
from benchmarks.ucsd.scores import PICTURED, keep_scores, kept_scores
from benchmarks.ucsd.tables import ucsd_tables
from crowdad.config import Settings
from crowdad.evaluation.datasets.variants import VARIANTS
from crowdad.evaluation.metrics import Alarm
from crowdad.evaluation.protocols import ClipScores, measure, measure_kinds, told_intervals
from crowdad.evaluation.video import PROTOCOLS, Outcome
from tests.tiny_ucsd import write_tiny_ped2


def clip(name: str, anomaly: npt.ArrayLike, labels: npt.ArrayLike, *, masks: bool = False) -> ClipScores:
    """A clip of 240x360 in cells of 8 px whose left half is hot."""
    scores, anomalous = np.asarray(anomaly, np.float32), np.asarray(labels, bool)
    maps = np.zeros((len(scores), 30, 45), np.float32)
    maps[:, :, :22] = scores[:, None, None]
    truth = np.zeros((len(scores), 240, 360), np.bool_)
    truth[anomalous, :, :176] = True
    alarms = (Alarm(22, 30, 27),)
    kinds = {"skater": anomalous}
    return ClipScores(
        name, scores, maps, 8.0, anomalous, truth if masks else None, 1.0, alarms=alarms, fps=10, kinds=kinds
    )


RUN = [
    clip("Test001.mp4", np.linspace(0.1, 0.8, 40), [0] * 20 + [1] * 20),
    clip("Test002.mp4", np.linspace(0.9, 0.3, 40), [0] * 10 + [1] * 30),
]


def test_every_row_is_there_once() -> None:
    for rows in measuring.ROWS.values():
        assert len({row[:2] for row in rows}) == len(rows)
        assert {"one-class", "unsupervised"} <= {protocol for protocol, variant, _ in rows if variant == "native"}
    changed = {variant for protocol, variant, _ in measuring.ROWS["ped2"] if protocol == "one-class"}
    assert changed == set(VARIANTS)


@pytest.fixture
def measured(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> list[tuple[str, str]]:
    """Rows that were asked for; each scores RUN.  Nothing is written into the repository."""
    asked: list[tuple[str, str]] = []

    def benchmark(protocol: str, dataset: str, *, seeds: Sequence[int], variant: str, **_: Any) -> Any:
        assert dataset in measuring.ROWS
        asked.append((protocol, variant))
        count = len(seeds)
        with_masks = [[clip(c.name, c.anomaly, c.labels, masks=True) for c in RUN]] * count
        return Outcome(
            protocol,
            tuple(measure(with_masks, 5)),
            (1.0,) * count,
            (9.0,) * count,
            10.0,
            (RUN,) * count,
            intervals=tuple(told_intervals(with_masks)),
            kinds=tuple(measure_kinds(with_masks)),
        )

    monkeypatch.setattr(measuring, "benchmark_video", benchmark)
    monkeypatch.setattr(measuring, "find_dataset", lambda name, root: name)
    monkeypatch.setattr(measuring, "RESULTS", tmp_path / "results")
    monkeypatch.setattr(measuring, "PRIVATE", tmp_path / "private")
    return asked


def test_rows_go_on_where_they_were_left(measured: list[tuple[str, str]], tmp_path: Path) -> None:
    rows = measuring.ROWS["ped2"]
    written = tmp_path / "results" / "ped2.json"
    assert measuring.main("ped2", ["--only", "native"]) == 0
    assert measured == [(protocol, "native") for protocol in PROTOCOLS]
    assert measuring.main("ped2", []) == 0
    assert measured[3:] == [row[:2] for row in rows if row[1] != "native"]
    found = json.loads(written.read_text())["rows"]
    assert [(row["protocol"], row["variant"]) for row in found] == [row[:2] for row in rows]
    measured.clear()
    assert measuring.main("ped2", ["--only", "shake", "--fresh"]) == 0
    assert measured == [("one-class", "shake")]
    assert len(json.loads(written.read_text())["rows"]) == len(rows), "none was lost"


def test_ped1_has_its_own_results_scores_and_tables(measured: list[tuple[str, str]], tmp_path: Path) -> None:
    assert measuring.main("ped1", []) == 0
    assert measured == [("one-class", "native"), ("unsupervised", "native")]
    rows = json.loads((tmp_path / "results" / "ped1.json").read_text())["rows"]
    assert {row["benchmark"] for row in rows} == {"ped1"}
    assert rows[0]["command"] == "python -m benchmarks.ped1"
    assert sorted(path.stem for path in (tmp_path / "private" / "ped1").iterdir()) == sorted(PICTURED)
    tables = ucsd_tables("ped1")
    told, first, *_ = tables["ped1-alarms"](rows).splitlines()[1:]
    assert "---" in told
    # Both intervals are told (frames 20 to 39 and 10 to 39, by frames 22 to 30, from the end of frame 27 on: after 0.8
    # and 1.8 s); 17 of 20 and 17 of 30 anomalous frames reach 0.5, none of 20 and 10 of 10 normal ones.
    assert first == "| one-class | native | 0.641 | 2 of 2 | 0.0 | 1.3 | 68.0 % | 33.3 % |"
    (kind,) = tables["ped1-kinds"](rows).splitlines()[2:]
    assert kind == "| skater | 50 | 0.641 | 2 of 2 | 0.641 | 2 of 2 |"
    assert tables["ped1"]([]) == "No rows yet: run `python -m benchmarks.ped1`."


def test_rows_from_before_events_were_counted_say_so(measured: list[tuple[str, str]], tmp_path: Path) -> None:
    measuring.main("ped2", ["--only", "one-class native"])
    (row,) = json.loads((tmp_path / "results" / "ped2.json").read_text())["rows"]
    old = {**row, "metrics": {"frame AUC, micro": row["metrics"]["frame AUC, micro"]}}
    del old["intervals"], old["kinds"]
    tables = ucsd_tables("ped2")
    assert tables["ped2-headline"]([old]).splitlines()[-1].endswith("| – | – | – | – | – |")
    assert tables["ped2-alarms"]([old]).splitlines()[-1].endswith("| 0.641 | – | – | – | – | – |")
    assert "No rows yet" in tables["ped2-kinds"]([old])


def test_scores_of_the_headline_rows_are_kept(measured: list[tuple[str, str]], tmp_path: Path) -> None:
    measuring.main("ped2", [])
    private = tmp_path / "private" / "ped2"
    assert sorted(path.stem for path in private.iterdir()) == sorted(PICTURED)
    kept = kept_scores("one-class", Settings(), private)
    assert kept is not None
    assert [c.name for c in kept] == ["Test001", "Test002"]
    for found, scored in zip(kept, RUN, strict=True):
        assert (found.anomaly == scored.anomaly).all()
        assert (found.labels == scored.labels).all()
        assert found.maps == pytest.approx(scored.maps, abs=1e-3)
        assert found.cell_px == 8
    assert kept_scores("one-class", Settings(seed=3), private) is None, "made with other settings"
    assert kept_scores("unsupervised", Settings(), tmp_path) is None


def robust_row(variant: str, per_seed: Sequence[float]) -> dict[str, Any]:
    names = ("frame AUC, micro", "pixel AUC, 40 % rule")
    return {"protocol": "one-class", "variant": variant, "metrics": {name: {"per_seed": per_seed} for name in names}}


def test_a_change_is_held_against_the_same_seeds() -> None:
    robustness = ucsd_tables("ped2")["ped2-robustness"]
    table = robustness([robust_row("native", [0.95, 0.99, 0.98]), robust_row("jpeg30", [0.93])])
    (line,) = [line for line in table.splitlines() if line.startswith("| jpeg30")]
    assert line.endswith("| 0.930 | -0.020 | 0.930 | -0.020 |")
    assert "No rows yet" in robustness([robust_row("jpeg30", [0.93])])


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
    drawn, private = tmp_path / "plots", tmp_path / "private"
    keep_scores("one-class", Settings(), RUN, private / "ped2")
    fitted: list[str] = []

    def benchmark(protocol: str, *_: Any, **__: Any) -> Outcome:
        fitted.append(protocol)
        return Outcome(protocol, (), (1.0,), (9.0,), 10.0, (RUN,))

    monkeypatch.setattr(plots, "benchmark_video", benchmark)
    command = ["--data", str(root), "--plots", str(drawn), "--private", str(private)]
    assert plots.main(command) == 0
    assert fitted == ["unsupervised"], "the other one was kept"
    assert plots.main(command) == 0
    assert fitted == ["unsupervised"], "now both are"
    assert sorted(path.name for path in drawn.iterdir()) == ["ped2-clips.png", "ped2-roc.png"]
    assert all(path.stat().st_size < 200_000 for path in drawn.iterdir())
    told = capsys.readouterr().out
    assert "1: Test002 frame 0, truly normal, anomaly 0.90" in told
    sheet = cv2.imread(str(private / "ped2" / "one-class-mistakes.png"))
    assert sheet is not None
    assert sheet.shape == (4 * 504, 2 * 720, 3), "eight frames, twice as large, with captions"
    hot, cold = sheet[100:400, 50:300].astype(int), sheet[100:400, 420:700].astype(int)
    spread = [np.abs(np.ptp(part, axis=2)).mean() for part in (hot, cold)]
    assert spread[0] > 5 * spread[1] + 5, "heat is coloured, the rest is grey"


def test_missing_data_is_one_line(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert plots.main(["--data", str(tmp_path), "--plots", str(tmp_path), "--private", str(tmp_path)]) == 1
    error = capsys.readouterr().err.strip()
    assert error.startswith("benchmarks.ucsd.plots: ped2 was not found")
    assert "\n" not in error
