"""Waiting in a real browser."""

from __future__ import annotations

import time

from playwright.sync_api import Page

__all__ = ["until"]


def until(page: Page, condition: str, *, longest_s: float = 15.0) -> None:
    """Wait for a condition; the pages' own policies keep Playwright from waiting inside them."""
    give_up_s = time.monotonic() + longest_s
    while not page.evaluate(condition):
        assert time.monotonic() < give_up_s, condition
        page.wait_for_timeout(20)
