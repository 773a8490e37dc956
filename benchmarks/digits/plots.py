"""Pictures of the digit rows: plots without any data-set image, and, apart from them, the digits themselves."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import matplotlib

matplotlib.use("Agg")

import numpy as np
from matplotlib import pyplot
from sklearn.manifold import TSNE

from benchmarks.rows import Row
from crowdad.evaluation.datasets.digits import DIGIT_SETS, load_digits
from crowdad.scene.normality import UnitKMeans

__all__ = ["draw_plots"]

_MAP_SAMPLES = 2000
_SHOWN_DIGITS = 32
_LABEL = {"boxstyle": "circle,pad=0.15", "facecolor": "white", "alpha": 0.8, "linewidth": 0}
_COLOURS = {"cae": "tab:gray", "cae-l2": "tab:blue", "cae-batchnorm": "tab:orange", "cae-layernorm": "tab:green"}


def draw_plots(rows: Sequence[Row], private: Path, folder: Path, data_dir: Path) -> None:
    """Draw all that the rows and the kept codes allow.

    private: holds `<data set>-<method>.npz` with codes, and gets the pictures that show digits (never committed).
    folder: gets the plots, PNG.  data_dir: of the digits.
    """
    folder.mkdir(parents=True, exist_ok=True)
    for dataset in DIGIT_SETS:
        of_dataset = [row for row in rows if row["dataset"] == dataset]
        _accuracy(of_dataset, folder / f"{dataset}-accuracy.png", dataset)
        _confusion(of_dataset, folder / f"{dataset}-confusion.png", dataset)
        _purity(of_dataset, folder / f"{dataset}-purity.png", dataset)
        _maps(private, folder / f"{dataset}-codes.png", dataset)
        _extremes(private, dataset, data_dir)


def _accuracy(rows: Sequence[Row], path: Path, dataset: str) -> None:
    """Accuracy of every seed against epochs."""
    drawn = [row for row in rows if row.get("history") and row["method"] in _COLOURS]
    if not drawn:
        return
    figure, axes = pyplot.subplots(figsize=(6, 4), layout="constrained")
    named = set()
    for row in drawn:
        epochs, _, accuracies = zip(*row["history"], strict=True)
        label = None if row["method"] in named else row["method"]
        named.add(row["method"])
        axes.plot(epochs, np.array(accuracies) * 100, ".-", color=_COLOURS[row["method"]], label=label, linewidth=1)
    axes.set(xlabel="epoch", ylabel="clustering accuracy, %", title=f"{dataset}: every seed")
    axes.grid(alpha=0.3)
    figure.legend(loc="outside lower center", ncols=len(named))
    _save(figure, path)


def _confusion(rows: Sequence[Row], path: Path, dataset: str) -> None:
    """Classes against matched clusters, without and with the unit code, at seed 0."""
    found = {row["method"]: row for row in rows if row["table"] == "clustering" and row["seed"] == 0}
    methods = [method for method in ("cae", "cae-l2") if method in found]
    if not methods:
        return
    figure, grid = pyplot.subplots(
        1, len(methods), figsize=(4.2 * len(methods), 4.4), layout="constrained", squeeze=False
    )
    for axes, method in zip(grid[0], methods, strict=True):
        counts = np.array(found[method]["confusion"])
        shares = counts / np.maximum(counts.sum(axis=1, keepdims=True), 1)
        axes.imshow(shares, cmap="Blues", vmin=0, vmax=1)
        for (row, column), share in np.ndenumerate(shares):
            if share >= 0.005:
                colour = "white" if share > 0.5 else "black"
                axes.text(column, row, f"{share * 100:.0f}", ha="center", va="center", fontsize=7, color=colour)
        axes.set(xlabel="matched cluster", ylabel="digit", xticks=range(len(counts)), yticks=range(len(counts)))
        axes.set_title(f"{dataset} {method}: {found[method]['accuracy'] * 100:.1f} %, seed 0")
    _save(figure, path)


def _purity(rows: Sequence[Row], path: Path, dataset: str) -> None:
    """Normal share of DUAD's kept set over its rounds, mean over classes and seeds; a settled run keeps its last."""
    drawn = [row for row in rows if row["table"] == "duad" and row.get("purity")]
    if not drawn:
        return
    figure, axes = pyplot.subplots(figsize=(6, 4), layout="constrained")
    groups: dict[tuple[str, float], list[list[float]]] = {}
    for row in drawn:
        groups.setdefault((row["method"], row["contamination"]), []).extend(row["purity"].values())
    for (method, contamination), runs in sorted(groups.items()):
        longest = max(len(run) for run in runs)
        padded = np.array([[1 - contamination, *run] + [run[-1]] * (longest - len(run)) for run in runs])
        style = "-" if method == "duad" else "--"
        axes.plot(padded.mean(axis=0) * 100, style, marker=".", label=f"{method} at {contamination:.0%}")
    axes.set(xlabel="selection (0: all samples)", ylabel="normal share of what is kept, %", title=f"{dataset}: DUAD")
    axes.grid(alpha=0.3)
    axes.legend(fontsize=8)
    _save(figure, path)


def _maps(private: Path, path: Path, dataset: str) -> None:
    """Codes of seed 0 on a plane (t-SNE), without and with the unit code, coloured by digit."""
    methods = [method for method in ("cae", "cae-l2") if (private / f"{dataset}-{method}.npz").exists()]
    if not methods:
        return
    figure, grid = pyplot.subplots(
        1, len(methods), figsize=(4.2 * len(methods), 4.4), layout="constrained", squeeze=False
    )
    for axes, method in zip(grid[0], methods, strict=True):
        kept = np.load(private / f"{dataset}-{method}.npz")
        chosen = np.random.default_rng(0).permutation(len(kept["classes"]))[:_MAP_SAMPLES]
        plane = TSNE(init="pca", random_state=0).fit_transform(kept["codes"][chosen])
        classes = kept["classes"][chosen]
        axes.scatter(*plane.T, c=classes, cmap="tab10", s=3, vmin=0, vmax=9)
        for cls in np.unique(classes):
            column, row = np.median(plane[classes == cls], axis=0)
            axes.text(column, row, str(cls), size=11, weight="bold", ha="center", va="center", bbox=_LABEL)
        axes.set(xticks=[], yticks=[], title=f"{dataset} {method}: codes")
    _save(figure, path)


def _extremes(private: Path, dataset: str, data_dir: Path) -> None:
    """The most normal and the most anomalous digits under the unit code; shows data, so it stays private."""
    path = private / f"{dataset}-cae-l2.npz"
    if not path.exists():
        return
    codes = np.load(path)["codes"]
    normality = UnitKMeans(10, n_init=20, max_iter=300).fit(codes).score(codes)
    order = np.argsort(normality)
    pictures = load_digits(dataset, data_dir).pictures
    figure, grid = pyplot.subplots(2, 1, figsize=(8, 2.4), layout="constrained")
    for axes, name, chosen in (
        (grid[0], "most normal", order[::-1][:_SHOWN_DIGITS]),
        (grid[1], "most anomalous", order[:_SHOWN_DIGITS]),
    ):
        axes.imshow(np.concatenate(list(pictures[chosen]), axis=1), cmap="gray")
        axes.set(xticks=[], yticks=[], title=f"{dataset}: {name}")
    _save(figure, private / f"{dataset}-extremes.png")


def _save(figure: pyplot.Figure, path: Path) -> None:
    # No metadata: the same rows are to give the same bytes whatever draws them.
    figure.savefig(path, dpi=90, metadata={"Software": None})
    pyplot.close(figure)
