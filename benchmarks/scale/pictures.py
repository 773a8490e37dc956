"""Outlines of people at their measured and their true height, on an empty frame of the picture's shape."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import matplotlib

matplotlib.use("Agg")

import numpy as np
from matplotlib import pyplot
from matplotlib.axes import Axes

__all__ = ["draw_people"]

_TRUE, _MEASURED = "0.45", "tab:orange"
_MOST_PEOPLE = 12
# Half of a standing person from the head's top to between the feet: across and down, in person heights.
_ACROSS = (0, 0.04, 0.06, 0.045, 0.03, 0.1, 0.13, 0.14, 0.11, 0.1, 0.09, 0.085, 0.1, 0.02, 0.015, 0)
_DOWN = (0, 0.01, 0.06, 0.12, 0.14, 0.17, 0.25, 0.48, 0.48, 0.3, 0.5, 0.98, 1, 1, 0.54, 0.52)
_HALF = np.stack([_ACROSS, _DOWN], axis=1)
_OUTLINE = np.concatenate([_HALF, _HALF[::-1] * (-1, 1)])


def draw_people(row: Mapping[str, Any], path: Path) -> None:
    """Draw one scene of results/people.json; no picture of the footage is in it."""
    width, height = row["size_wh"]
    figure, axes = pyplot.subplots(figsize=(5.2, 5.2 * height / width + 0.7), dpi=80)
    axes.set(xlim=(0, width), ylim=(height, 0), aspect="equal", xticks=[], yticks=[])
    axes.set_title(_title(row), fontsize=8)
    places = row["places"]
    drawn = _spread_over(places)
    _draw(axes, [places[number] for number in drawn], _TRUE, "true height")
    if "scale" in row:
        at_places = [(*places[number][:2], row["measured_px"][number]) for number in drawn]
        _draw(axes, at_places or row["middle_px"], _MEASURED, "measured height")
        axes.axhspan(*row["scale"]["rows"], color=_MEASURED, alpha=0.06, lw=0, label="rows where people were seen")
    if axes.get_legend_handles_labels()[0]:
        axes.legend(fontsize=7, loc="upper center", bbox_to_anchor=(0.5, -0.01), ncols=3, frameon=False)
    figure.tight_layout()
    path.parent.mkdir(parents=True, exist_ok=True)
    figure.savefig(path, metadata={"Software": None})
    pyplot.close(figure)


def _spread_over(places: Sequence[Sequence[float]]) -> list[int]:
    """Numbers of some of the people, far ones first, all over the rows."""
    by_row = np.argsort([place[1] for place in places], kind="stable")
    return [int(number) for number in by_row[:: max(1, -(-len(places) // _MOST_PEOPLE))]]


def _draw(axes: Axes, people: Sequence[Sequence[float]], colour: str, name: str) -> None:
    for number, (x, y, tall) in enumerate(people):
        outline = _OUTLINE * tall + (x, y - tall / 2)
        axes.fill(*outline.T, fill=False, edgecolor=colour, lw=1, label=None if number else name)


def _title(row: Mapping[str, Any]) -> str:
    width, height = row["size_wh"]
    if "scale" in row:
        told = row["scale"]["certainty"] + (f", median error {row['error']:.2f}" if "error" in row else "")
    else:
        told = "refused" if "refused" in row else "failed"
    nobody = "" if row["places"] else "; nobody is seen whole"
    return f"{row['scene']}, {width}x{height}: {told}{nobody}"
