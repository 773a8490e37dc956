"""Small, smooth text on pictures: the typeface that comes with matplotlib, drawn once per text and kept."""

from __future__ import annotations

from functools import lru_cache
from pathlib import Path

import matplotlib
import numpy as np
import numpy.typing as npt
from matplotlib.font_manager import FontProperties, findfont, get_font
from PIL import Image, ImageDraw, ImageFont

__all__ = ["draw_plate", "draw_text", "drawable", "plate_size", "text_size"]

_PLATE = (255, 255, 255)
_ON_PLATE = (24, 24, 24)
_TYPEFACE = "fonts/ttf/DejaVuSans-Bold.ttf"

Colour = tuple[int, int, int]
"""Blue, green, red, each 0..255."""


@lru_cache(maxsize=32)
def _font(height_px: int) -> ImageFont.FreeTypeFont:
    return ImageFont.truetype(Path(matplotlib.get_data_path()) / _TYPEFACE, height_px)


@lru_cache(maxsize=1024)
def _coverage(text: str, height_px: int) -> npt.NDArray[np.uint16]:
    """How much of each pixel the text covers, (rows, columns, 1) in 0..256."""
    width = max(1, round(_font(height_px).getlength(text)))
    sheet = Image.new("L", (width, height_px))
    # Anchored at the baseline, so that texts of one size stand on one line.
    ImageDraw.Draw(sheet).text((0, round(height_px * 0.84)), text, fill=255, font=_font(height_px), anchor="ls")
    ink = np.asarray(sheet, dtype=np.uint16)
    return (ink + ink // 255)[..., None]


def text_size(text: str, height_px: int) -> tuple[int, int]:
    """(width, height) of a text in pixels."""
    rows, columns, _ = _coverage(text, height_px).shape
    return columns, rows


def draw_text(bgr: npt.NDArray[np.uint8], text: str, xy: tuple[int, int], height_px: int, colour: Colour) -> None:
    """Draw into a picture, uint8 (H, W, 3); xy: top left corner.  What reaches past the picture is left out."""
    coverage = _coverage(text, height_px)
    height, width = bgr.shape[:2]
    x0, y0 = max(0, xy[0]), max(0, xy[1])
    x1, y1 = min(width, xy[0] + coverage.shape[1]), min(height, xy[1] + coverage.shape[0])
    if x1 <= x0 or y1 <= y0:
        return
    ink = coverage[y0 - xy[1] : y1 - xy[1], x0 - xy[0] : x1 - xy[0]]
    under = bgr[y0:y1, x0:x1]
    under[:] = (under * (256 - ink) + np.asarray(colour, dtype=np.uint16) * ink) >> 8


def plate_size(text: str, height_px: int) -> tuple[int, int]:
    """(width, height) in pixels of the plate that carries a text."""
    pad = max(2, height_px // 4)
    return text_size(text, height_px)[0] + 2 * pad, height_px + pad


def draw_plate(bgr: npt.NDArray[np.uint8], text: str, xy: tuple[int, int], height_px: int) -> None:
    """Draw dark text on a light plate into a picture, uint8 (H, W, 3); xy: the plate's top left corner."""
    width, height = plate_size(text, height_px)
    x, y = xy
    bgr[max(0, y) : max(0, y + height), max(0, x) : max(0, x + width)] = _PLATE
    pad = max(2, height_px // 4)
    draw_text(bgr, text, (x + pad, y + pad // 2), height_px, _ON_PLATE)


def drawable(text: str) -> str:
    """The text with a box for each character that the typeface lacks, which matplotlib would warn about."""
    known = get_font(findfont(FontProperties())).get_charmap()
    return "".join(sign if ord(sign) in known else "\u25a1" for sign in text)
