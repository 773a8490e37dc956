"""Choosing kinds of events on the page, in a real browser."""

from __future__ import annotations

from pathlib import Path

import pytest
from playwright.sync_api import Page

from tests.conftest import write_video
from tests.outputs.report.assets.seen import grey_frames, settled, shown_time
from tests.outputs.report.conftest import Opener
from tests.outputs.report.made_up import OF_KINDS


@pytest.fixture(scope="module")
def kinds_file(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The page of a run with events of two kinds.  Shared: read it, don't change it."""
    folder = tmp_path_factory.mktemp("kinds")
    write_video(folder / "footage.mp4", grey_frames(), g="20")
    return OF_KINDS.write(folder)


def chips(page: Page) -> list[tuple[str, str | None]]:
    """Text of each chip, and whether it is pressed."""
    return [(chip.inner_text(), chip.get_attribute("aria-pressed")) for chip in page.locator(".chip").all()]


def visible(page: Page) -> list[bool]:
    return [card.is_visible() for card in page.locator(".event").all()]


def test_a_kind_that_is_chosen_is_all_that_is_shown(kinds_file: Path, opened: Opener) -> None:
    page = opened(kinds_file)
    assert chips(page) == [("All", "true"), ("fast 2", "false"), ("against the stream 1", "false")]
    page.click(".chip >> nth=2")
    assert chips(page) == [("All", "false"), ("fast 2", "false"), ("against the stream 1", "true")]
    assert visible(page) == [False, True, False]
    assert page.inner_text("#count") == "1 of 3 shown"
    for key in "nn":
        page.keyboard.press(key)
    assert shown_time(page) == pytest.approx(5.0)
    assert page.inner_text("#said") == "No later event"
    assert page.evaluate("report.timeline.events.length") == 1
    page.click(".chip >> nth=1")
    assert visible(page) == [True, True, True]
    page.click(".chip >> nth=2")
    assert visible(page) == [True, False, True]
    page.fill("#least-length", "0.5")
    assert visible(page) == [True, False, False], "beside what else is chosen"
    page.click(".chip >> nth=0")
    assert visible(page) == [True, True, False]


def test_chips_are_worked_by_keyboard_and_remember_nothing(kinds_file: Path, opened: Opener) -> None:
    page = opened(kinds_file)
    page.focus(".chip >> nth=0")
    page.keyboard.press("Tab")
    page.keyboard.press("Space")
    assert visible(page) == [True, False, True]
    assert page.evaluate("getComputedStyle(document.activeElement).outlineWidth") == "3px"
    assert page.evaluate("document.getElementById('video').paused"), "the key was the chip's"
    page.keyboard.press("Tab")
    page.keyboard.press("Enter")
    assert visible(page) == [True, True, True]
    page.click(".chip >> nth=2")
    page.reload()
    page.wait_for_selector("html[data-ready=yes]")
    assert visible(page) == [True, True, True]


def test_where_there_is_one_kind_there_is_nothing_to_choose(page_file: Path, opened: Opener) -> None:
    assert opened(page_file).locator("#kinds").is_hidden()


@pytest.mark.parametrize("width", [1280, 390], ids=["desktop", "phone"])
def test_chips_stay_on_the_screen(width: int, kinds_file: Path, opened: Opener) -> None:
    page = opened(kinds_file, width, 844)
    for chip in page.locator(".chip").all():
        box = chip.bounding_box()
        assert box is not None
        assert box["x"] >= 0
        assert box["x"] + box["width"] <= width
        assert box["height"] >= 24
    assert page.evaluate("document.documentElement.scrollWidth") <= width


def test_the_pointer_on_the_timeline_is_told_time_score_and_event(kinds_file: Path, opened: Opener) -> None:
    page = opened(kinds_file)
    box = page.locator("#timeline").bounding_box()
    assert box is not None
    tips = []
    for time_s in (1.05, 6.05):
        page.mouse.move(box["x"] + time_s / 9.9 * box["width"], box["y"] + 30)
        settled(page)
        tips.append(page.get_attribute("#timeline", "data-tip") or "")
    assert tips[0].startswith("0:01.0 · 0.1")
    assert tips[1] == "0:06.0 · 0.70 · event 2, against the stream"
    page.mouse.move(0, 0)
    settled(page)
    assert page.get_attribute("#timeline", "data-tip") == ""
    page.keyboard.press("n")
    assert page.inner_text("#said") == "Event 1, fast, 0:02.0 to 0:03.0, peak 0.60"
    assert str(page.get_attribute("#timeline", "aria-valuetext")).endswith("event 1, fast")


def test_a_label_at_a_box_stays_within_the_picture(kinds_file: Path, opened: Opener) -> None:
    page = opened(kinds_file)
    places = """(() => { const c = document.createElement("canvas"); Object.assign(c, { width: 200, height: 100 });
        const context = c.getContext("2d"); const drawn = []; const fill = context.fillRect;
        context.fillRect = (...box) => { drawn.push(box); fill.apply(context, box); };
        for (const x of [-20, 60, 190]) drawBox(context, [x, 5, x + 20, 50], "2 against the stream", 1);
        return drawn; })()"""
    for x, y, width, height in page.evaluate(places):
        assert 0 <= x <= x + width <= 200
        assert 0 <= y <= y + height <= 100
