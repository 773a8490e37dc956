"""The fuzzer itself: the same seed damages alike, and a child that dies or hangs is noticed and replaced."""

from __future__ import annotations

import json
import os
import time
from pathlib import Path

import numpy as np
import pytest

from benchmarks.fuzz.mutations import mutate_bytes, mutate_json, mutate_model
from benchmarks.fuzz.watchdog import Case, Verdict, watched

RESULT = Path(__file__).parents[2] / "benchmarks" / "results" / "fuzz.json"


def misbehave(case: Case) -> Verdict:
    if case.number == 1:
        os.abort()
    if case.number == 2:
        time.sleep(3600)
    return Verdict(case.target, "result", "", f"{case.number}")


def test_a_child_that_dies_or_hangs_is_told_and_replaced() -> None:
    cases = [Case("clip", 0, number) for number in range(4)]
    outcomes = {case.number: verdict.outcome for case, verdict, _ in watched(cases, misbehave, 1, limit_s=10)}
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
        json.loads(forged[8 : 8 + int.from_bytes(forged[:8], "little")])


@pytest.mark.skipif(not RESULT.is_file(), reason="no fuzz.json has been committed")
def test_the_committed_run_is_long_enough_and_found_nothing() -> None:
    report = json.loads(RESULT.read_text(encoding="utf-8"))
    assert report["inputs"] >= 2000
    assert set(report["found"]) == {"crash", "hang", "exception", "silent loss", "broken promise"}
    assert not any(report["found"].values())
    assert report["faults"] == []
