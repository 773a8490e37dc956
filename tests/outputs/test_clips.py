"""Clips of a watched camera play, hold the seconds around an event, and keep to their disk budget."""

from __future__ import annotations

import errno
import io
import os
import subprocess
import sys
from collections.abc import Iterable
from pathlib import Path

import av
import numpy as np
import pytest

from crowdad.outputs.clips import ClipRecorder, keep_within
from crowdad.records import FrameResult, Heatmap, OpenEvent
from crowdad.sources.jpeg import packed
from tests.outputs.alerts.test_courier import until
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


def test_a_full_disk_costs_the_clip_alone_is_told_once_and_not_tried_at_every_frame(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What is still held is written when a file is closed: a full disk refuses it there once more."""
    begun = 0

    def full(**_: object) -> io.BufferedRandom:
        nonlocal begun
        begun += 1
        return io.BufferedRandom(io.FileIO("/dev/full", "r+"), 2**22)

    notices: list[str] = []
    recorder = ClipRecorder(tmp_path, MUCH, notices.append, before_s=1)
    with monkeypatch.context() as patch:
        patch.setattr("crowdad.outputs.clips.tempfile.TemporaryFile", full)
        record(recorder, 60, {1: range(20, 40), 2: range(45, 55)})
    assert notices == ["clips: cannot be kept (No space left on device)"]
    assert begun == 2
    recorder.add(result_of(99, 0.9), BEGAN_S + 10, PICTURE, (event_of(3, 99, 99),))
    recorder.close()
    assert [path.name.partition("Z-")[2] for path in tmp_path.iterdir()] == ["event-3.mp4"]


def test_a_clip_that_cannot_even_be_removed_ends_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuses(*_: object, **__: object) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    notices: list[str] = []
    recorder = ClipRecorder(tmp_path, MUCH, notices.append, before_s=1, after_s=0.5)
    with monkeypatch.context() as full:
        full.setattr("crowdad.outputs.clips.write_overlay", refuses)
        full.setattr(Path, "unlink", refuses)
        (first,) = record(recorder, 40, {1: range(10, 20)})
        until(lambda: bool(notices))
    assert notices == [f"clips: {first} cannot be written ([Errno {errno.ENOSPC}] No space left on device)"]
    (second,) = record(recorder, 40, {2: range(10, 20)})
    recorder.close()
    assert frames_in(tmp_path / second)[0] > 0


def test_after_the_clock_was_set_back_new_clips_are_not_the_oldest(tmp_path: Path) -> None:
    for number, name in enumerate(("old.mp4", "new-1.mp4", "new-2.mp4")):
        (tmp_path / name).write_bytes(bytes(100))
        os.utime(tmp_path / name, (1000 - number, 1000 - number))
    keep_within(tmp_path, 150, ["new-1.mp4", "new-2.mp4"])
    assert [path.name for path in tmp_path.iterdir()] == ["new-2.mp4"]


_ENDS_WHILE_DRAWING = """
import sys, time
from pathlib import Path
import numpy as np
from crowdad.outputs.clips import ClipRecorder
from crowdad.sources.jpeg import packed
from crowdad.records import FrameResult, Heatmap, OpenEvent
picture = packed(np.random.default_rng(0).integers(0, 255, (1080, 1920, 3)).astype(np.uint8))
recorder = ClipRecorder(Path(sys.argv[1]), 10**9, print)
box = (0.0, 0.0, 99.0, 99.0)
for index in range(80):
    heat = Heatmap(np.zeros((67, 120), np.float32), 16.0, (1080, 1920))
    result = FrameResult(index, index / 10, 0.0, 0.9, True, False, 1, heat)
    recorder.add(result, 0.0, picture, (OpenEvent((1,), 0.0, 0, 0.0, 0, 0.9, box, box, True),))
recorder._finish()
while not list(Path(sys.argv[1]).glob("*.part")):
    time.sleep(0.01)
recorder.close(0.0)
"""


def test_a_program_that_ends_while_a_clip_is_drawn_ends_well_and_leaves_no_part(tmp_path: Path) -> None:
    ended = subprocess.run([sys.executable, "-c", _ENDS_WHILE_DRAWING, tmp_path], capture_output=True, text=True)
    assert (ended.returncode, ended.stderr) == (0, "")
    assert ended.stdout == "clips: some could not be drawn in time and are lost\n"
    assert not list(tmp_path.iterdir())


def test_memory_holds_the_seconds_before_only(tmp_path: Path) -> None:
    recorder = ClipRecorder(tmp_path, MUCH, print, before_s=2)
    record(recorder, 90, {1: range(60, 90)})
    assert len(recorder._past) == 21
    recorder.close()
