"""RBDC and TBDC: region-based and track-based detection criteria (Ramachandra and Jones, WACV 2020).

Written from the definition.  At a threshold, the detected regions of a frame are the 8-connected components of
map >= threshold.  A true region is found where a detected region overlaps it with IoU >= 0.1; a true track where at
least 10 % of its regions are found; a detected region with IoU < 0.1 to every true region is a false positive.
The threshold is swept; the result is the area under the detection rate over false positives per frame in [0, 1].
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np
import numpy.typing as npt
from scipy import ndimage
from sklearn.metrics import auc

from crowdad.errors import UndefinedMetricError
from crowdad.evaluation.metrics.pixels import ClipMaps, cell_of_pixel
from crowdad.evaluation.metrics.registry import metric
from crowdad.evaluation.metrics.tracks import EIGHT_NEIGHBOURS, TrueTrack, box_iou

__all__ = ["Overlap", "RegionCounts", "count_regions", "rbdc", "region_thresholds", "tbdc"]

Overlap = Literal["box", "mask"]
"""What IoU is measured on: bounding boxes (as in the published annotations) or the pixels themselves."""

_FOUND_IOU = 0.1
_FOUND_TRACK_SHARE_INVERSE = 10  # a tenth of a track's regions, as a whole number so that no rounding decides
_PEAKS_PER_FRAME = 5


@dataclass(frozen=True, eq=False)
class RegionCounts:
    """One clip's counts at each of K thresholds, so that clips can be added and resampled without new labelling.

    thresholds: float (K,), ascending.  found_regions, found_tracks, false_positives: int64 (K,).
    """

    frames: int
    regions: int
    tracks: int
    thresholds: npt.NDArray[np.floating]
    found_regions: npt.NDArray[np.int64]
    found_tracks: npt.NDArray[np.int64]
    false_positives: npt.NDArray[np.int64]


def region_thresholds(maps: Sequence[npt.NDArray[np.floating]], count: int = 200) -> npt.NDArray[np.floating]:
    """Thresholds to sweep, common to all clips: float (<= count,), ascending, each a value that occurs in the maps.

    maps: one float (T, rows, columns) per clip.  All values where there are at most `count`.  Otherwise half are
    quantiles of the highest local maxima of each frame (where regions are born, so false positives change there),
    half are spaced evenly in the logarithm of the share of cells above them (where regions grow).
    Quantiles, so that a monotone rescaling of all maps changes nothing.
    """
    if not maps or count < 2:
        raise ValueError(f"{len(maps)} clips and count = {count}; at least 1 and 2 are needed")
    cells = np.sort(np.concatenate([m.ravel() for m in maps]))
    distinct = np.unique(cells)
    if len(distinct) <= count:
        return distinct
    births = np.sort(np.concatenate([_peaks(m) for m in maps]))
    from_births = births[np.linspace(0, len(births) - 1, count // 2).round().astype(int)]
    above = np.geomspace(1, len(cells), count - count // 2).round().astype(int)
    return np.unique(np.concatenate([from_births, cells[len(cells) - above]]))


def count_regions(
    clip: ClipMaps,
    tracks: Sequence[TrueTrack],
    thresholds: npt.NDArray[np.floating],
    overlap: Overlap = "box",
) -> RegionCounts:
    """Found regions, found tracks and false positives of one clip at each threshold.

    tracks: the clip's true tracks, from `derive_tracks(clip.masks)` or a data set's own.
    thresholds: float (K,), ascending, the same for all clips of a result (`region_thresholds`).
    Detected boxes end at the picture's border.
    Raises ValueError for thresholds that are not ascending and for tracks of another clip.
    """
    if thresholds.ndim != 1 or not len(thresholds) or not (np.diff(thresholds) > 0).all():
        raise ValueError(f"thresholds {thresholds.shape} are not ascending; use region_thresholds")
    frames = {region.frame_index for track in tracks for region in track.regions}
    if frames and not 0 <= min(frames) <= max(frames) < len(clip.masks):
        raise ValueError(f"{clip.name}: tracks reach frame {max(frames)}, the clip has {len(clip.masks)}")
    truth = _Truth(clip, tracks, overlap)
    lengths = np.array([len(track.regions) for track in tracks], dtype=np.int64)
    counts = np.zeros((3, len(thresholds)), dtype=np.int64)
    for place, threshold in enumerate(thresholds):
        found, false_positives = truth.match(clip.anomaly >= threshold)
        per_track = np.bincount(truth.track_of[found], minlength=len(tracks))
        found_tracks = np.count_nonzero(per_track * _FOUND_TRACK_SHARE_INVERSE >= lengths)
        counts[:, place] = np.count_nonzero(found), found_tracks, false_positives
    return RegionCounts(len(clip.masks), int(lengths.sum()), len(tracks), thresholds, *counts)


@metric("RBDC", "regions, IoU 0.1, micro, <= 1 false positive a frame; derived tracks", over=RegionCounts)
def rbdc(counts: Sequence[RegionCounts]) -> float:
    """Region-based detection criterion, in [0, 1].

    Level: region.  Pooling: micro (regions and false positives of all clips are added at each threshold).
    The rate at f false positives per frame is the best that any threshold with at most f reaches, joined by straight
    lines from (0, 0), and held beyond the last threshold.
    Raises UndefinedMetricError where there is no true region.
    """
    return _area(counts, [c.found_regions for c in counts], sum(c.regions for c in counts))


@metric("TBDC", "tracks derived from the masks, 10 % of their regions", over=RegionCounts)
def tbdc(counts: Sequence[RegionCounts]) -> float:
    """Track-based detection criterion, in [0, 1]; a track is found where >= 10 % of its regions are.

    Level: track.  Pooling and curve as in `rbdc`.  Raises UndefinedMetricError where there is no true track.
    """
    return _area(counts, [c.found_tracks for c in counts], sum(c.tracks for c in counts))


def _area(counts: Sequence[RegionCounts], found_per_clip: Sequence[npt.NDArray[np.int64]], total: int) -> float:
    if not counts:
        raise ValueError("no clips; at least one is needed")
    if any(not np.array_equal(c.thresholds, counts[0].thresholds) for c in counts):
        raise ValueError("clips were counted at different thresholds; use one region_thresholds for all")
    if total == 0:
        raise UndefinedMetricError(f"{len(counts)} clips without a true region; at least one is needed")
    found = np.sum(found_per_clip, axis=0)
    per_frame = np.sum([c.false_positives for c in counts], axis=0) / sum(c.frames for c in counts)
    order = np.lexsort((found, per_frame))
    x = np.concatenate([[0.0], per_frame[order]])
    # Regions merge as the threshold falls, so both rates may fall again; the running maximum keeps the best.
    y = np.concatenate([[0.0], np.maximum.accumulate(found[order] / total)])
    inside = x <= 1
    return float(auc(np.append(x[inside], 1.0), np.append(y[inside], np.interp(1.0, x, y))))


def _peaks(maps: npt.NDArray[np.floating]) -> npt.NDArray[np.floating]:
    """Each frame's highest local maxima, pooled; its minimum is none, so that flat ground does not count."""
    highest = ndimage.maximum_filter(maps, size=(1, 3, 3), mode="nearest")
    floor = maps.min(axis=(1, 2), keepdims=True)
    is_peak = (maps == highest) & (maps > floor)
    ranked = np.where(is_peak, maps, -np.inf).reshape(len(maps), -1)
    best = -np.sort(-ranked, axis=1)[:, :_PEAKS_PER_FRAME]
    # The frame's maximum is where its first region is born, also in a flat frame.
    return np.concatenate([maps.max(axis=(1, 2)), best[:, 1:][np.isfinite(best[:, 1:])]])


class _Truth:
    """True regions of one clip in arrays padded to S slots a frame, so that a whole clip is matched at once.

    track_of: int64 (T, S), place of the region's track.
    """

    def __init__(self, clip: ClipMaps, tracks: Sequence[TrueTrack], overlap: Overlap) -> None:
        self._cell_px = clip.cell_px
        self._size_hw = clip.masks.shape[1:]
        by_frame: list[list[tuple[int, npt.NDArray[np.bool_], tuple[int, int, int, int]]]] = [[] for _ in clip.masks]
        for place, track in enumerate(tracks):
            for region in track.regions:
                by_frame[region.frame_index].append((place, region.mask, region.box_xyxy))
        slots = max(1, *map(len, by_frame))  # a clip without anomaly keeps one empty slot
        self._boxes = np.zeros((len(by_frame), slots, 4))
        self.track_of = np.zeros((len(by_frame), slots), dtype=np.int64)
        self._cells = np.zeros((slots, *clip.anomaly.shape)) if overlap == "mask" else None
        row_of, column_of = (cell_of_pixel(n, clip.cell_px) for n in self._size_hw)
        rows, columns = clip.anomaly.shape[1:]
        self._cell_area = np.outer(np.bincount(row_of, minlength=rows), np.bincount(column_of, minlength=columns))
        for t, regions in enumerate(by_frame):
            for slot, (place, mask, box) in enumerate(regions):
                self._boxes[t, slot], self.track_of[t, slot] = box, place
                if self._cells is not None:
                    ys, xs = np.nonzero(mask)
                    np.add.at(self._cells[slot, t], (row_of[ys + box[1]], column_of[xs + box[0]]), 1)

    def match(self, detected: npt.NDArray[np.bool_]) -> tuple[npt.NDArray[np.bool_], int]:
        """detected: bool (T, rows, columns).  Returns found bool (T, S) and the number of false positives."""
        found = np.zeros(self.track_of.shape, dtype=bool)
        structure = np.zeros((3, 3, 3), dtype=bool)
        structure[1] = EIGHT_NEIGHBOURS  # one call labels the clip, and nothing joins across frames
        labels, n = ndimage.label(detected, structure)
        if n == 0:
            return found, 0
        slices = ndimage.find_objects(labels)
        frame = np.array([s[0].start for s in slices])
        iou = self._box_iou(frame, slices) if self._cells is None else self._mask_iou(frame, labels, n)
        hits = iou >= _FOUND_IOU
        np.logical_or.at(found, frame, hits)
        return found, int(np.count_nonzero(~hits.any(axis=1)))

    def _box_iou(self, frame: npt.NDArray[np.int64], slices: list[tuple[slice, ...]]) -> npt.NDArray[np.floating]:
        boxes = np.array([(c.start, r.start, c.stop, r.stop) for _, r, c in slices]) * self._cell_px
        height, width = self._size_hw
        boxes = np.minimum(boxes, [width, height, width, height])
        return box_iou(boxes[:, None], self._boxes[frame])

    def _mask_iou(
        self, frame: npt.NDArray[np.int64], labels: npt.NDArray[np.integer], n: int
    ) -> npt.NDArray[np.floating]:
        assert self._cells is not None
        flat = labels.ravel()
        area = np.bincount(flat, np.broadcast_to(self._cell_area, labels.shape).ravel(), n + 1)[1:]
        shared = np.stack([np.bincount(flat, cells.ravel(), n + 1)[1:] for cells in self._cells], axis=1)
        true_area = self._cells.sum(axis=(2, 3)).T[frame]
        union = area[:, None] + true_area - shared
        # A last cell that holds no pixel centre has no area.
        return np.divide(shared, union, out=np.zeros_like(union), where=union > 0)
