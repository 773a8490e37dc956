from __future__ import annotations

import numpy as np
import numpy.typing as npt
import pytest

from crowdad.outputs.heat import HeatPaint
from crowdad.outputs.lettering import draw_plate, draw_text, plate_size, text_size
from crowdad.outputs.scorebar import ScoreBar, bar_height
from crowdad.records import Event
from crowdad.wording import clock_text

COLOURS = HeatPaint().colours


def bar(anomaly: npt.NDArray[np.float64], seconds: float, events: list[Event] | None = None) -> ScoreBar:
    times_s = np.linspace(0, seconds, len(anomaly))
    return ScoreBar(times_s, anomaly, events or [], COLOURS, (30, 400))


def strip(of: ScoreBar, time_s: float) -> npt.NDArray[np.uint8]:
    drawn = np.zeros((30, 400, 3), dtype=np.uint8)
    of.draw(drawn, time_s)
    return drawn


@pytest.mark.parametrize(
    ("time_s", "text"),
    [(0, "0:00.0"), (7.44, "0:07.4"), (59.99, "0:59.9"), (60, "1:00.0"), (3599.9, "59:59.9"), (3723.45, "1:02:03.4")],
)
def test_times_are_written_as_on_a_clock(time_s: float, text: str) -> None:
    assert clock_text(time_s) == text
    assert clock_text(time_s, tenths=False) == text[:-2]


def test_a_single_hot_frame_of_long_footage_is_seen() -> None:
    anomaly = np.full(20_000, 0.2)
    calm = strip(bar(anomaly, 100.0), 0)
    anomaly[10_000] = 0.95
    changed = np.argwhere((strip(bar(anomaly, 100.0), 0) != calm).any(axis=(0, 2)))
    assert 1 <= len(changed) <= 2
    assert 210 < changed[0, 0] < 260


def test_long_footage_turns_pages() -> None:
    anomaly = np.where(np.arange(1000) < 500, 0.1, 0.9)
    two = bar(anomaly, 240.0)
    early, late = strip(two, 0.0), strip(two, 239.0)
    assert early[5, 390].max() < 60
    assert late[5, 390 - 40].max() > 100
    assert np.array_equal(strip(two, 0.0), early)


def test_times_outside_the_table_do_not_stop_it() -> None:
    first, before, last, after = (strip(bar(np.full(10, 0.3), 10.0), time_s) for time_s in (0.0, -1.0, 10.0, 11.0))
    curve = np.s_[:, 200:]  # right of the clock, which tells each time
    assert np.array_equal(before[curve], first[curve])
    assert np.array_equal(after[curve], last[curve])
    assert strip(bar(np.zeros(0), 0.0), 3.0).any()
    assert strip(bar(np.zeros(1), 0.0), 0.0).any()


def test_events_are_shaded_and_numbered() -> None:
    box = (0.0, 0.0, 1.0, 1.0)
    marked = strip(bar(np.zeros(100), 10.0, [Event(1, 4.0, 8.0, 40, 79, 5.0, 50, 0.9, box)]), 0.0)
    plain = strip(bar(np.zeros(100), 10.0), 0.0)
    columns = np.flatnonzero((marked != plain).any(axis=(0, 2)))
    assert 120 < columns.min() < 240
    assert columns.max() < 340
    assert marked[:10].max() > 240


@pytest.mark.parametrize("height", [17, 240, 720, 1080])
def test_the_bar_is_thin(height: int) -> None:
    assert bar_height(height) <= max(26, height // 10)


def test_text_is_inside_its_size_and_clipped_at_the_edges() -> None:
    picture = np.zeros((40, 80, 3), dtype=np.uint8)
    width, height = text_size("12:34", 16)
    draw_text(picture, "12:34", (5, 7), 16, (255, 255, 255))
    drawn = np.argwhere(picture.any(axis=2))
    assert drawn.min(axis=0)[0] >= 7
    assert drawn.max(axis=0)[0] < 7 + height
    assert 5 <= drawn.min(axis=0)[1] <= 8
    assert drawn.max(axis=0)[1] < 5 + width
    assert picture.max() == 255
    for xy in ((-10, -5), (75, 35), (200, 200)):
        draw_text(picture, "12:34", xy, 16, (255, 255, 255))
        draw_plate(picture, "12:34", xy, 16)


def test_a_plate_is_as_large_as_it_says() -> None:
    picture = np.zeros((40, 80, 3), dtype=np.uint8)
    draw_plate(picture, "7", (3, 4), 14)
    drawn = np.argwhere(picture.any(axis=2))
    width, height = plate_size("7", 14)
    assert (drawn.max(axis=0) - drawn.min(axis=0) + 1).tolist() == [height, width]
