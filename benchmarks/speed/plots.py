"""Where the time goes, and how it grows with length and resolution, as pictures."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import matplotlib

matplotlib.use("Agg")

from matplotlib import pyplot

from benchmarks.speed.stages import STAGES

__all__ = ["draw_plots"]

Rows = Sequence[Mapping[str, Any]]
_SCORING = ("motion", "tubes", "encoder", "normality", "heatmap and events")


def draw_plots(rows: Rows, folder: Path) -> list[Path]:
    """speed-stages.png and speed-growth.png, each where its rows are there; returns what was written."""
    written = []
    if any(row["part"] == "stages" for row in rows):
        written.append(_stages(rows, folder / "speed-stages.png"))
    if any(row["part"] == "growth" for row in rows):
        written.append(_growth(rows, folder / "speed-growth.png"))
    return written


def _stages(rows: Rows, path: Path) -> Path:
    """Milliseconds a frame of each stage, a bar for each footage and number of cores."""
    measured = [row for row in rows if row["part"] == "stages"]
    columns = list(dict.fromkeys((row["footage"], row["cores"]) for row in measured))
    figure, axes = pyplot.subplots(figsize=(8, 0.5 * len(columns) + 1.8), layout="constrained")
    left = dict.fromkeys(columns, 0.0)
    for stage in STAGES:
        if stage == "decode":  # is inside the next one
            continue
        widths = {
            (row["footage"], row["cores"]): 1000 * row["seconds"]["median"] / row["frames"]
            for row in measured
            if row["stage"] == stage
        }
        names = [f"{footage}, {cores} {'core' if cores == 1 else 'cores'}" for footage, cores in columns]
        axes.barh(names, [widths[c] for c in columns], left=[left[c] for c in columns], label=stage)
        left = {column: left[column] + widths[column] for column in columns}
    axes.invert_yaxis()
    axes.set_xlabel("milliseconds a frame, stages one after the other")
    axes.legend(fontsize="small", ncols=2)
    return _saved(figure, path)


def _growth(rows: Rows, path: Path) -> Path:
    """Time and memory against length; cost of a frame against resolution."""
    length = [row for row in rows if row.get("with") == "length"]
    resolution = [row for row in rows if row.get("with") == "resolution"]
    figure, (left, right) = pyplot.subplots(1, 2, figsize=(10, 3.6), layout="constrained")
    frames = [row["frames"] for row in length]
    left.plot(frames, [row["after_s"]["median"] for row in length], "o-", label="seconds")
    longest_s = max(row["after_s"]["median"] for row in length)
    left.set(xlabel="frames", ylabel="seconds after the first frame", xlim=(0, None), ylim=(0, 1.2 * longest_s))
    memory = left.twinx()
    peaks_mb = [row["peak_mb"]["median"] for row in length]
    memory.plot(frames, peaks_mb, "s--", color="tab:grey", label="peak memory")
    memory.set(ylabel="peak memory, MB", ylim=(0, 1.4 * max(peaks_mb)))
    left.set_title("240x360, longer and longer")
    handles = [*left.get_lines(), *memory.get_lines()]
    left.legend(handles, [str(line.get_label()) for line in handles], fontsize="small", loc="upper left")
    pixels = [row["lines"] ** 2 * 16 / 9 / 1e6 for row in resolution]
    for title, stages in (("reading", ("decode and luma",)), ("scoring", _SCORING)):
        cost = [1000 * sum(row["per_frame_s"][stage] for stage in stages) for row in resolution]
        right.plot(pixels, cost, "o-", label=title)
    right.set(xlabel="megapixels", ylabel="milliseconds a frame", xlim=(0, None), ylim=(0, None))
    right.set_title("16:9, larger and larger")
    right.legend(fontsize="small")
    return _saved(figure, path)


def _saved(figure: Any, path: Path) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    figure.savefig(path, dpi=100)
    pyplot.close(figure)
    return path
