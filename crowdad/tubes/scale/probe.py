"""One camera, measured while its footage streams by."""

from __future__ import annotations

from dataclasses import replace

import cv2
import numpy as np
import numpy.typing as npt

from crowdad.config import ScaleSettings
from crowdad.errors import TooLittleMotionError, UnclearSizeError
from crowdad.sources import MIN_SIDE_PX, hardly_differ
from crowdad.tubes.scale.certainty import judge
from crowdad.tubes.scale.figures import Figures, Pair, find_figures
from crowdad.tubes.scale.geometry import USUAL_WALK_S, foreshortening_of, walk_of
from crowdad.tubes.scale.given import GivenHeights
from crowdad.tubes.scale.ridge import HALO, Ridge, find_ridge
from crowdad.tubes.scale.scene_scale import SceneScale

__all__ = ["ScaleProbe"]

Luma = npt.NDArray[np.uint8]

_LONGEST_PX, _MOST_ENLARGED = 640, 2.0  # size that pictures are measured at
_APART_S = 0.12  # between the two pictures of a pair
_LEAST_FIGURES = 12  # fewer tell nothing about the scene
_LIKE_GIVEN = 0.4  # of the logarithm: who is taller or smaller than given is not a whole person, or a vehicle
_STEEPEST_MEASURED = 0.6  # pixels a row: at the head of a person a third less than at the middle
_FASTEST_WALK_S = 1.4  # person heights a second
_HELP = "give it with --person-height 95 (pixels from head to feet), or detect with a model fitted before (--model)"


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
            self._zoom = min(_MOST_ENLARGED, max(_LONGEST_PX / max(luma.shape), MIN_SIDE_PX / min(luma.shape)))
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
        before, self._before = self._before, luma
        return before is not None and hardly_differ(luma, before)

    def _shrunk(self, luma: Luma) -> Luma:
        if self._zoom == 1.0:
            return luma.copy()
        how = cv2.INTER_AREA if self._zoom < 1 else cv2.INTER_LINEAR
        return np.asarray(cv2.resize(luma, None, fx=self._zoom, fy=self._zoom, interpolation=how), np.uint8)

    def measure(self, heights: GivenHeights | None = None) -> SceneScale:
        """People's size and speed in what was seen.

        heights: of people, where the user knows them: only their speed is measured then, or assumed where too few move.
        Raises TooLittleMotionError where hardly anybody moves, UnclearSizeError where people's height cannot be told;
        with `heights` ConfigError where they are not those of such a picture.
        """
        if heights is not None and self._size_hw is not None:
            return self._with(heights.plane(self._size_hw), heights.rows(self._size_hw))
        seen = find_figures(self._pairs) if self._pairs else None
        if seen is None or len(seen.upright) < _LEAST_FIGURES:
            raise TooLittleMotionError(
                f"hardly anybody moves in the footage, so people's size is unknown; {_HELP}",
                nothing=seen is None or not len(seen.everything),
            )
        ridge = find_ridge(seen.upright, self._pairs[0].size_hw)
        verdict = judge(seen, ridge, self._fps)
        if verdict.few:
            raise TooLittleMotionError(
                f"hardly anybody moves in the footage ({verdict.refused}), so people's size is unknown; {_HELP}"
            )
        if verdict.refused:
            raise UnclearSizeError(f"people's size cannot be measured: {verdict.refused}; {_HELP}")
        return self._seen_scale(ridge, seen.upright.where(ridge.on), verdict.unsure)

    def _seen_scale(self, ridge: Ridge, figures: Figures, why: str) -> SceneScale:
        """The scene with people as tall as the figures on the ridge.  why: what makes that unsure."""
        whole = _weighted_quantiles(figures.y, figures.height**2, (0.5,))[0]
        person = _gentle(ridge.person, whole - ridge.size_hw[0] / 2)
        first, last = _weighted_quantiles(figures.y, figures.height, (0.02, 0.98))
        scale = SceneScale(
            size_hw=ridge.size_hw,
            person=person,
            walk=0.0,
            foreshortening=foreshortening_of(ridge.person, ridge.size_hw),
            along=len(figures),
            gap=1,
            rows=(first, last),
            figures=len(figures),
            fps=self._fps,
        )
        walk = walk_of(figures, scale)
        if walk * self._fps > _FASTEST_WALK_S:
            hurry = f"what moves passes at {walk * self._fps:.1f} person heights a second, people walk at about 0.75"
            why = f"{why}; {hurry}" if why else hurry
        return self._paced(replace(scale, certainty="unsure" if why else "sure", why=why), walk)

    def _with(self, person: tuple[float, float, float], rows: tuple[float, float]) -> SceneScale:
        """The scene with people of a given height, in pixels of the displayed picture."""
        assert self._size_hw is not None
        foreshortening, along = foreshortening_of(person, self._size_hw), int(person[2] > 0)
        walk = USUAL_WALK_S / self._fps
        given = SceneScale(self._size_hw, person, walk, foreshortening, along, 1, rows, 0, self._fps, "given")
        seen = find_figures(self._pairs) if self._pairs else None
        if seen is None or len(seen.upright) < _LEAST_FIGURES:
            return self._paced(given, walk)
        upright, scale = seen.upright, given.fitted_to(self._pairs[0].size_hw, self._fps)
        like = np.abs(np.log(upright.height / HALO / scale.person_px(upright.x, upright.y))) < _LIKE_GIVEN
        if like.sum() >= _LEAST_FIGURES:
            people = upright.where(like)
            walk = walk_of(people, scale)
            scale = replace(scale, figures=len(people))
        ridge = find_ridge(upright, scale.size_hw)
        if not judge(seen, ridge, self._fps).refused:
            scale = replace(scale, why=_contradiction(ridge, upright, scale, 1 / self._zoom))
        return self._paced(scale, walk)

    def _paced(self, scale: SceneScale, walk: float) -> SceneScale:
        """The scene with that walking speed, and steps of a fit length, for the displayed picture."""
        assert self._size_hw is not None
        step = max(1, round(self._settings.walk_px / self._settings.person_px / walk))
        return replace(scale, walk=walk, gap=step).fitted_to(self._size_hw, self._fps)


def _gentle(person: tuple[float, float, float], row: float) -> tuple[float, float, float]:
    """The plane, its change downwards held where a person's head and feet would lie at heights of their own.

    row: of the people, from the centre; their height stays.
    """
    centre, right, down = person
    held = min(down, _STEEPEST_MEASURED)
    return centre + (down - held) * row, right, held


def _contradiction(ridge: Ridge, figures: Figures, scale: SceneScale, zoom: float) -> str:
    """What was measured, where it is more than twice or less than half of what was given; else nothing.

    zoom: pixels of the displayed picture, in which it is told, for each of those that were measured.
    """
    on = figures.where(ridge.on)
    x, row = np.median(on.x), np.median(on.y)
    tall, given = float(ridge.height_at(x, row)), float(scale.person_px(x, row))
    return f"measured {tall * zoom:.0f} px at row {row * zoom:.0f}" if max(tall / given, given / tall) > 2 else ""


def _weighted_quantiles(
    values: npt.NDArray[np.float64], weights: npt.NDArray[np.float64], shares: tuple[float, ...]
) -> tuple[float, ...]:
    order = np.argsort(values)
    below = np.cumsum(weights[order]) / weights.sum()
    at = np.minimum(np.searchsorted(below, shares), len(values) - 1)
    return tuple(float(value) for value in values[order][at])
