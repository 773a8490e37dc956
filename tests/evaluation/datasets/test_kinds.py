"""What is unusual in UCSD's test clips: the file is sound, and clips get what it says of them."""

from __future__ import annotations

import csv
from importlib.resources import files
from pathlib import Path

import numpy as np
import pytest

from crowdad.errors import DatasetNotFoundError
from crowdad.evaluation.datasets.clips import Clip, KindSpan
from crowdad.evaluation.datasets.ground_truth import LabelVector
from crowdad.evaluation.datasets.kinds import UCSD_KINDS, with_kinds
from crowdad.evaluation.datasets.root import data_root
from crowdad.evaluation.datasets.ucsd import find_clips

CLIPS = {"ped1": 36, "ped2": 12}


def rows() -> list[dict[str, str]]:
    text = files("crowdad.evaluation.datasets").joinpath("ucsd_kinds.csv").read_text(encoding="utf-8")
    return list(csv.DictReader(text.splitlines()))


def test_the_file_names_every_test_clip_and_known_kinds_only() -> None:
    for name, count in CLIPS.items():
        assert {int(row["clip"]) for row in rows() if row["dataset"] == name} == set(range(1, count + 1))
    assert {row["kind"] for row in rows()} == set(UCSD_KINDS)
    assert all(0 <= int(row["first_frame"]) <= int(row["last_frame"]) for row in rows())


@pytest.mark.parametrize("name", ["4", "04", "Test004"])
def test_a_clip_is_found_by_its_number(name: str) -> None:
    (clip,) = with_kinds("ped2", [Clip(name, Path(name))])
    assert clip.kinds == (KindSpan("cart", 30, 179), KindSpan("bicycle", 120, 179))
    assert with_kinds("ped2", [Clip("Test099", Path())])[0].kinds == ()


def test_a_kind_is_seen_in_anomalous_frames_only() -> None:
    truth = LabelVector(np.array([0, 1, 1, 1, 0], bool))
    kinds = (KindSpan("cart", 0, 1), KindSpan("cart", 3, 9), KindSpan("skater", 2, 2))
    labels = Clip("1", Path(), truth, frame_paths=(Path(),) * 5, kinds=kinds).kind_labels()
    assert {kind: seen.tolist() for kind, seen in labels.items()} == {
        "cart": [False, True, False, True, False],
        "skater": [False, False, True, False, False],
    }


@pytest.mark.parametrize(("name", "unknown"), [("ped1", 24), ("ped2", 0)])
def test_every_anomalous_frame_has_a_kind(name: str, unknown: int) -> None:
    try:
        dataset = find_clips(name, data_root())
    except DatasetNotFoundError as error:
        pytest.skip(f"{name} is not at hand, set CROWDAD_DATA: {error}")
    missing = {}
    for clip in dataset.test:
        seen = np.any(list(clip.kind_labels().values()), axis=0)
        missing[clip.name] = int(np.count_nonzero(clip.labels() & ~seen))
    assert sum(missing.values()) == unknown, "in frames 156 to 179 of Ped1's clip 31 nothing unusual is seen"
