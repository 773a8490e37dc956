"""What every source promises, held over every kind of source and every kind of generated footage."""

from __future__ import annotations

import gc
import os
from collections.abc import Callable
from contextlib import closing
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pytest

from crowdad.errors import ConfigError, TooShortError
from crowdad.records import Frame
from crowdad.sources import ArraySource, Source, open_source
from tests.conftest import TINY_COUNT, TINY_FPS, TINY_SIZE_HW, moving_square, write_folder, write_video


@dataclass(frozen=True)
class Footage:
    """A recipe: `make` writes the footage and returns what `open_source` takes."""

    make: Callable[[Path], object]
    count: int = TINY_COUNT
    size_hw: tuple[int, int] = TINY_SIZE_HW
    step_s: float | None = 1 / TINY_FPS
    fps: float | None = None
    quarter_turns: int = 0

    def truth(self) -> npt.NDArray[np.float32]:
        """What the frames should show, float32 (T, H, W), each frame's mean taken off."""
        stored_hw = self.size_hw[::-1] if self.quarter_turns % 2 else self.size_hw
        shown = np.rot90(moving_square(size_hw=stored_hw), self.quarter_turns, axes=(1, 2)).astype(np.float32)
        return shown - shown.mean(axis=(1, 2), keepdims=True)


def video(
    name: str, codec: str = "libx264", pix_fmt: str = "yuv420p", size_hw: tuple[int, int] = TINY_SIZE_HW, **options: Any
) -> Callable[[Path], Path]:
    frames = moving_square(size_hw=size_hw)
    return lambda folder: write_video(folder / name, frames, codec=codec, pix_fmt=pix_fmt, **options)


def uneven_video(folder: Path) -> Path:
    times_s = [index / TINY_FPS + (0.04 if index % 3 else 0.0) for index in range(TINY_COUNT)]
    return write_video(folder / "uneven.mp4", moving_square(), times_s=times_s)


def rotated_video(folder: Path) -> Path:
    return write_video(folder / "turned.mp4", moving_square(), rotation_deg=90)


def ntsc_video(folder: Path) -> Path:
    return write_video(folder / "ntsc.mp4", moving_square(), fps=Fraction(30000, 1001))


def color_folder(folder: Path) -> Path:
    return write_folder(folder / "color", list(moving_square(color=True)), "frame{}.bmp")


FOOTAGE = {
    "mp4": Footage(video("a.mp4")),
    "b-frames": Footage(video("b.mkv", bf="3", g="12")),
    "transport-stream": Footage(video("a.ts")),
    "avi-mpeg4": Footage(video("a.avi", codec="mpeg4", bf="2")),
    "webm-vp8": Footage(video("a.webm", codec="libvpx")),
    "motion-jpeg": Footage(video("a.avi", codec="mjpeg", pix_fmt="yuvj420p")),
    "gray": Footage(video("gray.mkv", codec="ffv1", pix_fmt="gray")),
    "ten-bit": Footage(video("ten.mp4", pix_fmt="yuv420p10le")),
    "gray-ten-bit": Footage(video("gray10.mkv", codec="ffv1", pix_fmt="gray10le")),
    "alpha": Footage(video("alpha.mkv", codec="ffv1", pix_fmt="yuva420p")),
    "rgb": Footage(video("rgb.mkv", codec="ffv1", pix_fmt="bgr0")),
    "packed": Footage(video("packed.avi", codec="rawvideo", pix_fmt="yuyv422")),
    "palette": Footage(video("pal.gif", codec="gif", pix_fmt="gray")),
    "interlaced": Footage(video("i.ts", codec="mpeg2video", flags="+ilme+ildct")),
    "odd-size": Footage(video("odd.avi", codec="ffv1", size_hw=(37, 51)), size_hw=(37, 51)),
    "variable-rate": Footage(uneven_video, step_s=None),
    "rotated": Footage(rotated_video, size_hw=(64, 48), quarter_turns=1),
    "ntsc": Footage(ntsc_video, step_s=1001 / 30000),
    "raw-h264": Footage(video("a.h264"), fps=TINY_FPS),
    "folder": Footage(lambda folder: write_folder(folder / "clip", list(moving_square())), fps=TINY_FPS),
    "folder-color": Footage(color_folder),
    "folder-jpeg": Footage(lambda folder: write_folder(folder / "clip", list(moving_square()), "{}.jpg")),
    "array": Footage(lambda folder: moving_square(), fps=TINY_FPS),
    "array-color": Footage(lambda folder: moving_square(color=True), fps=TINY_FPS),
    "list": Footage(lambda folder: list(moving_square()), fps=TINY_FPS),
    "function": Footage(lambda folder: lambda: iter(moving_square()), fps=TINY_FPS),
}


@pytest.fixture(params=FOOTAGE, scope="module")
def case(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> tuple[Footage, object]:
    footage = FOOTAGE[request.param]
    return footage, footage.make(tmp_path_factory.mktemp("footage"))


def opened(case: tuple[Footage, object], **cut: float) -> Source:
    footage, spec = case
    return open_source(spec, fps=footage.fps, **cut)  # type: ignore[arg-type]


def same(one: Frame, other: Frame) -> bool:
    return (
        (one.index, one.time_s, one.segment) == (other.index, other.time_s, other.segment)
        and np.array_equal(one.luma, other.luma)
        and (one.bgr is None) == (other.bgr is None)
        and (one.bgr is None or np.array_equal(one.bgr, other.bgr))  # type: ignore[arg-type]
    )


def test_frames_are_whole_and_in_order(case: tuple[Footage, object]) -> None:
    footage, _ = case
    source = opened(case)
    frames = list(source.frames())
    assert [frame.index for frame in frames] == list(range(footage.count))
    times = [frame.time_s for frame in frames]
    assert times[0] == 0.0
    assert times == sorted(times)
    if footage.step_s is not None:
        assert times == pytest.approx([index * footage.step_s for index in range(footage.count)], abs=2e-3)
    for frame in frames:
        assert frame.luma.shape == footage.size_hw == source.info.size_hw
        assert frame.luma.dtype == np.uint8
        assert frame.luma.flags.c_contiguous
        assert frame.luma.flags.owndata
        assert frame.bgr is None
        assert frame.segment == 0


def test_report_of_sound_footage_is_clean(case: tuple[Footage, object]) -> None:
    source = opened(case)
    assert source.report.frames_read == 0
    list(source.frames())
    report = source.report
    assert report.frames_read == case[0].count
    assert (report.frames_skipped, report.bad_packets, report.truncated, report.breaks) == (0, 0, False, ())


def test_brightness_follows_the_picture(case: tuple[Footage, object]) -> None:
    """Each frame is nearest to the picture it was made from, so none is lost, doubled or out of order."""
    footage, _ = case
    truth = footage.truth()
    for frame in opened(case).frames():
        errors = ((truth - (frame.luma - frame.luma.mean())) ** 2).mean(axis=(1, 2))
        assert int(errors.argmin()) == frame.index
        assert errors.min() < 120


def test_color_comes_with_the_same_brightness(case: tuple[Footage, object]) -> None:
    source = opened(case)
    plain = list(source.frames())
    colored = list(source.frames(color=True))
    assert len(plain) == len(colored)
    for one, other in zip(plain, colored, strict=True):
        assert np.array_equal(one.luma, other.luma)
        assert other.bgr is not None
        assert other.bgr.shape == (*one.luma.shape, 3)
        assert other.bgr.flags.c_contiguous


def test_two_passes_are_equal(case: tuple[Footage, object]) -> None:
    source = opened(case)
    first, second = list(source.frames(True)), list(source.frames(True))
    assert all(same(one, other) for one, other in zip(first, second, strict=True))


def test_frames_own_their_memory(case: tuple[Footage, object]) -> None:
    source = opened(case)
    kept = [frame.luma.copy() for frame in source.frames()]
    for frame in source.frames():
        frame.luma[:] = 0
    assert all(np.array_equal(frame.luma, luma) for frame, luma in zip(source.frames(), kept, strict=True))


def test_stride_keeps_every_third(case: tuple[Footage, object]) -> None:
    whole = list(opened(case).frames())
    source = opened(case, stride=3)
    assert all(same(one, other) for one, other in zip(source.frames(), whole[::3], strict=True))
    assert source.report.frames_skipped == 0
    assert source.report.frames_read == len(whole[::3])


def test_start_and_end_give_that_part(case: tuple[Footage, object]) -> None:
    whole = list(opened(case).frames())
    start_s = (whole[8].time_s + whole[9].time_s) / 2
    end_s = (whole[15].time_s + whole[16].time_s) / 2
    part = list(opened(case, start_s=start_s, end_s=end_s).frames())
    assert [frame.index for frame in part] == list(range(9, 16))
    assert all(same(one, other) for one, other in zip(part, whole[9:16], strict=True))


def test_start_past_the_end_says_so(case: tuple[Footage, object]) -> None:
    with pytest.raises(TooShortError, match="500 s"):
        list(opened(case, start_s=500).frames())


def test_info_agrees_with_what_is_read(case: tuple[Footage, object]) -> None:
    footage, _ = case
    info = opened(case).info
    assert info.frame_count in (None, footage.count)
    if footage.step_s is not None:
        assert info.fps == pytest.approx(1 / footage.step_s)
        assert info.duration_s is None or info.duration_s == pytest.approx(footage.count * footage.step_s, abs=0.02)


def test_hash_is_stable(case: tuple[Footage, object]) -> None:
    one, other = opened(case).sha256(), opened(case, stride=2).sha256()
    assert one == other
    if isinstance(case[1], Path):
        assert one is not None
        assert len(one) == 64


def test_stopping_early_closes_what_was_opened(case: tuple[Footage, object]) -> None:
    source = opened(case)
    gc.collect()
    before = len(os.listdir("/proc/self/fd")) if Path("/proc/self/fd").exists() else 0
    with closing(source.frames()) as frames:  # type: ignore[type-var]
        next(frames)
        next(frames)
    iterator = source.frames()
    next(iterator)
    with pytest.raises(ZeroDivisionError):
        iterator.throw(ZeroDivisionError)  # type: ignore[attr-defined]
    after = len(os.listdir("/proc/self/fd")) if Path("/proc/self/fd").exists() else 0
    assert after == before
    assert source.report.frames_read == 1


def test_two_passes_at_once_do_not_disturb_each_other(case: tuple[Footage, object]) -> None:
    source = opened(case)
    pairs = list(zip(source.frames(), source.frames(), strict=True))
    assert len(pairs) == case[0].count
    assert all(same(one, other) for one, other in pairs)


@pytest.mark.parametrize(
    ("setting", "message"),
    [
        ({"stride": 0}, "stride is 0"),
        ({"start_s": -1.0}, "start is -1.0 s"),
        ({"start_s": 2.0, "end_s": 2.0}, "end is 2.0 s"),
        ({"end_s": 0.0}, "end is 0.0 s"),
        ({"start_s": float("nan")}, "start is nan"),
        ({"fps": 0.0}, "fps is 0.0"),
        ({"fps": float("inf")}, "fps is inf"),
        ({"fps": "10"}, "fps is '10'; a number is needed"),
        ({"fps": 10**400}, "fps is beyond"),
        ({"start_s": "1:30"}, "start is '1:30'; a number is needed"),
        ({"end_s": [1]}, r"end is \[1\]; a number is needed"),
        ({"stride": 1.5}, "stride is 1.5; a whole number is needed"),
        ({"stride": None}, "stride is None; a whole number is needed"),
        ({"stride": "2"}, "stride is '2'; a whole number is needed"),
    ],
)
def test_settings_that_make_no_sense(setting: dict[str, float], message: str) -> None:
    with pytest.raises(ConfigError, match=message):
        ArraySource(moving_square(2), **{"fps": 10.0, **setting})  # type: ignore[arg-type]


def test_a_long_gap_is_a_break(tmp_path: Path) -> None:
    times_s = [0.1 * index + (5.0 if index >= 12 else 0.0) for index in range(24)]
    source = open_source(write_video(tmp_path / "gap.mp4", moving_square(), times_s=times_s))
    frames = list(source.frames())
    assert [frame.segment for frame in frames] == [0] * 12 + [1] * 12
    (broken,) = source.report.breaks
    assert (broken.index, broken.reason) == (12, "nothing was recorded for 5.1 s")


def test_stride_of_slow_footage_is_no_gap() -> None:
    source = ArraySource(moving_square(20), fps=0.2, stride=4)
    assert [frame.segment for frame in source.frames()] == [0] * 5
