"""The fuzzer itself: the same seed damages alike, a child that dies or hangs is replaced, broken promises are found."""

from __future__ import annotations

import json
import os
import time
from collections import Counter
from itertools import islice
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest

from benchmarks.fuzz import disks, repeats, timing, watches
from benchmarks.fuzz.checks import TARGETS, check
from benchmarks.fuzz.disks import full_disk
from benchmarks.fuzz.mutations import mutate_bytes, mutate_json, mutate_model
from benchmarks.fuzz.promises import BrokenPromiseError
from benchmarks.fuzz.seeds import Seeds, write_seeds
from benchmarks.fuzz.watchdog import Case, Verdict, watched
from crowdad.errors import OutputError
from crowdad.sources import open_source

RESULT = Path(__file__).parents[2] / "benchmarks" / "results" / "fuzz.json"


def misbehave(case: Case) -> Verdict:
    if case.number == 1:
        os.abort()
    if case.number == 2:
        time.sleep(3600)
    return Verdict(case.target, "result", "", f"{case.number}")


def test_a_child_that_dies_or_hangs_is_told_and_replaced() -> None:
    cases = [Case("clip", 0, number) for number in range(4)]
    outcomes = {case.number: verdict.outcome for case, verdict, _ in watched(cases, misbehave, 1, limit_s=8)}
    assert outcomes == {0: "result", 1: "crash", 2: "hang", 3: "result"}


def test_the_same_seed_damages_alike() -> None:
    blob, others = bytes(range(256)) * 20, [b"other" * 100]
    seen = set()
    for number in range(200):
        once = mutate_bytes(np.random.default_rng([0, number]), blob, others)
        assert once == mutate_bytes(np.random.default_rng([0, number]), blob, others)
        seen.add(once[0])
    assert len(seen) > 190


def test_trees_are_damaged_and_the_original_is_not() -> None:
    tree = {"a": [1, {"b": 2.0}], "c": "text"}
    kept = json.dumps(tree)
    changed = [mutate_json(np.random.default_rng(number), tree)[0] for number in range(50)]
    assert json.dumps(tree) == kept
    assert sum(json.dumps(one) != kept for one in changed) > 45


def test_forged_models_keep_their_frame(tmp_path: Path) -> None:
    from tests.tiny_scene import model_of  # loads torch, which the watchdog's children can do without

    blob = model_of().save(tmp_path / "scene.safetensors").read_bytes()
    for number in range(20):
        forged, _ = mutate_model(np.random.default_rng(number), blob)
        header = json.loads(forged[8 : 8 + int.from_bytes(forged[:8], "little")])
        assert isinstance(header, dict), number


@pytest.fixture(scope="module")
def seeds(tmp_path_factory: pytest.TempPathFactory) -> Seeds:
    return write_seeds(tmp_path_factory.mktemp("seeds"))


NEW_KINDS = {"timestamps": 12, "lying headers": 12, "repeated pictures": 2, "full disk": 3, "watch": 1}


@pytest.mark.parametrize("target", NEW_KINDS)
def test_what_is_promised_is_kept(target: str, seeds: Seeds, tmp_path: Path) -> None:
    verdicts = [check(Case(target, 1, number), seeds, tmp_path) for number in range(NEW_KINDS[target])]
    assert {verdict.outcome for verdict in verdicts} == {"result"}, verdicts
    assert len({verdict.what for verdict in verdicts}) == len(verdicts)
    assert not list(tmp_path.iterdir())


def reader(*, dropped: int = 0, rate: float = 1.0) -> Any:
    """A reader that loses the first pictures, or tells another rate."""

    def opened(path: Path, **how: Any) -> Any:
        source = open_source(path, **how)
        frames = list(source.frames())
        return SimpleNamespace(
            frames=lambda: islice(frames, dropped, None), report=source.report, fps=rate * source.fps
        )

    return opened


@pytest.mark.parametrize(
    ("target", "module", "fault"),
    [
        ("timestamps", timing, reader(dropped=1)),
        ("timestamps", timing, reader(rate=1.1)),
        ("lying headers", timing, reader(dropped=1)),
        ("repeated pictures", repeats, reader(dropped=1)),
    ],
)
def test_a_reader_that_breaks_a_promise_is_found(
    target: str, module: Any, fault: Any, seeds: Seeds, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "open_source", fault)
    with pytest.raises(BrokenPromiseError):
        TARGETS[target](np.random.default_rng(1), seeds, tmp_path, [""])


@pytest.mark.parametrize("left", ["frames.csv", "report.html"])
def test_half_a_file_under_its_final_name_is_found(
    left: str, seeds: Seeds, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def half(_clip: Path, output: Path, **_: Any) -> None:
        output.mkdir(exist_ok=True)
        whole = (seeds.run / left).read_bytes()
        (output / left).write_bytes(whole[: len(whole) // 2])
        raise OutputError("the disk is full")

    monkeypatch.setattr(disks, "detect", half)
    with pytest.raises(BrokenPromiseError):
        full_disk(np.random.default_rng(0), seeds, tmp_path, [""])


def test_a_disk_that_fills_is_noticed_by_what_is_written(tmp_path: Path) -> None:
    path = tmp_path / "rows.csv"
    with disks.full_after(0), pytest.raises(OSError, match="No space"):
        path.write_bytes(bytes(8))
    assert path.stat().st_size == 4


def test_a_frame_that_a_watch_does_not_count_is_found(
    seeds: Seeds, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    works = watches.watch

    def forgetful(*given: Any, **named: Any) -> Any:
        status = works(*given, **named)
        return status.model_copy(update={"scored": status.scored - 1})

    monkeypatch.setattr(watches, "watch", forgetful)
    with pytest.raises(BrokenPromiseError, match="59 of 60"):
        watches.troubled_watch(np.random.default_rng(0), seeds, tmp_path, [""])


@pytest.mark.parametrize(
    ("lines", "taken", "kept"),
    [
        (["a", "b"], {"a": 1}, set()),
        (["a", "b"], {"a": 2, "b": 1}, set()),
        (["a", "a"], {"a": 1}, set()),
        ([], {}, set()),
    ],
)
def test_alerts_that_are_lost_or_doubled_are_found(lines: list[str], taken: dict[str, int], kept: set[str]) -> None:
    with pytest.raises(BrokenPromiseError):
        watches.check_alerts(lines, Counter(taken), kept)
    watches.check_alerts(["a", "b"], Counter({"a": 1}), {"b"})


@pytest.mark.skipif(not RESULT.is_file(), reason="no fuzz.json has been committed")
def test_the_committed_run_is_long_enough_and_found_nothing() -> None:
    report = json.loads(RESULT.read_text(encoding="utf-8"))
    assert report["inputs"] >= 2000
    assert set(report["found"]) == {"crash", "hang", "exception", "silent loss", "broken promise"}
    assert not any(report["found"].values())
    assert report["faults"] == []
