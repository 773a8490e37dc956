"""Candidates, cells, the store and the report, with footage made up here; one real fit on a tiny generated camera."""

from __future__ import annotations

import json
import math
import pickle
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from benchmarks.proxy import __main__ as command
from benchmarks.proxy import harness
from benchmarks.proxy.actors import ORDINARY
from benchmarks.proxy.footage import (
    Footage,
    GeneratedFootage,
    ScoredClip,
    Trial,
    all_footage,
    fingerprint,
)
from benchmarks.proxy.harness import (
    CHANCE,
    Candidate,
    Cell,
    CellStore,
    code_fingerprint,
    in_scope_auc,
    kind_aucs,
    measure,
    measure_all,
)
from benchmarks.proxy.report import KNOWN, agreement, check_table, estimate, gain, kind_table, mean_auc, table
from crowdad.config import Settings
from crowdad.errors import ConfigError, DataError, UndefinedMetricError, UnknownSettingError
from crowdad.sources import ArraySource
from crowdad.synthetic import scene_config
from tests.conftest import TINY_SETTINGS, moving_square


def clip(name: str, **shown: list[int]) -> ScoredClip:
    source = ArraySource(np.zeros((4, 16, 16), np.uint8), 10, name)
    return ScoredClip(name, source, {kind: np.array(frames, bool) for kind, frames in shown.items()})


class NamedFootage(Footage):
    """Says its name; is never read."""

    in_scope = ("fast",)

    def __init__(self, name: str) -> None:
        self.name = name

    def trial(self, seed: int) -> Trial:
        raise AssertionError("measure is replaced in these tests")


@pytest.fixture
def measured(monkeypatch: pytest.MonkeyPatch) -> list[tuple[str, str, int]]:
    """What was measured, in order; the AUC of a cell is told by a few settings, footage and seed."""
    calls: list[tuple[str, str, int]] = []

    def measure(candidate: Candidate, footage: Footage, seed: int, code: str) -> Cell:
        calls.append((candidate.name, footage.name, seed))
        settings = candidate.settings
        auc = 0.5 + settings.tubes.steps / 100 + settings.heatmap.vote / 10 + settings.normality.keep_mass / 10
        auc += len(footage.name) / 1000 + seed / 100
        overrides, known = candidate.overrides, candidate.settings_hash
        return Cell(candidate.name, overrides, known, code, footage.name, seed, auc, {"fast": auc}, 100, 1.0, 2.0)

    monkeypatch.setattr(harness, "measure", measure)
    return calls


def test_candidates_are_read_from_text() -> None:
    candidate = Candidate.parse("long: tubes.steps=9 encoder.epochs=3", ["encoder.epochs=4"])
    assert (candidate.name, candidate.settings.tubes.steps, candidate.settings.encoder.epochs) == ("long", 9, 3)
    for text in ("tubes.steps=9", "name:", ": tubes.steps=9"):
        with pytest.raises(ConfigError, match="NAME: section"):
            Candidate.parse(text)
    with pytest.raises(UnknownSettingError, match="nearest"):
        Candidate.parse("typo: tubes.stepz=9")


def test_settings_tell_candidates_apart_and_the_seed_does_not() -> None:
    default = Candidate("a")
    assert default.settings_hash == Candidate("b", ("seed=5",)).settings_hash
    steps = Settings().tubes.steps
    assert default.settings_hash == Candidate("c", (f"tubes.steps={steps}",)).settings_hash
    assert default.settings_hash != Candidate("d", (f"tubes.steps={steps + 1}",)).settings_hash


def test_auc_in_scope_leaves_limits_out_and_takes_ordinary_ones_as_normal() -> None:
    clips = [
        clip("a", fast=[0, 0, 1, 1], loiter=[1, 0, 0, 1]),
        clip("b", ordinary=[1, 1, 0, 0]),
    ]
    # Left out: frame 0 of clip a, which shows a loiterer alone.  Of 2 x 5 pairs 2 are in a false order.
    anomaly = [np.array([9.0, 1.0, 2.0, 5.0]), np.array([3.0, 0.0, 4.0, 1.0])]
    assert in_scope_auc(clips, anomaly, ["fast"]) == pytest.approx(8 / 10)
    with pytest.raises(UndefinedMetricError):
        in_scope_auc(clips, anomaly, ["glide"])


def test_auc_by_kind_is_against_frames_without_any() -> None:
    clips = [clip("a", fast=[1, 1, 0, 0], loiter=[0, 1, 1, 0]), clip("b", ordinary=[1, 0, 0, 0])]
    anomaly = [np.array([2.0, 5.0, 1.0, 0.0]), np.array([3.0, 0.5, 1.5, 0.1])]
    found = kind_aucs(clips, anomaly)
    # Normal: frame 3 of a, all of b: 0, 3, 0.5, 1.5, 0.1.
    assert found["fast"] == pytest.approx((4 + 5) / 10)
    assert found["loiter"] == pytest.approx((5 + 3) / 10)
    assert found[ORDINARY] == 1.0  # 3 against 0, 0.5, 1.5, 0.1


def test_a_kind_that_is_never_seen_has_no_auc() -> None:
    assert kind_aucs([clip("a", fast=[0, 0, 0, 0])], [np.arange(4.0)]) == {}


def test_finished_cells_are_kept(tmp_path: Path, measured: list) -> None:
    path = tmp_path / "results" / "proxy.json"
    footage = [NamedFootage("one:one-class"), NamedFootage("two:unlabelled")]
    candidates = [Candidate("base"), Candidate("long", ("tubes.steps=9",))]
    told: list[str] = []
    first = measure_all(candidates, footage, range(2), CellStore(path, {"commit": "x"}), told=told.append)
    assert len(first) == len(measured) == len(told) == 8
    assert [call[0] for call in measured[:4]] == ["base", "long", "base", "long"]  # whole pairs first
    again = measure_all(candidates, footage, range(3), CellStore(path, {"commit": "y"}), told=told.append)
    assert len(again) == 12
    assert {call[2] for call in measured[8:]} == {2}
    assert [cell for cell in again if cell.seed < 2] == first
    document = json.loads(path.read_text(encoding="utf-8"))
    assert len(document["cells"]) == 12
    assert document["runs"] == {code_fingerprint(): {"commit": "y"}}


def test_names_change_nothing_and_settings_or_code_do(
    tmp_path: Path, measured: list, monkeypatch: pytest.MonkeyPatch
) -> None:
    path, footage = tmp_path / "proxy.json", [NamedFootage("one:one-class")]

    def run(candidate: Candidate) -> list[Cell]:
        return measure_all([candidate], footage, [0], CellStore(path, {}), told=lambda _line: None)

    run(Candidate("base"))
    (renamed,) = run(Candidate("renamed"))
    assert (renamed.candidate, len(measured)) == ("renamed", 1)
    assert {cell.candidate for cell in CellStore(path, {}).cells} == {"base", "renamed"}
    run(Candidate("base", ("tubes.steps=9",)))
    assert len(measured) == 2
    monkeypatch.setattr(harness, "code_fingerprint", lambda: "other code")
    (fresh,) = run(Candidate("base", ("tubes.steps=9",)))
    assert (fresh.code, len(measured)) == ("other code", 3)
    assert len(CellStore(path, {}).named("base")) == 1


def test_a_file_of_another_kind_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "proxy.json"
    for text in ("{", '{"rows": []}', '{"runs": {}, "cells": [{"candidate": "a"}]}'):
        path.write_text(text, encoding="utf-8")
        with pytest.raises(DataError, match="proxy results"):
            CellStore(path, {})


def test_fingerprints_follow_content(tmp_path: Path) -> None:
    (tmp_path / "room").mkdir()
    for name in ("a.py", "room/b.py"):
        (tmp_path / name).write_text("1", encoding="utf-8")
    places = [tmp_path / "a.py", tmp_path / "room"]
    before = fingerprint(places)
    (tmp_path / "room" / "notes.txt").write_text("x", encoding="utf-8")
    assert fingerprint(places) == before
    (tmp_path / "room" / "b.py").write_text("2", encoding="utf-8")
    assert fingerprint(places) != before


def cells_of(**aucs: dict[str, list[float]]) -> list[Cell]:
    """candidate -> footage -> AUC by seed."""
    return [
        Cell(candidate, (), "", "", footage, seed, auc, {"fast": auc, ORDINARY: 0.5}, 10, 1, 1)
        for candidate, by_footage in aucs.items()
        for footage, values in by_footage.items()
        for seed, auc in enumerate(values)
    ]


CELLS = cells_of(
    base={"ped2-train:one-class": [0.90, 0.92], "top:one-class": [0.80, 0.84]},
    mine={"ped2-train:one-class": [0.91, 0.95], "top:one-class": [0.79, 0.81]},
)


def test_errors_are_over_seeds_and_gains_are_paired() -> None:
    both = ["ped2-train:one-class", "top:one-class"]
    found = mean_auc(CELLS, "base", both)
    assert found is not None
    # Variances of the two means: 0.0002 / 2 and 0.0008 / 2.
    assert (found.mean, found.error) == (pytest.approx(0.865), pytest.approx(math.sqrt(0.0001 + 0.0004) / 2))
    over = gain(CELLS, "mine", "base", both)
    assert over is not None
    # Gains 0.01, 0.03 and -0.01, -0.03.
    assert (over.mean, over.up, over.footage, over.cells) == (pytest.approx(0), 1, 2, 4)
    assert over.error == pytest.approx(math.sqrt(0.0001 + 0.0001) / 2)
    assert mean_auc(CELLS, "nobody", both) is None
    assert gain(CELLS, "mine", "nobody", both) is None


def test_gains_take_only_what_both_have() -> None:
    cells = [cell for cell in CELLS if (cell.candidate, cell.footage, cell.seed) != ("base", "top:one-class", 1)]
    over = gain(cells, "mine", "base", ["top:one-class"])
    assert over is not None
    assert (over.mean, over.cells) == (pytest.approx(-0.01), 1)
    assert math.isnan(over.error)


def test_estimate_weighs_footage_alike() -> None:
    assert estimate({"a": [1.0], "b": [0.0, 0.0, 0.0]}).mean == 0.5


def test_tables_name_every_candidate_and_footage() -> None:
    text = table(CELLS, ["base", "mine"], "base")
    lines = text.splitlines()
    assert "mine (gain)" in lines[0]
    assert "0.9100" in lines[1]
    assert "+0.0200" in lines[1]
    assert lines[-1].startswith("mean of all footage")
    assert "1/2" in lines[-1]
    kinds = kind_table(CELLS, ["base", "mine"])
    assert "ped2-train:one-class ordinary" in kinds
    (line,) = (line for line in kinds.splitlines() if line.startswith("generated:one-class fast"))
    assert line.split()[2:] == ["0.8200", "0.8000"]  # means over seeds


def test_agreement_by_hand() -> None:
    assert agreement([0, -1, -2], [0.1, 0.0, -3]).rho == pytest.approx(1)
    reversed_ = agreement([0, -1, -2], [1, 2, 3])
    assert (reversed_.rho, reversed_.pairs, reversed_.ordered) == (pytest.approx(-1), 3, 0)


def test_known_changes_are_settings_that_exist() -> None:
    names = [one.candidate.name for one in KNOWN]
    assert len(set(names)) == len(names)
    for one in KNOWN:
        changed = one.candidate.settings != Settings()
        assert changed is bool(one.candidate.overrides), one.candidate.name
    assert [one.test_gain for one in KNOWN if not one.candidate.overrides] == [0.0, 0.0]


def test_the_check_says_whether_the_orders_agree() -> None:
    aucs = {
        one.candidate.name: {"ped2-train:one-class": [0.9 + (one.test_gain or 0.0) / 2]}
        for one in KNOWN
        if not one.unlabelled
    }
    text = check_table(cells_of(**aucs), unlabelled=False)
    assert "all known: rank correlation 1.00, 15 of 15 pairs in order" in text
    assert "same design: rank correlation 1.00, 6 of 6 pairs in order" in text
    aucs["fast flow"] = {"ped2-train:one-class": [0.95]}
    text = check_table(cells_of(**aucs), unlabelled=False)
    assert "all known: rank correlation 0.66, 12 of 15 pairs in order" in text
    assert "same design: rank correlation 1.00, 6 of 6 pairs in order" in text
    assert text.count("not known") == 1


Run = Callable[..., int]


@pytest.fixture
def run(tmp_path: Path, measured: list, monkeypatch: pytest.MonkeyPatch) -> Run:
    footage = [
        NamedFootage("ped2-train:one-class"),
        NamedFootage("ped2-train:unlabelled"),
        NamedFootage("far:one-class"),
    ]
    monkeypatch.setattr(command, "all_footage", lambda _root, _cache: footage)
    return lambda *arguments: command.main([*arguments, "--json", str(tmp_path / "proxy.json")])


def test_the_command_compares_candidates(run: Run, measured: list, capsys: pytest.CaptureFixture[str]) -> None:
    assert run("--candidate", "long: tubes.steps=9", "--seeds", "2", "--footage", "one-class") == 0
    text = capsys.readouterr().out
    assert len(measured) == 8
    gained = (9 - Settings().tubes.steps) / 100
    assert f"({gained:+.4f} ±0.0000 2/2)" in text
    # Stored cells stand in for a candidate that is not measured now.
    assert run("--name", "new", "--set", "tubes.steps=9", "--against", "baseline", "--seeds", "2") == 0
    assert "new (gain)" in capsys.readouterr().out
    assert run("--list") == 0
    assert capsys.readouterr().out.split() == ["ped2-train:one-class", "ped2-train:unlabelled", "far:one-class"]


def test_the_command_checks_the_ranking(run: Run, measured: list, capsys: pytest.CaptureFixture[str]) -> None:
    assert run("--check", "--seeds", "1") == 0
    assert "rank correlation" in capsys.readouterr().out
    assert {call[1] for call in measured} == {"ped2-train:one-class", "ped2-train:unlabelled"}


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (("--footage", "moon"), "no footage is called 'moon'; some of ped2-train:one-class"),
        (("--candidate", "baseline: tubes.steps=9"), "give each its own name"),
        (("--against", "nobody"), "--against nobody: no such candidate"),
        (("--seeds", "0"), "0 seeds from 0 on"),
        (("--set", "tubes.stepz=3"), "unknown setting"),
    ],
)
def test_bad_arguments_end_with_one_line(
    run: Run, arguments: tuple[str, ...], message: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run(*arguments) == 1
    told = capsys.readouterr().err
    assert message in told
    assert told.count("\n") == 1


def test_footage_that_cannot_be_fitted_counts_as_chance(tmp_path: Path) -> None:
    class Short(NamedFootage):
        def trial(self, seed: int) -> Trial:
            source = ArraySource(moving_square(), 10)
            return Trial([source], False, [ScoredClip("short", source, {})])

    cell = measure(Candidate("tiny", TINY_SETTINGS), Short("short:one-class"), 0, "code")
    assert cell.auc == CHANCE
    assert cell.note


def test_the_footage_is_of_many_cameras_and_both_protocols(tmp_path: Path) -> None:
    footage = all_footage(tmp_path, tmp_path / "cache")
    names = [one.name for one in footage]
    assert len(set(names)) == len(names) == 28
    assert sum(name.endswith(":unlabelled") for name in names) == 14
    drawings = {drawing.path: drawing.clip for one in footage for drawing in one.drawings(0)}
    assert len(drawings) == 26  # both protocols score the same clips
    assert {clip.fps for clip in drawings.values()} == {5, 10, 25, 50}
    assert {158, 240, 360, 720, 1080} == {clip.size_hw[0] for clip in drawings.values()}
    assert not tmp_path.joinpath("cache").exists()


def test_tasks_can_be_sent_to_another_process(tmp_path: Path) -> None:
    candidate = Candidate.parse("long: tubes.steps=9")
    for footage in all_footage(tmp_path, tmp_path):
        task = pickle.loads(pickle.dumps(harness._Task(candidate, footage, 2, "code")))
        assert (task.candidate, task.footage.name, task.seed) == (candidate, footage.name, 2)
        drawings = [harness._Draw(drawing) for drawing in footage.drawings(2)]
        paths = [draw.drawing.path for draw in pickle.loads(pickle.dumps(drawings))]
        assert paths == [drawing.path for drawing in task.footage.drawings(2)]


def test_a_generated_camera_is_drawn_once_fitted_and_scored(tmp_path: Path) -> None:
    scene = replace(scene_config("ped2like"), name="tiny", duration_s=7.0, anomaly_share=0.4)
    candidate = Candidate("tiny", TINY_SETTINGS)
    footage = {
        unlabelled: GeneratedFootage("tiny", scene, tmp_path, unlabelled=unlabelled) for unlabelled in (False, True)
    }
    cell = measure(candidate, footage[False], 3, "code")
    assert (cell.footage, cell.frames, cell.note) == ("tiny:one-class", 70, "")
    # Settings as small as these find little; with one kind in the clip, its AUC is that of all in scope.
    assert cell.by_kind == {"runner": cell.auc}
    assert 0 < cell.auc <= 1
    assert cell.fit_s > 0
    drawn = {drawing.path: drawing.path.stat().st_mtime_ns for drawing in footage[False].drawings(3)}
    assert len(drawn) == 2
    trial = footage[True].trial(3)
    assert trial.unlabelled
    assert trial.learning[0].name == trial.clips[0].source.name
    assert {path: path.stat().st_mtime_ns for path in drawn} == drawn
