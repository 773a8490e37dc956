"""Real scenes, as a user gives them: `crowdad detect VIDEO` learns from the footage itself and writes everything."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from benchmarks.rows import Row, spread
from benchmarks.speed.commands import detect_run
from crowdad.outputs.results import read_results
from crowdad.scene.model import SceneModel
from crowdad.sources import open_source
from crowdad.tubes.scale import views

__all__ = ["REAL", "flow_share", "scene_row", "scene_table", "scenes_in"]

REAL = ("mall.mp4", "street.mp4", "steps.mp4", "pets.avi", "shopdoor.mp4")
"""Footage in the folder `scenes` of the data."""


def scenes_in(data: Path | None) -> Iterator[Path]:
    """Those that are at hand."""
    if data is not None:
        yield from (path for name in REAL if (path := data / "scenes" / name).is_file())


def scene_row(video: Path, folder: Path, *, cores: int, repeats: int) -> Row:
    """Seconds of the whole command, its peak memory and how much flow it computes; or why it was refused."""
    info = open_source(video).info
    known: Row = {"part": "scenes", "scene": video.stem, "size_hw": info.size_hw, "cores": cores}
    runs, scoring = [], []
    try:
        for repeat in range(repeats):
            output = folder / f"{video.stem}-{repeat}"
            runs.append(detect_run(video, None, output, cores=cores, overlay=True, report=True))
            scoring.append(read_results(output / "results.json").timing.fps)
    except RuntimeError as error:
        return known | {"refused": str(error).splitlines()[-1]}
    results = read_results(output / "results.json")
    whole = spread([run["whole_s"] for run in runs])
    return known | {
        "frames": results.source.frames,
        "length_s": results.source.duration_s,
        "whole_s": whole,
        "fps": round(results.source.frames / whole["median"], 1),
        "of_real_time": round(results.source.duration_s / whole["median"], 2),
        "scoring_fps": spread(scoring),
        "peak_mb": spread([run["peak_mb"] for run in runs]),
        "flow_share": round(flow_share(SceneModel.load(output / "scene.safetensors")), 2),
    }


def flow_share(scene: SceneModel) -> float:
    """Pixels that flow is computed of at each step, for each of the picture's."""
    height, width = scene.scale.size_hw
    sizes = (view.size_hw for view in views(scene.scale, scene.settings.scale))
    return sum(rows * columns for rows, columns in sizes) / (height * width)


def scene_table(rows: Sequence[Mapping[str, Any]]) -> str:
    """Each scene's speed, memory and flow."""
    found = [row for row in rows if row["part"] == "scenes"]
    if not found:
        return "No rows yet: run `python -m benchmarks.speed --only scenes`."
    heads = (
        "scene | picture | frames | seconds | frames a second | of real time | scoring alone | peak MB | flow pixels"
    )
    lines = [f"| {heads} |", "|---" * 9 + "|"]
    for row in found:
        height, width = row["size_hw"]
        cells = [row["scene"], f"{width}x{height}"]
        if "refused" in row:
            cells += ["–"] * 6 + [row["refused"]]
        else:
            cells += [f"{row['frames']:,}", f"{row['whole_s']['median']:.0f}", f"{row['fps']:.0f}"]
            cells += [f"{row['of_real_time']:.2f}", f"{row['scoring_fps']['median']:.0f}"]
            cells += [f"{row['peak_mb']['median']:,.0f}", f"{row['flow_share']:.2f} of the picture's"]
        lines.append(f"| {' | '.join(cells)} |")
    return "\n".join(lines)
