"""Tubes of a stretch of footage that pass through given boxes: what made an event, and little else."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from crowdad.config import Settings
from crowdad.records import Frame, Tubes
from crowdad.tubes.patches.extractor import Extractor
from crowdad.tubes.patches.steps import steps_of
from crowdad.tubes.scale import SceneScale

__all__ = ["Span", "tubes_through"]


@dataclass(frozen=True)
class Span:
    """start_s <= time < end_s of some footage, and where to look in it.

    boxes: rows of (time in s, x0, y0, x1, y1), pixels of the displayed picture, at rising times, at least one; between
    two of them the box moves evenly.
    """

    start_s: float
    end_s: float
    boxes: tuple[tuple[float, float, float, float, float], ...]


def tubes_through(
    frames: Iterable[Frame], span: Span, scale: SceneScale, settings: Settings
) -> Iterator[tuple[Frame, Tubes]]:
    """At each step the tubes that pass through the span's box during the span, with the frame they end in.

    frames: from at least one window before the span until one after it; tubes that end later have passed through too.
    Frames of a size unlike the scene's are left out, and nobody is followed across a cut.
    """
    boxes = np.asarray(span.boxes, np.float64)
    for frame, tubes in steps_of(frames, Extractor(scale, settings)):
        if tubes is not None:
            yield frame, tubes.where(_passes(tubes, frame.time_s, span, boxes, scale))


def _passes(
    tubes: Tubes, time_s: float, span: Span, boxes: npt.NDArray[np.float64], scale: SceneScale
) -> npt.NDArray[np.bool_]:
    """bool (N,): the tubes whose path lies in the box at one of its steps within the span."""
    at_s = time_s - np.arange(tubes.path_xy.shape[1]) * scale.gap / scale.fps
    x0, y0, x1, y1 = (np.interp(at_s, boxes[:, 0], side) for side in boxes[:, 1:].T)
    x, y = tubes.path_xy[..., 0], tubes.path_xy[..., 1]
    inside = (x >= x0) & (x < x1) & (y >= y0) & (y < y1) & tubes.alive
    during = (at_s >= span.start_s) & (at_s < span.end_s)
    return np.asarray((inside & during).any(axis=1))
