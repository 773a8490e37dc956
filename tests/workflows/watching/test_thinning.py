"""Where frames are dropped all the time, an even share is scored instead."""

from __future__ import annotations

import time

import numpy as np
import pytest

from crowdad.sources import LiveFrame
from crowdad.workflows.watching.thinning import Breaks, Thinning

PICTURE = np.zeros((16, 16), np.uint8)


class Machine:
    """Plays frames at 10 a second of a clock that is set by hand."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.now_s = 100.0
        self.index = 0
        self.dropped = 0
        self.left_out: list[str] = []
        self.notices: list[str] = []
        monkeypatch.setattr(time, "monotonic", lambda: self.now_s)
        self.thinning = Thinning(lambda: self.dropped, self.left_out.append, self.notices.append)

    def play(self, seconds: float, dropped_share: float) -> list[int]:
        """Indices of the frames that were scored."""
        scored, owed = [], 0.0
        for _ in range(round(10 * seconds)):
            self.now_s += 0.1
            self.index += 1
            owed += dropped_share
            if owed >= 1:
                owed -= 1
                self.dropped += 1
            elif self.thinning.scores(LiveFrame(self.index, self.index / 10, PICTURE, captured_s=self.now_s)):
                scored.append(self.index)
        return scored


def test_a_machine_that_is_fast_enough_scores_every_frame(monkeypatch: pytest.MonkeyPatch) -> None:
    machine = Machine(monkeypatch)
    assert len(machine.play(60, 0.05)) == 600 - machine.dropped
    assert (machine.thinning.stride, machine.left_out, machine.notices) == (1, [], [])


def test_a_hiccup_changes_nothing_for_long_footage(monkeypatch: pytest.MonkeyPatch) -> None:
    machine = Machine(monkeypatch)
    machine.play(5, 0.0)
    machine.dropped += 9
    machine.play(60, 0.0)
    assert machine.thinning.stride == 1


def test_one_that_is_too_slow_scores_every_second_frame_and_if_need_be_every_third(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    machine = Machine(monkeypatch)
    machine.play(10.5, 0.5)
    assert machine.thinning.stride == 2
    scored = machine.play(9, 0.0)
    assert scored
    assert {index % 2 for index in scored} == {0}
    assert len(machine.left_out) >= len(scored) - 1
    machine.play(12, 0.5)
    assert machine.thinning.stride == 3
    machine.play(45, 0.0)
    assert machine.thinning.stride == 3
    assert machine.notices == [
        "this machine is too slow for every frame; from now on every 2nd one is scored",
        "this machine is too slow for every frame; from now on every 3rd one is scored",
    ]


def test_a_machine_that_was_busy_for_a_while_scores_every_frame_again(monkeypatch: pytest.MonkeyPatch) -> None:
    machine = Machine(monkeypatch)
    machine.play(22, 0.5)
    assert machine.thinning.stride == 3
    machine.play(150, 0.0)
    assert machine.notices[2:] == [
        "this machine has time again; from now on every 2nd one is scored",
        "this machine has time again; from now on every frame is scored",
    ]
    assert machine.play(5, 0.0) == list(range(machine.index - 49, machine.index + 1))


def test_one_that_stays_too_slow_tries_ever_more_seldom(monkeypatch: pytest.MonkeyPatch) -> None:
    machine = Machine(monkeypatch)
    tried_s: list[float] = []
    for _ in range(6 * 3600):
        before = machine.thinning.stride
        machine.play(1, 0.5 if machine.thinning.stride == 1 else 0.0)
        if machine.thinning.stride < before:
            tried_s.append(machine.now_s)
    waits = np.diff(tried_s)
    assert waits[0] > 60
    assert np.all(waits[1:6] > 1.5 * waits[:5])
    assert np.all(waits[6:] < 3700)


def test_a_dropped_frame_now_and_then_leaves_the_stride_alone(monkeypatch: pytest.MonkeyPatch) -> None:
    machine = Machine(monkeypatch)
    machine.play(10.5, 0.5)
    machine.play(600, 0.02)
    assert machine.thinning.stride == 2


def test_there_is_an_end_to_it(monkeypatch: pytest.MonkeyPatch) -> None:
    machine = Machine(monkeypatch)
    machine.play(300, 0.9)
    assert machine.thinning.stride == 10


def test_tubes_begin_anew_where_many_frames_are_missing_or_the_stride_changes() -> None:
    breaks = Breaks()
    seen = [
        breaks.before(index, stride)
        for index, stride in ((5, 1), (6, 1), (9, 1), (13, 1), (14, 2), (16, 2), (20, 2), (25, 2))
    ]
    assert seen == [False, False, False, True, True, False, False, True]
