"""Walkers cut out of normal clips of one camera: pictures, soft mattes and the path they took."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import cached_property

import cv2
import numpy as np
import numpy.typing as npt
from scipy.ndimage import uniform_filter1d
from scipy.stats import siegelslopes

from crowdad.errors import DataError

__all__ = ["Backdrop", "Blob", "CutOut", "Ground", "Pose", "find_cutouts", "look_at", "measure_ground", "usual"]

Luma = npt.NDArray[np.uint8]
Floats = npt.NDArray[np.float32]

_WEAK, _STRONG = 9.0, 24.0  # grey levels from the background: what belongs to a figure, what proves one
_MIN_HEIGHT_PX = 8
_ASPECT = (1.6, 4.5)  # height to width of one person; broader ones are groups
_OVERLAP = 0.4  # of two blobs in a row, intersection over union
_AREA_RATIO = 1.4
_MIN_POSES = 16  # at 10 frames a second a stride and a half
_CYCLE = (8, 26)  # poses in one stride
_HEIGHTS = (0.8, 1.22)  # of the ground's height: others are halves and groups
_PACES = (0.6, 1.5)  # of the usual walk: others stand, or are anomalies themselves
_CLARITY = 0.7  # of the median contrast
_WHOLE = 0.8  # share of poses without a gap
_MIN_WALKERS = 4
_REFITS = 4


@dataclass(frozen=True, eq=False)
class Pose:
    """One picture of a figure.

    luma: float32 (h, w), grey levels.  matte: float32 (h, w) in [0, 1], its share of each pixel.
    origin_xy: the picture's top left corner, seen from the figure's contact point, in pixels.
    """

    luma: Floats
    matte: Floats
    origin_xy: tuple[float, float]


@dataclass(frozen=True, eq=False)
class CutOut:
    """One walker, pose by pose, one a frame.

    foot_xy: float32 (T, 2), contact point with the ground, smoothed.  height_px: of the figure.
    contrast: mean difference from what it was seen against; ground_luma: of the ground it walked on; grey levels.
    """

    clip: str
    poses: tuple[Pose, ...]
    foot_xy: Floats
    height_px: float
    contrast: float
    ground_luma: float

    @property
    def velocity(self) -> Floats:
        """Mean velocity in pixels a frame: float32 (2,)."""
        return (self.foot_xy[-1] - self.foot_xy[0]) / np.float32(len(self.foot_xy) - 1)

    @cached_property
    def cycle(self) -> tuple[int, int]:
        """(i, j): poses j - 1 and j look most like i - 1 and i one stride before, so i may follow j - 1."""
        corners = np.array([pose.origin_xy for pose in self.poses])
        ends = corners + [pose.matte.shape[::-1] for pose in self.poses]
        first, last = np.floor(corners.min(axis=0)), np.ceil(ends.max(axis=0))
        aligned = np.stack([_on_field(pose, first, last - first + 2) for pose in self.poses])
        two = np.stack([aligned[:-1], aligned[1:]], axis=1)  # a leg on its way forth looks like one on its way back
        pairs = [
            (float(np.abs(two[start] - two[start + length]).mean()), start + 1, start + 1 + length)
            for length in range(_CYCLE[0], min(_CYCLE[1], len(two) - 1) + 1)
            for start in range(len(two) - length)
        ]
        _, start, end = min(pairs)
        return start, end

    def at_phase(self, phase: npt.NDArray[np.floating]) -> npt.NDArray[np.int64]:
        """Pose to show at each phase, in source frames from 0 on; past the cycle's end it walks on in its cycle."""
        start, end = self.cycle
        index = np.rint(phase).astype(np.int64)
        return np.where(index < end, index, start + (index - start) % (end - start))


@dataclass(frozen=True, eq=False)
class Ground:
    """Where people walk in the picture and how large and fast they are there.

    height_px: (at row 0, change a row) of a person by the row of the feet.
    depths: rows of feet that bound the far, the middle and the near third of the walkers: four, downwards.
    walk: walking speed across the picture, in person heights a frame.
    walked: bool (H, W), True between the places where somebody's feet were seen.
    """

    height_px: tuple[float, float]
    depths: tuple[float, float, float, float]
    walk: float
    walked: npt.NDArray[np.bool_]

    @property
    def rows(self) -> tuple[float, float]:
        """First and last row of feet."""
        return self.depths[0], self.depths[-1]

    def height_at(self, row: npt.ArrayLike) -> npt.NDArray[np.float64]:
        """Height in pixels of a person whose feet are on `row`; broadcasts."""
        return np.maximum(self.height_px[0] + self.height_px[1] * np.asarray(row, float), _MIN_HEIGHT_PX / 2)

    def walked_share(self, foot_xy: npt.NDArray[np.floating]) -> float:
        """Share of the contact points (T, 2) in the picture that lie where people walk; 0 where none is inside."""
        height, width = self.walked.shape
        columns, rows = np.floor(foot_xy).astype(int).T
        inside = (columns >= 0) & (columns < width) & (rows >= 0) & (rows < height)
        return float(self.walked[rows[inside], columns[inside]].mean()) if inside.any() else 0.0


@dataclass(frozen=True, eq=False)
class Backdrop:
    """A clip taken apart.

    frames: uint8 (T, H, W).  background: float32 (H, W), its median over time.
    foot_row: int16 (T, H, W), lowest row of the figure that each pixel belongs to, -1 = background.
    noise: standard deviation of a still pixel from frame to frame, in grey levels.
    """

    name: str
    frames: Luma
    background: Floats
    foot_row: npt.NDArray[np.int16]
    noise: float

    def ground_luma(self, foot_xy: npt.NDArray[np.floating]) -> float:
        """Median grey level of the background under contact points (T, 2); those outside count at the border."""
        height, width = self.background.shape
        columns = np.clip(np.rint(foot_xy[:, 0]), 0, width - 1).astype(int)
        rows = np.clip(np.rint(foot_xy[:, 1]), 0, height - 1).astype(int)
        return float(np.median(self.background[rows, columns]))


@dataclass(frozen=True, eq=False)
class Blob:
    """What may be one person in one frame: box (x, y, w, h), mask bool (h, w)."""

    x: int
    y: int
    mask: npt.NDArray[np.bool_]

    @property
    def foot(self) -> tuple[float, float]:
        return self.x + float(np.nonzero(self.mask)[1].mean()) + 0.5, float(self.y + self.mask.shape[0])


def look_at(name: str, frames: Luma) -> tuple[Backdrop, list[list[Blob]]]:
    """Take a clip apart: the backdrop to paint on, and what moves in each frame.

    frames: uint8 (T, H, W) of a fixed camera, at least 2.
    """
    background = np.median(frames, axis=0).astype(np.float32)
    foot_row = np.full(frames.shape, -1, np.int16)
    blobs = []
    for index, luma in enumerate(frames):
        found, rows = _blobs(luma, background)
        foot_row[index] = rows
        blobs.append(found)
    steps = np.abs(np.diff(frames[:: max(1, len(frames) // 20)].astype(np.float32), axis=0))
    return Backdrop(name, frames, background, foot_row, float(np.median(steps)) * 1.4826 / np.sqrt(2)), blobs


def _blobs(luma: Luma, background: Floats) -> tuple[list[Blob], npt.NDArray[np.int16]]:
    """Connected blobs that stand out from the background, weak pixels that touch strong ones, and their feet's rows."""
    height, width = luma.shape
    difference = cv2.GaussianBlur(np.abs(luma - background), (3, 3), 0)
    weak = cv2.morphologyEx((difference > _WEAK).astype(np.uint8), cv2.MORPH_CLOSE, np.ones((3, 3), np.uint8))
    count, labels, stats, _ = cv2.connectedComponentsWithStats(weak, connectivity=8)
    strength = np.bincount(labels[difference > _STRONG], minlength=count)
    solid = (strength >= 0.1 * stats[:, 4]) & (stats[:, 3] >= _MIN_HEIGHT_PX)
    solid[0] = False
    feet = np.where(solid, stats[:, 1] + stats[:, 3], -1).astype(np.int16)
    found = []
    for label in np.nonzero(solid)[0]:
        x, y, w, h = (int(side) for side in stats[label, :4])
        inside = x > 0 and y > 0 and x + w < width and y + h < height
        if inside and _ASPECT[0] <= h / w <= _ASPECT[1]:
            found.append(Blob(x, y, labels[y : y + h, x : x + w] == label))
    return found, feet[labels]


def measure_ground(tracks: Sequence[CutOut], size_hw: tuple[int, int]) -> Ground:
    """Size and pace of people from all cut-outs of one camera, groups and broken figures among them.

    size_hw: of the picture.
    Raises DataError for fewer than 4 cut-outs.
    """
    if len(tracks) < _MIN_WALKERS:
        raise DataError(
            f"{len(tracks)} single walkers found, at least {_MIN_WALKERS} are needed to make pseudo-anomalies; "
            "use longer clips with people who walk apart from each other"
        )
    rows = np.array([float(np.median(track.foot_xy[:, 1])) for track in tracks])
    heights = np.array([track.height_px for track in tracks])
    line = (float(np.median(heights)), 0.0)
    for _ in range(_REFITS):
        ratio = heights / (line[0] + line[1] * rows)
        near = (ratio > _HEIGHTS[0]) & (ratio < _HEIGHTS[1])
        if np.ptp(rows[near]) <= line[0]:  # a band of one depth says nothing of the slope
            break
        slope, offset = siegelslopes(heights[near], rows[near])
        line = (float(offset), float(slope))
    paces = np.array([abs(float(track.velocity[0])) for track in tracks]) / (line[0] + line[1] * rows)
    unknown = (0.0, 0.0, 0.0, 0.0)
    ground = Ground(line, unknown, float(np.median(paces)), np.ones(size_hw, np.bool_))
    # Feet of broken figures, lost on ground as dark as their clothes, would seem to be wherever the rest ends.
    feet = np.concatenate([track.foot_xy for track in usual(tracks, ground) or tracks])
    first, second, third, last = (float(row) for row in np.quantile(feet[:, 1], (0.005, 1 / 3, 2 / 3, 0.995)))
    walked = _walked(feet, float(np.median(heights)), size_hw)
    return replace(ground, depths=(first, second, third, last), walked=walked)


def _walked(feet_xy: Floats, height_px: float, size_hw: tuple[int, int]) -> npt.NDArray[np.bool_]:
    """The hull of where feet were, half a person height wider: figures at the very border are not cut out."""
    hull = cv2.convexHull(np.floor(feet_xy).astype(np.int32))
    filled = cv2.fillConvexPoly(np.zeros(size_hw, np.uint8), hull, 1)
    return cv2.dilate(filled, np.ones((1, 2 * round(height_px / 2) + 1), np.uint8)) > 0


def find_cutouts(backdrop: Backdrop, blobs: Sequence[Sequence[Blob]]) -> list[CutOut]:
    """Every figure of a clip that was followed alone for at least 16 frames, in order of appearance.

    blobs: per frame, of `look_at`.
    """
    open_tracks: list[list[tuple[int, Blob]]] = []
    finished: list[list[tuple[int, Blob]]] = []
    for index, found in enumerate(blobs):
        continued, free = [], list(found)
        for track in open_tracks:
            best = max(free, key=lambda blob: _overlap(blob, track[-1][1]), default=None)
            if best is not None and _continues(best, track[-1][1]):
                free.remove(best)
                continued.append([*track, (index, best)])
            else:
                finished.append(track)
        open_tracks = continued + [[(index, blob)] for blob in free]
    return [_cut(backdrop, track) for track in finished + open_tracks if len(track) >= _MIN_POSES]


def usual(tracks: Sequence[CutOut], ground: Ground) -> list[CutOut]:
    """Whole figures of about the usual size and pace that stand out clearly.

    Others are groups, pieces and shadows, or would be a surprise as they are.
    """
    clear = _CLARITY * float(np.median([track.contrast for track in tracks]))
    kept = []
    for track in tracks:
        height = float(ground.height_at(np.median(track.foot_xy[:, 1])))
        pace = float(np.abs(track.velocity[0])) / height / ground.walk
        fits = _HEIGHTS[0] <= track.height_px / height <= _HEIGHTS[1] and _PACES[0] <= pace <= _PACES[1]
        if fits and track.contrast >= clear and np.mean([_is_whole(pose) for pose in track.poses]) >= _WHOLE:
            kept.append(track)
    return kept


def _is_whole(pose: Pose) -> bool:
    """Whether no row of the body is empty; hair may be as dark as what is behind it, a shadow is faint."""
    rows = len(pose.matte)
    return bool((pose.matte[rows // 6 : rows - rows // 6].max(axis=1) > 0.5).all())


def _overlap(one: Blob, other: Blob) -> float:
    """Intersection over union of the masks of two blobs."""
    x, y = max(one.x, other.x), max(one.y, other.y)
    parts = [
        blob.mask[y - blob.y : _end(one, other, 0) - blob.y, x - blob.x : _end(one, other, 1) - blob.x]
        for blob in (one, other)
        if _end(one, other, 0) > y and _end(one, other, 1) > x
    ]
    shared = int((parts[0] & parts[1]).sum()) if parts else 0
    return shared / (int(one.mask.sum()) + int(other.mask.sum()) - shared)


def _end(one: Blob, other: Blob, axis: int) -> int:
    return min((blob.x if axis else blob.y) + blob.mask.shape[axis] for blob in (one, other))


def _continues(blob: Blob, earlier: Blob) -> bool:
    ratio = blob.mask.sum() / earlier.mask.sum()
    return _overlap(blob, earlier) >= _OVERLAP and 1 / _AREA_RATIO <= ratio <= _AREA_RATIO


def _cut(backdrop: Backdrop, track: Sequence[tuple[int, Blob]]) -> CutOut:
    feet = np.array([blob.foot for _, blob in track], np.float32)
    smooth = np.asarray(uniform_filter1d(feet, 7, axis=0, mode="nearest"), np.float32)
    poses, contrasts = [], []
    for (index, blob), foot in zip(track, smooth, strict=True):
        pose, contrast = _pose(backdrop, index, blob, foot)
        poses.append(pose)
        contrasts.append(contrast)
    height = float(np.median([blob.mask.shape[0] for _, blob in track]))
    ground = backdrop.ground_luma(smooth)
    return CutOut(backdrop.name, tuple(poses), smooth, height, float(np.median(contrasts)), ground)


def _pose(backdrop: Backdrop, index: int, blob: Blob, foot: Floats) -> tuple[Pose, float]:
    """The figure with a pixel of margin: solid inside its outline, fading with its contrast at the rim."""
    (rows, columns), (height, width) = blob.mask.shape, backdrop.background.shape
    top, left = max(blob.y - 1, 0), max(blob.x - 1, 0)
    part = np.s_[top : min(blob.y + rows + 1, height), left : min(blob.x + columns + 1, width)]
    luma = backdrop.frames[index][part].astype(np.float32)
    mask = np.zeros(luma.shape, np.uint8)
    mask[blob.y - top : blob.y - top + rows, blob.x - left : blob.x - left + columns] = blob.mask
    outline, _ = cv2.findContours(mask, cv2.RETR_EXTERNAL, cv2.CHAIN_APPROX_NONE)
    filled = cv2.drawContours(np.zeros_like(mask), outline, -1, 1, cv2.FILLED)
    core = cv2.erode(filled, np.ones((3, 3), np.uint8))
    difference = np.abs(luma - backdrop.background[part])
    rim = np.clip((difference - _WEAK / 2) / (2 * _WEAK), 0, 1) * filled
    soft = cv2.GaussianBlur(np.maximum(rim, core).astype(np.float32), (0, 0), 0.5)
    pose = Pose(luma, np.asarray(soft, np.float32), (left - float(foot[0]), top - float(foot[1])))
    return pose, float(difference[core > 0].mean()) if core.any() else 0.0


def _on_field(pose: Pose, first_xy: npt.NDArray[np.float64], size_xy: npt.NDArray[np.float64]) -> Floats:
    """The matte on a larger field whose first pixel lies at `first_xy` from the contact point, to the pixel."""
    field = np.zeros(size_xy[::-1].astype(int), np.float32)
    left, top = np.rint(np.array(pose.origin_xy) - first_xy).astype(int)
    field[top : top + pose.matte.shape[0], left : left + pose.matte.shape[1]] = pose.matte
    return np.asarray(cv2.GaussianBlur(field, (0, 0), 1.0), np.float32)
