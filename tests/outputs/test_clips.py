"""Clips of a watched camera play, hold the seconds around an event, and keep to their disk budget."""

from __future__ import annotations

import os
from collections.abc import Iterable
from pathlib import Path

import av
import numpy as np
import pytest

from crowdad.outputs.clips import ClipRecorder, keep_within
from crowdad.outputs.jpeg import packed
from crowdad.records import FrameResult, Heatmap, OpenEvent
from tests.tiny_scene import SIZE_HW, texture

FPS = 10
MUCH = 10**9
BEGAN_S = 1_700_000_000.0  # 2023-11-14 22:13:20 UTC


def result_of(index: int, anomaly: float = 0.1) -> FrameResult:
    cells = np.full((6, 8), 0.1, np.float32)
    cells[2, 2] = anomaly
    return FrameResult(index, index / FPS, 0.0, anomaly, anomaly >= 0.5, False, 1, Heatmap(cells, 16.0, SIZE_HW))


def event_of(key: int, start: int, now: int) -> OpenEvent:
    x = 10.0 + now % 40
    box = (x, 30.0, x + 30, 70.0)
    return OpenEvent((key,), start / FPS, start, start / FPS, start, 0.9, box, box, True)


PICTURE = packed(np.repeat(texture(SIZE_HW, 1)[..., None], 3, axis=2))


def record(recorder: ClipRecorder, count: int, events: dict[int, Iterable[int]]) -> list[str]:
    """Feed `count` frames; events: key -> frames at which it is open.  Returns the names of the clips begun."""
    names: list[str] = []
    for index in range(count):
        lasting = tuple(event_of(key, min(span), index) for key, span in events.items() if index in span)
        result = result_of(index, 0.9 if lasting else 0.1)
        recorder.add(result, BEGAN_S + index / FPS, PICTURE, lasting)
        if recorder.name is not None and recorder.name not in names:
            names.append(recorder.name)
    return names


def frames_in(path: Path) -> tuple[int, float]:
    """Frames that can be decoded, and the time of the last."""
    with av.open(str(path)) as container:
        times = [frame.time for frame in container.decode(video=0)]
    return len(times), times[-1]


def test_a_clip_holds_the_seconds_before_during_and_after(tmp_path: Path) -> None:
    notices: list[str] = []
    recorder = ClipRecorder(tmp_path / "clips", MUCH, notices.append, before_s=2, after_s=1)
    names = record(recorder, 120, {3: range(50, 70)})
    recorder.close()
    assert names == ["2023-11-14T22-13-25Z-event-3.mp4"]
    assert [path.name for path in (tmp_path / "clips").iterdir()] == names
    count, last_s = frames_in(tmp_path / "clips" / names[0])
    assert count == 20 + 20 + 10  # frames 30 to 79
    assert last_s == pytest.approx(4.9, abs=0.02)
    assert notices == []


def test_heat_and_box_are_drawn(tmp_path: Path) -> None:
    recorder = ClipRecorder(tmp_path, MUCH, print, before_s=1, after_s=1)
    (name,) = record(recorder, 60, {1: range(20, 40)})
    recorder.close()
    with av.open(str(tmp_path / name)) as container:
        pictures = [frame.to_ndarray(format="bgr24").astype(int) for frame in container.decode(video=0)]
    calm, hot = pictures[2][: SIZE_HW[0]], pictures[20][: SIZE_HW[0]]
    assert np.abs(calm - hot)[32:48, 32:48].mean() > 20  # the hot cell
    assert np.abs(calm - hot)[:20, 90:].mean() < 5  # a calm corner


def test_events_that_overlap_share_a_clip_and_later_ones_get_their_own(tmp_path: Path) -> None:
    recorder = ClipRecorder(tmp_path, MUCH, print, before_s=1, after_s=1)
    names = record(recorder, 150, {1: range(20, 40), 2: range(35, 50), 3: range(100, 110)})
    recorder.close()
    assert [name.partition("Z-")[2] for name in names] == ["event-1.mp4", "event-3.mp4"]
    assert frames_in(tmp_path / names[0])[0] == 50  # frames 10 to 59


def test_what_does_not_end_is_cut_off_and_not_begun_again(tmp_path: Path) -> None:
    recorder = ClipRecorder(tmp_path, MUCH, print, before_s=1, after_s=1, most_s=4)
    names = record(recorder, 200, {1: range(20, 200)})
    recorder.close()
    assert len(names) == 1
    assert frames_in(tmp_path / names[0])[1] == pytest.approx(4.0, abs=0.02)


def test_an_open_clip_is_finished_at_the_end_of_the_watch(tmp_path: Path) -> None:
    recorder = ClipRecorder(tmp_path, MUCH, print, before_s=1, after_s=1)
    (name,) = record(recorder, 30, {1: range(20, 30)})
    recorder.close()
    assert frames_in(tmp_path / name)[0] == 20


def test_the_oldest_clips_go_first(tmp_path: Path) -> None:
    for number in range(4):
        path = tmp_path / f"{number}.mp4"
        path.write_bytes(bytes(100))
        os.utime(path, (number, number))
    (tmp_path / "mine.txt").write_bytes(bytes(1000))
    keep_within(tmp_path, 250)
    assert sorted(path.name for path in tmp_path.iterdir()) == ["2.mp4", "3.mp4", "mine.txt"]


def test_the_budget_holds(tmp_path: Path) -> None:
    notices: list[str] = []
    recorder = ClipRecorder(tmp_path, MUCH, notices.append, before_s=1, after_s=0.5)
    (first,) = record(recorder, 40, {1: range(10, 20)})
    recorder.close()
    size = (tmp_path / first).stat().st_size
    for budget, kept in ((2 * size, 2), (size // 2, 0)):
        recorder = ClipRecorder(tmp_path, budget, notices.append, before_s=1, after_s=0.5)
        record(recorder, 80, {7: range(10, 20), 8: range(50, 60)})
        recorder.close()
        clips = list(tmp_path.glob("*.mp4"))
        assert sum(path.stat().st_size for path in clips) <= budget
        assert len(clips) == min(kept, len(clips))
    assert "alone takes more than is allowed for all" in notices[-1]
    assert not list(tmp_path.glob("*.part"))


def test_what_a_killed_program_left_is_removed(tmp_path: Path) -> None:
    (tmp_path / "2020-01-01T00-00-00Z-event-1.mp4.part").write_bytes(b"half")
    ClipRecorder(tmp_path, MUCH, print).close()
    assert not list(tmp_path.iterdir())


def test_a_folder_that_cannot_be_written_is_told_once(tmp_path: Path) -> None:
    (tmp_path / "clips").write_text("a file")
    notices: list[str] = []
    recorder = ClipRecorder(tmp_path / "clips", MUCH, notices.append)
    assert record(recorder, 40, {1: range(10, 30)}) == []
    recorder.close()
    assert len(notices) == 1
    assert notices[0].startswith("clips: cannot be kept (")


def test_memory_holds_the_seconds_before_only(tmp_path: Path) -> None:
    recorder = ClipRecorder(tmp_path, MUCH, print, before_s=2)
    record(recorder, 90, {1: range(60, 90)})
    assert len(recorder._past) == 21
    recorder.close()
