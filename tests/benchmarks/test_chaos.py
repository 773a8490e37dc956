"""A watch under faults of every kind loses no frame, and tells every event once."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from benchmarks.chaos import held, measure
from crowdad.outputs.h264 import H264Writer
from tests.tiny_scene import SIZE_HW, model_of, walkers


def test_a_short_chaos_loses_and_doubles_nothing(tmp_path: Path) -> None:
    model = model_of().save(tmp_path / "scene.safetensors")
    clip = tmp_path / "clip.mp4"
    with H264Writer(clip, SIZE_HW, 10.0) as video:
        for index, picture in enumerate(walkers(60)):
            video.write(np.repeat(picture[..., None], 3, axis=2), index / 10)
    report = measure(model, clip, tmp_path / "watch", seconds=4, speed=4, seed=1)
    assert held(report), report
    assert report["scored"] > 0
    assert report["events"] > 0
    assert report["alerts"] > 2 * report["events"]
