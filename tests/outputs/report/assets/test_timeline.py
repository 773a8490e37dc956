"""The timeline and the keys in a real browser: seeking, stepping and zooming."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.outputs.report.assets.seen import (
    FRAME_S,
    settled,
    shown_time,
    shows_frame,
    video_time,
)
from tests.outputs.report.conftest import Opener
from tests.outputs.report.made_up import SHORT


def test_a_click_on_the_timeline_seeks_to_within_a_frame(page_file: Path, opened: Opener) -> None:
    page = opened(page_file)
    box = page.locator("#timeline").bounding_box()
    assert box is not None
    for share in (0.637, 0.123, 0.987):
        page.mouse.click(box["x"] + share * box["width"], box["y"] + 30)
        wanted_s = share * SHORT.table.time_s[-1]
        settled(page)
        assert abs(video_time(page) - wanted_s) <= FRAME_S
        assert shows_frame(page, wanted_s / FRAME_S, slack=1)


def test_events_are_reached_by_key_and_by_click(page_file: Path, opened: Opener) -> None:
    page = opened(page_file)
    for start_s in (2.0, 5.0, 9.0, 9.0):
        page.keyboard.press("n")
        assert shown_time(page) == pytest.approx(start_s)
    assert page.inner_text("#said") == "No later event"
    page.keyboard.press("p")
    assert shown_time(page) == pytest.approx(5.0)
    assert page.inner_text("#said") == "Event 2, 0:05.0 to 0:08.0, peak 0.70"
    assert page.get_attribute(".event >> nth=1", "aria-current") == "true"
    assert shows_frame(page, 50)
    page.click(".event >> nth=2 >> .go")
    assert shows_frame(page, 90)


def test_the_timeline_is_worked_by_keyboard(page_file: Path, opened: Opener) -> None:
    page = opened(page_file)
    page.focus("#timeline")
    page.keyboard.press("ArrowRight")
    page.keyboard.press("ArrowRight")
    assert shown_time(page) == pytest.approx(2.0)
    assert page.get_attribute("#timeline", "aria-valuetext") == "0:02.0, anomaly 0.60, event 1"
    page.keyboard.press(".")
    assert shows_frame(page, 21)
    page.keyboard.press(",")
    page.keyboard.press(",")
    assert shows_frame(page, 19)
    page.keyboard.press("End")
    assert shown_time(page) == pytest.approx(9.9)
    ring = page.evaluate(
        "(document.getElementById('timeline').focus(), getComputedStyle(document.activeElement).outlineWidth)"
    )
    assert ring == "3px"


def test_no_step_is_lost_where_the_video_is_slower_than_the_hand(page_file: Path, opened: Opener) -> None:
    page = opened(page_file)
    # Six seeks in one go, of which the video shows a few.
    press = "document.body.dispatchEvent(new KeyboardEvent('keydown', { key: 'ArrowRight', bubbles: true }))"
    page.evaluate(f"for (let i = 0; i < 6; i += 1) {press}")
    assert shows_frame(page, 60)
    assert page.evaluate("report.nowS") == pytest.approx(6.0)


def test_zooming_keeps_the_playhead_and_drags_the_window(page_file: Path, opened: Opener) -> None:
    page = opened(page_file)
    window = "[report.timeline.fromS, report.timeline.toS]"
    page.keyboard.press("n")
    page.keyboard.press("+")
    page.keyboard.press("+")
    from_s, to_s = page.evaluate(window)
    assert to_s - from_s == pytest.approx(9.9 / 4)
    assert from_s < 2.0 < to_s
    page.keyboard.press("End")
    assert page.evaluate(window)[1] == pytest.approx(9.9)
    page.click("#whole")
    assert page.evaluate(window) == pytest.approx([0, 9.9])
