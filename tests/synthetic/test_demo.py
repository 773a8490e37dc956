"""The demo's clip is drawn once, and its report is worked out from the truth."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from crowdad.synthetic import ClipTruth, GeneratedClip, demo, load_truth, scene_config, write_clip
from tests.conftest import TinyCamera


def truth(kinds: list[tuple[str, ...]], in_scope: set[str]) -> ClipTruth:
    labels = np.array([bool(set(kind) & in_scope) for kind in kinds])
    others = np.array([bool(set(kind) - in_scope) for kind in kinds])
    nothing = tuple(() for _ in kinds)
    return ClipTruth(10.0, (48, 64), labels, others, tuple(kinds), nothing, nothing, {"seed": 1})


def test_each_kind_is_compared_with_calm_frames() -> None:
    known = truth([(), (), ("cart",), ("cart", "loiterer"), ("loiterer",)], {"cart"})
    anomaly = np.array([0.1, 0.2, 0.9, 0.8, 0.15])
    rows = {row.kind: row for row in demo.score_by_kind(anomaly, known)}
    assert (rows["cart"].auc, rows["cart"].frames, rows["cart"].in_scope) == (1.0, 2, True)
    # The loiterer's frames score 0.8 and 0.15 against 0.1 and 0.2: three of four pairs are right.
    assert (rows["loiterer"].auc, rows["loiterer"].in_scope) == (0.75, False)
    assert list(rows) == ["cart", "loiterer"]
    assert demo.in_scope_auc(anomaly, known) == 1.0


def test_the_clip_is_drawn_once(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    drawn: list[int] = []

    def short(clip: GeneratedClip, path: Path) -> Path:
        drawn.append(clip.seed)
        return write_clip(clip, path)

    monkeypatch.setattr(demo, "write_clip", short)
    monkeypatch.setattr(demo, "_SCENE", replace(scene_config("demo"), duration_s=0.2))
    video = demo.prepare_clip(tmp_path, seed=3)
    assert demo.prepare_clip(tmp_path, seed=3) == video
    assert drawn == [3]
    demo.prepare_clip(tmp_path, seed=4)
    video.with_suffix(".truth.json").write_text("{")
    demo.prepare_clip(tmp_path, seed=4)
    assert drawn == [3, 4, 4]


def test_the_baseline_sees_every_frame(tiny_camera: TinyCamera) -> None:
    changes = demo.frame_differences(tiny_camera.unusual)
    assert changes.shape == load_truth(tiny_camera.unusual).labels.shape
    assert (changes > 0).all()
