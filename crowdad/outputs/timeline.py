"""timeline.png: the whole footage at a glance, its score, its events and what they look like."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence

import numpy as np
import numpy.typing as npt
from matplotlib.axes import Axes
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.patheffects import withStroke
from matplotlib.ticker import FuncFormatter, MultipleLocator

from crowdad.outputs.lettering import drawable
from crowdad.records import Event
from crowdad.wording import clock_text

__all__ = ["write_timeline"]

_SIZE_PX = (1600, 500)
_DPI = 100
_LEFT, _RIGHT = 0.048, 0.985
_BOTTOM, _TOP = 0.13, 0.60
_THUMB_BOTTOM, _THUMB_HEIGHT = 0.655, 0.24
_THUMB_GAP = 0.012
_COLUMNS = 1000
_HEADROOM = 1.15
_THRESHOLD = 0.5
_STEPS_S = (0.1, 0.2, 0.5, 1, 2, 5, 10, 15, 30, 60, 120, 300, 600, 900, 1800, 3600, 7200, 14400, 43200, 86400)
_MOST_TICKS = 14

_INK = "#2b2b33"
_QUIET = "#8b8b97"
_CURVE = "#4b4b5c"
_CALM = "#e3e3ea"
_BAND = "#c3c3cf"
_HOT = "#e8590c"
_SHADE = "#fde3cf"


def write_timeline(
    path: str | os.PathLike[str],
    time_s: npt.NDArray[np.float64],
    anomaly: npt.NDArray[np.float64],
    events: Sequence[Event],
    thumbnails: Mapping[int, npt.NDArray[np.uint8]] | None = None,
    *,
    cuts: Sequence[float] = (),
    title: str = "",
    compared: bool = True,
) -> None:
    """Write the picture of a run's score through time, 1600 x 500 PNG.

    time_s, anomaly: (N,), rising times and scores in [0, 1]; long footage is drawn by its smallest and largest scores.
    thumbnails: event id -> uint8 (H, W, 3), blue, green, red; shown above the curve, about eight fit.
    cuts: times where the footage jumps, drawn as dotted lines.
    compared: whether there was anything to compare; without, no count of events is written.
    """
    figure = Figure(figsize=(_SIZE_PX[0] / _DPI, _SIZE_PX[1] / _DPI), dpi=_DPI, facecolor="white")
    FigureCanvasAgg(figure)
    shown = [event for event in events if thumbnails and event.event_id in thumbnails]
    top = _TOP if shown else 0.86
    axes = figure.add_axes((_LEFT, _BOTTOM, _RIGHT - _LEFT, top - _BOTTOM))
    span_s = (float(time_s[0]), max(float(time_s[-1]), float(time_s[0]) + 1e-3)) if len(time_s) else (0.0, 1.0)
    _draw_events(axes, events, span_s)
    _draw_curve(axes, time_s, anomaly)
    for at_s in cuts:
        axes.axvline(at_s, color=_QUIET, lw=0.8, ls=":", zorder=2)
    _dress(axes, span_s)
    if thumbnails:
        _hang_thumbnails(figure, shown, thumbnails, span_s, top)
    count = "1 event" if len(events) == 1 else f"{len(events)} events"
    found = count if compared else "nothing to compare"
    figure.text(_LEFT, 0.945, drawable(title), fontsize=14, weight="bold", color=_INK, va="center", parse_math=False)
    last_s = float(np.median(np.diff(time_s))) if len(time_s) > 1 else 0.0  # how long the last frame is shown
    about = f"{found} in {clock_text(span_s[1] - span_s[0] + last_s)}"
    figure.text(_RIGHT, 0.945, about, fontsize=12, color=_QUIET, va="center", ha="right")
    figure.savefig(path, format="png", dpi=_DPI, metadata={"Software": None})


def _draw_events(axes: Axes, events: Sequence[Event], span_s: tuple[float, float]) -> None:
    px_per_s = _SIZE_PX[0] * (_RIGHT - _LEFT) / (span_s[1] - span_s[0])
    free_from = 0.0
    for event in sorted(events, key=lambda event: event.start_s):
        axes.axvspan(event.start_s, max(event.end_s, event.start_s + 2 / px_per_s), color=_SHADE, lw=0, zorder=0)
        x = (event.start_s - span_s[0]) * px_per_s
        if x < free_from:
            continue
        label = str(event.event_id)
        free_from = x + 9 * len(label) + 6
        axes.annotate(
            label,
            (event.start_s, 1.0),
            xycoords=("data", "axes fraction"),
            xytext=(3, -3),
            textcoords="offset points",
            fontsize=11,
            weight="bold",
            color=_HOT,
            va="top",
            annotation_clip=True,
        )


def _draw_curve(axes: Axes, time_s: npt.NDArray[np.float64], anomaly: npt.NDArray[np.float64]) -> None:
    times, lows, highs = _envelope(time_s, anomaly, _COLUMNS)
    axes.fill_between(times, 0, highs, color=_CALM, lw=0, zorder=1)
    axes.fill_between(times, lows, highs, color=_BAND, lw=0, zorder=1)
    axes.fill_between(times, _THRESHOLD, np.maximum(highs, _THRESHOLD), color=_HOT, alpha=0.75, lw=0, zorder=2)
    axes.plot(times, highs, color=_CURVE, lw=0.8 if len(times) < len(time_s) else 1.1, zorder=3)


def _envelope(
    time_s: npt.NDArray[np.float64], anomaly: npt.NDArray[np.float64], columns: int
) -> tuple[npt.NDArray[np.float64], npt.NDArray[np.float64], npt.NDArray[np.float64]]:
    """Times, smallest and largest score of at most `columns` equal groups of frames."""
    if len(time_s) <= columns:
        return time_s, anomaly, anomaly
    firsts = np.linspace(0, len(time_s), columns, endpoint=False).astype(int)
    return time_s[firsts], np.minimum.reduceat(anomaly, firsts), np.maximum.reduceat(anomaly, firsts)


def _dress(axes: Axes, span_s: tuple[float, float]) -> None:
    axes.axhline(_THRESHOLD, color=_INK, lw=1.0, ls=(0, (5, 4)), zorder=4)
    axes.annotate(
        "threshold",
        (1.0, _THRESHOLD),
        xycoords=("axes fraction", "data"),
        xytext=(-4, 3),
        textcoords="offset points",
        ha="right",
        fontsize=9,
        color=_INK,
        zorder=5,
        path_effects=[withStroke(linewidth=3, foreground="white")],
    )
    axes.set_xlim(*span_s)
    axes.set_ylim(0, _HEADROOM)
    axes.set_yticks([0, 0.5, 1])
    axes.set_ylabel("anomaly", color=_INK, fontsize=11)
    length_s = span_s[1] - span_s[0]
    step_s = next((step for step in _STEPS_S if length_s / step <= _MOST_TICKS), 86400 * np.ceil(length_s / 86400 / 8))
    axes.xaxis.set_major_locator(MultipleLocator(step_s))
    axes.xaxis.set_major_formatter(FuncFormatter(lambda at_s, _: clock_text(max(at_s, 0), tenths=step_s < 1)))
    axes.tick_params(colors=_QUIET, labelcolor=_INK, labelsize=10, length=3)
    for side in ("top", "right"):
        axes.spines[side].set_visible(False)
    for side in ("left", "bottom"):
        axes.spines[side].set_color(_QUIET)


def _hang_thumbnails(
    figure: Figure,
    events: Sequence[Event],
    thumbnails: Mapping[int, npt.NDArray[np.uint8]],
    span_s: tuple[float, float],
    top: float,
) -> None:
    """Hang each picture as near above its peak as its neighbours allow, with a thread down to the peak."""
    by_peak = sorted(events, key=lambda event: event.peak_s)
    widths, height = _thumb_sizes([thumbnails[event.event_id].shape for event in by_peak])
    per_s = (_RIGHT - _LEFT) / (span_s[1] - span_s[0])
    peaks = [_LEFT + (event.peak_s - span_s[0]) * per_s for event in by_peak]
    for event, x, peak, width in zip(by_peak, _spread(peaks, widths), peaks, widths, strict=True):
        place = figure.add_axes((x, _THUMB_BOTTOM, width, height))
        place.imshow(thumbnails[event.event_id][..., ::-1], aspect="auto", interpolation="antialiased")
        place.set_xticks([])
        place.set_yticks([])
        for spine in place.spines.values():
            spine.set_color(_HOT)
            spine.set_linewidth(1.5)
        place.annotate(
            f"{event.event_id}",
            (0, 1),
            xycoords="axes fraction",
            xytext=(4, -4),
            textcoords="offset points",
            va="top",
            fontsize=11,
            weight="bold",
            color="white",
            bbox={"boxstyle": "square,pad=0.2", "fc": _HOT, "lw": 0},
        )
        foot = _BOTTOM + (top - _BOTTOM) * event.peak_anomaly / _HEADROOM
        figure.add_artist(Line2D([x + width / 2, peak, peak], [_THUMB_BOTTOM, top, foot], color=_INK, lw=0.9))
        figure.add_artist(Line2D([peak], [foot], marker="o", ms=6, mfc=_HOT, mec="white", mew=1.2))


def _thumb_sizes(shapes: Sequence[tuple[int, ...]]) -> tuple[list[float], float]:
    """Width of each picture and their common height, in shares of the figure; smaller where many must fit."""
    aspect = _SIZE_PX[1] / _SIZE_PX[0]
    widths = [_THUMB_HEIGHT * aspect * columns / rows for rows, columns, *_ in shapes]
    room = _RIGHT - _LEFT - _THUMB_GAP * (len(widths) - 1)
    shrink = min(1.0, room / sum(widths))
    return [width * shrink for width in widths], _THUMB_HEIGHT * shrink


def _spread(centres: Sequence[float], widths: Sequence[float]) -> list[float]:
    """Left edges in the order of `centres`, pushed apart where they would overlap and back inside the picture."""
    lefts: list[float] = []
    free_from = _LEFT
    for centre, width in zip(centres, widths, strict=True):
        lefts.append(max(centre - width / 2, free_from))
        free_from = lefts[-1] + width + _THUMB_GAP
    free_to = _RIGHT
    for number in range(len(lefts) - 1, -1, -1):
        lefts[number] = min(lefts[number], free_to - widths[number])
        free_to = lefts[number] - _THUMB_GAP
    return lefts
