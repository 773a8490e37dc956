"""The report's page, opened in a real browser."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from playwright.sync_api import Browser, Page

__all__ = ["Opener", "opened"]

Opener = Callable[..., Page]


@pytest.fixture
def opened(chromium: Browser) -> Iterator[Opener]:
    """Opens a page file and waits until its script is done.

    At the end nothing but what was expected may stand in the console, and nothing beyond the page's folder may have
    been asked for.
    """
    troubles: list[str] = []
    expected: list[str] = []
    contexts = []

    def open_page(path: Path, width: int = 1280, height: int = 860, expect: str | None = None) -> Page:
        context = chromium.new_context(viewport={"width": width, "height": height})
        contexts.append(context)
        expected.extend([] if expect is None else [expect])
        page = context.new_page()
        page.set_default_timeout(15_000)
        page.on("console", lambda message: troubles.append(message.text))
        page.on("pageerror", lambda error: troubles.append(str(error)))
        folder = path.parent.as_uri() + "/"
        allowed = (folder, "data:", "blob:")
        page.on(
            "request",
            lambda asked: None if asked.url.startswith(allowed) else troubles.append(f"asked for {asked.url}"),
        )
        page.goto(path.as_uri())
        page.wait_for_selector("html[data-ready=yes]")
        return page

    yield open_page
    for context in contexts:
        context.close()
    assert [trouble for trouble in troubles if not any(known in trouble for known in expected)] == []
