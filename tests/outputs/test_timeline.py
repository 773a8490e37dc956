from __future__ import annotations

from pathlib import Path

import cv2
import numpy as np
import numpy.typing as npt
import pytest

from crowdad.outputs.thumbnails import PeakThumbnails
from crowdad.outputs.timeline import write_timeline
from crowdad.records import Event, Frame

Picture = npt.NDArray[np.uint8]


def event(event_id: int, start_s: float, end_s: float, peak: float = 0.9) -> Event:
    first, last = int(start_s * 10), int(end_s * 10) - 1
    middle = (first + last) // 2
    return Event(event_id, start_s, end_s, first, last, middle / 10, middle, peak, (10.0, 10.0, 30.0, 40.0))


def draw(path: Path, count: int = 300, events: list[Event] | None = None, **more: object) -> Picture:
    times_s = np.arange(count) / 10
    anomaly = np.full(count, 0.2)
    for one in events or []:
        anomaly[one.start_frame : one.end_frame + 1] = one.peak_anomaly
    write_timeline(path, times_s, anomaly, events or [], **more)  # type: ignore[arg-type]
    picture = cv2.imread(str(path))
    assert picture is not None
    return np.asarray(picture, dtype=np.uint8)


def orange(picture: Picture) -> npt.NDArray[np.bool_]:
    blue, red = picture[..., 0].astype(int), picture[..., 2].astype(int)
    return np.asarray(red - blue > 120)


def test_events_are_hot_where_they_are(tmp_path: Path) -> None:
    calm = draw(tmp_path / "calm.png")
    assert calm.shape == (500, 1600, 3)
    assert not orange(calm).any()
    hot = orange(draw(tmp_path / "hot.png", events=[event(1, 10.0, 20.0)]))
    columns = np.flatnonzero(hot.sum(axis=0) > 30)
    assert columns.min() == pytest.approx(1600 * (0.048 + 0.937 / 3), abs=12)
    assert columns.max() == pytest.approx(1600 * (0.048 + 0.937 * 2 / 3), abs=12)


def test_cuts_are_dotted_lines(tmp_path: Path) -> None:
    plain, cut = draw(tmp_path / "plain.png"), draw(tmp_path / "cut.png", cuts=[10.0])
    columns = np.flatnonzero((plain != cut).any(axis=(0, 2)))
    assert columns == pytest.approx(1600 * (0.048 + 0.937 * 10 / 29.9), abs=3)


def test_thumbnails_hang_above_in_their_own_colours(tmp_path: Path) -> None:
    events = [event(number, 3.0 * number, 3.0 * number + 1) for number in range(1, 9)]
    blue = np.zeros((120, 160, 3), dtype=np.uint8)
    blue[..., 0] = 250
    picture = draw(tmp_path / "t.png", events=events, thumbnails=dict.fromkeys(range(1, 9), blue))
    is_blue = (picture[..., 0] > 200) & (picture[..., 2] < 60)
    starts = np.flatnonzero(np.diff(is_blue[150].astype(int)) == 1)
    assert len(starts) == 8
    assert not is_blue[200:].any()


def test_a_single_hot_frame_of_hours_is_seen(tmp_path: Path) -> None:
    times_s = np.arange(200_000) / 10
    anomaly = np.full(200_000, 0.2)
    anomaly[123_456] = 0.99
    write_timeline(tmp_path / "t.png", times_s, anomaly, [])
    picture = cv2.imread(str(tmp_path / "t.png"))
    assert picture is not None
    spike = 90 + np.flatnonzero((picture[130:160, 90:] < 200).any(axis=(0, 2)))
    assert spike.mean() == pytest.approx(1600 * (0.048 + 0.937 * 0.61728), abs=4)


def test_no_label_is_lost_where_events_are_not_in_order_of_time(tmp_path: Path) -> None:
    events = [event(1, 20.0, 25.0), event(2, 5.0, 10.0)]
    for name, order in (("ranked.png", events), ("sorted.png", events[::-1])):
        draw(tmp_path / name, events=order)
    assert (tmp_path / "ranked.png").read_bytes() == (tmp_path / "sorted.png").read_bytes()


def test_no_events_are_counted_where_nothing_was_compared(tmp_path: Path) -> None:
    counted, still = draw(tmp_path / "a.png"), draw(tmp_path / "b.png", compared=False)
    rows, columns = np.nonzero((counted != still).any(axis=2))
    assert rows.max() < 60
    assert columns.min() > 1200


def test_the_same_run_gives_the_same_picture(tmp_path: Path) -> None:
    for name in ("a.png", "b.png"):
        draw(tmp_path / name, events=[event(1, 2, 4)])
    assert (tmp_path / "a.png").read_bytes() == (tmp_path / "b.png").read_bytes()


@pytest.mark.parametrize("title", ["plain.mp4", "$x_{1$ 50%", "広場 \N{PILE OF POO}", "clip\udc80.mp4", ""])
def test_any_title_can_be_drawn(tmp_path: Path, title: str) -> None:
    draw(tmp_path / "t.png.part", title=title)


@pytest.mark.parametrize("count", [0, 1, 2])
def test_the_shortest_footage_can_be_drawn(tmp_path: Path, count: int) -> None:
    draw(tmp_path / "t.png", count=count)


def test_peaks_are_cut_out_of_passing_frames() -> None:
    frames = []
    for index in range(20):
        luma = np.full((96, 128), 50, dtype=np.uint8)
        luma[10:40, 10:30] = 200 + index
        frames.append(Frame(index, index / 10, luma))
    peaks = PeakThumbnails([event(1, 0.0, 1.0), event(2, 1.0, 2.0)], height_px=60)
    assert list(peaks.watch(frames)) == frames
    assert sorted(peaks.pictures) == [1, 2]
    assert peaks.pictures[1].shape == (60, 80, 3)
    assert np.median(peaks.pictures[1][28:36, 22:30]) == 204
    assert np.median(peaks.pictures[2][28:36, 22:30]) == 214


def test_only_the_strongest_peaks_are_kept() -> None:
    events = [event(number, number, number + 1, peak=0.5 + 0.04 * number) for number in range(1, 11)]
    frames = (Frame(index, index / 10, np.zeros((20, 30), dtype=np.uint8)) for index in range(120))
    peaks = PeakThumbnails(events, limit=3)
    for _ in peaks.watch(frames):
        pass
    assert sorted(peaks.pictures) == [8, 9, 10]


def test_colour_and_boxes_at_the_edge_are_kept() -> None:
    bgr = np.zeros((40, 60, 3), dtype=np.uint8)
    bgr[..., 2] = 222
    edge = Event(1, 0, 1, 0, 9, 0, 0, 0.9, (55.0, 30.0, 60.0, 40.0))
    peaks = PeakThumbnails([edge])
    list(peaks.watch([Frame(0, 0.0, bgr[..., 2], bgr)]))
    assert peaks.pictures[1][..., 2].min() == 222
    assert peaks.pictures[1][..., 0].max() == 0
