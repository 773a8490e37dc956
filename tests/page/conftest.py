"""Live pages, opened in a real browser."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from urllib.parse import urlsplit

import pytest
from playwright.sync_api import Browser, Page

from crowdad.page import LivePage

__all__ = ["Opener", "opened"]

Opener = Callable[..., Page]


@pytest.fixture
def opened(chromium: Browser) -> Iterator[Opener]:
    """Opens a live page.

    At the end nothing but what was expected may stand in the console, and nothing beyond the server may have been asked
    for.
    """
    troubles: list[str] = []
    expected: list[str] = []
    contexts = []

    def open_page(live: LivePage, width: int = 1280, height: int = 900, expect: str | None = None) -> Page:
        context = chromium.new_context(viewport={"width": width, "height": height})
        contexts.append(context)
        expected.extend([] if expect is None else [expect])
        page = context.new_page()
        page.set_default_timeout(15_000)
        page.on("console", lambda message: troubles.append(message.text))
        page.on("pageerror", lambda error: troubles.append(str(error)))
        own = f"http://127.0.0.1:{urlsplit(live.url).port}/"
        page.on(
            "request",
            lambda asked: (
                None if asked.url.startswith((own, "data:", "blob:")) else troubles.append(f"asked for {asked.url}")
            ),
        )
        page.goto(own + live.url.partition("/?")[1][1:] + live.url.partition("/?")[2])
        page.wait_for_selector("html[data-ready=yes]")
        return page

    yield open_page
    for context in contexts:
        context.close()
    assert [trouble for trouble in troubles if not any(known in trouble for known in expected)] == []
