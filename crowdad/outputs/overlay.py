"""overlay.mp4: the footage with heat where something is unusual, the events' boxes and the score through time."""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from itertools import pairwise

import cv2
import numpy as np
import numpy.typing as npt
from scipy.ndimage import uniform_filter1d

from crowdad.errors import OutputNotReadableError, TooShortError
from crowdad.outputs.h264 import H264Writer, letterbox
from crowdad.outputs.heat import HeatPaint
from crowdad.outputs.lettering import draw_plate, plate_size
from crowdad.outputs.scorebar import ScoreBar, bar_height
from crowdad.outputs.tables import FrameTable
from crowdad.records import Event, Frame, Heatmap

__all__ = ["OverlaySettings", "write_overlay"]

Picture = npt.NDArray[np.uint8]
"""uint8 (H, W, 3), blue, green, red."""

_WHITE = (255, 255, 255)
_DARK = (32, 32, 32)
_STEADY_S = 0.4


@dataclass(frozen=True)
class OverlaySettings:
    """How the overlay looks.

    colour_map: see `crowdad.outputs.heat.COLOUR_MAPS`.  threshold: anomaly in [0, 1] where heat shows and events start.
    strength: opacity of full heat, 0..1.  saturation: how much of the footage's colour is left, 0..1.
    crf: quality of the H.264, 0..51, lower = better and larger.
    """

    colour_map: str = "inferno"
    threshold: float = 0.5
    strength: float = 0.65
    saturation: float = 0.5
    crf: int = 23


class _BoxTrail:
    """One event's box in every frame from its first to its last, steadied over a few frames."""

    def __init__(self, event: Event, fps: float) -> None:
        self.event = event
        known = sorted(event.boxes) or [event.peak_frame]
        boxes = np.asarray([event.boxes.get(frame, event.box_xyxy) for frame in known])
        frames = np.arange(event.start_frame, event.end_frame + 1)
        every = np.stack([np.interp(frames, known, side) for side in boxes.T], axis=1)
        self._boxes = uniform_filter1d(every, max(1, round(_STEADY_S * fps)), axis=0, mode="nearest")

    def at(self, frame_index: int) -> npt.NDArray[np.float64]:
        return self._boxes[frame_index - self.event.start_frame]


class _Painter:
    """Everything that is drawn on one frame."""

    def __init__(
        self,
        size_hw: tuple[int, int],
        scores: FrameTable,
        events: Sequence[Event],
        fps: float,
        settings: OverlaySettings,
    ) -> None:
        self._size_hw = size_hw
        self._settings = settings
        self._paint = HeatPaint(settings.colour_map, settings.threshold, settings.strength)
        bar_size = (bar_height(size_hw[0]), size_hw[1])
        told = [event for event in events if not event.candidate]
        self._bar = ScoreBar(scores.time_s, scores.anomaly, told, self._paint.colours, bar_size, settings.threshold)
        self._fps = fps
        self._coming = sorted(events, key=lambda event: event.start_frame, reverse=True)
        self._trails: list[_BoxTrail] = []
        self._canvas = np.zeros((size_hw[0] + bar_size[0], size_hw[1], 3), dtype=np.uint8)

    def draw(self, frame: Frame, heatmap: Heatmap | None) -> Picture:
        """The finished picture, (H + bar, W, 3); valid until the next call."""
        picture = _muted(frame, self._settings.saturation)
        if heatmap is not None:
            self._paint.blend(picture, heatmap)
        self._draw_boxes(picture, frame.index)
        height, width = self._size_hw
        self._canvas[:height] = picture if picture.shape[:2] == (height, width) else letterbox(picture, (height, width))
        self._bar.draw(self._canvas[height:], frame.time_s)
        return self._canvas

    def _draw_boxes(self, picture: Picture, frame_index: int) -> None:
        while self._coming and self._coming[-1].start_frame <= frame_index:
            self._trails.append(_BoxTrail(self._coming.pop(), self._fps))
        self._trails = [trail for trail in self._trails if trail.event.end_frame >= frame_index]
        for trail in self._trails:
            if trail.event.candidate:
                _dash_box(picture, trail.at(frame_index))
            else:
                _draw_box(picture, trail.at(frame_index), trail.event)


def write_overlay(
    frames: Iterable[Frame],
    heatmaps: Iterable[tuple[int, Heatmap]],
    scores: FrameTable,
    events: Sequence[Event],
    path: str | os.PathLike[str],
    *,
    fps: float,
    settings: OverlaySettings = OverlaySettings(),
) -> int:
    """Draw the overlay of a run; returns the number of frames written.

    frames: the footage again, in order, with colour where it has any.
    heatmaps: (frame index, map) in order, as `HeatmapReader` gives them; a frame without one stays without heat.
    scores: the run's frames.csv.  events: with their boxes, candidates dashed.  fps: average of the footage.
    path: written in fragments while it grows, index in front once whole; times are the footage's, from its first frame.

    Raises TooShortError when there is no frame, OutputNotReadableError when the maps belong to other footage.
    """
    source = iter(frames)
    first = next(source, None)
    if first is None:
        raise TooShortError("0 frames; an overlay needs at least one; check --start and --end")
    size_hw = (first.luma.shape[0], first.luma.shape[1])
    painter = _Painter(size_hw, scores, events, fps, settings)
    maps = _Aligned(heatmaps)
    count = 0
    with H264Writer(path, (size_hw[0] + bar_height(size_hw[0]), size_hw[1]), fps, crf=settings.crf) as video:
        for frame in _chain(first, source):
            video.write(painter.draw(frame, maps.of(frame)), frame.time_s - first.time_s)
            count += 1
    return count


def _chain(first: Frame, rest: Iterator[Frame]) -> Iterator[Frame]:
    yield first
    yield from rest


class _Aligned:
    """Walks through the maps beside the frames."""

    def __init__(self, heatmaps: Iterable[tuple[int, Heatmap]]) -> None:
        self._rest = iter(heatmaps)
        self._next = next(self._rest, None)

    def of(self, frame: Frame) -> Heatmap | None:
        while self._next is not None and self._next[0] < frame.index:
            self._next = next(self._rest, None)
        if self._next is None or self._next[0] != frame.index:
            return None
        heatmap = self._next[1]
        if heatmap.size_hw != frame.luma.shape:
            raise OutputNotReadableError(
                f"frame {frame.index} is {frame.luma.shape[1]}x{frame.luma.shape[0]}, its heatmap "
                f"{heatmap.size_hw[1]}x{heatmap.size_hw[0]}; use the footage that the run was made from"
            )
        return heatmap


def _muted(frame: Frame, saturation: float) -> Picture:
    """A copy of the frame with less colour, so that heat is the only strong one."""
    if frame.bgr is None:
        return np.asarray(cv2.cvtColor(frame.luma, cv2.COLOR_GRAY2BGR), dtype=np.uint8)
    if saturation >= 1:
        return frame.bgr.copy()
    grey = cv2.cvtColor(cv2.cvtColor(frame.bgr, cv2.COLOR_BGR2GRAY), cv2.COLOR_GRAY2BGR)
    return np.asarray(cv2.addWeighted(frame.bgr, saturation, grey, 1 - saturation, 0), dtype=np.uint8)


def _dash_box(picture: Picture, box_xyxy: npt.NDArray[np.float64]) -> None:
    """A thin dashed frame, light and dark in turn: something less than an event."""
    height, width = picture.shape[:2]
    line, dash = max(1, round(height / 600)), max(3, round(height / 90))
    x0, y0, x1, y1 = (round(float(side)) for side in box_xyxy)
    x0, y0, x1, y1 = max(x0, 0), max(y0, 0), min(x1, width - 1), min(y1, height - 1)
    corners = [(x0, y0), (x1, y0), (x1, y1), (x0, y1), (x0, y0)]
    for (ax, ay), (bx, by) in pairwise(corners):
        count = max(1, (abs(bx - ax) + abs(by - ay)) // dash)
        for index in range(count):
            first, last = (
                (round(ax + (bx - ax) * share / count), round(ay + (by - ay) * share / count))
                for share in (index, index + 1)
            )
            cv2.line(picture, first, last, _DARK if index % 2 else _WHITE, line)


def _draw_box(picture: Picture, box_xyxy: npt.NDArray[np.float64], event: Event) -> None:
    """A light frame with a dark edge, which reads on any ground, and the event's number and kind on a plate."""
    height, width = picture.shape[:2]
    line = max(1, round(height / 300))
    x0, y0, x1, y1 = (round(float(side)) for side in box_xyxy)
    x0, y0, x1, y1 = max(x0, line), max(y0, line), min(x1, width - 1) - line, min(y1, height - 1) - line
    cv2.rectangle(picture, (x0 - line, y0 - line), (x1 + line, y1 + line), _DARK, 1)
    cv2.rectangle(picture, (x0, y0), (x1, y1), _WHITE, line)
    text_px = max(10, round(height * 0.02 + 5))
    label = f"{event.event_id} {event.kind}".rstrip()
    if plate_size(label, text_px)[0] > width:
        label = f"{event.event_id}"
    plate_width, plate_height = plate_size(label, text_px)
    top = y0 - plate_height if y0 >= plate_height else y0
    draw_plate(picture, label, (max(min(x0 - line // 2, width - plate_width), 0), top), text_px)
