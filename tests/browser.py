"""A real browser for pages: Debian's Chromium, driven by Playwright."""

from __future__ import annotations

import shutil
import time
from collections.abc import Iterator

import pytest
from playwright.sync_api import Browser, Page, sync_playwright

__all__ = ["chromium", "until"]


@pytest.fixture(scope="session")
def chromium() -> Iterator[Browser]:
    """The browser.  Shared: open a page of your own in it."""
    program = shutil.which("chromium")
    if program is None:
        pytest.skip("no chromium here (Debian: apt-get install chromium)")
    with sync_playwright() as playwright:
        # Sandboxing needs rights that a container does not give.
        browser = playwright.chromium.launch(executable_path=program, args=["--no-sandbox"], headless=True)
        yield browser
        browser.close()


def until(page: Page, condition: str, *, longest_s: float = 15.0) -> None:
    """Wait for a condition; the pages' own policies keep Playwright from waiting inside them."""
    give_up_s = time.monotonic() + longest_s
    while not page.evaluate(condition):
        assert time.monotonic() < give_up_s, condition
        page.wait_for_timeout(20)
