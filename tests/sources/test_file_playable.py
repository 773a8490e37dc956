"""Which footage a browser plays as it is: what is said here is shown frame by frame in tests/outputs/report."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from crowdad.sources import open_source
from tests.conftest import moving_square, write_folder, write_video


@pytest.mark.parametrize(
    ("name", "codec", "pix_fmt", "suffix"),
    [
        ("clip.mp4", "libx264", "yuv420p", ".mp4"),
        ("clip.m4v", "libx264", "yuv420p", ".mp4"),
        ("clip.mp4", "libx264", "yuv444p", None),
        ("clip.mp4", "mpeg4", "yuv420p", None),
        ("clip.mov", "libx264", "yuv420p", None),
        ("clip.mkv", "libx264", "yuv420p", None),
        ("clip.webm", "libvpx", "yuv420p", ".webm"),
        ("clip.avi", "mpeg4", "yuv420p", None),
        ("clip.ts", "libx264", "yuv420p", None),
    ],
)
def test_by_container_codec_and_pixels(name: str, codec: str, pix_fmt: str, suffix: str | None, tmp_path: Path) -> None:
    muxer = "mp4" if name.endswith(".m4v") else None
    path = write_video(tmp_path / name, moving_square(8), codec=codec, pix_fmt=pix_fmt, container_format=muxer)
    playable = open_source(path).playable()
    assert (None if playable is None else playable.suffix) == suffix
    assert playable is None or playable.path == path


def test_a_clock_that_starts_late(tmp_path: Path) -> None:
    frames = moving_square(8)
    late = write_video(tmp_path / "late.mp4", frames, times_s=[5 + index / 10 for index in range(8)])
    assert open_source(late).playable() is None, "browsers miss its end"
    slightly = write_video(tmp_path / "slightly.mp4", frames, times_s=[0.08 + index / 10 for index in range(8)])
    playable = open_source(slightly).playable()
    assert playable is not None
    assert playable.starts_s == pytest.approx(0.08)


def test_what_is_no_video_file_is_not_playable(tmp_path: Path) -> None:
    frames = moving_square(8)
    assert open_source(write_folder(tmp_path / "frames", list(frames))).playable() is None
    assert open_source(np.asarray(frames), fps=10).playable() is None
