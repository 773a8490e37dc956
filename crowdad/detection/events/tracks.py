"""What is followed from frame to frame: one subject's track, and the tracks that may become one event."""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass, field, replace

import numpy as np
import numpy.typing as npt

from crowdad.detection.events.boxes import Boxes, centres, overlap_sides, union
from crowdad.records import Region

__all__ = ["NEVER", "Candidate", "OpenTrack", "link_cost"]

NEVER = 1e6
"""The cost of what cannot be."""

_REACH = 0.75
_PATH_S = 0.6


@dataclass(eq=False)
class OpenTrack:
    """A subject still followed: where it was, how it moves, and the regions that may become an event."""

    first: Region
    frames: int = 1
    path: deque[Region] = field(default_factory=deque)
    seen: list[Region] = field(default_factory=list)
    unsure: list[Region] = field(default_factory=list)
    last: Region = field(init=False)
    last_strong_s: float = field(init=False)

    def __post_init__(self) -> None:
        self.last = self.first
        self.last_strong_s = self.first.time_s
        self.seen = [self.first]
        self.path.append(self.first)

    def predict(self, time_s: float) -> Boxes:
        """The box (4,) moved on to `time_s` at the mean speed of the last moments, at first that of what is in it."""
        oldest, latest = self.path[0], self.path[-1]
        lasted_s = latest.time_s - oldest.time_s
        before, now = np.asarray(oldest.box_xyxy), np.asarray(latest.box_xyxy)
        if lasted_s > 0:
            speed = (centres(now) - centres(before)) / lasted_s
        else:
            speed = np.asarray(latest.velocity_px_s or (0.0, 0.0))
        return now + np.tile(speed, 2) * (time_s - latest.time_s)

    def follow(self, region: Region, strong: bool) -> None:
        """Add a region; weak ones count only once a strong one follows them."""
        self.last = region
        self.path.append(region)
        # The maps are coarse, so a speed from one frame to the next would be mostly noise.
        while region.time_s - self.path[0].time_s > _PATH_S:
            self.path.popleft()
        self.unsure.append(region)
        if strong:
            self.seen += self.unsure
            self.unsure = []
            self.last_strong_s = region.time_s


@dataclass(eq=False)
class Candidate:
    """Tracks that belong together; becomes an event when the last of them has ended.

    keys: its own and those of the candidates that joined it.  strong_frames: in which it was at the level, counted up
    to now.  peak, now: its region with its common box, in its hottest frame and in the last one.
    """

    open_tracks: list[OpenTrack]
    keys: list[int]
    peak: Region
    now: Region
    ended: list[Region] = field(default_factory=list)
    strong_frames: int = 0
    last_strong_frame: int = -1
    start_s: float = field(init=False)
    start_frame: int = field(init=False)

    def __post_init__(self) -> None:
        self.start_s, self.start_frame = self.peak.time_s, self.peak.frame_index

    def see(self, region: Region, strong: bool) -> None:
        """Take note of one of this frame's regions."""
        if region.frame_index == self.now.frame_index:
            hotter = max(self.now, region, key=lambda each: each.peak_anomaly)
            region = replace(hotter, box_xyxy=union(self.now.box_xyxy, region.box_xyxy))
        self.now = region
        if region.peak_anomaly > self.peak.peak_anomaly or region.frame_index == self.peak.frame_index:
            self.peak = region
        if strong and region.frame_index != self.last_strong_frame:
            self.last_strong_frame = region.frame_index
            self.strong_frames += 1


def link_cost(tracks_xyxy: Boxes, regions_xyxy: Boxes) -> npt.NDArray[np.float64]:
    """(N, M) cost of carrying track i on with region j: 1 - IoU + centre distance in box diagonals."""
    sides = overlap_sides(tracks_xyxy, regions_xyxy)
    overlap = np.prod(np.maximum(sides, 0), axis=-1)
    areas, diagonals = [], []
    for boxes in (tracks_xyxy, regions_xyxy):
        size = boxes[:, 2:] - boxes[:, :2]
        areas.append(size.prod(axis=1))
        diagonals.append(np.hypot(size[:, 0], size[:, 1]))
    iou = overlap / (areas[0][:, None] + areas[1][None] - overlap)
    apart = np.linalg.norm(centres(tracks_xyxy)[:, None] - centres(regions_xyxy)[None], axis=-1)
    distance = apart / np.maximum(diagonals[0][:, None], diagonals[1][None])
    return np.where((overlap > 0) | (distance <= _REACH), 1 - iou + distance, NEVER)
