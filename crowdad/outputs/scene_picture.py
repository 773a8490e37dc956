"""A scene as a picture: what is common in it, where motion was, how the threshold was chosen, how it learned."""

from __future__ import annotations

import os
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import cv2
import numpy as np
import numpy.typing as npt
from matplotlib.axes import Axes
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure
from matplotlib.patches import Polygon
from matplotlib.ticker import FuncFormatter, MaxNLocator

from crowdad.outputs.heat import raw_colours
from crowdad.outputs.lettering import drawable
from crowdad.outputs.people import People, outline
from crowdad.scene.calibration import Calibration
from crowdad.wording import clock_text

__all__ = ["Portrait", "write_scene_picture"]

Picture = npt.NDArray[np.uint8]

_WIDTH_PX = 1600
_DPI = 100
_EDGE_PX, _HEAD_PX, _FOOT_PX = 60, 96, 500
_GAP_PX, _SHARE_PX, _LABELS_PX = 10, 18, 55
_MOST_CENTRES = 288
_COLUMNS_FOR = ((24, 12), (80, 20), (_MOST_CENTRES, 32))  # up to so many centres -> columns
_STRIP_SHARE = 0.3  # height of a motion strip for its width

_INK = "#2b2b33"
_QUIET = "#5b5b68"
_CURVE = "#4b4b5c"
_HOT = "#c2410c"
_SHADE = "#ececf1"


@dataclass(frozen=True, eq=False)
class Portrait:
    """What is drawn of a scene.

    title, about: two lines of text.  size_hw: the camera's picture.
    thumbnails: uint8 (K, h, w), the most typical subject of each centre.  shares: (K,), of normal motion, in [0, 1].
    motions: uint8 (K, T, rows, columns), how each moves, newest step first, or None.
    activity: (rows, columns) >= 0, mean number of moving patches in each cell of the picture, or None.
    calibration, rate: the tail of normal anomaly, and the false alarms an hour that the threshold is chosen for.
    losses: of each epoch, may be empty.  people: their size, drawn where motion was.
    """

    title: str
    about: str
    size_hw: tuple[int, int]
    thumbnails: Picture
    shares: npt.NDArray[np.float32]
    motions: Picture | None
    activity: npt.NDArray[np.floating[Any]] | None
    calibration: Calibration
    rate: float
    losses: Sequence[float]
    people: People | None = None


def write_scene_picture(path: str | os.PathLike[str], portrait: Portrait) -> None:
    """Write the picture, PNG, 1600 pixels wide and as high as the centres need.  Raises OSError."""
    tiles = _Tiles(portrait)
    height = _HEAD_PX + tiles.height_px + _FOOT_PX
    figure = Figure(figsize=(_WIDTH_PX / _DPI, height / _DPI), dpi=_DPI, facecolor="white")
    FigureCanvasAgg(figure)
    left = _EDGE_PX / _WIDTH_PX
    figure.text(
        left,
        1 - 30 / height,
        drawable(portrait.title),
        fontsize=15,
        weight="bold",
        color=_INK,
        va="center",
        parse_math=False,
    )
    figure.text(
        left, 1 - 54 / height, drawable(portrait.about), fontsize=10.5, color=_QUIET, va="center", parse_math=False
    )
    figure.text(left, 1 - 80 / height, tiles.caption, fontsize=11.5, color=_INK, va="center")
    tiles.draw(figure, height)
    draws = [_draw_activity, _draw_calibration, *([_draw_losses] if len(portrait.losses) > 1 else [])]
    room = (_WIDTH_PX - _EDGE_PX) / len(draws)
    for place, draw in enumerate(draws):
        x = _EDGE_PX + place * room + (_LABELS_PX if place else 0)
        wide = room - 2 * _LABELS_PX  # beside the map there is a colour bar
        box = (x / _WIDTH_PX, 70 / height, wide / _WIDTH_PX, (_FOOT_PX - 130) / height)
        draw(figure.add_axes(box), portrait)
    if portrait.people is not None:
        text = f"Outlines above: people's size, {portrait.people.text}"
        figure.text(left, 18 / height, drawable(text), fontsize=10.5, color=_INK, va="center", parse_math=False)
    figure.savefig(path, format="png", dpi=_DPI, metadata={"Software": None})


class _Tiles:
    """The centres side by side, the most common first: subject, motion, share."""

    def __init__(self, portrait: Portrait) -> None:
        order = np.argsort(-portrait.shares, kind="stable")[:_MOST_CENTRES]
        self._columns = next(columns for most, columns in _COLUMNS_FOR if len(order) <= most)
        self._wide = (_WIDTH_PX - 2 * _EDGE_PX + _GAP_PX) // self._columns - _GAP_PX
        rows, columns = portrait.thumbnails.shape[1:]
        self._high = round(self._wide * rows / columns)
        self._strip = 0 if portrait.motions is None else round(self._wide * _STRIP_SHARE)
        self._pitch = self._high + self._strip + _SHARE_PX + _GAP_PX
        self.height_px = -(-len(order) // self._columns) * self._pitch
        self._shares = portrait.shares[order]
        self._tiles = [
            self._tile(portrait.thumbnails[at], None if portrait.motions is None else portrait.motions[at])
            for at in order
        ]
        count, moving = (
            len(portrait.shares),
            ""
            if portrait.motions is None
            else ("; below it how fast its parts move, from the oldest step to the newest, brighter is faster"),
        )
        what = f"the {len(order)} most common of {count} centres" if len(order) < count else f"{count} centres"
        self.caption = f"What is normal here: {what}, each as its most typical subject{moving}; its share of the motion"

    def _tile(self, thumbnail: Picture, motion: Picture | None) -> Picture:
        subject = cv2.resize(thumbnail, (self._wide, self._high), interpolation=cv2.INTER_CUBIC)
        parts = [cv2.cvtColor(subject, cv2.COLOR_GRAY2RGB)]
        if motion is not None:
            steps = np.concatenate([np.pad(step, ((0, 0), (0, 1))) for step in motion[::-1]], axis=1)[:, :-1]
            size = (self._wide, self._strip)
            parts.append(cv2.resize(raw_colours("inferno")[steps], size, interpolation=cv2.INTER_NEAREST))
        return np.concatenate([np.asarray(part, np.uint8) for part in parts])

    def draw(self, figure: Figure, height: int) -> None:
        """Lay them into the figure, pixel on pixel, below its head."""
        sheet = np.full((self.height_px, _WIDTH_PX, 3), 255, np.uint8)
        for number, tile in enumerate(self._tiles):
            row, column = divmod(number, self._columns)
            x, y = _EDGE_PX + column * (self._wide + _GAP_PX), row * self._pitch
            sheet[y : y + len(tile), x : x + self._wide] = tile
            middle, foot = x + self._wide / 2, _HEAD_PX + y + len(tile) + _SHARE_PX / 2 + 1
            share = f"{self._shares[number]:.1%}"
            figure.text(middle / _WIDTH_PX, 1 - foot / height, share, fontsize=8, color=_INK, ha="center", va="center")
        figure.figimage(sheet, 0, height - _HEAD_PX - self.height_px)


def _draw_activity(axes: Axes, portrait: Portrait) -> None:
    """How much moved where, the picture's own shape and pixels."""
    axes.set_title("Where motion was: moving patches at a time", **_TITLE)
    if portrait.activity is None:
        axes.set_axis_off()
        text = "this model is from before it was kept"
        axes.text(0.5, 0.5, text, transform=axes.transAxes, ha="center", color=_QUIET)
        return
    axes.tick_params(colors=_QUIET, labelcolor=_INK, labelsize=9, length=3)
    height, width = portrait.size_hw
    extent = (0, width, height, 0)
    image = axes.imshow(
        portrait.activity.astype(np.float64), cmap="inferno", extent=extent, vmin=0, interpolation="bilinear"
    )
    if portrait.people is not None:
        _draw_people(axes, portrait.people)
    axes.set_anchor("NW")
    axes.set_xlabel("column, pixels", color=_INK, fontsize=10)
    axes.set_ylabel("row, pixels", color=_INK, fontsize=10)
    bar = axes.figure.colorbar(image, cax=axes.inset_axes((1.03, 0, 0.035, 1)))
    bar.outline.set_visible(False)  # type: ignore[operator]
    bar.ax.tick_params(colors=_QUIET, labelcolor=_INK, labelsize=9, length=3)
    bar.ax.yaxis.set_major_locator(MaxNLocator(4))


def _draw_people(axes: Axes, people: People) -> None:
    """Light outlines with a dark seam, which read on any heat."""
    for place in people.places:
        for colour, width in ((_INK, 3.0), ("white", 1.2)):
            axes.add_patch(Polygon(outline(place), closed=True, fill=False, ec=colour, lw=width, joinstyle="round"))


def _draw_calibration(axes: Axes, portrait: Portrait) -> None:
    """False alarms an hour that a threshold gives, as far down as the wanted rate and below."""
    calibration, rate = portrait.calibration, portrait.rate
    axes.set_title("What a threshold costs on normal footage", **_TITLE)
    most = max(calibration.peaks_per_hour, rate)
    rates = np.geomspace(min(rate, most) / 10, most, 200)
    raw = np.array([calibration.threshold(float(at)) for at in rates])
    seen = rates >= 1 / calibration.hours
    axes.axhspan(rates[0], max(1 / calibration.hours, rates[0]), color=_SHADE, lw=0, zorder=0)
    axes.plot(raw[seen], rates[seen], color=_CURVE, lw=2, zorder=2)
    axes.plot(raw, rates, color=_CURVE, lw=1.4, ls=(0, (4, 3)), zorder=1)
    chosen = calibration.threshold(rate)
    axes.plot([chosen, chosen], [rates[0], rate], color=_HOT, lw=1.2, zorder=3)
    axes.plot([chosen], [rate], marker="o", ms=8, mfc=_HOT, mec="white", color=_HOT, zorder=4)
    wanted = f"{rate:g} false {'alarm' if rate == 1 else 'alarms'} an hour"
    text = f"threshold {chosen:.4g}\n{wanted}"  # above a falling curve there is room at the right
    axes.text(0.98, 0.96, text, transform=axes.transAxes, color=_HOT, ha="right", va="top")
    if seen.sum() < len(seen):
        text = f"dashed: extrapolated from {clock_text(calibration.hours * 3600)}"
        axes.text(0.02, 0.03, text, transform=axes.transAxes, fontsize=8.5, color=_QUIET)
    axes.set_yscale("log")
    axes.set_ylim(rates[0], most * 1.3)
    axes.set_xlabel("raw anomaly", color=_INK, fontsize=10)
    axes.set_ylabel("false alarms an hour", color=_INK, fontsize=10)
    axes.yaxis.set_major_formatter(FuncFormatter(lambda at, _: f"{at:g}"))
    _dress(axes)


def _draw_losses(axes: Axes, portrait: Portrait) -> None:
    """The encoder's loss after each epoch."""
    axes.set_title("How it learned: loss of the auto-encoder", **_TITLE)
    epochs = np.arange(1, len(portrait.losses) + 1)
    axes.plot(epochs, portrait.losses, color=_CURVE, lw=1.8, marker="o", ms=3)
    last = f"{portrait.losses[-1]:.4f}"
    axes.annotate(last, (epochs[-1], portrait.losses[-1]), xytext=(0, 8), textcoords="offset points", ha="right",
                  color=_INK, fontsize=9)  # fmt: skip
    axes.set_ylim(0, max(portrait.losses) * 1.08)
    axes.xaxis.set_major_locator(MaxNLocator(integer=True))
    axes.set_xlabel("epoch", color=_INK, fontsize=10)
    axes.set_ylabel("mean squared error", color=_INK, fontsize=10)
    _dress(axes)


_TITLE: dict[str, Any] = {"loc": "left", "fontsize": 11.5, "color": _INK}


def _dress(axes: Axes) -> None:
    axes.tick_params(colors=_QUIET, labelcolor=_INK, labelsize=9, length=3)
    axes.grid(color="#e3e3ea", lw=0.7)
    axes.set_axisbelow(True)
    for side in ("top", "right"):
        axes.spines[side].set_visible(False)
    for side in ("left", "bottom"):
        axes.spines[side].set_color(_QUIET)
