"""One time line over several connections; all times here are worked out by hand."""

from __future__ import annotations

import pytest

from crowdad.sources._live_clock import LiveClock, LivePlace


def place(clock: LiveClock, index: int, stream_s: float, now_s: float, trusted: bool = False) -> LivePlace:
    return clock.place(index, stream_s, now_s, trusted=trusted)


def test_within_a_connection_the_streams_own_times_count() -> None:
    clock = LiveClock()
    clock.connect()
    assert place(clock, 0, 0.0, 100.0) == LivePlace(0, 0.0)
    assert place(clock, 1, 0.1, 100.4) == LivePlace(1, 0.1)
    assert place(clock, 4, 0.4, 100.4) == LivePlace(4, 0.4)


def test_over_connections_the_wall_clock_counts() -> None:
    clock = LiveClock()
    clock.connect()
    place(clock, 0, 0.0, 100.0)
    place(clock, 7, 0.5, 100.5)
    clock.connect()
    assert place(clock, 0, 0.0, 109.0) == LivePlace(8, 9.0)
    assert place(clock, 1, 0.25, 109.2) == LivePlace(9, 9.25)


def test_times_never_decrease_though_the_first_frames_came_in_one_go() -> None:
    clock = LiveClock()
    clock.connect()
    place(clock, 0, 0.0, 100.0)
    place(clock, 20, 2.0, 100.1)
    clock.connect()
    assert place(clock, 0, 0.0, 101.0) == LivePlace(21, 2.0)


@pytest.mark.parametrize(("stream_s", "time_s"), [(3600.0, 1.0), (-3600.0, 1.0), (11.5, 1.0)])
def test_a_clock_that_cannot_be_followed_is_left(stream_s: float, time_s: float) -> None:
    clock = LiveClock()
    clock.connect()
    place(clock, 0, 0.0, 100.0)
    assert place(clock, 1, stream_s, 101.0) == LivePlace(1, time_s, anew=True)
    assert place(clock, 2, stream_s + 0.5, 101.5) == LivePlace(2, time_s + 0.5)


def test_a_clock_that_runs_slow_is_set_once_it_is_half_a_minute_late() -> None:
    clock = LiveClock()
    clock.connect()
    places = [place(clock, step, 0.9 * step, 100.0 + step) for step in range(400)]
    anew = [placed.index for placed in places if placed.anew]
    assert anew == [301]
    assert places[300].time_s == pytest.approx(270.0)
    assert places[301].time_s == pytest.approx(301.0)


def test_a_files_times_are_kept_whatever_the_wall_clock_says() -> None:
    clock = LiveClock()
    clock.connect()
    place(clock, 0, 0.0, 100.0, trusted=True)
    assert place(clock, 1, 900.0, 101.0, trusted=True) == LivePlace(1, 900.0)
    assert place(clock, 2, 901.0, 5000.0, trusted=True) == LivePlace(2, 901.0)


def test_what_gave_no_frame_has_a_time_too() -> None:
    clock = LiveClock()
    clock.connect()
    place(clock, 0, 0.0, 100.0)
    clock.connect()
    place(clock, 0, 0.0, 105.0)
    assert clock.seconds(0.5) == 5.5
    assert clock.due_s(LivePlace(9, 7.0)) == 107.0
