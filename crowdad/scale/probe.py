"""One camera, measured while its footage streams by."""

from __future__ import annotations

from dataclasses import replace

import cv2
import numpy as np
import numpy.typing as npt

from crowdad.config import ScaleSettings
from crowdad.errors import TooLittleMotionError, UnclearSizeError
from crowdad.scale.certainty import judge
from crowdad.scale.figures import Figures, Pair, find_figures
from crowdad.scale.geometry import foreshortening_of, walk_of
from crowdad.scale.ridge import Ridge, find_ridge
from crowdad.scale.scene_scale import SceneScale

__all__ = ["ScaleProbe"]

Luma = npt.NDArray[np.uint8]

_LONGEST_PX, _MOST_ENLARGED = 640, 2.0  # size that pictures are measured at
_APART_S = 0.12  # between the two pictures of a pair
_LEAST_FIGURES = 12  # fewer tell nothing about the scene
_SAME = 4  # grey values: two pictures that nowhere differ by as much are one, told twice
_HELP = "give it with --person-height 95 (pixels from head to feet), or a fitted model with --model"


class ScaleProbe:
    """Measures one camera from pairs of pictures, taken all over its footage while it streams by.

    expected_frames: rough length of the footage.  fps: its frame rate.
    """

    def __init__(self, expected_frames: int, fps: float, settings: ScaleSettings) -> None:
        self._settings = settings
        self._fps = fps
        self._apart = max(1, round(_APART_S * fps))
        self._period = max(self._apart + 1, expected_frames // settings.bursts)
        self._frame = 0
        self._zoom = 1.0
        self._size_hw: tuple[int, int] | None = None
        self._pairs: list[Pair] = []
        self._before: Luma | None = None
        self._begun: tuple[int, Luma] | None = None
        self._next = 0

    def push(self, luma: Luma, *, fresh: bool = False) -> None:
        """Look at the next frame; fresh: it does not continue the one before."""
        if self._size_hw is None:
            self._size_hw = (luma.shape[0], luma.shape[1])
            self._zoom = min(_MOST_ENLARGED, _LONGEST_PX / max(luma.shape))
        frame, self._frame = self._frame, self._frame + 1
        if fresh:
            self._begun = self._before = None
            self._next = frame
        repeated = self._repeats(luma)
        due = self._next if self._begun is None else self._begun[0] + self._apart
        if repeated or frame < due:
            return
        if self._begun is None:
            self._begun = (frame, self._shrunk(luma))
            return
        began, earlier = self._begun
        self._begun = None
        self._next = began + self._period
        self._pairs.append(Pair(earlier, self._shrunk(luma), frame - began, frame))
        if len(self._pairs) > 4 * self._settings.bursts // 3:  # longer, or more broken up, than expected
            self._pairs = self._pairs[::2]
            self._period *= 2

    def _repeats(self, luma: Luma) -> bool:
        """Whether the picture is the one before told once more, as recorders do that see fewer than they write."""
        thin = luma[::4, ::4].copy()
        before, self._before = self._before, thin
        return before is not None and before.shape == thin.shape and int(cv2.absdiff(thin, before).max()) < _SAME

    def _shrunk(self, luma: Luma) -> Luma:
        if self._zoom == 1.0:
            return luma.copy()
        how = cv2.INTER_AREA if self._zoom < 1 else cv2.INTER_LINEAR
        return np.asarray(cv2.resize(luma, None, fx=self._zoom, fy=self._zoom, interpolation=how), np.uint8)

    def measure(self) -> SceneScale:
        """What was seen.

        Raises TooLittleMotionError where hardly anybody moves, UnclearSizeError where people's height cannot be told.
        """
        seen = find_figures(self._pairs) if self._pairs else None
        if seen is None or len(seen.upright) < _LEAST_FIGURES:
            raise TooLittleMotionError(f"hardly anybody moves in the footage, so people's size is unknown; {_HELP}")
        size_hw = self._pairs[0].later.shape
        ridge = find_ridge(seen.upright, (size_hw[0], size_hw[1]))
        verdict = judge(seen, ridge, self._fps)
        if verdict.refused:
            raise UnclearSizeError(f"people's size cannot be measured: {verdict.refused}; {_HELP}")
        scale = self._scale(ridge, seen.upright.where(ridge.on))
        return replace(scale, certainty="unsure" if verdict.unsure else "sure", why=verdict.unsure)

    def _scale(self, ridge: Ridge, figures: Figures) -> SceneScale:
        """The scene as the figures whose height is known show it."""
        assert self._size_hw is not None
        rows = _weighted_quantiles(figures.y, figures.height**2, (0.02, 0.98))
        foreshortening = foreshortening_of(ridge.person, ridge.size_hw)
        scale = SceneScale(
            ridge.size_hw, ridge.person, 0.0, foreshortening, len(figures), 1, rows, len(figures), self._fps
        )
        walk = walk_of(figures, scale, self._fps)
        step = max(1, round(self._settings.walk_px / self._settings.person_px / walk))
        return replace(scale, walk=walk, gap=step).fitted_to(self._size_hw, self._fps)


def _weighted_quantiles(
    values: npt.NDArray[np.float64], weights: npt.NDArray[np.float64], shares: tuple[float, float]
) -> tuple[float, float]:
    order = np.argsort(values)
    below = np.cumsum(weights[order]) / weights.sum()
    first, last = values[order][np.minimum(np.searchsorted(below, shares), len(values) - 1)]
    return float(first), float(last)
