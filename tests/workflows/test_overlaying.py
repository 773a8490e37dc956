"""Drawing a run again."""

from __future__ import annotations

from pathlib import Path

import av
import pytest

import crowdad
from crowdad.errors import (
    ConfigError,
    OutputNotReadableError,
)
from tests.conftest import TinyCamera


def test_drawing_again(finished: Path, tiny_camera: TinyCamera, tmp_path: Path) -> None:
    path = crowdad.overlay(tiny_camera.unusual, finished, output=tmp_path / "warm.mp4", colour_map="turbo", level=0.3)
    with av.open(str(path)) as video:
        assert sum(1 for _ in video.decode(video=0)) == 120
    with pytest.raises(OutputNotReadableError, match="hash"):
        crowdad.overlay(tiny_camera.normal, finished, output=tmp_path / "wrong.mp4")
    assert not (tmp_path / "wrong.mp4").exists()
    with pytest.raises(ConfigError, match="level"):
        crowdad.overlay(tiny_camera.unusual, finished, level=2.0)


def test_drawing_again_needs_the_maps(tiny_camera: TinyCamera, tmp_path: Path) -> None:
    crowdad.detect(
        tiny_camera.unusual, model=tiny_camera.model, output=tmp_path / "r", heatmaps=False, overlay=False, end_s=3.0
    )
    assert not (tmp_path / "r" / "heatmaps.npz").exists()
    with pytest.raises(OutputNotReadableError, match="heatmaps=False"):
        crowdad.overlay(tiny_camera.unusual, tmp_path / "r")
    assert not list((tmp_path / "r").glob("overlay*"))
