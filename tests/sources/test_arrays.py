"""Frames from a program: arrays, lists, functions, generators."""

from __future__ import annotations

import doctest
from collections.abc import Iterator
from typing import Any

import numpy as np
import numpy.typing as npt
import pytest

from crowdad.errors import ConfigError, UnreadableSourceError
from crowdad.sources import ArraySource, arrays, open_source
from tests.conftest import moving_square


def generated(closed: list[bool] | None = None) -> Iterator[npt.NDArray[np.uint8]]:
    try:
        yield from moving_square(5)
    finally:
        if closed is not None:
            closed.append(True)


def test_color_becomes_brightness_by_the_video_weights() -> None:
    pixel = np.full((1, 4, 4, 3), (200, 100, 50), np.uint8)
    (frame,) = ArraySource(pixel, fps=10).frames(color=True)
    # 0.114 x 200 + 0.587 x 100 + 0.299 x 50 = 96.45
    assert np.all(frame.luma == 96)
    assert np.array_equal(frame.bgr, pixel[0])  # type: ignore[arg-type]


def test_a_generator_serves_one_pass_and_no_second() -> None:
    source = open_source(generated(), fps=10)
    assert source.info.size_hw == (48, 64)
    assert [frame.index for frame in source.frames()] == [0, 1, 2, 3, 4]
    with pytest.raises(UnreadableSourceError, match="list, or a function"):
        next(source.frames())


def test_a_function_is_asked_anew_for_each_pass_and_closed() -> None:
    closed: list[bool] = []
    source = ArraySource(lambda: generated(closed), fps=10)
    assert source.info.frame_count is None
    assert len(closed) == 1
    for passes in (2, 3):
        frames = source.frames()
        next(frames)
        frames.close()  # type: ignore[attr-defined]
        assert len(closed) == passes


def test_a_buffer_may_be_used_again() -> None:
    buffer = np.zeros((8, 8), np.uint8)

    def camera() -> Iterator[npt.NDArray[np.uint8]]:
        for level in range(4):
            buffer[:] = level
            yield buffer

    assert [int(frame.luma[0, 0]) for frame in list(ArraySource(camera, fps=10).frames())] == [0, 1, 2, 3]


@pytest.mark.parametrize(
    ("frames", "found"),
    [
        ([np.zeros((4, 4))], r"frame 0 .*float64 \(4, 4\)"),
        ([np.zeros((4, 4), np.uint8), np.zeros((4, 4, 4), np.uint8)], r"frame 1 .*uint8 \(4, 4, 4\)"),
        ([np.zeros((0, 4), np.uint8)], r"frame 0 .*uint8 \(0, 4\)"),
        (["frame.png"], "frame 0 .*str"),
    ],
)
def test_frames_of_another_kind_are_refused(frames: list[Any], found: str) -> None:
    with pytest.raises(UnreadableSourceError, match=found):
        list(ArraySource(frames, fps=10).frames())


@pytest.mark.parametrize("nothing", [np.zeros((0, 4, 4), np.uint8), [], lambda: iter(())])
def test_no_frames_at_all(nothing: Any) -> None:
    with pytest.raises(UnreadableSourceError, match="no frames"):
        list(ArraySource(nothing, fps=10).frames())


def test_arrays_need_a_rate() -> None:
    with pytest.raises(ConfigError, match="frame rate"):
        open_source(moving_square(2))


def test_the_example_in_the_docstring_runs() -> None:
    results = doctest.testmod(arrays)
    assert (results.attempted, results.failed) == (2, 0)


def test_there_is_no_hash_of_what_cannot_be_read_twice() -> None:
    assert ArraySource(generated(), fps=10, name="gate 3").sha256() is None


def test_something_else_entirely() -> None:
    with pytest.raises(UnreadableSourceError, match="numpy"):
        open_source(42)
