"""Frames told without decoding are those that decoding gives, and reading can begin at any of them."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from crowdad.sources import Source, open_source
from tests.conftest import moving_square, write_folder, write_video
from tests.sources.test_contract import FOOTAGE, same

UNTOLD = {"array", "array-color", "list", "function", "raw-h264"}
"""Held in memory, or of containers without timestamps."""

TOLD = {
    "mp4": {"name": "a.mp4", "g": "7"},
    "b-frames": {"name": "b.mkv", "bf": "3", "g": "9"},
    "open-groups": dict(name="o.mp4", bf="2", g="8", **{"x264-params": "open-gop=1"}),
    "transport-stream": {"name": "a.ts", "g": "10", "bf": "2"},
    "webm": {"name": "a.webm", "codec": "libvpx", "g": "6"},
}


@pytest.fixture(params=[*TOLD, "folder"])
def footage(request: pytest.FixtureRequest, tmp_path: Path) -> Path:
    """60 frames at 10 fps in short groups."""
    if request.param == "folder":
        return write_folder(tmp_path / "clip", list(moving_square(60)))
    recipe: dict[str, Any] = dict(TOLD[request.param])
    return write_video(tmp_path / recipe.pop("name"), moving_square(60), **recipe)


def check(source: Source, numbers: tuple[int, ...]) -> None:
    frames = list(source.frames())
    report = source.report
    listing = source.listing()
    assert listing is not None
    assert [(frame.index, frame.time_s) for frame in frames] == list(
        zip(listing.index.tolist(), listing.time_s.tolist(), strict=True)
    )
    assert source.listed_report(listing) == report
    for number in numbers:
        again = list(source.frames(entry=listing.entry(number)))
        segment = frames[number].segment
        assert len(again) == len(frames) - number
        assert all(
            frame.segment == whole.segment - segment and (frame.index, frame.time_s) == (whole.index, whole.time_s)
            for frame, whole in zip(again, frames[number:], strict=True)
        ), number
        assert all(np.array_equal(f.luma, w.luma) for f, w in zip(again, frames[number:], strict=True)), number
        assert not source.report.frames_skipped + source.report.bad_packets


@pytest.mark.parametrize("cut", [{}, {"start_s": 2.3, "end_s": 5.1}, {"stride": 3}, {"start_s": 0.4, "stride": 4}])
def test_any_frame_can_be_the_first(footage: Path, cut: dict[str, Any]) -> None:
    check(open_source(footage, **cut), (0, 1, 6, 11))


def test_what_cannot_be_told_is_not_guessed(tmp_path: Path) -> None:
    untold = set()
    for name, recipe in FOOTAGE.items():
        folder = tmp_path / name
        folder.mkdir()
        source = open_source(recipe.make(folder), fps=recipe.fps)
        listing = source.listing()
        if listing is None:
            untold.add(name)
            continue
        frames = list(source.frames())
        assert listing.index.tolist() == [frame.index for frame in frames], name
        assert listing.time_s.tolist() == [frame.time_s for frame in frames], name
        middle = list(source.frames(color=True, entry=listing.entry(13)))
        whole = list(source.frames(color=True))[13:]
        assert all(map(same, middle, whole)), name
    assert untold == UNTOLD


def test_gaps_and_uneven_times_are_told(tmp_path: Path) -> None:
    times_s = [index / 10 + 0.04 * (index % 3 > 0) + 7.0 * (index > 22) + 3.5 * (index > 40) for index in range(60)]
    source = open_source(write_video(tmp_path / "gaps.mp4", moving_square(60), times_s=times_s, g="9"))
    listing = source.listing()
    assert listing is not None
    assert listing.breaks.tolist() == [23, 41]
    check(source, (0, 22, 23, 30, 50))
    check(open_source(source.path, start_s=4.0), (0, 5, 30))  # type: ignore[attr-defined]


def test_damage_is_not_told(tmp_path: Path) -> None:
    path = write_video(tmp_path / "whole.ts", moving_square(60), g="10")
    assert open_source(path).listing() is not None
    blob = path.read_bytes()
    (tmp_path / "cut.mkv").write_bytes(write_video(tmp_path / "w.mkv", moving_square(60)).read_bytes()[:-900])
    assert open_source(tmp_path / "cut.mkv").listing() is None
    packets = [blob[at : at + 188] for at in range(0, len(blob), 188)]
    flagged = [bytes([p[0], p[1] | 0x80, *p[2:]]) if 20 <= n < 23 else p for n, p in enumerate(packets)]
    (tmp_path / "damaged.ts").write_bytes(b"".join(flagged))
    assert open_source(tmp_path / "damaged.ts").listing() is None
