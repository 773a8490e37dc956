"""What a person sees of the page in a real browser."""

from __future__ import annotations

import time

import cv2
import numpy as np
import numpy.typing as npt
from playwright.sync_api import Page

from tests.browser import until
from tests.outputs.report.made_up import SHORT, SIZE_HW

FRAME_S = 1 / SHORT.fps
GREY_STEP = 2


def grey_frames(count: int = SHORT.count) -> list[npt.NDArray[np.uint8]]:
    """Pictures whose grey tells their number."""
    return [np.full(SIZE_HW, 20 + GREY_STEP * index, np.uint8) for index in range(count)]


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
