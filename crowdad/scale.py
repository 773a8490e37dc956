"""How tall people are and how fast they walk, measured from the footage; the views that follow from it.

Everything after this module counts in person heights (ph) and walking speeds, so that footage of any size, frame rate
and perspective looks alike to it.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import asdict, dataclass, replace
from typing import Any

import cv2
import numpy as np
import numpy.typing as npt
from pydantic import ConfigDict, TypeAdapter

from crowdad.config import ScaleSettings
from crowdad.errors import TooLittleMotionError
from crowdad.motion import BackwardFlow, in_the_same_light, steadied

__all__ = ["ScaleProbe", "SceneScale", "View", "views"]

Luma = npt.NDArray[np.uint8]
Array = npt.NDArray[np.float64]

_MIN_FIGURES = 12
_FEW_BURSTS = 8  # enough to see which gap suits
_BOOTSTRAPS = 16
_PRIOR_SLOPE = ((0.0, 0.3), (1.0, 1.0))  # mean and error, to the right and downwards, a picture's width or height
_MISLED = 0.7  # share of what neighbours disagree by that may be one end of the band against the other
_TYPICAL_FORESHORTENING = 1.7  # a camera that looks down by 36 degrees
_MOST_FORESHORTENING = 4.0  # at the picture's centre: looking down by 15 degrees
_MOST_ANYWHERE = 6.0  # near the horizon it grows without end, and with it what noise in the flow counts for
_BRISK = 1.15  # upper quartile of a walking crowd's speeds, of its usual one
_FEW_ALONG = 0.1  # share of figures: those who move along the line of sight are then mostly people who stand or turn
_GOOD_MOVE = 0.1  # person heights: far enough against the flow's noise
_MIN_PERSON_PX = 6.0
_LEAST_OF_SEEN = 0.5  # of the least height in the rows where people were seen: the plane is not followed to its zero
_LONGEST_PX = (640, 1280)  # pictures are measured at a size in this range
_MIN_CONTRAST = 7.0
_MIN_SPEED_PX = 0.7
_MOST_VIEW_PX = 8_000_000  # small figures in a large picture are enlarged only as far as memory goes
_MOST_SIDE_PX = 100_000
_LEAST_SHIFT_PX = 0.3
_ALIGNING_STEPS = 20
_BLOCKS, _BETTER, _MOST_WORSE = 12, 0.3, 0.1  # a side of the picture; shares of the blocks that a shift may change
_GAPS = (1, 2, 3, 4, 6, 8, 12, 16)


@dataclass(frozen=True)
class SceneScale:
    """Size and speed of people in one camera's picture.

    size_hw: the displayed picture.  person: (height at the picture's centre, its change to the right, its change
    downwards), in pixels and pixels per pixel.  walk: walking speed across the picture, in person heights a frame.
    gap: frames a step.
    foreshortening: how many times slower the same walk looks towards or away from the camera, at the picture's centre.
    along: figures who walked along the line of sight, from whom it was read; 0 = a typical camera's is assumed.
    rows: (first, last) row in which figures were seen.  figures: how many the height was read from; 0 = assumed.
    fps: frames a second of the footage it was measured on.
    """

    size_hw: tuple[int, int]
    person: tuple[float, float, float]
    walk: float
    foreshortening: float
    along: int
    gap: int
    rows: tuple[float, float]
    figures: int
    fps: float

    __pydantic_config__ = ConfigDict(extra="forbid")  # of `from_dict`

    def person_px(self, x: npt.ArrayLike, y: npt.ArrayLike) -> Array:
        """Height of a person whose middle is at pixel (x, y), in pixels; broadcasts.

        Far above the rows where people were seen it stays at half of the least height there: a slope read from a narrow
        band of rows would shrink people to nothing, and any flicker would be a giant at a run.
        """
        height, width = self.size_hw
        centre, right, down = self.person
        plane = centre + right * (np.asarray(x, float) - width / 2) + down * (np.asarray(y, float) - height / 2)
        least_seen = centre + min(down * (row - height / 2) for row in self.rows)
        return np.maximum(plane, max(_MIN_PERSON_PX, _LEAST_OF_SEEN * least_seen))

    def foreshortening_at(self, x: npt.ArrayLike, y: npt.ArrayLike) -> Array:
        """How many times slower the same walk looks towards or away from the camera at pixel (x, y), >= 1; broadcasts.

        It grows towards the horizon as people's height shrinks: both go by how far below it a place lies.  An assumed
        one grows by the root of that only, since it multiplies the noise in the flow for nothing where all walk across.
        """
        growth = self.person[0] / self.person_px(x, y)
        return np.clip(self.foreshortening * (growth if self.along else np.sqrt(growth)), 1.0, _MOST_ANYWHERE)

    def fitted_to(self, size_hw: tuple[int, int], fps: float) -> SceneScale:
        """The same scene recorded at another size (of the same shape) or frame rate."""
        zoom = size_hw[0] / self.size_hw[0]
        centre, right, down = self.person
        pace = self.fps / fps
        return replace(
            self,
            size_hw=size_hw,
            person=(centre * zoom, right, down),
            rows=(self.rows[0] * zoom, self.rows[1] * zoom),
            walk=self.walk * pace,
            gap=max(1, round(self.gap / pace)),
            fps=fps,
        )

    def as_dict(self) -> dict[str, Any]:
        """Plain numbers for a model file or a report."""
        return asdict(self)

    @staticmethod
    def from_dict(numbers: dict[str, Any]) -> SceneScale:
        """The inverse of `as_dict`.  Raises ValueError for what no footage can have measured."""
        scale: SceneScale = _CHECKED.validate_python(numbers)
        height, width = scale.size_hw
        first, last = scale.rows
        possible = {
            "size_hw": 0 < height <= _MOST_SIDE_PX and 0 < width <= _MOST_SIDE_PX,
            "person": 0 < scale.person[0] <= 10 * height and max(map(abs, scale.person[1:])) <= 10,
            "walk": 1e-6 <= scale.walk <= 1000,
            "foreshortening": 1 <= scale.foreshortening <= 10,
            "along": scale.along >= 0,
            "gap": 1 <= scale.gap <= 100_000,
            "rows": 0 <= first <= last <= height,
            "figures": scale.figures >= 0,
            "fps": 0 < scale.fps <= 100_000,
        }
        for name, holds in possible.items():
            if not holds:
                raise ValueError(f"its {name} is {getattr(scale, name)}, which no footage can have")
        return scale


_CHECKED = TypeAdapter(SceneScale)


@dataclass(frozen=True)
class View:
    """A band of rows, resized so that the people in it have about the working height.

    seen: rows (first, end) of the displayed picture that are looked at.  owned: the rows whose tubes it scores.
    size_hw: of the resized band.  zoom_xy: view pixels per picture pixel.  person_px: working height of a person.
    """

    seen: tuple[int, int]
    owned: tuple[float, float]
    size_hw: tuple[int, int]
    zoom_xy: tuple[float, float]
    person_px: float

    def cut(self, luma: Luma) -> Luma:
        """The view's picture, uint8 `size_hw`, out of a whole frame."""
        band = luma[self.seen[0] : self.seen[1]]
        if band.shape == self.size_hw:
            return band
        shrinks = self.size_hw[0] < band.shape[0]
        how = cv2.INTER_AREA if shrinks else cv2.INTER_LINEAR
        return np.asarray(cv2.resize(band, self.size_hw[::-1], interpolation=how), np.uint8)

    def to_picture(self, points_xy: npt.NDArray[np.float32]) -> npt.NDArray[np.float32]:
        """View pixels (..., 2) -> pixels of the displayed picture."""
        zoom, origin = np.array(self.zoom_xy, np.float32), np.array((0, self.seen[0]), np.float32)
        return (points_xy / zoom + origin).astype(np.float32, copy=False)

    def local_foreshortening(self, scale: SceneScale, points_xy: npt.NDArray[np.float32]) -> npt.NDArray[np.float32]:
        """Foreshortening at view positions (..., 2)."""
        place = self.to_picture(points_xy)
        return scale.foreshortening_at(place[..., 0], place[..., 1]).astype(np.float32)

    def local_person_px(self, scale: SceneScale, points_xy: npt.NDArray[np.float32]) -> npt.NDArray[np.float32]:
        """Height of a person at view positions (..., 2), in view pixels."""
        place = self.to_picture(points_xy)
        return (scale.person_px(place[..., 0], place[..., 1]) * self.zoom_xy[1]).astype(np.float32)


def views(scale: SceneScale, settings: ScaleSettings) -> tuple[View, ...]:
    """Cut the picture into bands in which people's heights differ by at most `view_ratio`, far ones first."""
    height, _ = scale.size_hw
    centre_x = scale.size_hw[1] / 2
    top, bottom = scale.rows
    ends = [float(scale.person_px(centre_x, y)) for y in (top, bottom)]
    count = max(1, math.ceil(abs(math.log(ends[1] / ends[0])) / math.log(settings.view_ratio) - 1e-9))
    levels = np.geomspace(ends[0], ends[1], count + 1)
    slope = scale.person[2]
    edges = [scale.size_hw[0] / 2 + (level - scale.person[0]) / slope for level in levels] if count > 1 else [0, height]
    edges[0], edges[-1] = 0.0, float(height)
    return tuple(
        _view(scale, settings, edges[i], edges[i + 1], float(math.sqrt(levels[i] * levels[i + 1])))
        for i in range(count)
    )


def _view(scale: SceneScale, settings: ScaleSettings, top: float, bottom: float, person_px: float) -> View:
    height, width = scale.size_hw
    margin = settings.margin * person_px
    seen = (max(0, math.floor(top - margin)), min(height, math.ceil(bottom + margin)))
    zoom = min(settings.person_px / person_px, settings.max_upscale)
    zoom = min(zoom, math.sqrt(_MOST_VIEW_PX / ((seen[1] - seen[0]) * width)))
    if abs(math.log(zoom)) < math.log(1.08):
        zoom = 1.0
    rows = max(16, 2 * round((seen[1] - seen[0]) * zoom / 2))
    columns = max(16, 2 * round(width * zoom / 2))
    zoom_xy = (columns / width, rows / (seen[1] - seen[0]))
    return View(seen, (top, bottom), (rows, columns), zoom_xy, person_px * zoom_xy[1])


class ScaleProbe:
    """Measures one camera from short runs of consecutive frames, taken all over its footage while it streams by.

    expected_frames: rough length of the footage.  fps: its frame rate.
    """

    def __init__(self, expected_frames: int, fps: float, settings: ScaleSettings) -> None:
        self._settings = settings
        self._fps = fps
        self._period = max(_GAPS[-1] + 1, expected_frames // settings.bursts)
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
        if self._place in (0, *_GAPS):
            self._bursts[-1][self._place] = self._shrunk(luma)
        self._place = (self._place + 1) % self._period

    def _shrunk(self, luma: Luma) -> Luma:
        if self._zoom == 1.0:
            return luma.copy()
        how = cv2.INTER_AREA if self._zoom < 1 else cv2.INTER_LINEAR
        return np.asarray(cv2.resize(luma, None, fx=self._zoom, fy=self._zoom, interpolation=how), np.uint8)

    def measure(self) -> SceneScale:
        """What was seen; raises TooLittleMotionError where nothing moves."""
        if self._size_hw is None:
            raise TooLittleMotionError("no frame to measure people's size from; give footage with people walking")
        size_hw = (self._bursts[0][0].shape[0], self._bursts[0][0].shape[1])
        figures, gap = _figures(self._bursts)
        person, rows = _person_plane(figures, size_hw)
        scale = SceneScale(size_hw, person, 0.0, 1.0, 0, 1, rows, len(figures), self._fps)
        foreshortening, along = _foreshortening(figures, scale)
        scale = replace(scale, foreshortening=foreshortening, along=along)
        walk = float(np.quantile(_moves(figures, scale), 0.75)) / _BRISK / gap
        step = max(1, round(self._settings.walk_px / self._settings.person_px / walk))
        return replace(scale, walk=walk, gap=step).fitted_to(self._size_hw, self._fps)


class _Settled:
    """A burst's pictures as a camera that neither shakes nor adapts to the light would have seen them.

    Each is made when it is first asked for: most gaps, and most bursts of each, are never looked at.
    """

    def __init__(self, burst: dict[int, Luma], reference: Luma) -> None:
        self.places = sorted(burst)
        self._burst = burst
        self._reference = reference
        self._made: dict[int, Luma] = {}

    def __getitem__(self, place: int) -> Luma:
        if place not in self._made:
            self._made[place] = _like(self._burst[place], self._reference)
        return self._made[place]


def _like(luma: Luma, reference: Luma) -> Luma:
    """`luma` in the light of `reference`, and moved onto it where its ground lies elsewhere."""
    luma = in_the_same_light(luma, reference)
    x, y = _shift(luma, reference)
    if math.hypot(x, y) < _LEAST_SHIFT_PX:
        return luma
    back = np.array([[1, 0, -x], [0, 1, -y]])
    moved = cv2.warpAffine(luma, back, luma.shape[::-1], flags=cv2.INTER_CUBIC, borderMode=cv2.BORDER_REPLICATE)
    before, after = (
        cv2.resize(cv2.absdiff(picture, reference).astype(np.float32), (_BLOCKS, _BLOCKS), interpolation=cv2.INTER_AREA)
        for picture in (luma, moved)
    )
    # The ground is all over the picture; people before a plain one are not.
    better, worse = (after < 0.95 * before).mean(), (after > 1.05 * before).mean()
    return np.asarray(moved, np.uint8) if better > _BETTER and worse < _MOST_WORSE else luma


def _shift(luma: Luma, reference: Luma) -> tuple[float, float]:
    """How far the whole of `luma` lies to the right of and below `reference` (Evangelidis and Psarakis 2008, ECC)."""
    small, small_reference = (
        cv2.resize(x, None, fx=0.5, fy=0.5, interpolation=cv2.INTER_AREA) for x in (luma, reference)
    )
    stop = (cv2.TERM_CRITERIA_COUNT | cv2.TERM_CRITERIA_EPS, _ALIGNING_STEPS, 1e-3)
    try:
        start = np.eye(2, 3, dtype=np.float32)
        _, moved = cv2.findTransformECC(small_reference, small, start, cv2.MOTION_TRANSLATION, stop)
    except cv2.error:  # nothing in common, or nothing to hold on to
        return 0.0, 0.0
    return 2 * float(moved[0, 2]), 2 * float(moved[1, 2])


def _figures(recorded: Sequence[dict[int, Luma]]) -> tuple[Array, int]:
    """What stands out from the median background and moves, at the shortest gap over which it moves far enough.

    Returns rows of (x, y of the centre, w, h, area, dx, dy), in pixels, and the gap in frames.
    """
    bursts = [_Settled(burst, recorded[len(recorded) // 2][0]) for burst in recorded]
    ends = [(burst, place) for burst in bursts for place in (burst.places[0], burst.places[-1])]
    stills = [burst[place] for burst, place in ends[:: max(1, len(ends) // 48)]]
    background = np.median(np.stack(stills), axis=0).astype(np.float32)
    flow_of = BackwardFlow()

    def seen(some: Sequence[_Settled], gap: int) -> Array:
        pairs = [pair for burst in some for pair in _pairs(burst, gap)]
        found = (_moving_blobs(luma, background, steadied(flow_of(luma, earlier), luma)) for luma, earlier in pairs)
        return np.concatenate([np.zeros((0, 7)), *found])

    best, most = 0, 0
    few = bursts[:: max(1, len(bursts) // _FEW_BURSTS)]
    for gap in _GAPS:
        figures = seen(few, gap)
        if len(figures) > most // 2:
            best, most = gap, len(figures)
            if np.median(_displacement(figures) / figures[:, 3]) >= _GOOD_MOVE:
                break
    figures = seen(bursts, best)
    if len(figures) < _MIN_FIGURES:
        raise TooLittleMotionError(
            "hardly anybody moves in the footage, so neither people's size nor their speed can be measured; "
            "give footage with people walking, or a fitted scene with --model"
        )
    return figures, best


def _pairs(burst: _Settled, gap: int) -> list[tuple[Luma, Luma]]:
    """The first and the last two pictures of a burst that lie `gap` frames apart: (later, earlier)."""
    starts = [place for place in burst.places if place + gap in burst.places]
    return [(burst[start + gap], burst[start]) for start in {*starts[:1], *starts[-1:]}]


def _moving_blobs(luma: Luma, background: npt.NDArray[np.float32], flow: npt.NDArray[np.float32]) -> Array:
    """Connected blobs of one picture that may be one person: (x, y of the centre, w, h, area, dx, dy) each.

    Hysteresis (weak pixels that touch strong ones) keeps a figure whole where its clothes match the ground; what does
    not move is foliage, flicker or a change of light.
    """
    height, width = background.shape
    difference = luma - background
    difference = cv2.GaussianBlur(np.abs(difference - np.median(difference)), (3, 3), 0)
    noise = 1.4826 * float(np.median(difference))
    weak = (difference > max(3 * noise, _MIN_CONTRAST)).astype(np.uint8)
    strong = difference > max(6 * noise, 2 * _MIN_CONTRAST)
    flow = np.asarray(cv2.resize(flow, (width, height), interpolation=cv2.INTER_LINEAR), np.float32)
    moving = np.hypot(flow[..., 0], flow[..., 1]) > _MIN_SPEED_PX
    count, labels, stats, _ = cv2.connectedComponentsWithStats(weak, connectivity=8)
    strength = np.bincount(labels[strong], minlength=count)[1:]
    motion, *sums = (
        np.bincount(labels[moving], weights, minlength=count)[1:] for weights in (None, *flow[moving].T.astype(float))
    )
    dx, dy = (total / np.maximum(motion, 1) for total in sums)
    x, y, w, h, area = stats[1:].T
    inside = (x > 0) & (y > 0) & (x + w < width) & (y + h < height)
    upright = (h >= w) & (h <= 4 * w) & (h >= _MIN_PERSON_PX) & (area >= 12)
    solid = (area >= 0.25 * w * h) & (strength >= 0.15 * area) & (motion >= 0.5 * area)
    return np.stack([x + w / 2, y + h / 2, w, h, area, dx, dy], axis=1)[inside & upright & solid]


def _person_plane(figures: Array, size_hw: tuple[int, int]) -> tuple[tuple[float, float, float], tuple[float, float]]:
    """Person height as a plane over the picture, and the rows in which figures were seen.

    Two witnesses of the slope, weighted by their certainty: the figures' heights, which groups and broken outlines
    mislead, and their displacements, which differ by walking direction.  Where neighbours disagree, as they do where
    outlines break, one end of the band may be misread against the other: little is then learnt from a narrow band, and
    a typical camera's slope stands.
    """
    height, width = size_hw
    x, y, _, tall = figures[:, :4].T
    rows = (float(np.quantile(y, 0.02)), float(np.quantile(y, 0.98)))
    middle = np.array([np.median(x), np.median(y)])
    places = (figures[:, :2] - middle) / (width, height)
    typical, doubt = np.transpose(_PRIOR_SLOPE)
    precision = 1 / np.square(doubt)
    total = precision * typical
    for witness in (tall, _displacement(figures)):
        slopes, error = _relative_slopes(places, witness)
        weight = 1 / np.square(error)
        precision = precision + weight
        total = total + weight * slopes
    right, down = total / precision
    shape = np.maximum(1 + right * places[:, 0] + down * places[:, 1], 0.1)
    level = float(np.median(tall / shape))
    at_centre = 1 + right * (0.5 - middle[0] / width) + down * (0.5 - middle[1] / height)
    return (float(level * at_centre), float(level * right / width), float(level * down / height)), rows


def _relative_slopes(places: Array, values: Array) -> tuple[Array, Array]:
    """Change (to the right, downwards) over the picture relative to the middle, and its error.

    The error is the bootstrap's, and what neighbours disagree by over the width of the band that was seen.
    """
    from sklearn.linear_model import QuantileRegressor  # half of the time to a first score, which only fits need

    def fitted(drawn: npt.NDArray[np.intp]) -> Array:
        fit = QuantileRegressor(quantile=0.5, alpha=0, solver="highs").fit(places[drawn], values[drawn])
        return fit.coef_ / max(fit.intercept_, 1e-6)

    rng = np.random.default_rng(0)
    count = len(places)
    drawn = [fitted(rng.integers(count, size=count)) for _ in range(_BOOTSTRAPS)]
    slopes = fitted(np.arange(count))
    rest = np.log(np.maximum(values, 1e-6) / np.maximum(1 + places @ slopes, 0.1))
    disagreement = 1.4826 * float(np.median(np.abs(rest - np.median(rest))))
    band = np.maximum(np.ptp(np.quantile(places, (0.1, 0.9), axis=0), axis=0), 1e-3)
    return slopes, np.hypot(np.std(drawn, axis=0) + 1e-3, _MISLED * disagreement / band)


def _displacement(figures: Array) -> Array:
    """How far each figure moved in the picture, in pixels."""
    return np.hypot(figures[:, 5], figures[:, 6])


def _moves(figures: Array, scale: SceneScale) -> Array:
    """How far each figure moved, in person heights, as if it had walked across the picture."""
    x, y, dx, dy = figures[:, [0, 1, 5, 6]].T
    return np.hypot(dx, scale.foreshortening_at(x, y) * dy) / scale.person_px(x, y)


def _foreshortening(figures: Array, scale: SceneScale) -> tuple[float, int]:
    """Ratio of brisk walkers' displacements across and along the line of sight, as seen at the picture's centre.

    Returns it and how many walked along, 0 where it is assumed.

    Who walks along it is told by a first guess of the ratio.  The upper quartiles are compared, since people who stand
    and sway are seen in every direction; a typical camera's value stands in where too few walk along the line of sight.
    """
    x, y, dy = figures[:, [0, 1, 6]].T
    person_px = scale.person_px(x, y)
    along_move = np.abs(dy) * scale.person[0] / np.square(person_px)
    ratio, seen = _TYPICAL_FORESHORTENING, len(figures)
    for _ in range(2):
        guess = replace(scale, foreshortening=ratio, along=seen)
        moves = _moves(figures, guess)
        steepness = guess.foreshortening_at(x, y) * np.abs(dy) / np.maximum(moves * person_px, 1e-6)
        across, along = moves[steepness < 0.5], along_move[steepness > 0.8]
        if len(across) < _MIN_FIGURES // 2 or len(along) < max(_MIN_FIGURES // 2, _FEW_ALONG * len(moves)):
            return _TYPICAL_FORESHORTENING, 0
        seen = len(along)
        ratio = float(np.clip(np.quantile(across, 0.75) / np.quantile(along, 0.75), 1.0, _MOST_FORESHORTENING))
    return ratio, seen
