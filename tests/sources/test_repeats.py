"""Pictures that a recorder writes more than once: found, counted on their own, and never taken for a still scene."""

from __future__ import annotations

from itertools import pairwise
from pathlib import Path

import numpy as np
import numpy.typing as npt
import pytest

from crowdad.sources import Stream, open_source
from crowdad.sources._repeats import RepeatFinder, change_between, new_rate
from tests.conftest import moving_square, write_video

Pictures = npt.NDArray[np.uint8]


def crowd(count: int, noise: float = 2.0) -> Pictures:
    """A square that walks, and sensor noise."""
    rng = np.random.default_rng(3)
    still = moving_square(count, (96, 128)).astype(np.float32)
    return np.clip(still + rng.normal(0, noise, still.shape), 0, 255).astype(np.uint8)


def written(pictures: Pictures, rhythm: tuple[int, ...]) -> tuple[Pictures, list[bool]]:
    """The pictures, each as often as the rhythm says, and which of them are repeats."""
    times = [rhythm[number % len(rhythm)] for number in range(len(pictures))]
    return np.repeat(pictures, times, axis=0), [repeat > 0 for count in times for repeat in range(count)]


def changes(pictures: Pictures) -> list[float]:
    return [change_between(later, earlier) for earlier, later in pairwise(pictures)]


RHYTHMS = {  # name: (rhythm, frames a second, new ones)
    "5 of 30": ((6,), 30, 5.0),
    "12 of 60": ((5,), 60, 12.0),
    "12.5 of 25": ((2,), 25, 12.5),
    "10 of 25": ((2, 3), 25, 10.0),
    "25 of 30": ((1, 1, 1, 1, 2), 30, 25.0),
    "24 of 30": ((1, 1, 1, 2), 30, 24.0),
    "15 of 30, unevenly": ((3, 1, 2), 30, 15.0),
    "all of 25": ((1,), 25, 25.0),
}


@pytest.mark.parametrize("name", RHYTHMS)
@pytest.mark.parametrize("noise", [0.0, 2.0])
def test_the_rate_of_new_pictures(name: str, noise: float) -> None:
    rhythm, fps, new_fps = RHYTHMS[name]
    pictures, _ = written(crowd(40, noise), rhythm)
    assert new_rate([changes(pictures)], fps) == pytest.approx(new_fps, rel=0.05)


def test_where_nothing_moves_there_is_nothing_to_tell() -> None:
    still = np.full((60, 96, 128), 90, np.uint8)
    assert new_rate([changes(still)], 25) is None
    noisy = np.clip(still + np.random.default_rng(1).normal(0, 2, still.shape), 0, 255).astype(np.uint8)
    assert new_rate([changes(noisy)], 25) is None


def test_who_stops_and_goes_does_not_repeat_pictures() -> None:
    """Noise-free footage that now and then stands still for half a second: all pictures are new where it moves."""
    moving = moving_square(80, (96, 128))
    pictures = np.concatenate(
        [np.concatenate([part, np.repeat(part[-1:], 12, axis=0)]) for part in np.split(moving, 4)]
    )
    found = new_rate([changes(pictures)], 25)
    assert found is None or found == 25


def test_a_tiny_mover_alone_makes_new_pictures() -> None:
    pictures = np.full((60, 240, 320), 90, np.uint8)
    for number, picture in enumerate(pictures):
        picture[100:104, 20 + number : 24 + number] = 190
    found = new_rate([changes(pictures)], 25)
    assert found == 25
    finder = RepeatFinder(25, 25, measures=True)
    assert not any(finder.repeats(picture) for picture in np.tile(pictures, (4, 1, 1)))
    assert finder.new_fps == 25


@pytest.mark.parametrize("codec", ["libx264", "mjpeg", "ffv1"])
@pytest.mark.parametrize("name", ["5 of 30", "25 of 30", "12 of 60", "15 of 30, unevenly"])
def test_repeats_of_a_file_are_found(name: str, codec: str, tmp_path: Path) -> None:
    rhythm, fps, new_fps = RHYTHMS[name]
    pictures, repeated = written(crowd(50), rhythm)
    pix_fmt = {"mjpeg": "yuvj420p"}.get(codec, "yuv420p")
    source = open_source(write_video(tmp_path / "r.mkv", pictures, fps, codec, pix_fmt=pix_fmt))
    assert source.fps == pytest.approx(fps, rel=1e-3)
    assert source.new_fps == pytest.approx(new_fps, rel=0.1)
    frames = list(source.frames())
    assert len(frames) == len(pictures)
    assert np.mean([frame.repeated == told for frame, told in zip(frames, repeated, strict=True)]) > 0.95
    assert source.report.frames_repeated == sum(frame.repeated for frame in frames)
    assert {frame.segment for frame in frames} == {0}
    assert f"{fps} frames a second, about {new_fps:.0f} new ones" in source.report.notes[0]
    assert source.listing() is None


def test_sound_footage_repeats_nothing(tmp_path: Path) -> None:
    source = open_source(write_video(tmp_path / "s.mp4", crowd(60), 25))
    assert source.new_fps == source.fps == 25
    assert not any(frame.repeated for frame in source.frames())


def test_a_still_stretch_goes_on_at_the_rate_of_new_pictures(tmp_path: Path) -> None:
    pictures, _ = written(crowd(40, 0.0), (3,))
    still = np.repeat(pictures[-1:], 60, axis=0)
    source = open_source(write_video(tmp_path / "s.mkv", np.concatenate([pictures, still]), 30, "ffv1"))
    frames = list(source.frames())
    new = [frame.index for frame in frames if not frame.repeated]
    assert max(np.diff(new)) <= 6


def test_a_camera_that_repeats_is_found_while_it_comes() -> None:
    pictures, repeated = written(crowd(60), (6,))
    finder = RepeatFinder(30, 30, measures=True)
    told = [finder.repeats(picture) for picture in pictures]
    assert finder.new_fps == pytest.approx(5, rel=0.05)
    assert told[-120:] == repeated[-120:]


def test_a_file_played_at_its_own_pace_tells_its_repeats(tmp_path: Path) -> None:
    pictures, _ = written(crowd(25), (3,))
    path = write_video(tmp_path / "r.mkv", pictures, 60, "ffv1")
    expected = [(frame.repeated, frame.fps) for frame in open_source(path).frames()]
    with Stream(str(path), realtime=True, queue_frames=100) as stream:
        assert [(frame.repeated, frame.fps) for frame in stream.frames()] == expected
    assert any(repeated for repeated, _ in expected)
