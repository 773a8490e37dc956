"""Who stays on a spot, and things that are left or taken away."""

from __future__ import annotations

import itertools
from dataclasses import replace

import numpy as np
import pytest

from crowdad.synthetic import GeneratedClip, Truth, load_truth, scene_config, write_clip

Spans = dict[str, list[Truth]]


def _shown(truths: list[Truth]) -> Spans:
    """Frames in which each kind is visible."""
    found: Spans = {}
    for truth in truths:
        for kind in truth.kinds:
            found.setdefault(kind, []).append(truth)
    return found


@pytest.mark.parametrize(("kind", "before_s", "lasts_s"), [("lingerer", 10, (18, 35)), ("stopper", 5, (14, 25))])
def test_who_stays_counts_after_a_while_until_they_go_on(kind, before_s, lasts_s):
    clip = GeneratedClip("lanes", 4, anomalies=(kind,), duration_s=90, fps=5)
    truths = list(clip.truths())
    shown = _shown(truths)[kind]
    since_s = shown[0].stands_since_s[0]
    assert shown[0].time_s - since_s == pytest.approx(before_s, abs=0.3)
    assert lasts_s[0] < shown[-1].time_s - shown[0].time_s < lasts_s[1]
    assert all(truth.label and truth.mask.any() for truth in shown)
    waited = [truth for truth in truths if truth.undecided]
    assert len(waited) / clip.fps == pytest.approx(before_s, abs=0.5)
    assert not any(truth.label for truth in waited)
    boxes = np.array([truth.boxes_xyxy[0] for truth in shown if truth.mask.sum() > 0.9 * shown[0].mask.sum()])
    assert np.ptp(boxes[:, 3]) < 4


def test_who_stays_moves_a_little():
    clip = GeneratedClip(replace(scene_config("lanes"), people=0, noise=0.0, drift=0.0), 4, anomalies=("lingerer",))
    pictures = [picture.astype(int) for picture, truth in clip if truth.kinds][:60:20]
    changes = [np.abs(first - second).max() for first, second in itertools.pairwise(pictures)]
    assert min(changes) > 20


def test_a_cart_that_parks_is_a_cart_until_it_stands():
    clip = GeneratedClip("lanes", 1, anomalies=("parked_cart",), duration_s=60, fps=5)
    truths = list(clip.truths())
    shown = _shown(truths)
    assert shown["cart"][-1].time_s < shown["parked_cart"][0].time_s
    assert shown["parked_cart"][-1] is truths[-1]
    assert {track for truth in truths for track in truth.track_ids} == {shown["cart"][0].track_ids[0]}


def _changed(kind: str) -> tuple[list[Truth], np.ndarray, np.ndarray]:
    """Truths of a clip without walkers, and its first and last picture."""
    scene = replace(scene_config("lanes"), people=0, noise=0.0, drift=0.0)
    pictures, truths = zip(*GeneratedClip(scene, 2, anomalies=(kind,), duration_s=60, fps=5), strict=True)
    return list(truths), pictures[0].astype(int), pictures[-1].astype(int)


@pytest.mark.parametrize("kind", ["left_object", "removed_object"])
def test_what_is_left_or_taken_is_where_the_picture_has_changed(kind):
    truths, first, last = _changed(kind)
    assert truths[-1].kinds == (kind,)
    assert not truths[0].kinds
    changed = np.abs(last - first).max(axis=2) > 12
    assert (changed & truths[-1].mask).sum() > 0.8 * truths[-1].mask.sum() > 40
    x0, y0, x1, y1 = (int(side) for side in truths[-1].boxes_xyxy[0])
    changed[y0 - 2 : y1 + 3, x0 - 2 : x1 + 25] = False  # the thing and its shadow
    assert not changed.any()


def test_what_is_taken_is_carried_away():
    clip = GeneratedClip(replace(scene_config("lanes"), people=0), 2, anomalies=("removed_object",), duration_s=60)
    before = after = 0
    for truth, things in zip(clip.truths(), clip.positions(), strict=True):
        kinds = [thing.kind for thing in things]
        carried = [thing for thing in things if thing.kind == "crate" and thing.track_id < 0]
        before += "removed_object" in kinds
        after += len(carried)
        assert bool(truth.kinds) != ("removed_object" in kinds)
    assert min(before, after) > 30


def test_stands_since_is_kept_in_the_file(tmp_path):
    clip = GeneratedClip(replace(scene_config("lanes"), people=2), 4, anomalies=("stopper",), duration_s=60, fps=5)
    write_clip(clip, tmp_path / "clip.mp4")
    drawn, truth = list(clip.truths()), load_truth(tmp_path / "clip.mp4")
    assert truth.stands_since_s == tuple(frame.stands_since_s for frame in drawn)
    np.testing.assert_array_equal(truth.undecided, [frame.undecided for frame in drawn])
    np.testing.assert_array_equal(truth.labels, [frame.label for frame in drawn])
