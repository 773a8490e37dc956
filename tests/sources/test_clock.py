"""Index and time of each frame, with answers worked out by hand.  One tick is a tenth of a second."""

from __future__ import annotations

from fractions import Fraction

import pytest

from crowdad.sources._clock import UNSHOWN_AT_MOST, WAITING_AT_MOST, FrameClock, Placed

TENTH = Fraction(1, 10)


def clock(origin_pts: int | None = None, restarts: tuple[int, ...] = ()) -> FrameClock:
    return FrameClock(TENTH, 10.0, origin_pts, restarts)


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
    here = clock()
    assert [here.place(pts).time_s for pts in (0, 5, 4, 6)] == [0.0, 0.5, 0.5, 0.6]


def test_where_the_clock_was_set_back_is_told_with_the_first_frame_behind() -> None:
    here = clock(restarts=(53,))
    placed = [here.place(pts) for pts in (0, 52, 54, 55)]
    assert [p.restarted for p in placed] == [False, False, True, False]
    assert [p.time_s for p in placed] == [0.0, 5.2, 5.4, 5.5]


def test_ranked_timestamps_go_to_frames_as_they_come() -> None:
    """Timestamps are in the order of decoding: the second frame shown is the fourth that was decoded."""
    here = clock()
    here.ranked = True
    feed(here, 0, 1, 2, 3)
    assert [here.place(pts) for pts in (0, 3, 2, 1)] == [Placed(n, n / 10) for n in range(4)]
    assert here.unshown_s() == ()


def test_a_refused_packet_costs_one_of_the_ranked_places() -> None:
    here = clock()
    here.ranked = True
    feed(here, 0, 1, 2, 3)
    here.place(0)
    here.failed()
    assert here.place(3) == Placed(2, 0.2, lost_s=(0.1,))


def test_packets_that_never_come_out_do_not_hold_up_ranked_places() -> None:
    here = clock()
    here.ranked = True
    feed(here, 0, 1)
    here.place(0)
    feed(here, *range(2, 40))
    assert here.place(1).index == 40 - UNSHOWN_AT_MOST


def test_counting_goes_on_from_the_first_index_of_a_part() -> None:
    here = FrameClock(TENTH, 10.0, 0, first_index=7)
    placed = [here.place(pts) for pts in (10, 11, 14)]
    assert [(p.index, p.time_s) for p in placed] == [(7, 1.0), (8, 1.1), (9, 1.4)]


def test_packets_that_never_come_out_are_told_at_the_end() -> None:
    here = clock()
    feed(here, 0, 1, 2)
    here.place(0)
    assert here.unshown_s() == (0.1, 0.2)


def test_timestamps_of_no_use_do_not_pile_up() -> None:
    here = clock()
    feed(here, *range(10, 10 + 3 * WAITING_AT_MOST))
    assert len(here.unshown_s()) <= WAITING_AT_MOST
