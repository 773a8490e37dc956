"""A run that was killed goes on where it was, and ends as if nothing had happened: the same bits, none scored twice."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import fields
from typing import Any

import numpy as np
import pytest

from crowdad.detector import Detector
from crowdad.records import Checkpoint, Frame, FrameResult
from crowdad.scene import SceneModel
from tests.tiny_scene import frames_of, model_of, scale_of, walkers


def same(one: FrameResult, other: FrameResult) -> bool:
    plain = [field.name for field in fields(FrameResult) if field.name != "heatmap"]
    return all(getattr(one, name) == getattr(other, name) for name in plain) and np.array_equal(
        one.heatmap.anomaly, other.heatmap.anomaly
    )


def broken_footage() -> list[Frame]:
    """110 frames: a break of the footage after 30, a hard cut after 75, a frame of another size at 90."""
    pictures = walkers(110)
    pictures[75:] = 255 - pictures[75:]
    frames = frames_of(pictures[:30]) + frames_of(pictures[30:], first=30, segment=1)
    odd = Frame(90, 9.0, pictures[90][:48, :64].copy(), segment=1)
    return [*frames[:90], odd, *frames[91:]]


def checkpoints(scene: SceneModel, frames: Iterable[Frame]) -> tuple[Detector, list[FrameResult], list[Checkpoint]]:
    detector = Detector(scene)
    results, taken = [], []
    for result in detector.run(frames):
        results.append(result)
        taken.append(detector.checkpoint(len(results)))
    return detector, results, taken


@pytest.mark.parametrize("gap", [1, 3])
def test_a_detector_goes_on_from_any_result_as_if_never_stopped(gap: int) -> None:
    scene, frames = model_of(scale_of(gap=gap)), broken_footage()
    whole, results, taken = checkpoints(scene, frames)
    assert len(results) == 110
    for checkpoint in (taken[at] for at in (9, 44, 76, 100)):
        told = results[: checkpoint.told]
        detector = Detector(scene)
        again = list(detector.run(frames, checkpoint, told))
        assert all(map(same, again, results)), checkpoint
        assert (detector.strangeness, detector.drift, detector.tubes_scored, detector.cuts) == (
            whole.strangeness,
            whole.drift,
            whole.tubes_scored,
            whole.cuts,
        ), checkpoint


def test_what_was_told_is_not_computed_again(monkeypatch: pytest.MonkeyPatch) -> None:
    scene, frames = model_of(), frames_of(walkers(120))
    _, results, taken = checkpoints(scene, frames)
    pushed: list[Any] = []
    detector = Detector(scene)
    real = detector._tubes
    monkeypatch.setattr(detector, "_tubes", lambda luma: (pushed.append(luma), real(luma))[1])
    assert len(list(detector.run(frames, taken[89], results[:90]))) == 120
    assert 30 < len(pushed) < 80
