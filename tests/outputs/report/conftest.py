"""The report's page, opened in a real browser."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from playwright.sync_api import Browser, Page

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
    """Opens a page file and waits until its script is done.

    At the end nothing but what was expected may stand in the console, and nothing beyond the page's folder may have
    been asked for.
    """
    with opening(chromium) as pages:

        def open_page(path: Path, width: int = 1280, height: int = 860, expect: str | None = None) -> Page:
            return pages(path.as_uri(), path.parent.as_uri() + "/", width, height, expect)

        yield open_page
