"""Learning a scene: what cannot be read is left out, what cannot teach is one line."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

import crowdad
from crowdad import workflows
from crowdad.errors import (
    OutputExistsError,
    OutputNotWritableError,
    SourceNotFoundError,
    TooLittleMotionError,
)
from crowdad.scene.model import SceneModel
from crowdad.workflows.footage import Part, learning_sources
from tests.conftest import TinyCamera, moving_square, write_video


def test_still_footage_cannot_teach(tmp_path: Path) -> None:
    still = np.full((40, 120, 160), 90, np.uint8)
    with pytest.raises(TooLittleMotionError):
        crowdad.fit(still, fps=10)


def test_fit_goes_on_without_what_cannot_be_read(tiny_camera: TinyCamera, tmp_path: Path) -> None:
    broken = tmp_path / "broken.mp4"
    broken.write_bytes(b"")
    told: list[Exception] = []
    scene = workflows.fit(
        [broken, tiny_camera.normal],
        settings=tiny_camera.settings,
        end_s=8.0,
        output=tmp_path / "m.safetensors",
        on_bad_input=told.append,
    )
    assert len(told) == 1
    assert "broken.mp4" in str(told[0])
    assert scene.provenance["sources"] == ["normal.mp4"]
    assert SceneModel.load(tmp_path / "m.safetensors").provenance == scene.provenance
    with pytest.raises(OutputExistsError):
        crowdad.fit(tiny_camera.normal, output=tmp_path / "m.safetensors")
    with pytest.raises(OutputNotWritableError, match="folder"):
        crowdad.fit(tiny_camera.normal, output=tmp_path)


def test_missing_footage(tmp_path: Path) -> None:
    with pytest.raises(SourceNotFoundError):
        crowdad.fit(tmp_path / "nothing.mp4", output=tmp_path / "m.safetensors")
    assert list(tmp_path.iterdir()) == []


def test_mixed_frame_rates_are_refused(tmp_path: Path) -> None:
    slow = write_video(tmp_path / "slow.mp4", moving_square(), fps=10)
    fast = write_video(tmp_path / "fast.mp4", moving_square(), fps=25)
    with pytest.raises(crowdad.CrowdadError, match="10 to 25 "):
        crowdad.fit([slow, fast])


def test_a_hole_in_one_recording_is_no_other_rate(tmp_path: Path) -> None:
    whole = write_video(tmp_path / "whole.mp4", moving_square(24), fps=25)
    times_s = [number / 25 + 60.0 * (number >= 12) for number in range(24)]
    hole = write_video(tmp_path / "hole.mp4", moving_square(24), times_s=times_s)
    sources, _ = learning_sources([whole, hole], Part())
    assert {source.name for source in sources} == {"whole.mp4", "hole.mp4"}


def test_time_lapse_cannot_be_learned_from_and_says_so(tmp_path: Path) -> None:
    lapse = write_video(tmp_path / "lapse.mp4", moving_square(40), times_s=[2.0 * number for number in range(40)])
    with pytest.raises(crowdad.FitError, match=r"0\.5"):
        crowdad.fit(lapse)


def test_long_footage_is_sampled(tmp_path: Path) -> None:
    path = write_video(tmp_path / "day.mp4", moving_square(40), times_s=[180.0 * i for i in range(40)])
    windows, sampled = learning_sources([path], Part())
    assert sampled
    assert 55 <= len(windows) <= 60
    assert sum(source.expected_frames or 0 for source in windows) <= 60  # one picture each
    short, sampled = learning_sources([path], Part(start_s=180.0, end_s=1800.0))
    assert (len(short), sampled) == (1, False)
