"""Live pages, opened in a real browser."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from urllib.parse import urlsplit

import pytest
from playwright.sync_api import Browser, Page

from crowdad.page import LivePage
from tests.browser import launched, opening

__all__ = ["Opener", "chromium", "opened"]

Opener = Callable[..., Page]


@pytest.fixture(scope="package")
def chromium() -> Iterator[Browser]:
    """One browser for all tests of this folder.  Shared: open a page of your own in it."""
    with launched() as browser:
        yield browser


@pytest.fixture
def opened(chromium: Browser) -> Iterator[Opener]:
    """Opens a live page.

    At the end nothing but what was expected may stand in the console, and nothing beyond the server may have been asked
    for.
    """
    with opening(chromium) as pages:

        def open_page(live: LivePage, width: int = 1280, height: int = 900, expect: str | None = None) -> Page:
            own = f"http://127.0.0.1:{urlsplit(live.url).port}/"
            url = own + live.url.partition("/?")[1][1:] + live.url.partition("/?")[2]
            return pages(url, own, width, height, expect)

        yield open_page
