"""Pictures of the Ped1 and Ped2 benchmarks, from the scores of seed 0 under both protocols.

python -m benchmarks.ucsd.plots --dataset ped2 --data DIR

Plots, which hold no picture of the data set, go to benchmarks/results/: ROC of both protocols, and the test clips'
anomaly against truth.  What shows frames goes to a folder of the data set's name in benchmarks/private/, which git
ignores: heat over six frames, and the eight worst mistakes.  Scores that `benchmarks.ped1` or `.ped2` has not kept, or
that other settings made, are made first.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path

import matplotlib

matplotlib.use("Agg")

import numpy as np
import numpy.typing as npt
from matplotlib import pyplot
from matplotlib.axes import Axes
from sklearn.metrics import roc_auc_score, roc_curve

from benchmarks.ucsd.measuring import ROWS
from benchmarks.ucsd.pictures import draw_pictures
from benchmarks.ucsd.scores import PICTURED, PRIVATE, keep_scores, kept_scores
from crowdad.config import Settings, load_settings
from crowdad.errors import CrowdadError
from crowdad.evaluation.datasets.catalogue import find_dataset
from crowdad.evaluation.datasets.clips import Dataset
from crowdad.evaluation.protocols import ClipScores
from crowdad.evaluation.video import benchmark_video

__all__ = ["draw_plots", "main"]

RESULTS = Path(__file__).parents[1] / "results"
_COLOURS = {"one-class": "tab:blue", "unsupervised": "tab:orange"}
_COLUMNS = 3

Runs = Mapping[str, Sequence[ClipScores]]


def main(arguments: Sequence[str] | None = None) -> int:
    """Draw everything; returns the exit code."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.ucsd.plots", description=__doc__)
    parser.add_argument("--dataset", choices=tuple(ROWS), default="ped2", help="default: %(default)s")
    parser.add_argument("--data", type=Path, help="data folder; default: CROWDAD_DATA, then the user's cache")
    parser.add_argument("--fresh", action="store_true", help="fit and score anew also what was kept")
    parser.add_argument("--set", action="append", default=[], metavar="KEY=VALUE", help="a setting of the fits")
    parser.add_argument("--plots", type=Path, default=RESULTS, help="folder for plots without frames")
    parser.add_argument("--private", type=Path, default=PRIVATE, help="folder for scores and pictures of frames")
    options = parser.parse_args(arguments)
    try:
        settings = load_settings(overrides=options.set)
        dataset = find_dataset(options.dataset, options.data)
        private = options.private / dataset.name
        runs = {protocol: _scores(protocol, settings, dataset, private, options.fresh) for protocol in PICTURED}
        written = draw_plots(dataset.name, runs, options.plots)
        for protocol, run in runs.items():
            pictures, captions = draw_pictures(protocol, run, dataset.test, private)
            written += pictures
            print("\n".join([f"{protocol}:", *(f"  {caption}" for caption in captions)]))
    except CrowdadError as error:
        print(f"benchmarks.ucsd.plots: {error}", file=sys.stderr)
        return 1
    print("\n".join(map(str, written)))
    return 0


def _scores(protocol: str, settings: Settings, dataset: Dataset, private: Path, fresh: bool) -> Sequence[ClipScores]:
    kept = None if fresh else kept_scores(protocol, settings, private)
    if kept is not None:
        return kept
    print(f"{protocol}: fitting and scoring seed 0", file=sys.stderr, flush=True)
    outcome = benchmark_video(protocol, dataset, seeds=[0], settings=settings, resamples=0)
    keep_scores(protocol, settings, outcome.runs[0], private)
    return outcome.runs[0]


def draw_plots(dataset: str, runs: Runs, folder: Path) -> list[Path]:
    """Draw the ROC of each run and the clips' sheet, PNG; returns their paths.

    dataset: its name.  runs: by protocol, the same clips in the same order.
    """
    folder.mkdir(parents=True, exist_ok=True)
    title = f"UCSD {dataset.title()}, all frames of all clips (micro), seed 0"
    return [_roc(title, runs, folder / f"{dataset}-roc.png"), _sheet(runs, folder / f"{dataset}-clips.png")]


def _roc(title: str, runs: Runs, path: Path) -> Path:
    figure, axes = pyplot.subplots(figsize=(5, 5), layout="constrained")
    for protocol, run in runs.items():
        labels = np.concatenate([clip.labels for clip in run])
        anomaly = np.concatenate([clip.anomaly for clip in run])
        false_rate, true_rate, _ = roc_curve(labels, anomaly)
        area = roc_auc_score(labels, anomaly)
        axes.plot(false_rate, true_rate, color=_COLOURS[protocol], label=f"{protocol}: AUC {area:.3f}")
    axes.plot([0, 1], [1, 0], ":", color="gray", linewidth=1, label="equal error")
    axes.set(xlabel="normal frames flagged", ylabel="anomalous frames flagged", xlim=(-0.01, 1), ylim=(0, 1.01))
    axes.set_title(title)
    axes.grid(alpha=0.3)
    axes.legend(loc="lower right")
    return _save(figure, path)


def _sheet(runs: Runs, path: Path) -> Path:
    clips = list(zip(*runs.values(), strict=True))
    rows = -(-len(clips) // _COLUMNS)
    figure, grid = pyplot.subplots(
        rows, _COLUMNS, figsize=(11, 1.9 * rows + 0.5), sharey=True, squeeze=False, layout="constrained"
    )
    for axes in grid.flat[len(clips) :]:
        axes.set_axis_off()
    for axes, of_clip in zip(grid.flat, clips, strict=False):
        _shade(axes, of_clip[0].labels)
        for protocol, clip in zip(runs, of_clip, strict=True):
            axes.plot(clip.anomaly, color=_COLOURS[protocol], linewidth=1, label=protocol)
        axes.axhline(0.5, color="black", linewidth=0.5, linestyle=":")
        axes.set(xlim=(0, len(of_clip[0].labels) - 1), ylim=(0, 1.02))
        axes.set_title(Path(of_clip[0].name).stem, fontsize=9)
        axes.tick_params(labelsize=7)
    handles, names = grid[0, 0].get_legend_handles_labels()
    figure.legend(handles, names, loc="outside upper center", ncols=len(names), fontsize=9)
    figure.supxlabel("frame", fontsize=9)
    figure.supylabel("anomaly; dotted: threshold; shaded: truly anomalous", fontsize=9)
    return _save(figure, path)


def _shade(axes: Axes, labels: npt.NDArray[np.bool_]) -> None:
    edges = np.flatnonzero(np.diff(np.concatenate([[0], labels.astype(np.int8), [0]])))
    for first, past in edges.reshape(-1, 2):
        axes.axvspan(first - 0.5, past - 0.5, color="tab:red", alpha=0.15, linewidth=0)


def _save(figure: pyplot.Figure, path: Path) -> Path:
    # No metadata: the same scores are to give the same bytes whatever draws them.
    figure.savefig(path, dpi=90, metadata={"Software": None})
    pyplot.close(figure)
    return path


if __name__ == "__main__":
    sys.exit(main())
