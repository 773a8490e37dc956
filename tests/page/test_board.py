"""What the page is told: bounded, never waited for, each reader what it has not read."""

from __future__ import annotations

import json
import struct
from dataclasses import replace

import numpy as np
import pytest

from crowdad.detection.live import LiveUpdate
from crowdad.page import board as boards
from crowdad.page.board import MOST_EVENTS, Board, Cursor
from tests.page.made_up import BEGAN_S, GRID, SIZE_HW, change, open_event, status, update

BLANK = update(0)


def at_frame(index: int) -> LiveUpdate:
    """A scored frame that costs nothing to make."""
    return replace(BLANK, score=replace(BLANK.score, captured_s=BEGAN_S + index / 10))


@pytest.fixture
def board(monkeypatch: pytest.MonkeyPatch) -> Board:
    """A board that takes every picture."""
    monkeypatch.setattr(boards, "PICTURE_S", 0.0)
    return Board()


def test_points_are_told_once_and_hold_the_largest_of_a_tenth_of_a_second(board: Board) -> None:
    for index in range(31):
        board.update(update(index, 0.8 if index == 7 else 0.2, fps=30.0))
    news, cursor = board.news(Cursor())
    assert news["fresh"]
    times_ms, levels = zip(*news["points"], strict=True)
    assert len(times_ms) == pytest.approx(10, abs=1)
    assert np.diff(times_ms).min() >= 99
    assert sorted(levels)[-2:] == [51, 204]
    again, cursor = board.news(cursor)
    assert (again["fresh"], again["points"]) == (False, [])
    board.update(update(40, fps=30.0))
    board.update(update(50, fps=30.0))
    assert len(board.news(cursor)[0]["points"]) == 2


def test_the_curve_is_bounded_and_a_late_reader_gets_its_end(board: Board) -> None:
    cursor = board.news(Cursor())[1]
    for index in range(3500):
        board.update(at_frame(index))
    points = board.news(cursor)[0]["points"]
    assert len(points) == 3000
    assert points[-1][0] == round(1000 * (BEGAN_S + 349.8))


def test_where_the_camera_is_lost_the_curve_ends_and_the_state_says_so(board: Board) -> None:
    board.update(update(0, 0.4))
    board.status(status())
    online = board.news(Cursor())[0]["state"]
    assert online["name"] == "online"
    board.status(status("offline", "no answer"))
    news = board.news(Cursor())[0]
    assert (news["state"]["name"], news["state"]["reason"]) == ("offline", "no answer")
    assert [level for _, level in news["points"]] == [102, 0]
    since_s = news["state"]["since_s"]
    board.status(status("offline", "no route"))
    assert board.news(Cursor())[0]["state"] == {"name": "offline", "reason": "no route", "since_s": since_s}
    board.status(status(phase="learning", share=0.25))
    assert board.news(Cursor())[0]["state"]["reason"] == "25%"


def test_an_event_is_listed_shown_better_and_ended(board: Board) -> None:
    event = open_event(4, 20, 22, 0.6)
    board.update(update(25, 0.6, (event,)))
    board.change(replace(change("new", 4, 25, 20, 0.6), kind="fast", sentence="moves"))
    news, cursor = board.news(Cursor())
    (told,) = news["events"]
    known = {"id": 4, "start_s": BEGAN_S + 2, "end_s": None, "merged_into": None, "peak": 0.6, "look": 1}
    assert told == {**known, "kind": "fast", "sentence": "moves"}
    first = board.event(4)
    board.update(update(26, 0.7, (open_event(4, 20, 26, 0.7),), grey=10))
    (told,) = board.news(cursor)[0]["events"]
    assert (told["peak"], told["look"]) == (0.7, 2)
    better = board.event(4)
    assert first is not None
    assert better is not None
    assert better.jpeg != first.jpeg
    assert board.picture_after(0).boxes == [(4, event.now_xyxy)]  # type: ignore[union-attr]
    board.change(change("update", 4, 30, 20, 0.8))
    board.change(replace(change("end", 4, 40, 20, 0.8, merged_into=2), kind="glides", sentence="moves left"))
    (told,) = board.news(cursor)[0]["events"]
    assert (told["kind"], told["sentence"]) == ("glides", "moves left"), "what was known of it at its end"
    assert (told["peak"], told["end_s"], told["merged_into"], told["look"]) == (0.8, BEGAN_S + 4, 2, 2)


def test_the_oldest_events_go(board: Board) -> None:
    board.update(update(0))
    for key in range(1, MOST_EVENTS + 6):
        board.change(change("new", key, key, key))
    assert board.event(5) is None
    assert board.event(6) is not None
    assert len(board.news(Cursor())[0]["events"]) == MOST_EVENTS


def test_a_picture_goes_with_its_heat(board: Board) -> None:
    assert board.picture_after(0) is None
    board.update(update(3, 0.6))
    shot = board.picture_after(0)
    assert shot is not None
    assert board.picture_after(shot.number) is None
    message = shot.message(b"picture")
    (length,) = struct.unpack(">I", message[:4])
    head = json.loads(message[4 : 4 + length])
    assert (head["rows"], head["columns"], tuple(head["size_hw"])) == (*GRID, SIZE_HW)
    levels = np.frombuffer(message, np.uint8, GRID[0] * GRID[1], 4 + length).reshape(GRID)
    assert levels[5, 3] == 153
    assert levels.sum() == 153
    assert message[4 + length + levels.size :] == b"picture"


def test_at_most_ten_pictures_a_second_are_kept() -> None:
    board = Board()
    for index in range(50):
        board.update(at_frame(index))
    shot = board.picture_after(0)
    assert shot is not None
    assert shot.number <= 3
