"""Index and time of each frame, with answers worked out by hand.  One tick is a tenth of a second."""

from __future__ import annotations

from fractions import Fraction

import pytest

from crowdad.sources._clock import WAITING_AT_MOST, FrameClock, Placed

TENTH = Fraction(1, 10)


def clock(may_restart: bool = False, origin_pts: int | None = None) -> FrameClock:
    return FrameClock(TENTH, 10.0, origin_pts, may_restart)


def feed(clock: FrameClock, *stamps: int) -> None:
    for pts in stamps:
        clock.expect(pts)


def test_counts_from_the_first_timestamp() -> None:
    here = clock()
    feed(here, 7, 9, 8)
    assert [here.place(pts) for pts in (7, 8, 9)] == [Placed(0, 0.0), Placed(1, 0.1), Placed(2, 0.2)]
    assert here.unshown_s() == ()


def test_a_refused_packet_costs_its_own_place() -> None:
    here = clock()
    feed(here, 0, 1, 2, 3)
    here.place(0)
    here.failed()
    assert here.place(2) == Placed(2, 0.2, lost_s=(0.1,))
    assert here.place(3) == Placed(3, 0.3)


def test_a_packet_lost_without_complaint_shows_as_a_hole() -> None:
    here = clock()
    feed(here, 0, 1, 2, 3)
    here.place(0)
    assert here.place(3) == Placed(3, 0.3, lost_s=(0.1, 0.2))


def test_second_fields_are_not_lost_frames() -> None:
    """Two packets make one frame: half the timestamps never come out, and the time line has no hole."""
    here = FrameClock(Fraction(1, 20), 10.0, None)
    feed(here, *range(8))
    assert [here.place(pts).index for pts in (0, 2, 4, 6)] == [0, 1, 2, 3]
    assert here.unshown_s() == ()


def test_a_pause_of_the_camera_is_not_a_lost_frame() -> None:
    here = clock()
    feed(here, 0, 50)
    here.place(0)
    assert here.place(50) == Placed(1, 5.0)


def test_missing_timestamps_are_filled_in() -> None:
    here = clock()
    placed = [here.place(pts) for pts in (5, None, None, 8)]
    assert [(p.index, p.time_s) for p in placed] == [(0, 0.0), (1, 0.1), (2, 0.2), (3, 0.3)]


def test_no_timestamps_at_all_do_not_drift() -> None:
    here = FrameClock(TENTH, 30.0, None)
    placed = [here.place(None) for _ in range(3001)]
    assert placed[3000] == Placed(3000, 100.0)


def test_lost_frames_without_timestamps_keep_their_places() -> None:
    here = clock()
    here.place(None)
    here.failed()
    assert here.place(None) == Placed(2, 0.2, lost_s=(0.1,))


def test_late_first_timestamp_goes_on_from_where_counting_was() -> None:
    here = clock()
    placed = [here.place(pts) for pts in (None, None, 700, 701)]
    assert [p.time_s for p in placed] == pytest.approx([0.0, 0.1, 0.2, 0.3])


def test_small_steps_back_stand_still() -> None:
    here = clock(may_restart=True)
    assert [here.place(pts).time_s for pts in (0, 5, 4, 6)] == [0.0, 0.5, 0.5, 0.6]


def test_a_clock_set_back_goes_on_counting() -> None:
    here = clock(may_restart=True)
    placed = [here.place(pts) for pts in (100, 150, 100, 101)]
    assert [p.restarted for p in placed] == [False, False, True, False]
    assert [round(p.time_s, 9) for p in placed] == [0.0, 5.0, 5.1, 5.2]


def test_a_clock_that_cannot_be_set_back_never_is() -> None:
    here = clock()
    assert [here.place(pts).time_s for pts in (100, 150, 100, 151)] == [0.0, 5.0, 5.0, 5.1]


def test_counting_starts_at_the_origin_after_a_seek() -> None:
    assert clock(origin_pts=3).place(28) == Placed(25, 2.5)


def test_indices_follow_times_up_to_the_start_of_a_sought_part() -> None:
    """The two frames before the keyframe that come out late, or not at all, must not shift the count."""
    here = FrameClock(TENTH, 10.0, 0, from_s=1.0)
    assert [here.place(pts).index for pts in (5, 8, 9, 10, 13)] == [5, 8, 9, 10, 11]


def test_packets_that_never_come_out_are_told_at_the_end() -> None:
    here = clock()
    feed(here, 0, 1, 2)
    here.place(0)
    assert here.unshown_s() == (0.1, 0.2)


def test_timestamps_of_no_use_do_not_pile_up() -> None:
    here = clock()
    feed(here, *range(10, 10 + 3 * WAITING_AT_MOST))
    assert len(here.unshown_s()) <= WAITING_AT_MOST
