"""The heat over the picture in a real browser."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import numpy.typing as npt
import pytest
from playwright.sync_api import Page

from tests.outputs.report.assets.seen import (
    settled,
)
from tests.outputs.report.conftest import Opener


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
