"""True regions and tracks, derived from ground-truth masks.

UCSD publishes masks without identities.  Here a region is an 8-connected component of a mask with at least 8 pixels;
regions of consecutive frames belong to one track where their boxes overlap with IoU >= 0.3 (one to one, largest sum
of IoU).  No gap is bridged.  On Ped2 this gives 2,410 regions and 21 tracks.  With masks in place of boxes one track
of clip 8 would break in two (22), with 4-connected components there would be one region more (2,411).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
from scipy import ndimage
from scipy.optimize import linear_sum_assignment

__all__ = ["EIGHT_NEIGHBOURS", "TrueRegion", "TrueTrack", "box_iou", "derive_tracks"]

EIGHT_NEIGHBOURS = np.ones((3, 3), dtype=bool)

_MIN_AREA_PX = 8
_LINK_IOU = 0.3


@dataclass(frozen=True, eq=False)
class TrueRegion:
    """One connected anomalous place in one frame.

    box_xyxy: whole pixels, x1 and y1 exclusive.  mask: bool (y1 - y0, x1 - x0), the region inside its box.
    """

    frame_index: int
    box_xyxy: tuple[int, int, int, int]
    mask: npt.NDArray[np.bool_]


@dataclass(frozen=True, eq=False)
class TrueTrack:
    """One anomalous subject's regions in order of frames, at most one a frame."""

    regions: tuple[TrueRegion, ...]

    def __post_init__(self) -> None:
        if not self.regions:
            raise ValueError("a track without regions; at least one is needed")


def derive_tracks(masks: npt.NDArray[np.bool_]) -> list[TrueTrack]:
    """Links the connected components of one clip's masks into tracks (rule: see the module's docstring).

    masks: bool (T, H, W).  Returns tracks in order of their first frame; a region without a neighbour is a track of
    its own.  Raises ValueError for another shape or dtype.
    """
    if masks.ndim != 3 or masks.dtype != np.bool_:
        raise ValueError(f"masks are {masks.dtype} {masks.shape}; bool (T, H, W) is needed")
    tracks: list[list[TrueRegion]] = []
    alive: list[list[TrueRegion]] = []
    for index, mask in enumerate(masks):
        regions = _regions(index, mask)
        heir = _links([track[-1] for track in alive], regions)
        following = []
        for place, region in enumerate(regions):
            track = alive[heir[place]] if place in heir else []
            if not track:
                tracks.append(track)
            track.append(region)
            following.append(track)
        alive = following
    return [TrueTrack(tuple(track)) for track in tracks]


def box_iou(a_xyxy: npt.NDArray[np.floating], b_xyxy: npt.NDArray[np.floating]) -> npt.NDArray[np.floating]:
    """Intersection over union of boxes: float (..., 4) against (..., 4), broadcast; returns (...) in [0, 1].

    A box without area overlaps nothing.
    """
    low = np.maximum(a_xyxy[..., :2], b_xyxy[..., :2])
    high = np.minimum(a_xyxy[..., 2:], b_xyxy[..., 2:])
    shared = np.clip(high - low, 0, None).prod(axis=-1)
    area_a = (a_xyxy[..., 2:] - a_xyxy[..., :2]).prod(axis=-1)
    area_b = (b_xyxy[..., 2:] - b_xyxy[..., :2]).prod(axis=-1)
    union = area_a + area_b - shared
    return np.divide(shared, union, out=np.zeros_like(union), where=union > 0)


def _regions(index: int, mask: npt.NDArray[np.bool_]) -> list[TrueRegion]:
    if not mask.any():
        return []
    labels, _ = ndimage.label(mask, EIGHT_NEIGHBOURS)
    regions = []
    for number, (rows, columns) in enumerate(ndimage.find_objects(labels), start=1):
        inside = labels[rows, columns] == number
        if np.count_nonzero(inside) >= _MIN_AREA_PX:
            box = (columns.start, rows.start, columns.stop, rows.stop)
            regions.append(TrueRegion(index, box, inside))
    return regions


def _links(before: Sequence[TrueRegion], now: Sequence[TrueRegion]) -> dict[int, int]:
    """Place in `now` -> place in `before` of the region that it continues."""
    if not before or not now:
        return {}
    boxes_before = np.array([r.box_xyxy for r in before], dtype=float)
    boxes_now = np.array([r.box_xyxy for r in now], dtype=float)
    iou = box_iou(boxes_before[:, None], boxes_now[None])
    linked = np.where(iou >= _LINK_IOU, iou, 0.0)
    rows, columns = linear_sum_assignment(linked, maximize=True)
    return {int(c): int(r) for r, c in zip(rows, columns, strict=True) if linked[r, c] > 0}
