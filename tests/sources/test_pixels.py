"""Display matrices, worked out by hand on a picture of 2 x 3 pixels."""

from __future__ import annotations

import gc
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import av
import numpy as np
import pytest

from crowdad.sources._pixels import Orientation, PixelReader
from crowdad.sources.file import VideoFile
from tests.conftest import moving_square, write_video

STORED = np.array([[1, 2, 3], [4, 5, 6]], np.uint8)
ONE = 65536


def frame_with(*matrix: int) -> Any:
    a, b, c, d = matrix
    side = np.array([a, b, 0, c, d, 0, 0, 0, 1 << 30], np.int32).tobytes()
    return SimpleNamespace(side_data={"DISPLAYMATRIX": side})


@pytest.mark.parametrize(
    ("matrix", "shown"),
    [
        ((ONE, 0, 0, ONE), [[1, 2, 3], [4, 5, 6]]),
        ((0, -ONE, ONE, 0), [[3, 6], [2, 5], [1, 4]]),
        ((0, ONE, -ONE, 0), [[4, 1], [5, 2], [6, 3]]),
        ((-ONE, 0, 0, -ONE), [[6, 5, 4], [3, 2, 1]]),
        ((-ONE, 0, 0, ONE), [[3, 2, 1], [6, 5, 4]]),
        ((0, ONE, ONE, 0), [[1, 4], [2, 5], [3, 6]]),
    ],
    ids=["as stored", "quarter left", "quarter right", "half", "mirrored", "mirrored and turned"],
)
def test_matrix_shows_the_picture_upright(matrix: tuple[int, ...], shown: list[list[int]]) -> None:
    orientation = Orientation.of(frame_with(*matrix))
    upright = orientation.upright(STORED)
    assert upright.tolist() == shown
    assert upright.shape == orientation.size_hw(2, 3)
    assert upright.flags.owndata


@pytest.mark.parametrize(
    ("clockwise_deg", "shown"),
    [
        (0, [[1, 2, 3], [4, 5, 6]]),
        (90, [[4, 1], [5, 2], [6, 3]]),
        (180, [[6, 5, 4], [3, 2, 1]]),
        (270, [[3, 6], [2, 5], [1, 4]]),
    ],
)
def test_rotate_tag_turns_clockwise(clockwise_deg: int, shown: list[list[int]]) -> None:
    assert Orientation.of(SimpleNamespace(side_data={}), clockwise_deg).upright(STORED).tolist() == shown  # type: ignore[arg-type]


def test_matrix_wins_over_the_tag() -> None:
    assert Orientation.of(frame_with(ONE, 0, 0, ONE), 90) == Orientation()


@pytest.mark.parametrize("pix_fmt", ["yuv420p", "yuvj444p", "nv12", "gray", "yuva420p", "yuv410p"])
def test_the_brightness_plane_is_taken_as_it_is(pix_fmt: str) -> None:
    frame = av.VideoFrame(52, 36, pix_fmt)
    plane = np.frombuffer(frame.planes[0], np.uint8).reshape(36, -1)  # type: ignore[call-overload]
    plane[:] = np.arange(36)[:, None]
    luma, bgr = PixelReader().read(frame, color=False)
    assert bgr is None
    assert luma.shape == (36, 52)
    assert np.array_equal(luma[:, 0], np.arange(36))


YUV = ["yuv420p10le", "yuv420p12le", "yuv444p12le", "yuv444p16le", "yuva420p10le", "p010le", "yuyv422", "y210le"]
GREY = ["gray10le", "gray12le", "gray16le", "ya16le", "rgb48le", "gbrp12le"]


@pytest.mark.parametrize("pix_fmt", YUV + GREY)
def test_more_bits_and_other_layouts_are_as_bright_as_eight_bits(pix_fmt: str) -> None:
    slope = np.add.outer(np.arange(36), 4 * np.arange(52)).astype(np.uint8)
    picture = av.VideoFrame.from_ndarray(slope, format="gray")
    eight = picture.reformat(format="yuv420p" if pix_fmt in YUV else "gray", threads=1)
    luma, deep = (
        PixelReader().read(frame, color=False)[0].astype(int)
        for frame in (eight, picture.reformat(format=pix_fmt, threads=1))
    )
    assert np.abs(luma - deep).max() <= 2
    assert np.abs(luma - deep).mean() < 1


@pytest.mark.parametrize(
    ("codec", "pix_fmt"),
    [("libx265", "yuv420p12le"), ("libx265", "gray12le"), ("ffv1", "yuv420p12le"), ("ffv1", "gray12le")],
)
def test_footage_of_12_bits_is_as_bright_as_that_of_8(codec: str, pix_fmt: str, tmp_path: Path) -> None:
    options = {"x265-params": "log-level=none", "crf": "4"} if codec == "libx265" else {}
    eight = "gray" if pix_fmt == "gray12le" else "yuv420p"
    pictures = moving_square(8)
    luma, deep = (
        np.array(
            [frame.luma for frame in VideoFile(write_video(path, pictures, codec=name, pix_fmt=kind, **more)).frames()],
            float,
        )  # type: ignore[arg-type]
        for path, name, kind, more in (
            (tmp_path / "8.mkv", "ffv1", eight, {}),
            (tmp_path / "12.mkv", codec, pix_fmt, options),
        )
    )
    assert np.abs(luma - deep).mean() < 2


@pytest.mark.parametrize("pix_fmt", ["rgb24", "gbrp", "ya8", "yuyv422", "gray10le", "yuv420p10le", "monow"])
def test_other_formats_are_converted(pix_fmt: str) -> None:
    white = np.full((36, 52), 255, np.uint8)
    # One thread: swscale leaves seams between the slices of a 10-bit picture now and then.
    frame = av.VideoFrame.from_ndarray(white, format="gray").reformat(format=pix_fmt, threads=1)
    luma, bgr = PixelReader().read(frame, color=True)
    assert luma.min() >= (233 if pix_fmt in YUV else 250), "white of video range is 235"
    assert bgr is not None
    assert bgr.shape == (36, 52, 3)
    assert bgr.min() >= 250


def test_frames_go_without_waiting_for_the_search_for_circles(tiny_video: Path) -> None:
    gc.collect()
    gc.disable()
    try:
        for _ in VideoFile(tiny_video).frames(color=True):
            pass
        alive = sum(issubclass(type(found), av.VideoFrame) for found in gc.get_objects())
    finally:
        gc.enable()
    assert alive <= 3, "24 frames were decoded; their memory must not add up until Python collects"


def test_a_turn_on_the_way_is_followed() -> None:
    reader = PixelReader()
    plain = frame_with(ONE, 0, 0, ONE)
    plain.rotation = 0
    turned = frame_with(0, ONE, -ONE, 0)
    turned.rotation = -90
    shown = [reader._orientation_of(frame).upright(STORED).tolist() for frame in (plain, turned, turned, plain)]
    assert shown == [[[1, 2, 3], [4, 5, 6]], [[4, 1], [5, 2], [6, 3]], [[4, 1], [5, 2], [6, 3]], [[1, 2, 3], [4, 5, 6]]]
