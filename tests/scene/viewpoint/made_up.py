"""Views of made-up streets: walls, windows and kerbs of a place's own."""

from __future__ import annotations

import cv2
import numpy as np
import numpy.typing as npt

Luma = npt.NDArray[np.uint8]

SIZE_HW = (180, 320)


def view(seed: int, shift_px: tuple[float, float] = (0, 0), angle: float = 0, zoom: float = 1) -> Luma:
    """What the camera of one place sees; moved: after it was turned so that the picture moves like that."""
    rng = np.random.default_rng(seed)
    wide = np.full((360, 640), 110, np.uint8)
    for _ in range(150):
        x, y = (int(rng.uniform(0, side)) for side in (640, 360))
        width, height = (int(rng.uniform(8, most)) for most in (90, 60))
        cv2.rectangle(wide, (x, y), (x + width, y + height), int(rng.integers(30, 220)), int(rng.choice([-1, 2])))
    turn = cv2.getRotationMatrix2D((320, 180), angle, zoom)
    turn[:, 2] += np.array(shift_px)
    moved = cv2.warpAffine(wide, turn, (640, 360), borderMode=cv2.BORDER_REFLECT)
    return np.asarray(moved[90:270, 160:480], np.uint8)


def peopled(luma: Luma, seed: int, count: int = 12) -> Luma:
    """The view with people somewhere in it."""
    rng = np.random.default_rng(seed)
    shown = luma.copy()
    for _ in range(count):
        place = (int(rng.uniform(0, luma.shape[1])), int(rng.uniform(0, luma.shape[0])))
        cv2.ellipse(shown, place, (7, 20), 0, 0, 360, int(rng.integers(20, 230)), -1)
    return shown
