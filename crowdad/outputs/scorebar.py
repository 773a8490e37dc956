"""The strip below the picture: the score through time, the threshold, the events and where the film is now."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt

from crowdad.outputs.lettering import draw_plate, draw_text, plate_size, text_size
from crowdad.records import Event
from crowdad.wording import clock_text

__all__ = ["ScoreBar", "bar_height"]

_PAGE_S = 120.0
_GROUND = 22
_EVENT = 58
_CALM = np.array((112, 106, 102), dtype=np.float32)
_CURVE = 235
_WHITE = (245, 245, 245)
_AHEAD = 0.42


def bar_height(picture_height: int) -> int:
    """Rows of the strip below a picture of this height."""
    return max(26, round(picture_height * 0.08))


class ScoreBar:
    """Draws the strip for one moment after another; the curve itself is drawn once a page.

    time_s, anomaly: (N,), rising times and scores in [0, 1].  colours: uint8 (256, 3), BGR of each anomaly.
    Footage of up to two minutes stands on one page, longer footage on pages of equal length.
    """

    def __init__(
        self,
        time_s: npt.NDArray[np.float64],
        anomaly: npt.NDArray[np.float64],
        events: Sequence[Event],
        colours: npt.NDArray[np.uint8],
        size_hw: tuple[int, int],
        threshold: float = 0.5,
    ) -> None:
        self._time_s = time_s
        self._anomaly = anomaly
        self._events = events
        self._colours = colours
        self._size_hw = size_hw
        self._threshold = threshold
        self._first_s = float(time_s[0]) if len(time_s) else 0.0
        self._length_s = max(float(time_s[-1]) - self._first_s, 1e-3) if len(time_s) else 1.0
        self._pages = max(1, int(np.ceil(self._length_s / _PAGE_S)))
        self._page_s = self._length_s / self._pages
        self._text_px = max(10, round(size_hw[0] * 0.4)) if size_hw[0] < 50 else round(size_hw[0] * 0.36)
        widest = "0:00:00.0" if self._first_s + self._length_s >= 3600 else "00:00.0"
        self._left = min(text_size(widest, self._text_px)[0] + self._text_px, size_hw[1] // 2)
        self._right = size_hw[1] - max(2, self._text_px // 2)
        self._page = -1
        self._behind: npt.NDArray[np.uint8]
        self._ahead: npt.NDArray[np.uint8]

    def draw(self, strip: npt.NDArray[np.uint8], time_s: float) -> None:
        """Fill the strip, uint8 (rows, W, 3), for the moment `time_s`."""
        place = (time_s - self._first_s) / self._page_s
        page = min(max(int(place), 0), self._pages - 1)
        if page != self._page:
            self._turn_to(page)
        x = self._left + round(min(max(place - page, 0.0), 1.0) * (self._right - self._left - 1))
        strip[:, :x] = self._behind[:, :x]
        strip[:, x:] = self._ahead[:, x:]
        half = max(1, self._size_hw[0] // 60)
        strip[:, x : x + half + 1] = _WHITE
        y = (self._size_hw[0] - self._text_px) // 2
        draw_text(strip, clock_text(time_s), (self._text_px // 2, y), self._text_px, _WHITE)

    def _turn_to(self, page: int) -> None:
        self._page = page
        start_s = self._first_s + page * self._page_s
        width = self._right - self._left
        edges_s = start_s + np.arange(width + 1) / width * self._page_s
        picture = np.full((*self._size_hw, 3), _GROUND, dtype=np.float32)
        self._shade_events(picture, start_s)
        self._draw_curve(picture, _column_peaks(self._time_s, self._anomaly, edges_s))
        self._draw_threshold(picture)
        self._behind = picture.astype(np.uint8)
        self._ahead = (_GROUND + (picture - _GROUND) * _AHEAD).astype(np.uint8)
        self._number_events(start_s)

    def _columns_of(self, event: Event, start_s: float) -> tuple[int, int]:
        """First and one past the last column of an event on the page; empty when it is on another page."""
        px_per_s = (self._right - self._left) / self._page_s
        first = int(self._left + (event.start_s - start_s) * px_per_s)
        last = max(first + 2, round(self._left + (event.end_s - start_s) * px_per_s))
        return max(self._left, first), min(self._right, last)

    def _shade_events(self, picture: npt.NDArray[np.float32], start_s: float) -> None:
        for event in self._events:
            first, last = self._columns_of(event, start_s)
            picture[:, first : max(first, last)] = _EVENT

    def _number_events(self, start_s: float) -> None:
        """Number the events on the page, as far as the numbers do not cover each other."""
        text_px = max(9, round(self._text_px * 0.72))
        free_from = self._left
        for event in self._events:
            first, last = self._columns_of(event, start_s)
            if last <= first or first < free_from:
                continue
            free_from = first + plate_size(str(event.event_id), text_px)[0] + 1
            for page in (self._behind, self._ahead):
                draw_plate(page, str(event.event_id), (first, 0), text_px)

    def _draw_curve(self, picture: npt.NDArray[np.float32], peaks: npt.NDArray[np.float64]) -> None:
        """Fill below the curve, each row in the colour of its anomaly (calm rows grey), with a light line on top."""
        rows = self._size_hw[0]
        level = np.arange(rows)[::-1] / (rows - 3)
        warmth = np.clip((level - self._threshold + 0.2) / 0.2, 0, 1)[:, None]
        hot = self._colours[np.rint(np.clip(level, 0, 1) * 255).astype(int)]
        colour = (_CALM + (hot - _CALM) * warmth)[:, None]
        height_px = 1 + np.clip(peaks, 0, 1)[None] * (rows - 3)
        up = np.arange(rows)[::-1, None]
        area = picture[:, self._left : self._right]
        area += (colour - area) * np.clip(height_px - up, 0, 1)[..., None]
        line_px = max(1.0, rows / 45)
        on_line = np.clip(height_px - up, 0, 1) - np.clip(height_px - line_px - up, 0, 1)
        area += (_CURVE - area) * on_line[..., None]

    def _draw_threshold(self, picture: npt.NDArray[np.float32]) -> None:
        rows = self._size_hw[0]
        line = round((rows - 2) - self._threshold * (rows - 3))
        dash = max(3, rows // 10)
        dashed = [x for x in range(self._left, self._right) if (x - self._left) // dash % 2 == 0]
        picture[line : line + max(1, rows // 45), dashed] = _CURVE


def _column_peaks(
    time_s: npt.NDArray[np.float64], anomaly: npt.NDArray[np.float64], edges_s: npt.NDArray[np.float64]
) -> npt.NDArray[np.float64]:
    """(M,) largest score between each two of the M + 1 edges; the score of the moment where no frame lies between."""
    if not len(time_s):
        return np.zeros(len(edges_s) - 1)
    middles_s = (edges_s[:-1] + edges_s[1:]) / 2
    peaks = np.interp(middles_s, time_s, anomaly)
    firsts = np.searchsorted(time_s, edges_s)
    for column in np.flatnonzero(firsts[1:] > firsts[:-1]):
        peaks[column] = anomaly[firsts[column] : firsts[column + 1]].max()
    return peaks
