"""Scores of clips beside their truth -> every metric under its named protocol, with its spread and its interval."""

from __future__ import annotations

import platform
import subprocess
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass, field, replace
from functools import partial
from importlib.metadata import version
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from crowdad.detection.events import EventFinder
from crowdad.errors import DataError, UndefinedMetricError
from crowdad.evaluation.metrics import (
    METRICS,
    Alarm,
    AlarmScores,
    ClipMaps,
    ClipMetric,
    FrameScores,
    PixelScores,
    RegionCounts,
    alarm_delay_s,
    bootstrap_over_clips,
    count_regions,
    derive_tracks,
    find_alarms,
    intervals,
    pixel_scores,
    region_thresholds,
    score_kinds,
)
from crowdad.scene.model import SceneModel
from crowdad.sources import Source
from crowdad.workflows import score

__all__ = [
    "ClipScores",
    "KindMetric",
    "Metric",
    "TrueInterval",
    "kind_table",
    "mapped",
    "measure",
    "measure_kinds",
    "metric_table",
    "provenance",
    "refused_clip",
    "score_clip",
    "told_intervals",
]

Floats = npt.NDArray[np.floating]
Masks = npt.NDArray[np.bool_]

_FLAGGED = 0.5  # anomaly of a flagged frame, see `FrameResult.flagged`


@dataclass(frozen=True, eq=False)
class ClipScores:
    """One clip scored by one model.

    anomaly: float32 (T,).  maps: float32 (T, rows, columns) in cells of `cell_px`.  labels: bool (T,).
    true_masks: bool (T, H, W), or a function that reads them, or None where only frames are labelled.
    seconds: from first to last frame, decoding included.
    refused: nothing could be learned from the clip, so nothing was told of it: anomaly 0 everywhere.
    alarms: the events found in it; None where nobody looked for any.  fps: frames a second.
    kinds: by kind of anomaly, where kinds are known, bool (T,): whether it is seen.
    """

    name: str
    anomaly: Floats
    maps: Floats
    cell_px: float
    labels: npt.NDArray[np.bool_]
    true_masks: Masks | Callable[[], Masks | None] | None
    seconds: float
    refused: bool = False
    alarms: tuple[Alarm, ...] | None = None
    fps: float = 0.0
    kinds: Mapping[str, npt.NDArray[np.bool_]] = field(default_factory=dict)

    @property
    def told(self) -> AlarmScores | None:
        """What a person would have been told of the clip; None where nobody looked for events."""
        if self.alarms is None:
            return None
        return AlarmScores(self.name, self.anomaly >= _FLAGGED, self.labels, self.alarms, self.fps, self.kinds)

    @property
    def masks(self) -> Masks | None:
        """bool (T, H, W), read anew at each call where `true_masks` reads them: a gigabyte for some clips."""
        return self.true_masks() if callable(self.true_masks) else self.true_masks


@dataclass(frozen=True)
class Metric:
    """A metric over several seeds.

    protocol: what is pooled and what is left out.  per_seed: its values.  spread: their standard deviation.
    low, high: 95 % interval of the mean over seeds when the clips are drawn anew; None where it was not drawn.
    """

    name: str
    protocol: str
    per_seed: tuple[float, ...]
    low: float | None = None
    high: float | None = None
    note: str = ""

    @property
    def mean(self) -> float:
        return float(np.mean(self.per_seed))

    @property
    def spread(self) -> float:
        return float(np.std(self.per_seed, ddof=1)) if len(self.per_seed) > 1 else 0.0

    def as_dict(self) -> dict[str, Any]:
        """Plain values for a report."""
        return {**asdict(self), "mean": self.mean, "spread": self.spread}


def score_clip(
    scene: SceneModel,
    source: Source,
    labels: npt.NDArray[np.bool_],
    masks: Masks | Callable[[], Masks | None] | None,
    device: str = "auto",
    runtime: str = "auto",
) -> ClipScores:
    """Score one clip; labels: bool (T,), masks: bool (T, H, W), a function that reads them, or None: its truth, only
    kept beside the scores.

    Raises DataError where the labels are of another length.
    """
    began_s = time.perf_counter()
    results = list(score(source, scene, device=device, runtime=runtime))
    seconds = time.perf_counter() - began_s
    if len(results) != len(labels):
        raise DataError(
            f"{source.name}: {len(results)} frames could be read, ground truth of {len(labels)}; one each is needed, "
            "get the data set again"
        )
    return ClipScores(
        source.name,
        np.array([result.anomaly for result in results], np.float32),
        np.stack([result.heatmap.anomaly for result in results]),
        results[0].heatmap.cell_px,
        labels,
        masks,
        seconds,
        alarms=find_alarms(
            results, EventFinder.from_settings(scene.settings.events, source.fps, scene.scale.person_px)
        ),
        fps=source.fps,
    )


def refused_clip(
    source: Source, labels: npt.NDArray[np.bool_], masks: Masks | Callable[[], Masks | None] | None
) -> ClipScores:
    """A clip of which nothing was told; labels, masks: as for `score_clip`."""
    count = len(labels)
    maps = np.zeros((count, 1, 1), np.float32)
    cell_px = float(max(source.info.size_hw))
    anomaly = np.zeros(count, np.float32)
    return ClipScores(source.name, anomaly, maps, cell_px, labels, masks, 0.0, refused=True, alarms=(), fps=source.fps)


def measure(runs: Sequence[Sequence[ClipScores]], resamples: int = 1000) -> list[Metric]:
    """Every member of METRICS that the truth allows.

    runs: one list of clips a seed, the same clips in the same order.
    resamples: of the bootstrap over clips, 0 for none.
    A metric at the alarm level is left out where a seed has no value of it.
    Raises UndefinedMetricError where all frames are of one class.
    """
    frames = [[FrameScores(clip.name, clip.anomaly, clip.labels) for clip in run] for run in runs]
    masked = [place for place, clip in enumerate(runs[0]) if clip.true_masks is not None]
    evidence: dict[type, Sequence[Sequence[Any]]] = {FrameScores: frames}
    if masked:
        evidence[PixelScores], evidence[RegionCounts] = _of_places(runs, masked)
    told = [[scores for clip in run if (scores := clip.told) is not None] for run in runs]
    if all(len(of_run) == len(run) for of_run, run in zip(told, runs, strict=True)):
        evidence[AlarmScores] = told
    part = "" if len(masked) == len(runs[0]) else f"the {len(masked)} of {len(runs[0])} clips that have masks"
    found = []
    for over, of_runs in evidence.items():
        for metric in (metric for metric in METRICS.values() if metric.over is over):
            try:
                of_seeds = _over_seeds(metric, of_runs, resamples if metric.resampled else 0)
            except UndefinedMetricError:
                if over is not AlarmScores:
                    raise
                continue  # no event, so no delay of one: what is ranked has its metrics all the same
            found.append(replace(of_seeds, note=part) if over in (PixelScores, RegionCounts) else of_seeds)
    return found


def _of_places(
    runs: Sequence[Sequence[ClipScores]], masked: Sequence[int]
) -> tuple[list[list[PixelScores]], list[list[RegionCounts]]]:
    """By seed, what is known of where in the clips that have masks; in memory are the masks of one clip at a time."""
    thresholds = [region_thresholds([run[place].maps for place in masked]) for run in runs]
    by_clip = [_in_places([run[place] for run in runs], thresholds) for place in masked]
    pixels = [list(run) for run in zip(*(of_seeds for of_seeds, _ in by_clip), strict=True)]
    counts = [list(run) for run in zip(*(of_seeds for _, of_seeds in by_clip), strict=True)]
    return pixels, counts


def _in_places(
    seeds: Sequence[ClipScores], thresholds: Sequence[Floats]
) -> tuple[list[PixelScores], list[RegionCounts]]:
    """One clip as each seed scored it, beside its masks, which are let go on the way out."""
    masks = seeds[0].masks
    assert masks is not None
    tracks = derive_tracks(masks)
    maps = [ClipMaps(clip.name, clip.maps, masks, clip.cell_px) for clip in seeds]
    counts = [count_regions(one, tracks, levels) for one, levels in zip(maps, thresholds, strict=True)]
    return [pixel_scores(one) for one in maps], counts


def _over_seeds(metric: ClipMetric, runs: Sequence[Sequence[Any]], resamples: int) -> Metric:
    """The metric of each run, with its interval where there are resamples."""
    values = [metric.of(run) for run in runs]
    per_seed = tuple(map(float, values))
    note = "; ".join(dict.fromkeys(getattr(value, "note", "") for value in values))
    if not resamples:
        return Metric(metric.name, metric.protocol, per_seed, note=note)

    def mean_over_seeds(clips: Sequence[tuple[Any, ...]]) -> float:
        return float(np.mean([float(metric.of(run)) for run in zip(*clips, strict=True)]))

    interval = bootstrap_over_clips(mean_over_seeds, list(zip(*runs, strict=True)), resamples)
    return Metric(metric.name, metric.protocol, per_seed, interval.low, interval.high, note)


@dataclass(frozen=True)
class TrueInterval:
    """A true interval and how soon it was told.

    first_frame, last_frame: counted from 0, the last one included.  kinds: what is seen in it, where that is known.
    alarm_s: by seed, seconds from its start to the alarm; None where it was not told.
    """

    clip: str
    first_frame: int
    last_frame: int
    kinds: tuple[str, ...]
    alarm_s: tuple[float | None, ...]


def told_intervals(runs: Sequence[Sequence[ClipScores]]) -> list[TrueInterval]:
    """Every true interval of the clips in order; none where nobody looked for events.  runs: as for `measure`."""
    found = []
    for of_seeds in zip(*runs, strict=True):
        told = [scores for clip in of_seeds if (scores := clip.told) is not None]
        for first, last in intervals(of_seeds[0].labels) if told else ():
            kinds = tuple(kind for kind, seen in told[0].kinds.items() if seen[first : last + 1].any())
            delays = tuple(alarm_delay_s(scores, first, last) for scores in told)
            found.append(TrueInterval(told[0].name, first, last, kinds, delays))
    return found


@dataclass(frozen=True)
class KindMetric:
    """One kind of anomaly over several seeds; see KIND_PROTOCOL.  auc: empty where there is no normal frame."""

    kind: str
    frames: int
    intervals: int
    auc: tuple[float, ...]
    told: tuple[int, ...]


def measure_kinds(runs: Sequence[Sequence[ClipScores]]) -> list[KindMetric]:
    """Every kind that is known of the clips, in order of names.  runs: as for `measure`."""
    by_seed = [
        score_kinds([(clip.anomaly, scores) for clip in run if (scores := clip.told) is not None]) for run in runs
    ]
    found = []
    for of_seeds in zip(*by_seed, strict=True):
        kind, aucs = of_seeds[0], tuple(scores.auc for scores in of_seeds if scores.auc is not None)
        found.append(
            KindMetric(kind.kind, kind.frames, kind.intervals, aucs, tuple(scores.told for scores in of_seeds))
        )
    return found


def kind_table(kinds: Sequence[KindMetric]) -> str:
    """A table for the terminal; means over seeds."""
    lines = [f"  {'by kind':<31}{'AUC':>7}{'frames':>9}{'told':>10}"]
    for kind in kinds:
        auc = f"{np.mean(kind.auc):.4f}" if kind.auc else "–"
        told = f"{np.mean(kind.told):.3g} of {kind.intervals}"
        lines.append(f"  {kind.kind:<31}{auc:>7}{kind.frames:>9}{told:>10}")
    return "\n".join(lines)


def metric_table(metrics: Sequence[Metric]) -> str:
    """A table for the terminal; intervals over clips only where one was drawn."""
    over_clips = f"{'95 % over clips':>18}" if any(metric.low is not None for metric in metrics) else ""
    lines = [f"  {'':<31}{'mean':>7}{'± seeds':>9}{over_clips}"]
    for metric in metrics:
        interval = "" if metric.low is None else f"{metric.low:.3f} to {metric.high:.3f}"
        note = f"   {metric.note}" if metric.note else ""
        lines.append(f"  {metric.name:<31}{metric.mean:>7.4f}{metric.spread:>9.4f}{interval:>18}{note}".rstrip())
    return "\n".join(lines)


def provenance(command: Sequence[str]) -> dict[str, Any]:
    """Where a measurement comes from: command, commit, machine, versions."""
    packages = ("crowdad", "torch", "numpy", "opencv-python-headless", "av", "scikit-learn")
    return {
        "command": " ".join(command),
        "commit": _commit(),
        "machine": {"system": platform.platform(), "processor": _processor(), "cores": _cores()},
        "versions": {"python": platform.python_version(), **{name: version(name) for name in packages}},
        "measured_at": time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime()),
    }


def _commit() -> str | None:
    """The commit of the checkout that this runs from, "+" where it was changed; None outside of one."""
    git = partial(subprocess.run, cwd=Path(__file__).parent, capture_output=True, text=True, check=True)
    try:
        commit = git(["git", "rev-parse", "HEAD"]).stdout.strip()
        changed = git(["git", "status", "--porcelain", "--untracked-files=no"]).stdout.strip()
    except (OSError, subprocess.CalledProcessError):
        return None
    return commit + ("+" if changed else "")


def _processor() -> str:
    try:
        described = Path("/proc/cpuinfo").read_text(encoding="utf-8").splitlines()
    except OSError:
        return platform.processor()
    return next((line.partition(":")[2].strip() for line in described if line.startswith("model name")), "")


def _cores() -> int | None:
    import os

    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count()


def mapped(metrics: Sequence[Metric]) -> Mapping[str, dict[str, Any]]:
    """The metrics by name, as plain values."""
    return {metric.name: metric.as_dict() for metric in metrics}
