"""Tables over the cells: each candidate's AUC by footage and kind, and its gain over another on the same clips."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from scipy.stats import spearmanr

from benchmarks.proxy.harness import Candidate, Cell

__all__ = ["KNOWN", "Estimate", "Known", "agreement", "gain", "kind_table", "mean_auc", "table"]

GROUPS = {
    "Ped2's camera": lambda name: name.startswith("ped2-train"),
    "generated, one-class": lambda name: not name.startswith("ped2-train") and name.endswith(":one-class"),
    "generated, unlabelled": lambda name: not name.startswith("ped2-train") and name.endswith(":unlabelled"),
    "all footage": lambda name: True,
}
"""Name of a mean and the footage it is over; each piece of footage weighs the same in it."""


@dataclass(frozen=True)
class Estimate:
    """A mean over footage of means over seeds.

    error: its standard error over seeds, the footage held fixed; NaN where a piece of footage has one seed only.
    cells: how many values.  up: footage whose own mean is above 0.  footage: how many pieces.
    """

    mean: float
    error: float
    cells: int
    up: int
    footage: int


def estimate(values: Mapping[str, Sequence[float]]) -> Estimate:
    """values: by footage, one value a seed."""
    means = [float(np.mean(of_one)) for of_one in values.values()]
    variances = [np.var(v, ddof=1) / len(v) if len(v) > 1 else math.nan for v in values.values()]
    error = math.sqrt(sum(variances)) / len(values)
    return Estimate(
        float(np.mean(means)), error, sum(map(len, values.values())), sum(mean > 0 for mean in means), len(values)
    )


def mean_auc(cells: Sequence[Cell], candidate: str, footage: Sequence[str]) -> Estimate | None:
    """AUC in scope of a candidate over footage; None where none of it is measured."""
    values: dict[str, list[float]] = {}
    for cell in cells:
        if cell.candidate == candidate and cell.footage in footage:
            values.setdefault(cell.footage, []).append(cell.auc)
    return estimate(values) if values else None


def gain(cells: Sequence[Cell], candidate: str, against: str, footage: Sequence[str]) -> Estimate | None:
    """AUC of a candidate minus that of another, over the (footage, seed) that both have; None where there is none."""
    other = {(cell.footage, cell.seed): cell.auc for cell in cells if cell.candidate == against}
    values: dict[str, list[float]] = {}
    for cell in cells:
        if cell.candidate == candidate and cell.footage in footage and (cell.footage, cell.seed) in other:
            values.setdefault(cell.footage, []).append(cell.auc - other[cell.footage, cell.seed])
    return estimate(values) if values else None


def table(cells: Sequence[Cell], candidates: Sequence[str], against: str) -> str:
    """AUC in scope: one line a piece of footage and a mean, one column a candidate, its gain beside it."""
    footage = sorted({cell.footage for cell in cells}, key=lambda name: (not name.startswith("ped2-train"), name))
    lines = [f"{'frame AUC, in scope':<28}" + "".join(f"{_column(name, against):>34}" for name in candidates)]
    rows = [(name, [name]) for name in footage]
    for group, belongs in GROUPS.items():
        of_group = [name for name in footage if belongs(name)]
        if len(of_group) > 1:
            rows.append((f"mean of {group}", of_group))
    for name, over in rows:
        parts = [_cell(cells, candidate, against, over) for candidate in candidates]
        lines.append(f"{name:<28}" + "".join(f"{part:>34}" for part in parts))
    return "\n".join(lines)


def _column(name: str, against: str) -> str:
    return name if name == against else f"{name} (gain)"


def _cell(cells: Sequence[Cell], candidate: str, against: str, footage: Sequence[str]) -> str:
    found = mean_auc(cells, candidate, footage)
    if found is None:
        return "–"
    text = f"{found.mean:.4f}{_error(found.error)}"
    over = None if candidate == against else gain(cells, candidate, against, footage)
    if over is None:
        return text
    wins = f" {over.up}/{over.footage}" if over.footage > 1 else ""
    return f"{text} ({over.mean:+.4f}{_error(over.error)}{wins})"


def _error(error: float) -> str:
    return "" if math.isnan(error) else f" ±{error:.4f}"


def kind_table(cells: Sequence[Cell], candidates: Sequence[str]) -> str:
    """Mean AUC of each kind, Ped2's composites and generated cameras apart, each protocol too; a column a candidate.

    "ordinary" are pasted walkers who walk as they did: near 0.5 means that pasting leaves no trace.
    """
    found: dict[tuple[str, str], dict[str, list[float]]] = {}
    for cell in cells:
        camera, _, protocol = cell.footage.partition(":")
        group = f"{camera if camera == 'ped2-train' else 'generated'}:{protocol}"
        for kind, auc in cell.by_kind.items():
            found.setdefault((group, kind), {}).setdefault(cell.candidate, []).append(auc)
    lines = [f"{'frame AUC by kind':<36}" + "".join(f"{name:>26}" for name in candidates)]
    for (group, kind), aucs in sorted(found.items(), key=lambda item: (item[0][0].startswith("generated"), item[0])):
        parts = [f"{np.mean(aucs[name]):.4f}" if name in aucs else "–" for name in candidates]
        lines.append(f"{f'{group} {kind}':<36}" + "".join(f"{part:>26}" for part in parts))
    return "\n".join(lines)


@dataclass(frozen=True)
class Known:
    """A change whose effect on Ped2's test set is known.

    test_gain: of the micro frame AUC; None where nobody measured it.  unlabelled: measured without labels.
    same_design: False where an earlier form of the detector was measured.
    """

    candidate: Candidate
    test_gain: float | None
    unlabelled: bool = False
    same_design: bool = True


KNOWN = (
    Known(Candidate("as it is"), 0.0),
    Known(Candidate("grid patches", ("tubes.kind=grid",)), 0.001),
    Known(Candidate("no voting", ("heatmap.vote=false",)), -0.033),
    # Measured in the research before this code.
    Known(Candidate("fast flow", ("motion.preset=fast",)), 0.940 - 0.967, same_design=False),
    Known(Candidate("few votes prove", ("heatmap.prior_votes=0.03",)), 0.954 - 0.970, same_design=False),
    Known(Candidate("code normalised after training", ("encoder.code_norm=none",)), -0.135),
    Known(Candidate("two steps", ("tubes.steps=2",)), None),
    Known(Candidate("as it is, unlabelled"), 0.0, unlabelled=True),
    Known(
        Candidate("one cluster", ("normality.clusters_unlabelled=1", "normality.keep_mass=1.0")),
        0.919 - 0.955,
        unlabelled=True,
        same_design=False,
    ),
    Known(
        Candidate("500 clusters, all kept", ("normality.clusters_unlabelled=500", "normality.keep_mass=1.0")),
        0.941 - 0.955,
        unlabelled=True,
        same_design=False,
    ),
)
"""From results/ablations.json, and from the research before this code (one seed each; under 0.005 means nothing)."""


@dataclass(frozen=True)
class Agreement:
    """rho: Spearman's rank correlation of gains here and on the test set.  pairs, ordered: how many of them agree."""

    rho: float
    pairs: int
    ordered: int


def agreement(test: Sequence[float], proxy: Sequence[float]) -> Agreement:
    """Whether two lists of gains rank alike; at least 2 each."""
    pairs = [(i, j) for i in range(len(test)) for j in range(i)]
    ordered = sum((test[i] - test[j]) * (proxy[i] - proxy[j]) > 0 for i, j in pairs)
    return Agreement(float(spearmanr(test, proxy).statistic), len(pairs), ordered)


def check_table(cells: Sequence[Cell], *, unlabelled: bool) -> str:
    """The known changes, what they did on the test set, what they do here, and whether the orders agree."""
    known = [one for one in KNOWN if one.unlabelled is unlabelled]
    base = known[0].candidate.name
    footage = sorted({cell.footage for cell in cells if cell.candidate == base})
    lines = [f"{'known change, ' + (', '.join(footage) or 'not measured'):<50}{'on the test':>14}{'here':>20}"]
    ranked: list[tuple[Known, float]] = []
    for one in known:
        found = gain(cells, one.candidate.name, base, footage)
        if found is None:
            continue
        told = "not known" if one.test_gain is None else f"{one.test_gain:+.3f}"
        name = one.candidate.name if one.same_design else f"{one.candidate.name} (an earlier detector)"
        lines.append(f"{name:<50}{told:>14}{f'{found.mean:+.4f}{_error(found.error)}':>20}")
        if one.test_gain is not None:
            ranked.append((one, found.mean))
    lines += _agreements(ranked)
    return "\n".join(lines)


def _agreements(ranked: Sequence[tuple[Known, float]]) -> list[str]:
    """How the gains rank beside those on the test set, over all and over those of the very same design."""
    lines = []
    for told, chosen in (
        ("all known", ranked),
        ("same design", [pair for pair in ranked if pair[0].same_design]),
    ):
        if len(chosen) > 1 and (told == "all known" or len(chosen) < len(ranked)):
            alike = agreement([one.test_gain or 0.0 for one, _ in chosen], [mean for _, mean in chosen])
            lines.append(f"{told}: rank correlation {alike.rho:.2f}, {alike.ordered} of {alike.pairs} pairs in order")
    return lines
