"""People's size on the picture in a real browser: shown, and drawn anew."""

from __future__ import annotations

from pathlib import Path

import cv2
import numpy as np
import pytest
from playwright.sync_api import Page

from crowdad.tubes.scale import GivenHeights
from tests.browser import until
from tests.outputs.report.conftest import Opener
from tests.outputs.report.made_up import SIZE_HW


def start_marking(page: Page) -> None:
    """Open the tool, and wait until the picture has come into view."""
    page.click("#sizing > summary")
    page.wait_for_selector("#marks-hint:visible")
    tops = [-1.0, -2.0]
    while tops[-1] != tops[-2]:
        page.wait_for_timeout(150)
        tops.append(page.evaluate("document.getElementById('marks').getBoundingClientRect().top"))


def drag(page: Page, *strokes: tuple[float, float, float, float]) -> None:
    """Strokes of the mouse over the picture, each (x0, y0, x1, y1) in its pixels."""
    box = page.locator("#marks").bounding_box()
    assert box is not None
    for x0, y0, x1, y1 in strokes:
        for step, (x, y) in enumerate([(x0, y0), ((x0 + x1) / 2, (y0 + y1) / 2), (x1, y1)]):
            page.mouse.move(box["x"] + x / SIZE_HW[1] * box["width"], box["y"] + y / SIZE_HW[0] * box["height"])
            if step == 0:
                page.mouse.down()
        page.mouse.up()


def saved_heights(page: Page, path: Path) -> GivenHeights:
    with page.expect_download() as waiting:
        page.click("#person-save")
    assert waiting.value.suggested_filename == "people.json"
    waiting.value.save_as(path)
    heights = GivenHeights.of(path)
    assert heights is not None
    return heights


def test_peoples_size_is_told_and_shown_on_the_picture(page_file: Path, opened: Opener) -> None:
    page = opened(page_file)
    assert "People's size: 20 px far to 40 px near: unsure (few people)." in page.inner_text(".player")
    assert not page.is_visible("#people")
    page.check("#people-on")
    picture = page.locator(".picture").bounding_box()
    top, bottom = page.evaluate(
        "(() => { const g = document.querySelectorAll('#people g')[2]; const { y, height } = g.getBBox();"
        "const place = g.getScreenCTM(); return [y, y + height].map((at) => place.f + place.d * at); })()"
    )
    assert picture is not None
    zoom = picture["height"] / SIZE_HW[0]
    assert [top - picture["y"], bottom - picture["y"]] == pytest.approx([50 * zoom, 90 * zoom], abs=2)
    drawn = cv2.imdecode(np.frombuffer(page.locator(".picture").screenshot(), np.uint8), cv2.IMREAD_GRAYSCALE)
    assert drawn is not None
    assert 0.001 < (drawn > 230).mean() < 0.03, "thin lines, whatever the size"
    page.uncheck("#people-on")
    assert not page.is_visible("#people")


def test_people_drawn_with_the_mouse_are_saved_as_fit_takes_them(
    page_file: Path, opened: Opener, tmp_path: Path
) -> None:
    page = opened(page_file)
    page.click("#play")
    start_marking(page)
    until(page, "document.getElementById('video').paused")
    assert page.is_disabled("#person-save")
    drag(page, (30, 10, 30, 34), (92, 84, 90, 40))  # the second one from the feet up
    assert page.inner_text("#person-save") == "Save 2 people"
    assert page.evaluate("document.getElementById('video').paused"), "what is drawn does not play"
    heights = saved_heights(page, tmp_path / "people.json")
    assert heights.drawn_hw == SIZE_HW
    assert np.array(heights.people) == pytest.approx(np.array([(24, 22), (44, 62)]), abs=0.6)
    assert heights.plane(SIZE_HW)[2] == pytest.approx(0.5, abs=0.03)


def test_strokes_that_are_nobody_are_refused(page_file: Path, opened: Opener) -> None:
    page = opened(page_file)
    start_marking(page)
    drag(page, (30, 30, 30, 33), (20, 30, 80, 50))
    assert "Drag down from a head to the feet" in page.inner_text("#sizing-said")
    assert page.is_disabled("#person-save")
    assert page.locator("#marks g").count() == 0
    page.click("#sizing > summary")
    page.wait_for_selector("#marks-hint", state="hidden")
    page.click("#video")
    until(page, "!document.getElementById('video').paused")


def test_people_are_set_without_a_mouse(page_file: Path, opened: Opener, tmp_path: Path) -> None:
    page = opened(page_file)
    page.focus("#sizing > summary")
    for key in ("Enter", "Tab", "Enter"):
        page.keyboard.press(key)
    for number in ("20", "30", "24"):
        page.keyboard.press("ControlOrMeta+a")
        page.keyboard.type(number)
        page.keyboard.press("Tab")
    page.click("#person-add")
    page.fill("#persons li >> nth=1 >> input >> nth=2", "9999")
    page.keyboard.press("Tab")
    assert page.inner_text("#sizing-said") == "People are 24 px at row 30, 96 px at row 48."
    page.get_by_label("Remove person 2").press("Enter")
    assert saved_heights(page, tmp_path / "people.json").people == ((24.0, 30.0),)


def test_people_are_drawn_with_a_finger(page_file: Path, opened: Opener, tmp_path: Path) -> None:
    page = opened(page_file, 390, 844)
    start_marking(page)
    page.evaluate(
        "(() => { const s = document.getElementById('marks'); s.setPointerCapture = () => {}; "
        "const b = s.getBoundingClientRect();"
        "for (const [kind, y] of [['down', 10], ['move', 40], ['up', 58]]) s.dispatchEvent(new PointerEvent("
        "'pointer' + kind, { pointerId: 7, pointerType: 'touch', button: kind === 'move' ? -1 : 0,"
        f"clientX: b.left + b.width / 2, clientY: b.top + y / {SIZE_HW[0]} * b.height }})); }})()"
    )
    assert page.evaluate("getComputedStyle(document.getElementById('marks')).touchAction") == "none"
    ((height, row),) = saved_heights(page, tmp_path / "people.json").people
    assert (height, row) == pytest.approx((48, 34), abs=0.2)
    assert page.evaluate("document.documentElement.scrollWidth") <= 390
