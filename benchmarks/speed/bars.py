"""The bars that speed was to meet, what was measured beside each, and the tables of README.md."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from benchmarks.rows import published_ped2
from benchmarks.speed.footage import FOOTAGE
from benchmarks.speed.real import scene_table
from benchmarks.speed.stages import STAGES

__all__ = ["SPEED_TABLES", "Bar", "bar_lines", "bars", "published_auc"]

Row = Mapping[str, Any]
Rows = Sequence[Row]


@dataclass(frozen=True)
class Bar:
    """One bar.  wanted: a limit with its unit.  at_least: whether more is better.  measured: None where it was not."""

    what: str
    wanted: float
    unit: str
    at_least: bool
    measured: float | None

    @property
    def met(self) -> bool | None:
        """Whether it is met; None where nothing was measured."""
        if self.measured is None:
            return None
        return self.measured >= self.wanted if self.at_least else self.measured <= self.wanted


def published_auc() -> float:
    """Frame AUC, micro, of the published default on Ped2, one-class."""
    return float(published_ped2()["metrics"]["frame AUC, micro"]["mean"])


def bars(rows: Rows) -> list[Bar]:
    """Every bar beside the rows' figure, on all cores of the machine that they were measured on."""
    torch, onnx = "scores, torch", "scores, ONNX Runtime"
    fps = _command(rows, lambda row: float(row["fps"]))
    decode = _found(rows, part="stages", footage="ped2", stage="decode")
    scores = _found(rows, part="commands", footage="ped2", form=onnx)
    share = None if decode is None or scores is None else 100 * scores["fps"] / decode["fps"]
    peak = _command(rows, lambda row: float(row["peak_mb"]["median"]))
    first = _command(rows, lambda row: float(row["first_frame_s"]["median"]))
    starting = {row["what"]: float(row["seconds"]["median"]) for row in rows if row["part"] == "starting"}
    fit = _found(rows, part="fit")
    lost = {row["runtime"]: 100 * (published_auc() - row["frame_auc"]) for row in rows if row["part"] == "accuracy"}
    joined = _command(rows, lambda row: 100 * (published_auc() - float(row["frame_auc"])))
    real = {row["scene"]: row for row in rows if row["part"] == "scenes" and "refused" not in row}
    most_mb = max((float(row["peak_mb"]["median"]) for row in real.values()), default=None)
    steps = float(real["steps"]["whole_s"]["median"]) if "steps" in real else None
    return [
        Bar("240x360: scores and events, ONNX Runtime", 220, "fps", True, fps("ped2", onnx)),
        Bar("240x360: that, of decoding alone", 10, "%", True, share),
        Bar("240x360: scores and events, torch", 220, "fps", True, fps("ped2", torch)),
        Bar("240x360: with the overlay, ONNX Runtime", 100, "fps", True, fps("ped2", "with the overlay, ONNX Runtime")),
        Bar("240x360: frame AUC lost, ONNX Runtime", 0.3, "points", False, lost.get("onnx")),
        Bar("240x360: frame AUC lost, torch", 0.3, "points", False, lost.get("torch")),
        Bar("240x360: that, all clips in one video, torch", 0.3, "points", False, joined("ped2", torch)),
        Bar("720p50: scores and events, torch", 50, "fps", True, fps("720p50", torch)),
        Bar("1080p25: scores and events, torch", 50, "fps", True, fps("1080p25", torch)),
        Bar("crowdad --help", 0.4, "s", False, starting.get("crowdad --help")),
        Bar("first line of crowdad detect", 1, "s", False, starting.get("first line of crowdad detect")),
        Bar("first line of crowdad fit", 1, "s", False, starting.get("first line of crowdad fit")),
        Bar("240x360: first scored frame, torch", 8, "s", False, first("ped2", torch)),
        Bar("240x360: first scored frame, ONNX Runtime", 2, "s", False, first("ped2", onnx)),
        Bar("1080p25: peak memory, torch", 1200, "MB", False, peak("1080p25", torch)),
        Bar("1080p25: peak memory, ONNX Runtime", 400, "MB", False, peak("1080p25", onnx)),
        Bar("fit on Ped2's training clips", 600, "s", False, None if fit is None else fit["after_s"]["median"]),
        Bar("real scenes, learned from themselves: most memory", 1500, "MB", False, most_mb),
        Bar("steps, 30 s: learned from itself, with all outputs", 60, "s", False, steps),
    ]


def bar_lines(rows: Rows) -> list[str]:
    """The bars for the terminal."""
    return [f"{bar.what:<46}{_limit(bar):>12}{_figure(bar):>12}  {_verdict(bar)}" for bar in bars(rows)]


def bar_table(rows: Rows) -> str:
    """The bars as a table."""
    if not rows:
        return _NOTHING
    lines = ["| | wanted | measured | |", "|---|---|---|---|"]
    lines += [f"| {bar.what} | {_limit(bar)} | {_figure(bar)} | {_verdict(bar)} |" for bar in bars(rows)]
    return "\n".join(lines)


def stage_table(rows: Rows) -> str:
    """Frames a second of each stage and form, by footage and cores."""
    if not rows:
        return _NOTHING
    columns = sorted(
        {(row["footage"], row["cores"]) for row in rows if row["part"] in ("stages", "commands")},
        key=lambda column: (list(FOOTAGE).index(column[0]), column[1]),
    )
    heads = [f"{name}, {cores} {'core' if cores == 1 else 'cores'}" for name, cores in columns]
    lines = ["| frames a second | " + " | ".join(heads) + " |", "|---" * (len(columns) + 1) + "|"]
    for part, key, names in (("stages", "stage", tuple(STAGES)), ("commands", "form", _forms(rows))):
        for name in names:
            found = [_found(rows, part=part, footage=footage, cores=cores, **{key: name}) for footage, cores in columns]
            title = f"{name}: {STAGES[name]}" if part == "stages" else f"**crowdad detect**, {name}"
            lines.append(f"| {title} | " + " | ".join(map(_fps_cell, found)) + " |")
    return "\n".join(lines)


_NOTHING = "No rows yet: run `python -m benchmarks.speed`."
SPEED_TABLES = {"speed": stage_table, "speed-bars": bar_table, "speed-scenes": scene_table}


def _forms(rows: Rows) -> tuple[str, ...]:
    return tuple(dict.fromkeys(row["form"] for row in rows if row["part"] == "commands"))


def _found(rows: Rows, **wanted: object) -> Row | None:
    """The row that has these values, of the most cores."""
    fitting = [row for row in rows if all(row.get(key) == value for key, value in wanted.items())]
    return max(fitting, key=lambda row: row.get("cores", 0), default=None)


def _command(rows: Rows, figure: Callable[[Row], float]) -> Callable[[str, str], float | None]:
    def of(footage: str, form: str) -> float | None:
        row = _found(rows, part="commands", footage=footage, form=form)
        return None if row is None else figure(row)

    return of


def _fps_cell(row: Row | None) -> str:
    return "–" if row is None else f"{row['fps']:,.0f}"


def _limit(bar: Bar) -> str:
    return f"{'>=' if bar.at_least else '<='} {bar.wanted:g} {bar.unit}"


def _figure(bar: Bar) -> str:
    if bar.measured is None:
        return "–"
    digits = 2 if abs(bar.measured) < 10 else 0
    return f"{bar.measured:.{digits}f} {bar.unit}"


def _verdict(bar: Bar) -> str:
    return {None: "not measured", True: "met", False: "**missed**"}[bar.met]
