"""The page in a real browser: what a person does with it, and what it costs."""

from __future__ import annotations

import json
import time
from collections.abc import Sequence
from dataclasses import replace
from fractions import Fraction
from pathlib import Path

import av
import cv2
import numpy as np
import numpy.typing as npt
import pytest
from playwright.sync_api import Page

from crowdad.outputs.footage import lay_beside, written_along
from crowdad.outputs.report import write_page
from crowdad.outputs.report.false_alarms import read_false_alarms
from crowdad.sources import open_source
from crowdad.tubes.scale import GivenHeights
from tests.browser import until
from tests.conftest import write_folder, write_video
from tests.outputs.report.conftest import Opener
from tests.outputs.report.made_up import SHORT, SIZE_HW, MadeUp

FRAME_S = 1 / SHORT.fps
GREY_STEP = 2


def grey_frames(count: int = SHORT.count) -> list[npt.NDArray[np.uint8]]:
    """Pictures whose grey tells their number."""
    return [np.full(SIZE_HW, 20 + GREY_STEP * index, np.uint8) for index in range(count)]


@pytest.fixture(scope="module")
def page_file(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The page of a run of ten seconds, its video beside it.  Shared: read it, don't change it."""
    folder = tmp_path_factory.mktemp("page")
    write_video(folder / "footage.mp4", grey_frames(), g="20")
    return SHORT.write(folder, '<script>alert("1")&.mp4')


def shown_time(page: Page) -> float:
    return float(page.get_attribute("#timeline", "aria-valuenow") or "nan")


def video_time(page: Page) -> float:
    return float(page.evaluate("document.getElementById('video').currentTime"))


def settled(page: Page) -> None:
    """Wait until the video has the picture that was asked for, and the page has drawn."""
    until(page, "(() => { const v = document.getElementById('video'); return v.readyState >= 2 && !v.seeking })()")
    page.evaluate(
        "new Promise((done) => requestAnimationFrame(() => requestAnimationFrame(() => setTimeout(done, 60))))"
    )


def shows_frame(page: Page, wanted: float, slack: float = 0.0) -> bool:
    """Whether a person sees the frame of this number, read off its grey; a busy machine may show it late."""
    page.set_checked("#heat-on", False)
    page.set_checked("#boxes-on", False)
    settled(page)
    give_up_s = time.monotonic() + 15
    while time.monotonic() < give_up_s:
        picture = cv2.imdecode(np.frombuffer(page.locator(".picture").screenshot(), np.uint8), cv2.IMREAD_GRAYSCALE)
        assert picture is not None
        if abs(round((float(np.median(picture)) - 20) / GREY_STEP) - wanted) <= slack:
            return True
        page.wait_for_timeout(50)
    return False


def test_the_video_plays_and_the_page_keeps_step(page_file: Path, opened: Opener) -> None:
    page = opened(page_file)
    assert page.inner_text("h1") == '<script>alert("1")&.mp4'
    page.click("#play")
    until(page, "document.getElementById('video').currentTime > 0.5")
    page.focus("#timeline")
    page.keyboard.press(" ")
    until(page, "document.getElementById('video').paused")
    assert 0.5 < video_time(page) < 9.9
    until(page, f"Math.abs(report.nowS - document.getElementById('video').currentTime) <= {FRAME_S + 0.05}")
    assert shown_time(page) == pytest.approx(page.evaluate("report.nowS"), abs=0.05)


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


def heated(page: Page) -> npt.NDArray[np.bool_]:
    """Where heat is painted: bool, at the size of the canvas."""
    page.set_checked("#boxes-on", False)
    settled(page)
    page.wait_for_timeout(100)
    rows = page.evaluate(
        "(() => { const c = document.getElementById('heat'); const d = c.getContext('2d')"
        ".getImageData(0, 0, c.width, c.height).data; const a = [];"
        "for (let i = 3; i < d.length; i += 4) a.push(d[i] > 20 ? 1 : 0); return [c.width, a.join('')]; })()"
    )
    return np.frombuffer(rows[1].encode(), np.uint8).reshape(-1, rows[0]) == ord("1")


def test_heat_lies_where_the_maps_say_and_can_be_changed_live(page_file: Path, opened: Opener) -> None:
    page = opened(page_file, expect="willReadFrequently")
    page.keyboard.press("n")
    page.keyboard.press("n")
    page.wait_for_selector("#heat:not([data-heat=none])")
    heat = heated(page)
    rows, columns = np.nonzero(heat)
    cell = heat.shape[1] / 16
    # Frame 50: column 50 % 16 = 2, rows 4 and 5.
    assert columns.mean() / cell == pytest.approx(2.5, abs=0.15)
    assert rows.mean() / cell == pytest.approx(5.0, abs=0.15)
    page.fill("#threshold", "0.4")
    assert heated(page).sum() > heat.sum()
    page.fill("#threshold", "0.95")
    assert heated(page).sum() == 0
    page.fill("#threshold", "0.5")
    page.fill("#strength", "0")
    assert heated(page).sum() == 0
    page.fill("#strength", "1")
    assert heated(page).sum() > 0
    page.set_checked("#heat-on", False)
    assert heated(page).sum() == 0
    page.set_checked("#heat-on", True)
    page.keyboard.press("Home")
    assert heated(page).sum() == 0, "no heat where nothing happens"


def test_filters_hide_events_everywhere(page_file: Path, opened: Opener) -> None:
    page = opened(page_file)
    page.fill("#least-length", "1")
    assert page.inner_text("#count") == "2 of 3 shown"
    page.fill("#least-peak", "0.65")
    assert [card.is_visible() for card in page.locator(".event").all()] == [False, True, False]
    page.focus("#timeline")
    page.keyboard.press("n")
    assert shown_time(page) == pytest.approx(5.0)
    page.keyboard.press("n")
    assert page.inner_text("#said") == "No later event"


def test_where_nothing_was_found_there_is_nothing_to_filter_or_tick(tmp_path: Path, opened: Opener) -> None:
    look = replace(SHORT.look(), video=None)
    page = opened(replace(SHORT, spans=()).write(tmp_path, look=look))
    for part in ("#count", "#least-peak", "#least-length", "#save"):
        assert not page.is_visible(part)


def test_every_candidate_is_shown_whatever_the_filters(tmp_path: Path, opened: Opener) -> None:
    results = SHORT.results()
    results = results.model_copy(update={"events": results.events[:1], "candidates": results.events[1:]})
    write_page(tmp_path / "report.html", results, SHORT.table, replace(SHORT.look(), video=None))
    page = opened(tmp_path / "report.html")
    page.fill("#least-length", "600")
    assert page.locator(".event[data-event]:visible").count() == 0
    assert page.locator(".candidate:visible").count() == 2


def test_ticks_are_saved_as_fit_takes_them(page_file: Path, opened: Opener, tmp_path: Path) -> None:
    page = opened(page_file)
    assert page.is_disabled("#save")
    page.check(".event >> nth=0 >> .false-alarm")
    page.check(".event >> nth=2 >> .false-alarm")
    assert page.inner_text("#save") == "Save 2 false alarms"
    with page.expect_download() as waiting:
        page.click("#save")
    assert waiting.value.suggested_filename == "false-alarms.json"
    waiting.value.save_as(tmp_path / "ticks.json")
    ticks = read_false_alarms(tmp_path / "ticks.json")
    assert (ticks.source.name, ticks.source.sha256) == ('<script>alert("1")&.mp4', "5" * 64)
    assert [(span.event, span.start_s, span.end_s) for span in ticks.spans] == [(1, 2.0, 3.0), (3, 9.0, 9.4)]
    assert ticks.spans[0].boxes[0] == (2.0, 20, 20, 60, 80)


def test_ticks_outlast_a_reload(page_file: Path, opened: Opener) -> None:
    page = opened(page_file)
    page.check(".event >> nth=1 >> .false-alarm")
    page.reload()
    until(page, "document.documentElement.dataset.ready === 'yes'")
    assert [page.is_checked(f".event >> nth={place} >> .false-alarm") for place in range(3)] == [False, True, False]
    assert page.inner_text("#save") == "Save 1 false alarm"
    page.uncheck(".event >> nth=1 >> .false-alarm")


def test_on_a_phone_show_brings_the_video_into_view(page_file: Path, opened: Opener) -> None:
    page = opened(page_file, 390, 844)
    page.emulate_media(reduced_motion="reduce")
    button = page.locator(".event >> nth=2 >> .go")
    button.scroll_into_view_if_needed()
    button.click()
    assert shown_time(page) == pytest.approx(9.0)
    until(page, "document.getElementById('screen').getBoundingClientRect().top > -1")
    box = page.locator("#screen").bounding_box()
    assert box is not None
    assert box["y"] + box["height"] <= 844


def test_without_footage_the_page_works(tmp_path: Path, opened: Opener) -> None:
    path = SHORT.write(tmp_path, look=replace(SHORT.look(), video=None))
    page = opened(path)
    assert "The footage was left out (--footage none)" in page.inner_text("#no-video")
    page.focus("#timeline")
    page.keyboard.press("n")
    assert shown_time(page) == pytest.approx(2.0)


@pytest.mark.parametrize(("width", "height"), [(1280, 860), (390, 844)], ids=["desktop", "phone"])
def test_it_fits_the_screen_and_nothing_jumps(width: int, height: int, page_file: Path, opened: Opener) -> None:
    page = opened(page_file, width, height)
    page.wait_for_timeout(300)
    shift = page.evaluate(
        "new Promise((done) => { let sum = 0; new PerformanceObserver((list) => list.getEntries().forEach("
        "(entry) => (sum += entry.value))).observe({ type: 'layout-shift', buffered: true });"
        "setTimeout(() => done(sum), 100); })"
    )
    assert shift < 0.02
    assert page.evaluate("document.documentElement.scrollWidth") <= width
    for name in ("#play", "#timeline", "#heat-on", ".event >> nth=0 >> .go"):
        box = page.locator(name).bounding_box()
        assert box is not None
        assert box["x"] >= 0
        assert box["x"] + box["width"] <= width


def late(path: Path) -> Path:
    """The grey frames in a file whose clock starts 80 ms late, as reordering leaves it."""
    return write_video(path, grey_frames(), times_s=[0.08 + index / 10 for index in range(SHORT.count)], g="20")


def behind_sound(path: Path) -> Path:
    """The grey frames from 1.5 s on, after sound that begins at 0."""
    with av.open(str(path), "w") as container:
        video = container.add_stream("libx264", rate=10, options={"g": "20"})
        assert isinstance(video, av.VideoStream)
        video.height, video.width = SIZE_HW
        video.pix_fmt = "yuv420p"
        video.codec_context.time_base = Fraction(1, 90_000)
        sound = container.add_stream("aac", rate=8000, layout="mono")
        for second in range(11):
            silence = av.AudioFrame.from_ndarray(np.zeros((1, 8000), np.float32), format="fltp", layout="mono")
            silence.sample_rate, silence.pts = 8000, 8000 * second
            container.mux(sound.encode(silence))
        for index, picture in enumerate(grey_frames()):
            frame = av.VideoFrame.from_ndarray(picture, format="gray")
            frame.pts, frame.time_base = 135_000 + 9000 * index, Fraction(1, 90_000)
            container.mux(video.encode(frame))
        container.mux(video.encode())
        container.mux(sound.encode())
    return path


def webm(path: Path) -> Path:
    return write_video(path.with_suffix(".webm"), grey_frames(), codec="libvpx-vp9", g="20", speed="8")


@pytest.mark.parametrize("make", [late, behind_sound, webm])
def test_originals_are_shown_frame_by_frame(make, tmp_path: Path, opened: Opener) -> None:  # type: ignore[no-untyped-def]
    footage = make(tmp_path / "original.mp4")
    playable = open_source(footage).playable()
    assert playable is not None
    video = f"footage{playable.suffix}"
    lay_beside(playable.path, tmp_path / video)
    page = opened(SHORT.write(tmp_path, look=SHORT.look(video, -playable.starts_s)))
    for _ in range(2):
        page.keyboard.press("n")
    assert shows_frame(page, 50)
    page.keyboard.press(".")
    assert shows_frame(page, 51)


def test_copies_are_shown_frame_by_frame(tmp_path: Path, opened: Opener) -> None:
    source = open_source(write_folder(tmp_path / "frames", grey_frames()), fps=10, start_s=1.0)
    assert source.playable() is None
    copy = tmp_path / "footage.mp4"
    assert sum(1 for _ in written_along(source.frames(color=True), copy, source.fps)) == 90
    page = opened(MadeUp(90, 10.0, [(20, 29)], start_s=1.0).write(tmp_path, look=SHORT.look("footage.mp4", 1.0)))
    assert shown_time(page) == pytest.approx(1.0)
    page.keyboard.press("n")
    assert shown_time(page) == pytest.approx(3.0)
    assert shows_frame(page, 30)


def test_a_part_of_an_original_starts_and_stops_where_the_run_did(tmp_path: Path, opened: Opener) -> None:
    write_video(tmp_path / "footage.mp4", grey_frames(), g="20")
    page = opened(MadeUp(60, 10.0, [(20, 29)], start_s=1.0).write(tmp_path))
    assert shows_frame(page, 10)
    page.keyboard.press("End")
    assert shows_frame(page, 69)
    page.keyboard.press("Home")
    page.evaluate("report.seek(6.5)")
    page.click("#play")
    until(page, "document.getElementById('video').paused")
    assert 6.9 <= video_time(page) < 8


def test_a_video_that_is_not_there_is_told(tmp_path: Path, opened: Opener) -> None:
    page = opened(SHORT.write(tmp_path, look=SHORT.look("gone.mp4")), expect="ERR_FILE_NOT_FOUND")
    page.wait_for_selector("#no-video:visible")
    page.keyboard.press("n")
    assert shown_time(page) == pytest.approx(2.0), "timeline and events work without it"


def test_two_hours_open_at_once(tmp_path: Path, opened: Opener) -> None:
    spans: Sequence[tuple[int, int]] = [(first, first + 200) for first in range(500, 180_000, 1500)]
    run = MadeUp(180_000, 25.0, spans)
    write_video(tmp_path / "footage.mp4", grey_frames(40))
    path = run.write(tmp_path, look=run.look(every=3))
    assert path.stat().st_size < 5_000_000
    taken_s, painted_ms = [], []
    for _ in range(3):  # the best of three: the machine may be busy
        began_s = time.perf_counter()
        page = opened(path)
        taken_s.append(time.perf_counter() - began_s)
        painted_ms.append(page.evaluate("performance.getEntriesByName('first-contentful-paint')[0].startTime"))
    assert min(taken_s) < 2
    assert min(painted_ms) < 500
    assert page.inner_text("#count") == "120 of 120 shown"
    began_s = time.perf_counter()
    page.evaluate("report.timeline.show(3000, 3001.5)")
    settled(page)
    assert time.perf_counter() - began_s < 1
    assert json.loads(page.evaluate("JSON.stringify(report.timeline.scoreAt(1020 / 25))")) == pytest.approx(
        0.1, abs=0.06
    )


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
