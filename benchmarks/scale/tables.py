"""Tables of people's measured height against their true one, from rows of results/people.json."""

from __future__ import annotations

import math
import statistics
from collections.abc import Mapping, Sequence
from typing import Any

__all__ = ["PEOPLE_TABLES", "agreement", "drawable"]

Row = Mapping[str, Any]

_MEDIAN_BAR, _WORST_BAR = 0.15, 0.30  # of the median relative error over scenes, and of any scene
_PACE_BAR = (0.5, 1.2)  # person heights a second
_MEMORY_BAR_MB = 1500


def agreement(true_px: Sequence[float], measured_px: Sequence[float]) -> dict[str, float]:
    """Median relative error, and the ratio measured / true that is furthest from 1."""
    ratios: list[float] = [measured / true for measured, true in zip(measured_px, true_px, strict=True)]
    return {
        "error": round(statistics.median(abs(ratio - 1) for ratio in ratios), 4),
        "worst_ratio": round(float(max(ratios, key=lambda ratio: abs(math.log(ratio)))), 3),
    }


def people_table(rows: Sequence[Row]) -> str:
    """One line a scene."""
    if not rows:
        return "No rows yet: run `python -m benchmarks.scale_check`."
    lines = [
        "| scene | picture | people | true height, px | measured, px | median error | worst ratio "
        "| walking, heights/s (true) | foreshortening (true) | told | s | MB |",
        "|" + "---|" * 12,
    ]
    return "\n".join(lines + [_people_line(row) for row in rows])


def _people_line(row: Row) -> str:
    width, height = row["size_wh"]
    true_px = [place[2] for place in row["places"]]
    cells = [row["scene"], f"{width}x{height}", str(len(true_px) or "nobody whole"), _range(true_px)]
    if "scale" in row:
        cells += [_range(row["measured_px"]), *_errors(row), *_motion(row), _told(row["scale"])]
    else:
        cells += ["–"] * 5 + [_not_measured(row)]
    return f"| {' | '.join([*cells, _number(row, 'seconds'), _number(row, 'peak_mb')])} |"


def _range(heights: Sequence[float]) -> str:
    return f"{min(heights):.0f}-{max(heights):.0f}" if heights else "–"


def _errors(row: Row) -> list[str]:
    if "error" not in row:
        return ["–", "–"]
    return [f"**{row['error']:.2f}**", f"{row['worst_ratio']:.2f}x"]


def _motion(row: Row) -> list[str]:
    walk = f"{row['walk_s']:.2f}" + (", frame rate assumed" if row["fps_assumed"] else "")
    if row["generated"]:
        walk += f" ({row['true_walk_s']:.2f})"
    foreshortening = f"{row['scale']['foreshortening']:.1f}" + ("" if row["scale"]["along"] else ", assumed")
    if row["generated"]:
        foreshortening += f" ({row['true_foreshortening']:.1f})"
    return [walk, foreshortening]


def _told(scale: Row) -> str:
    return scale["certainty"] + (f": {_in_a_cell(scale['why'])}" if scale["why"] else "")


def _not_measured(row: Row) -> str:
    return f"refused: {_in_a_cell(row['refused'])}" if "refused" in row else f"**failed**: {_in_a_cell(row['failed'])}"


def _in_a_cell(text: str) -> str:
    return text.replace("|", "\\|")


def _number(row: Row, name: str) -> str:
    return f"{row[name]:,.0f}" if name in row else "–"


def bars_table(rows: Sequence[Row]) -> str:
    """The bars, and what meets them."""
    if not rows:
        return "No rows yet: run `python -m benchmarks.scale_check`."
    lines = ["| bar | real scenes | generated cameras |", "|---|---|---|"]
    kinds = [[row for row in rows if row["generated"] is generated] for generated in (False, True)]
    for title, cell in _BARS:
        lines.append(f"| {title} | {' | '.join(cell(kind) if kind else '–' for kind in kinds)} |")
    return "\n".join(lines)


def _median_cell(rows: Sequence[Row]) -> str:
    errors = [row["error"] for row in rows if "error" in row]
    return f"{statistics.median(errors):.2f} of {len(errors)} scenes" if errors else "–"


def _worst_cell(rows: Sequence[Row]) -> str:
    measured = [row for row in rows if "error" in row]
    if not measured:
        return "–"
    worst = max(measured, key=lambda row: float(row["error"]))
    over = sum(row["error"] > _WORST_BAR for row in measured)
    return f"{worst['error']:.2f} ({worst['scene']}); {over} over the bar"


def _pace_cell(rows: Sequence[Row]) -> str:
    paced = [row for row in rows if "scale" in row and not row["fps_assumed"]]
    outside = [
        f"{row['scene']} {row['walk_s']:.2f}" for row in paced if not _PACE_BAR[0] <= row["walk_s"] <= _PACE_BAR[1]
    ]
    return f"{len(paced) - len(outside)} of {len(paced)}" + (f"; not {', '.join(outside)}" if outside else "")


def _memory_cell(rows: Sequence[Row]) -> str:
    ran = [row for row in rows if "peak_mb" in row]
    if not ran:
        return "–"
    most = max(ran, key=lambda row: float(row["peak_mb"]))
    return f"{most['peak_mb']:,.0f} MB ({most['scene']})"


def _refused_cell(rows: Sequence[Row]) -> str:
    names = [[row["scene"] for row in rows if how in row] for how in ("refused", "failed")]
    return "; ".join(
        f"{len(some)} {how}" + (f" ({', '.join(some)})" if some else "")
        for some, how in zip(names, ("refused", "failed"), strict=True)
    )


_BARS = (
    (f"median relative error of heights, over scenes: at most {_MEDIAN_BAR:.2f}", _median_cell),
    (f"worst scene's median error: at most {_WORST_BAR:.2f}", _worst_cell),
    (f"walking speed {_PACE_BAR[0]:g} to {_PACE_BAR[1]:g} person heights a second where times are real", _pace_cell),
    (f"peak memory: at most {_MEMORY_BAR_MB:,} MB", _memory_cell),
    ("not measured", _refused_cell),
)


def detect_table(rows: Sequence[Row]) -> str:
    """One line a real scene: what `crowdad detect` tells of it without a model."""
    rows = [row for row in rows if "detect" in row]
    if not rows:
        return "No rows yet: run `python -m benchmarks.scale_check --detect`."
    lines = ["| scene | events | candidates | told | frames/s | s | MB |", "|" + "---|" * 7]
    return "\n".join(lines + [_detect_line(row["scene"], row["detect"]) for row in rows])


def _detect_line(scene: str, told: Row) -> str:
    if "events" not in told:
        cells = ["–", "–", _not_measured(told), "–"]
    else:
        given = [f"given: `--person-height {told['person_height']}`"] if told["person_height"] else []
        said = "; ".join(map(_in_a_cell, [*given, *told["warnings"]]))
        cells = [_moments(told["events"]), _moments(told["candidates"]), said, f"{told['frames_per_s']:.0f}"]
    return f"| {' | '.join([scene, *cells, _number(told, 'seconds'), _number(told, 'peak_mb')])} |"


def _moments(found: Sequence[Row]) -> str:
    if not found:
        return "0"
    times = ", ".join(f"{moment['peak_s']:.1f} s" for moment in found)
    return f"{len(found)} ({times})"


def drawable(rows: Sequence[Row]) -> list[Row]:
    """Those whose people's height is known or was measured."""
    return [row for row in rows if row["places"] or "scale" in row]


def pictures(rows: Sequence[Row]) -> str:
    """All scenes' outlines in a row."""
    names = [row["scene"] for row in drawable(rows)]
    shown = [f"![{name}: measured and true outlines](results/people/{name}.png)" for name in names]
    return "\n".join(shown) or "No rows yet: run `python -m benchmarks.scale_check`."


PEOPLE_TABLES = {
    "people": people_table,
    "people-bars": bars_table,
    "people-detect": detect_table,
    "people-pictures": pictures,
}
