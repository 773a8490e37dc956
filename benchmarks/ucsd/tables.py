"""Tables of Ped1 and Ped2: the protocols, every metric of every row, the alarm level, kinds, changed footage."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from functools import partial
from statistics import fmean
from typing import Any

from benchmarks.rows import metric_cell
from crowdad.evaluation.datasets.variants import VARIANTS

__all__ = ["everything", "robustness", "ucsd_tables"]

Row = Mapping[str, Any]
Table = Callable[[Sequence[Row]], str]

_NAMES = {
    "frame AUC, micro": "micro",
    "frame AUC, macro": "macro",
    "frame AUC, micro, clip min-max": "micro, clip min-max",
    "EER": "EER",
    "average precision": "AP",
    "pixel AUC, 40 % rule": "pixel AUC",
    "RBDC": "RBDC",
    "TBDC": "TBDC",
}
_SHOWN_FIRST = ("frame AUC, micro", "pixel AUC, 40 % rule", "RBDC", "TBDC")
_MISSING = "–"


def ucsd_tables(dataset: str) -> dict[str, Table]:
    """Tables by name of "ped1" or "ped2", each from the rows of its results file."""
    tables = {"-headline": headline, "": everything, "-alarms": alarms, "-kinds": kinds}
    if dataset == "ped2":
        tables["-robustness"] = robustness
    return {f"{dataset}{name}": partial(_or_none_yet, dataset, table) for name, table in tables.items()}


def _or_none_yet(dataset: str, table: Table, rows: Sequence[Row]) -> str:
    return table(rows) or f"No rows yet: run `python -m benchmarks.{dataset}`."


def headline(rows: Sequence[Row]) -> str:
    """The two protocols, four metrics and what is told at the alarm level; empty without their rows."""
    native = _native(rows)
    if not native:
        return ""
    lines = [
        "| protocol | frame AUC, micro | pixel level (40 % rule) | RBDC | TBDC | intervals told | false an hour |",
        "|---|---|---|---|---|---|---|",
    ]
    for row in native:
        cells = [metric_cell(row["metrics"].get(name), len(row["seeds"])) for name in _SHOWN_FIRST]
        cells += [_told(row), _rate(row, "false events an hour", 1)]
        lines.append(f"| {row['protocol']} | " + " | ".join(cells) + " |")
    return "\n".join(lines)


def everything(rows: Sequence[Row]) -> str:
    """Every row, every metric of scores, with the cost."""
    if not rows:
        return ""
    lines = ["| protocol | footage | seeds | " + " | ".join(_NAMES.values()) + " | fit, s | fps |"]
    lines.append("|" + "---|" * (len(_NAMES) + 5))
    for row in rows:
        fit_s, fps = (fmean(row[key]) for key in ("fit_s", "fps"))
        cells = [metric_cell(row["metrics"].get(name), len(row["seeds"])) for name in _NAMES]
        head = f"| {row['protocol']} | {row['variant']} | {len(row['seeds'])} | "
        lines.append(head + " | ".join(cells) + f" | {fit_s:.0f} | {fps:.0f} |")
    return "\n".join(lines)


def alarms(rows: Sequence[Row]) -> str:
    """Every row at the alarm level, means over seeds, beside its frame AUC."""
    if not rows:
        return ""
    lines = [
        "| protocol | footage | frame AUC, micro | intervals told | false events an hour | s to the alarm, median | "
        "anomalous frames flagged | normal frames flagged |",
        "|" + "---|" * 8,
    ]
    for row in rows:
        cells = [
            row["protocol"],
            row["variant"],
            f"{row['metrics']['frame AUC, micro']['mean']:.3f}",
            _told(row),
            _rate(row, "false events an hour", 1),
            _rate(row, "seconds to the alarm", 1),
            _percent(row, "anomalous frames flagged"),
            _percent(row, "normal frames flagged"),
        ]
        lines.append("| " + " | ".join(cells) + " |")
    return "\n".join(lines)


def kinds(rows: Sequence[Row]) -> str:
    """One line a kind of anomaly, the protocols side by side, means over seeds."""
    native = [row for row in _native(rows) if row.get("kinds", {}).get("rows")]
    if not native:
        return ""
    heads = " | ".join(f"{row['protocol']}: frame AUC | intervals told" for row in native)
    lines = [f"| kind | frames | {heads} |", "|" + "---|" * (2 + 2 * len(native))]
    by_row = [{kind["kind"]: kind for kind in row["kinds"]["rows"]} for row in native]
    for name, kind in by_row[0].items():
        cells = [cell for of_row in by_row for cell in _kind_cells(of_row[name])]
        lines.append(f"| {name} | {kind['frames']:,} | " + " | ".join(cells) + " |")
    return "\n".join(lines)


def robustness(rows: Sequence[Row]) -> str:
    """What each change of the footage costs against the footage as published, at the same seeds."""
    one_class = {row["variant"]: row for row in rows if row["protocol"] == "one-class"}
    changed = [variant for variant in VARIANTS if variant in one_class and variant != "native"]
    if "native" not in one_class or not changed:
        return ""
    lines = [
        "| footage | what it is | micro | against native | pixel AUC | against native |",
        "|---|---|---|---|---|---|",
    ]
    for variant in changed:
        row, cells = one_class[variant], []
        for name in ("frame AUC, micro", "pixel AUC, 40 % rule"):
            found = row["metrics"][name]["per_seed"]
            as_published = one_class["native"]["metrics"][name]["per_seed"][: len(found)]
            cells += [f"{fmean(found):.3f}", f"{fmean(found) - fmean(as_published):+.3f}"]
        lines.append(f"| {variant} | {VARIANTS[variant].what} | " + " | ".join(cells) + " |")
    return "\n".join(lines)


def _native(rows: Sequence[Row]) -> list[Row]:
    return [row for row in rows if row["variant"] == "native" and row["protocol"] != "alone"]


def _told(row: Row) -> str:
    """Intervals told, of how many; a row measured before they were counted has none."""
    intervals = row.get("intervals")
    if not intervals:
        return _MISSING
    told = [sum(alarm_s is not None for alarm_s in of_seed) for of_seed in zip(*_delays(intervals), strict=True)]
    return f"{fmean(told):.3g} of {len(intervals)}"


def _delays(intervals: Sequence[Mapping[str, Any]]) -> list[Sequence[float | None]]:
    return [interval["alarm_s"] for interval in intervals]


def _rate(row: Row, name: str, digits: int) -> str:
    metric = row["metrics"].get(name)
    return _MISSING if metric is None else f"{metric['mean']:.{digits}f}"


def _percent(row: Row, name: str) -> str:
    metric = row["metrics"].get(name)
    return _MISSING if metric is None else f"{100 * metric['mean']:.1f} %"


def _kind_cells(kind: Mapping[str, Any]) -> tuple[str, str]:
    auc = f"{fmean(kind['auc']):.3f}" if kind["auc"] else _MISSING
    return auc, f"{fmean(kind['told']):.3g} of {kind['intervals']}"
