"""Clips of one made-up camera in which dark figures with swinging legs walk over light ground."""

from __future__ import annotations

import cv2
import numpy as np
import numpy.typing as npt

SIZE_HW = (120, 200)
COUNT = 70
SPEED_PX = 1.2
HEIGHT_PX = 32


def walkers_clip(seed: int, walkers: int = 2) -> npt.NDArray[np.uint8]:
    """uint8 (70, 120, 200): figures of 32 px that walk at 1.2 px a frame, each in a row of its own."""
    rng = np.random.default_rng(seed)
    ground = np.clip(160 + cv2.GaussianBlur(rng.normal(0, 12, SIZE_HW), (0, 0), 3), 0, 255)
    rows = np.linspace(50, 110, walkers) + rng.uniform(-3, 3, walkers)
    starts = rng.uniform(25, 60, walkers)
    ways = [1 if number % 2 == 0 else -1 for number in range(walkers)]
    frames = []
    for time in range(COUNT):
        picture = ground + rng.normal(0, 1, SIZE_HW)
        for row, start, way in zip(rows, starts, ways, strict=True):
            x = start + SPEED_PX * time
            draw_figure(picture, x if way > 0 else SIZE_HW[1] - x, row, phase=time / 12 + seed)
        frames.append(np.clip(np.rint(picture), 0, 255).astype(np.uint8))
    return np.stack(frames)


def draw_figure(picture: npt.NDArray[np.float64], x: float, feet: float, phase: float) -> None:
    """A body and two legs, drawn with a quarter pixel's care."""
    fine = 4
    mask = np.zeros((SIZE_HW[0] * fine, SIZE_HW[1] * fine), np.uint8)
    hip = (round(x * fine), round((feet - 14) * fine))
    cv2.ellipse(mask, (hip[0], hip[1] - 8 * fine), (4 * fine, 10 * fine), 0, 0, 360, 255, cv2.FILLED)
    for sign in (-1, 1):
        foot = round((x + sign * 5 * np.sin(2 * np.pi * phase)) * fine)
        cv2.line(mask, hip, (foot, round((feet - 1) * fine)), 255, 2 * fine)
    share = cv2.resize(mask, SIZE_HW[::-1], interpolation=cv2.INTER_AREA) / 255
    picture[:] = picture * (1 - share) + 50 * share
