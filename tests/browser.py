"""A real browser, opening pages in it, and waiting in it."""

from __future__ import annotations

import shutil
import time
from collections.abc import Iterator
from contextlib import contextmanager

import pytest
from playwright.sync_api import Browser, BrowserContext, Page, sync_playwright

__all__ = ["Opening", "launched", "opening", "until"]


@contextmanager
def launched() -> Iterator[Browser]:
    """Debian's Chromium, driven by Playwright, which holds the thread's event loop meanwhile."""
    program = shutil.which("chromium")
    if program is None:
        pytest.skip("no chromium here (Debian: apt-get install chromium)")
    with sync_playwright() as playwright:
        # Sandboxing needs rights that a container does not give.
        browser = playwright.chromium.launch(executable_path=program, args=["--no-sandbox"], headless=True)
        yield browser
        browser.close()


class Opening:
    """Opens pages of one test and writes down what goes wrong in them."""

    def __init__(self, chromium: Browser) -> None:
        self._chromium = chromium
        self.troubles: list[str] = []
        self.expected: list[str] = []
        self.contexts: list[BrowserContext] = []

    def __call__(self, url: str, own: str, width: int, height: int, expect: str | None) -> Page:
        """The page at `url` once its script is done; own: what all it asks for must begin with.

        expect: part of what may stand in the console.
        """
        context = self._chromium.new_context(viewport={"width": width, "height": height})
        self.contexts.append(context)
        self.expected.extend([] if expect is None else [expect])
        page = context.new_page()
        page.set_default_timeout(15_000)
        page.on("console", lambda message: self.troubles.append(message.text))
        page.on("pageerror", lambda error: self.troubles.append(str(error)))
        allowed = (own, "data:", "blob:")
        page.on(
            "request",
            lambda asked: None if asked.url.startswith(allowed) else self.troubles.append(f"asked for {asked.url}"),
        )
        page.goto(url)
        page.wait_for_selector("html[data-ready=yes]")
        return page


@contextmanager
def opening(chromium: Browser) -> Iterator[Opening]:
    """At the end nothing but what was expected may stand in the console or have been asked for."""
    pages = Opening(chromium)
    yield pages
    for context in pages.contexts:
        context.close()
    assert [trouble for trouble in pages.troubles if not any(known in trouble for known in pages.expected)] == []


def until(page: Page, condition: str, *, longest_s: float = 15.0) -> None:
    """Wait for a condition; the pages' own policies keep Playwright from waiting inside them."""
    give_up_s = time.monotonic() + longest_s
    while not page.evaluate(condition):
        assert time.monotonic() < give_up_s, condition
        page.wait_for_timeout(20)
