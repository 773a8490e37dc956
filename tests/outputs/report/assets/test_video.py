"""The footage beside a page in a real browser: each original and copy is shown frame by frame."""

from __future__ import annotations

from fractions import Fraction
from pathlib import Path

import av
import numpy as np
import pytest

from crowdad.outputs.footage import lay_beside, written_along
from crowdad.sources import open_source
from tests.browser import until
from tests.conftest import write_folder, write_video
from tests.outputs.report.assets.seen import (
    FRAME_S,
    grey_frames,
    shown_time,
    shows_frame,
    video_time,
)
from tests.outputs.report.conftest import Opener
from tests.outputs.report.made_up import SHORT, SIZE_HW, MadeUp


def test_the_video_plays_and_the_page_keeps_step(page_file: Path, opened: Opener) -> None:
    page = opened(page_file)
    assert page.inner_text("h1") == '<script>alert("1")&.mp4'
    page.click("#play")
    until(page, "document.getElementById('video').currentTime > 0.5")
    page.focus("#timeline")
    page.keyboard.press(" ")
    until(page, "document.getElementById('video').paused")
    assert 0.5 < video_time(page) < 9.9
    until(page, f"Math.abs(report.nowS - document.getElementById('video').currentTime) <= {FRAME_S + 0.05}")
    assert shown_time(page) == pytest.approx(page.evaluate("report.nowS"), abs=0.05)


def late(path: Path) -> Path:
    """The grey frames in a file whose clock starts 80 ms late, as reordering leaves it."""
    return write_video(path, grey_frames(), times_s=[0.08 + index / 10 for index in range(SHORT.count)], g="20")


def behind_sound(path: Path) -> Path:
    """The grey frames from 1.5 s on, after sound that begins at 0."""
    with av.open(str(path), "w") as container:
        video = container.add_stream("libx264", rate=10, options={"g": "20"})
        assert isinstance(video, av.VideoStream)
        video.height, video.width = SIZE_HW
        video.pix_fmt = "yuv420p"
        video.codec_context.time_base = Fraction(1, 90_000)
        sound = container.add_stream("aac", rate=8000, layout="mono")
        for second in range(11):
            silence = av.AudioFrame.from_ndarray(np.zeros((1, 8000), np.float32), format="fltp", layout="mono")
            silence.sample_rate, silence.pts = 8000, 8000 * second
            container.mux(sound.encode(silence))
        for index, picture in enumerate(grey_frames()):
            frame = av.VideoFrame.from_ndarray(picture, format="gray")
            frame.pts, frame.time_base = 135_000 + 9000 * index, Fraction(1, 90_000)
            container.mux(video.encode(frame))
        container.mux(video.encode())
        container.mux(sound.encode())
    return path


def webm(path: Path) -> Path:
    return write_video(path.with_suffix(".webm"), grey_frames(), codec="libvpx-vp9", g="20", speed="8")


@pytest.mark.parametrize("make", [late, behind_sound, webm])
def test_originals_are_shown_frame_by_frame(make, tmp_path: Path, opened: Opener) -> None:  # type: ignore[no-untyped-def]
    footage = make(tmp_path / "original.mp4")
    playable = open_source(footage).playable()
    assert playable is not None
    video = f"footage{playable.suffix}"
    lay_beside(playable.path, tmp_path / video)
    page = opened(SHORT.write(tmp_path, look=SHORT.look(video, -playable.starts_s)))
    for _ in range(2):
        page.keyboard.press("n")
    assert shows_frame(page, 50)
    page.keyboard.press(".")
    assert shows_frame(page, 51)


def test_copies_are_shown_frame_by_frame(tmp_path: Path, opened: Opener) -> None:
    source = open_source(write_folder(tmp_path / "frames", grey_frames()), fps=10, start_s=1.0)
    assert source.playable() is None
    copy = tmp_path / "footage.mp4"
    assert sum(1 for _ in written_along(source.frames(color=True), copy, source.fps)) == 90
    page = opened(MadeUp(90, 10.0, [(20, 29)], start_s=1.0).write(tmp_path, look=SHORT.look("footage.mp4", 1.0)))
    assert shown_time(page) == pytest.approx(1.0)
    page.keyboard.press("n")
    assert shown_time(page) == pytest.approx(3.0)
    assert shows_frame(page, 30)


def test_a_part_of_an_original_starts_and_stops_where_the_run_did(tmp_path: Path, opened: Opener) -> None:
    write_video(tmp_path / "footage.mp4", grey_frames(), g="20")
    page = opened(MadeUp(60, 10.0, [(20, 29)], start_s=1.0).write(tmp_path))
    assert shows_frame(page, 10)
    page.keyboard.press("End")
    assert shows_frame(page, 69)
    page.keyboard.press("Home")
    page.evaluate("report.seek(6.5)")
    page.click("#play")
    until(page, "document.getElementById('video').paused")
    assert 6.9 <= video_time(page) < 8


def test_a_video_that_is_not_there_is_told(tmp_path: Path, opened: Opener) -> None:
    page = opened(SHORT.write(tmp_path, look=SHORT.look("gone.mp4")), expect="ERR_FILE_NOT_FOUND")
    page.wait_for_selector("#no-video:visible")
    page.keyboard.press("n")
    assert shown_time(page) == pytest.approx(2.0), "timeline and events work without it"
