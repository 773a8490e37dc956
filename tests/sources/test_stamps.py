"""Timestamps put on one clock, with answers worked out by hand.  One picture comes each tick unless told otherwise."""

from __future__ import annotations

from fractions import Fraction

import pytest

from crowdad.sources._stamps import Stamps

TENTH = Fraction(1, 10)


def placed(stamps: Stamps, *pts: int | None, keys: tuple[int, ...] = (0,), reorders: bool = False) -> list[int | None]:
    return [stamps.add(stamp, None, number in keys, reorders) for number, stamp in enumerate(pts)]


def test_sound_timestamps_stay_as_they_are() -> None:
    stamps = Stamps(TENTH, 1)
    assert placed(stamps, -3, 1, -1, -2, 0, reorders=True) == [-3, 1, -1, -2, 0]
    assert not stamps.in_order
    assert stamps.restarts == []


def test_a_keyframe_that_goes_back_is_another_recording() -> None:
    stamps = Stamps(TENTH, 1)
    assert placed(stamps, *range(100, 110), *range(100, 105), keys=(0, 10)) == list(range(100, 115))
    assert stamps.restarts == [110]
    assert stamps.in_order


def test_pictures_shown_before_the_keyframe_of_another_recording_have_room() -> None:
    """An open group: keyframe 3 comes before pictures 1 and 2 of its own recording."""
    stamps = Stamps(TENTH, 1)
    assert placed(stamps, *range(100, 110), reorders=True) == list(range(100, 110))
    behind = [(3, True, 2), (1, False, 0), (2, False, 0), (4, False, 0)]
    assert [stamps.add(pts, None, is_key, True, lead) for pts, is_key, lead in behind] == [112, 110, 111, 113]
    assert stamps.restarts == [110]


def test_far_back_without_a_keyframe_takes_two_to_believe() -> None:
    stamps = Stamps(TENTH, 1)
    assert placed(stamps, *range(100, 120), 5, 6, 7) == [*range(100, 120), None, 120, 121]
    assert stamps.restarts == [120]


def test_one_timestamp_far_back_is_left_out() -> None:
    stamps = Stamps(TENTH, 1)
    assert placed(stamps, *range(100, 120), 5, 121) == [*range(100, 120), None, 121]
    assert stamps.restarts == []


def test_one_timestamp_far_ahead_is_taken_back() -> None:
    stamps = Stamps(TENTH, 1, mends=True)
    places = placed(stamps, 0, 1, 2, 3, 9000, 5, 6)
    assert places == [0, 1, 2, 3, 9000, 5, 6]
    assert stamps.mended == [4]
    assert stamps.restarts == []


def test_a_pause_is_no_damage() -> None:
    stamps = Stamps(TENTH, 1, mends=True)
    assert placed(stamps, 0, 1, 2, 9000, 9001) == [0, 1, 2, 9000, 9001]
    assert (stamps.mended, stamps.restarts) == ([], [])


@pytest.mark.parametrize(("unit", "wrap"), [(Fraction(1, 90_000), 2**33), (Fraction(1, 1000), 2**32)])
def test_counters_that_wrap_go_on(unit: Fraction, wrap: int) -> None:
    stamps = Stamps(unit, 40)
    pts = [(wrap - 80 + 40 * number) % wrap for number in range(5)]
    assert placed(stamps, *pts) == [wrap - 80 + 40 * number for number in range(5)]
    assert stamps.restarts == []


def test_pictures_shown_before_the_wrap_may_come_behind_it() -> None:
    stamps = Stamps(Fraction(1, 90_000), 40)
    wrap = 2**33
    assert placed(stamps, wrap - 40, 40, wrap - 20, 80, reorders=True) == [wrap - 40, wrap + 40, wrap - 20, wrap + 80]


def test_dts_stands_in_where_pictures_keep_their_order() -> None:
    stamps = Stamps(TENTH, 1)
    assert [stamps.add(None, n, n == 0, False) for n in range(3)] == [0, 1, 2]
    assert stamps.add(None, 3, False, True) is None
