"""Small pictures of the events' peaks, cut out while the footage runs past."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence

import cv2
import numpy as np
import numpy.typing as npt

from crowdad.records import Box, Event, Frame

__all__ = ["PeakThumbnails", "cut_peak"]

Picture = npt.NDArray[np.uint8]

_AROUND = 1.5
_LEAST_SHARE = 0.2
_WIDE = 4 / 3


class PeakThumbnails:
    """Cuts the peak of the strongest events out of footage that is being read anyway.

    events: of the run.  limit: how many, the strongest first.  height_px: of each thumbnail; they are 4:3.

    After `watch` has run through, `pictures` maps event ids to uint8 (height_px, W, 3), blue, green, red, and `boxes`
    to the event's box in that picture; `events` are those wanted, the strongest first.
    """

    def __init__(self, events: Sequence[Event], limit: int = 8, height_px: int = 240) -> None:
        self.events = sorted(events, key=lambda event: (-event.peak_anomaly, event.event_id))[:limit]
        self._at: dict[int, list[Event]] = {}
        for event in self.events:
            self._at.setdefault(event.peak_frame, []).append(event)
        self._height_px = height_px
        self.pictures: dict[int, Picture] = {}
        self.boxes: dict[int, Box] = {}

    def of_strongest(self, count: int) -> dict[int, Picture]:
        """The pictures of the `count` strongest events, as far as they were found."""
        strongest = [event.event_id for event in self.events[:count]]
        return {event_id: self.pictures[event_id] for event_id in strongest if event_id in self.pictures}

    def watch(self, frames: Iterable[Frame]) -> Iterator[Frame]:
        """Pass the frames on unchanged, cutting out the peaks among them."""
        for frame in frames:
            for event in self._at.get(frame.index, ()):
                self._cut(frame, event)
            yield frame

    def _cut(self, frame: Frame, event: Event) -> None:
        picture = cv2.cvtColor(frame.luma, cv2.COLOR_GRAY2BGR) if frame.bgr is None else frame.bgr
        cut, box_xyxy = cut_peak(np.asarray(picture, np.uint8), event.box_xyxy, self._height_px)
        self.pictures[event.event_id], self.boxes[event.event_id] = cut, box_xyxy


def cut_peak(picture: Picture, box_xyxy: Box, height_px: int = 240) -> tuple[Picture, Box]:
    """What is around a box, 4:3: uint8 (height_px, W, 3) of a picture, uint8 (H, W, 3), and the box in it."""
    rows, columns = picture.shape[:2]
    x0, y0, x1, y1 = box_xyxy
    height = max((y1 - y0) * _AROUND, (x1 - x0) * _AROUND / _WIDE, rows * _LEAST_SHARE)
    height = min(height, rows, columns / _WIDE)
    width = height * _WIDE
    left = min(max((x0 + x1 - width) / 2, 0), columns - width)
    top = min(max((y0 + y1 - height) / 2, 0), rows - height)
    cut = picture[int(top) : max(int(top) + 1, int(top + height)), int(left) : max(int(left) + 1, int(left + width))]
    smaller = cut.shape[0] > height_px
    size = (round(height_px * _WIDE), height_px)
    resized = cv2.resize(cut, size, interpolation=cv2.INTER_AREA if smaller else cv2.INTER_CUBIC)
    across, down = size[0] / cut.shape[1], size[1] / cut.shape[0]
    left, top = int(left), int(top)
    box = ((x0 - left) * across, (y0 - top) * down, (x1 - left) * across, (y1 - top) * down)
    return np.asarray(resized, dtype=np.uint8), box
