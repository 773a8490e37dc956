"""The digit rows as Markdown tables, the published number beside ours, every seed shown."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np

from benchmarks.rows import Row

__all__ = ["DIGIT_TABLES"]

DATASETS = ("mnist", "usps")

# Aytekin et al. 2018, arXiv:1802.00187, Tables I to IV: accuracy in %, AUC as printed.
PAPER_ACCURACY = {
    ("mnist", "ae"): 81.43,
    ("mnist", "ae-l2"): 90.20,
    ("mnist", "cae"): 84.83,
    ("mnist", "cae-l2"): 95.11,
    ("mnist", "cae-batchnorm"): 70.67,
    ("mnist", "cae-layernorm"): 70.83,
    ("usps", "cae"): 73.52,
    ("usps", "cae-l2"): 91.35,
    ("usps", "cae-batchnorm"): 74.95,
    ("usps", "cae-layernorm"): 75.26,
}
PAPER_AUC = {
    "cae-reconstruction": (0.7025, 0.0782, 0.8790, 0.8324, 0.7149, 0.8359, 0.6925, 0.5767, 0.8912, 0.5140),
    "cae-clusters": (0.7998, 0.8871, 0.7512, 0.8449, 0.4988, 0.7635, 0.7896, 0.7421, 0.9200, 0.8944),
    "cae-l2-clusters": (0.9615, 0.9673, 0.9790, 0.9382, 0.7825, 0.9136, 0.9497, 0.9100, 0.9237, 0.7495),
}
ANOMALY_ORDER = ("cae-reconstruction", "cae-l2-reconstruction", "cae-clusters", "cae-l2-clusters")
DUAD_ORDER = ("ae-reconstruction", "duad", "duad-mixture", "ae-l2-clusters")
BEYOND_PUBLISHED = {"mnist": "ConvDEC-DA 98.5, SPC 99.2", "usps": "ConvDEC-DA 98.7, SPC 98.4"}

_NONE_YET = "No rows yet: run `python -m benchmarks.digits --all`."


def _spread(values: Sequence[float], factor: float = 100.0, places: int = 2) -> str:
    """Mean and, over two or more values, sample standard deviation."""
    scaled = np.array(values) * factor
    if len(scaled) == 1:
        return f"{scaled[0]:.{places}f} (one seed)"
    return f"{scaled.mean():.{places}f} ± {scaled.std(ddof=1):.{places}f}"


def _table(header: Sequence[str], lines: Sequence[Sequence[str]]) -> str:
    if not lines:
        return _NONE_YET
    rows = [header, ["---"] * len(header), *lines]
    return "\n".join("| " + " | ".join(row) + " |" for row in rows)


def _of(rows: Sequence[Row], **wanted: Any) -> list[Row]:
    found = [row for row in rows if all(row.get(key) == value for key, value in wanted.items())]
    return sorted(found, key=lambda row: row["seed"])


def _epochs(rows: Sequence[Row]) -> str:
    return ", ".join(str(epochs) for epochs in sorted({row["epochs"] for row in rows}))


def _paper(dataset: str, method: str) -> str:
    value = PAPER_ACCURACY.get((dataset, method))
    return "" if value is None else f"{value:.2f}"


def _accuracy_line(dataset: str, name: str, paper: str, rows: Sequence[Row]) -> list[str]:
    """One line of an accuracy table: mean and spread, each seed, and the seed that needs no label to be chosen."""
    accuracies = [row["accuracy"] for row in rows]
    least_loss = min(rows, key=lambda row: row["loss"])
    nmi = _spread([row["nmi"] for row in rows])
    seconds = f"{np.mean([row['seconds'] for row in rows]):.0f}"
    return [
        dataset,
        name,
        paper,
        _spread(accuracies),
        ", ".join(f"{accuracy * 100:.1f}" for accuracy in accuracies),
        f"{least_loss['accuracy'] * 100:.2f}",
        nmi,
        _epochs(rows),
        seconds,
    ]


_ACCURACY_HEADER = (
    "data",
    "code",
    "paper, %",
    "ours, %",
    "each seed",
    "seed of least loss",
    "NMI, %",
    "epochs",
    "s a seed",
)


def clustering(rows: Sequence[Row]) -> str:
    """Tables I and II."""
    lines = []
    for dataset in DATASETS:
        for method in ("ae", "ae-l2", "cae", "cae-l2"):
            found = _of(rows, table="clustering", dataset=dataset, method=method)
            if found:
                lines.append(_accuracy_line(dataset, method, _paper(dataset, method), found))
    return _table(_ACCURACY_HEADER, lines)


def normalisation(rows: Sequence[Row]) -> str:
    """Table III; the l2 and plain lines are those of Table II."""
    lines = []
    for dataset in DATASETS:
        for table, method in (
            ("clustering", "cae"),
            ("normalisation", "cae-batchnorm"),
            ("normalisation", "cae-layernorm"),
            ("normalisation", "cae-l2-after"),
            ("clustering", "cae-l2"),
        ):
            found = _of(rows, table=table, dataset=dataset, method=method)
            if found:
                lines.append(_accuracy_line(dataset, method, _paper(dataset, method), found))
    return _table(_ACCURACY_HEADER, lines)


def anomaly(rows: Sequence[Row]) -> str:
    """Table IV: learned without the anomalous digit, with a share of it, and with all of it by the encoder only."""
    lines = []
    for dataset in DATASETS:
        shares = sorted({row["contamination"] for row in _of(rows, table="anomaly", dataset=dataset)})
        for contamination in shares:
            for method in ANOMALY_ORDER:
                found = _of(rows, table="anomaly", dataset=dataset, method=method, contamination=contamination)
                if found:
                    lines.append(_anomaly_line(dataset, method, f"{contamination * 100:g} %", found))
        for method in ANOMALY_ORDER:
            found = _of(rows, table="shared", dataset=dataset, method=method)
            if found:
                lines.append(_anomaly_line(dataset, method, "by the encoder only", found))
    digits = [str(digit) for digit in range(10)]
    return _table(("data", "anomalies learned", "method", *digits, "mean", "paper", "seeds", "epochs"), lines)


def _anomaly_line(dataset: str, method: str, learned: str, rows: Sequence[Row]) -> list[str]:
    by_digit = []
    for digit in range(10):
        values = [row["auc"][str(digit)] for row in rows if str(digit) in row["auc"]]
        by_digit.append(f"{np.mean(values):.3f}" if values else "")
    means = [row["auc_mean"] for row in rows if "auc_mean" in row]
    published = PAPER_AUC.get(method) if dataset == "mnist" else None
    return [
        dataset,
        learned,
        method,
        *by_digit,
        _spread(means, factor=1.0, places=4) if means else "",
        f"{np.mean(published):.4f}" if published else "",
        str(len(rows)),
        _epochs(rows),
    ]


def duad(rows: Sequence[Row]) -> str:
    """DUAD, its own auto-encoder without selection, and the unit code, on the same samples: mean AUC over classes."""
    of_duad = _of(rows, table="duad")
    names = sorted({row["dataset"] for row in of_duad}, key=lambda name: (name.startswith("sklearn"), name))
    lines = []
    for dataset in names:
        for contamination in sorted({row["contamination"] for row in of_duad if row["dataset"] == dataset}):
            cells = []
            seeds = 0
            for method in DUAD_ORDER:
                found = _of(of_duad, dataset=dataset, method=method, contamination=contamination)
                means = [row["auc_mean"] for row in found if "auc_mean" in row]
                seeds = max(seeds, len(means))
                cells.append(_spread(means, factor=1.0, places=4) if means else "")
            purity = _purity(_of(of_duad, dataset=dataset, method="duad", contamination=contamination))
            lines.append([dataset, f"{contamination * 100:g} %", *cells, purity, str(seeds)])
    return _table(("data", "anomalies learned", *DUAD_ORDER, "purity of duad's selections, %", "seeds"), lines)


def _purity(rows: Sequence[Row]) -> str:
    """Mean purity of the first and of the last selection, over classes and seeds."""
    runs = [run for row in rows for run in row["purity"].values()]
    if not runs:
        return ""
    first, last = (np.mean([run[place] for run in runs]) * 100 for place in (0, -1))
    return f"{100 - rows[0]['contamination'] * 100:g} → {first:.1f} → {last:.1f}"


def beyond(rows: Sequence[Row]) -> str:
    """Past the paper."""
    lines = []
    for dataset in DATASETS:
        plain = _of(rows, table="clustering", dataset=dataset, method="cae-l2")
        if plain:
            lines.append(_accuracy_line(dataset, "cae-l2", "", plain))
        for method in ("cae-l2-augmented", "cae-l2-augmented-clustered"):
            found = _of(rows, table="beyond", dataset=dataset, method=method)
            if found:
                lines.append(_accuracy_line(dataset, method, BEYOND_PUBLISHED[dataset], found))
    return _table(("data", "code", "published by others, %", *_ACCURACY_HEADER[3:]), lines)


def headline(rows: Sequence[Row]) -> str:
    """What the front page shows: with and without the unit code, for clustering and for anomalies."""
    lines = []
    for dataset in DATASETS:
        for method in ("cae", "cae-l2"):
            found = _of(rows, table="clustering", dataset=dataset, method=method)
            if found:
                accuracies = [row["accuracy"] for row in found]
                lines.append(
                    [
                        f"{dataset}, clustering accuracy, %",
                        method,
                        _paper(dataset, method),
                        _spread(accuracies),
                        str(len(found)),
                        _epochs(found),
                    ]
                )
        for method in ("cae-reconstruction", "cae-clusters", "cae-l2-clusters"):
            found = _of(rows, table="anomaly", dataset=dataset, method=method, contamination=0.0)
            whole = [row for row in found if "auc_mean" in row]
            if whole:
                means = [row["auc_mean"] for row in whole]
                published = f"{np.mean(PAPER_AUC[method]):.4f}" if dataset == "mnist" else ""
                ours = _spread(means, factor=1.0, places=4)
                lines.append([f"{dataset}, anomaly AUC", method, published, ours, str(len(whole)), _epochs(whole)])
    return _table(("what", "method", "paper", "ours", "seeds", "epochs"), lines)


DIGIT_TABLES: Mapping[str, Callable[[Sequence[Row]], str]] = {
    "digits-headline": headline,
    "digits-clustering": clustering,
    "digits-normalisation": normalisation,
    "digits-anomaly": anomaly,
    "digits-duad": duad,
    "digits-beyond": beyond,
}
