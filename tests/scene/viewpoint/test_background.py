"""A background is what stays while people pass."""

from __future__ import annotations

import numpy as np
import pytest

from crowdad.scene.viewpoint import LONGEST_PX, BackgroundKeeper, SightCheck
from tests.scene.viewpoint.made_up import peopled, view


def test_people_who_pass_are_not_in_it() -> None:
    empty = view(1)
    keeper, alone = BackgroundKeeper(), BackgroundKeeper()
    alone.add(empty)
    for seed in range(200):
        keeper.add(peopled(empty, seed))
    assert len(keeper) <= 32
    found = keeper.background()
    assert found.shape == (90, LONGEST_PX)
    assert found.dtype == np.uint8
    assert np.abs(found.astype(float) - alone.background()).mean() < 1


def test_pictures_are_spread_over_all_of_the_footage() -> None:
    keeper = BackgroundKeeper()
    for number in range(100):
        keeper.add(np.full((40, 80), number, np.uint8))
    assert keeper.background().mean() == pytest.approx(49.5, abs=3)


def test_no_picture_is_no_background() -> None:
    with pytest.raises(ValueError, match="no picture"):
        BackgroundKeeper().background()


def test_a_first_look_takes_five_seconds_at_any_frame_rate() -> None:
    for fps in (5, 25):
        check = SightCheck()
        assert check.so_far() is None
        ends = [number / fps for number in range(10 * fps) if check.see(view(1), number / fps) is not None]
        assert ends[0] == pytest.approx(40 / 9, abs=0.2)


def test_a_first_look_begins_anew_where_the_clock_is_set_back() -> None:
    check = SightCheck()
    for number in range(8):
        check.see(view(1), 100 + number)
    ends = [number / 5 for number in range(50) if check.see(view(1), number / 5) is not None]
    assert ends[0] == pytest.approx(40 / 9, abs=0.2)
