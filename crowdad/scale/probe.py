"""One camera, measured while its footage streams by."""

from __future__ import annotations

import math
from dataclasses import replace

import cv2
import numpy as np
import numpy.typing as npt

from crowdad.config import ScaleSettings
from crowdad.errors import TooLittleMotionError
from crowdad.scale.figures import GAPS, MIN_FIGURES, find_figures
from crowdad.scale.geometry import TYPICAL_FORESHORTENING, foreshortening_of, moves_of, person_plane
from crowdad.scale.given import GivenHeights
from crowdad.scale.scene_scale import SceneScale

__all__ = ["ScaleProbe"]

Luma = npt.NDArray[np.uint8]

_LONGEST_PX = (640, 1280)  # pictures are measured at a size in this range
_BRISK = 1.15  # upper quartile of a walking crowd's speeds, of its usual one
_TYPICAL_WALK = 0.75  # person heights a second
_LIKE_GIVEN = 1.6  # ratio: who is taller or smaller than given is not a whole person, or a vehicle


class ScaleProbe:
    """Measures one camera from short runs of consecutive frames, taken all over its footage while it streams by.

    expected_frames: rough length of the footage.  fps: its frame rate.
    """

    def __init__(self, expected_frames: int, fps: float, settings: ScaleSettings) -> None:
        self._settings = settings
        self._fps = fps
        self._period = max(GAPS[-1] + 1, expected_frames // settings.bursts)
        self._place = 0
        self._zoom = 1.0
        self._size_hw: tuple[int, int] | None = None
        self._bursts: list[dict[int, Luma]] = []

    def push(self, luma: Luma, *, fresh: bool = False) -> None:
        """Look at the next frame; fresh: it does not continue the one before."""
        if self._size_hw is None:
            self._size_hw = (luma.shape[0], luma.shape[1])
            longest = max(luma.shape)
            self._zoom = min(_LONGEST_PX[1] / longest, max(1.0, min(2.0, _LONGEST_PX[0] / longest)))
        if fresh:
            self._place = 0
        if self._place == 0:
            if len(self._bursts) >= 2 * self._settings.bursts:  # longer, or more broken up, than expected
                self._bursts = self._bursts[::2]
                self._period *= 2
            self._bursts.append({})
        if self._place in (0, *GAPS):
            self._bursts[-1][self._place] = self._shrunk(luma)
        self._place = (self._place + 1) % self._period

    def _shrunk(self, luma: Luma) -> Luma:
        if self._zoom == 1.0:
            return luma.copy()
        how = cv2.INTER_AREA if self._zoom < 1 else cv2.INTER_LINEAR
        return np.asarray(cv2.resize(luma, None, fx=self._zoom, fy=self._zoom, interpolation=how), np.uint8)

    def measure(self, heights: GivenHeights | None = None) -> SceneScale:
        """What was seen; raises TooLittleMotionError where nothing moves.

        heights: of people, where the user knows them: only their speed is measured then, or assumed where too few move.
        """
        if self._size_hw is None:
            raise TooLittleMotionError("no frame to measure people's size from; give footage with people walking")
        size_hw = (self._bursts[0][0].shape[0], self._bursts[0][0].shape[1])
        if heights is not None:
            return self._with(heights, size_hw)
        figures, gap = find_figures(self._bursts)
        person, rows = person_plane(figures, size_hw)
        scale = SceneScale(size_hw, person, 0.0, 1.0, 0, 1, rows, len(figures), self._fps)
        foreshortening, along = foreshortening_of(figures, scale)
        scale = replace(scale, foreshortening=foreshortening, along=along)
        walk = float(np.quantile(moves_of(figures, scale), 0.75)) / _BRISK / gap
        step = max(1, round(self._settings.walk_px / self._settings.person_px / walk))
        return replace(scale, walk=walk, gap=step).fitted_to(self._size_hw, self._fps)

    def _with(self, heights: GivenHeights, size_hw: tuple[int, int]) -> SceneScale:
        """The scene with people of the given height.  size_hw: of the pictures that were kept."""
        assert self._size_hw is not None
        person, rows = heights.plane(self._size_hw), heights.rows(self._size_hw)
        walk = _TYPICAL_WALK / self._fps
        foreshortening = TYPICAL_FORESHORTENING
        given = SceneScale(self._size_hw, person, walk, foreshortening, 0, 1, rows, 0, self._fps, "given")
        scale = given.fitted_to(size_hw, self._fps)
        try:
            figures, gap = find_figures(self._bursts)
        except TooLittleMotionError:
            figures, gap = np.zeros((0, 7)), 1
        else:
            scale = replace(scale, why=_contradiction(figures, scale, self._size_hw))
        people = figures[np.abs(np.log(figures[:, 3] / scale.person_px(*figures[:, :2].T))) < math.log(_LIKE_GIVEN)]
        if len(people) >= MIN_FIGURES:
            foreshortening, along = foreshortening_of(people, scale)
            scale = replace(scale, foreshortening=foreshortening, along=along, figures=len(people))
            walk = float(np.quantile(moves_of(people, scale), 0.75)) / _BRISK / gap
        step = max(1, round(self._settings.walk_px / self._settings.person_px / walk))
        return replace(scale, walk=walk, gap=step).fitted_to(self._size_hw, self._fps)


def _contradiction(figures: npt.NDArray[np.float64], scale: SceneScale, size_hw: tuple[int, int]) -> str:
    """What was measured, where it is more than twice or less than half of what was given; else nothing.

    size_hw: of the displayed picture, in whose pixels it is told.
    """
    measured = replace(scale, person=person_plane(figures, scale.size_hw)[0])
    x, row = scale.size_hw[1] / 2, float(np.median(figures[:, 1]))
    tall = float(measured.person_px(x, row))
    if max(tall / scale.person_px(x, row), scale.person_px(x, row) / tall) <= 2:
        return ""
    zoom = size_hw[0] / scale.size_hw[0]
    return f"measured {tall * zoom:.0f} px at row {row * zoom:.0f}"
