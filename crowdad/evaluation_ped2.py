"""UCSD Ped2 (and Ped1) under two protocols: learned from normal clips, and learned from the test clips unlabelled."""

from __future__ import annotations

import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from crowdad.config import Settings
from crowdad.datasets.ucsd import ASSUMED_FPS, UcsdDataset, find_clips
from crowdad.datasets.variants import VARIANTS, VariantName, VariedClip, vary
from crowdad.errors import ConfigError
from crowdad.evaluation import ClipScores, Metric, mapped, measure, provenance, score_clip
from crowdad.outputs.h264 import H264Writer
from crowdad.sources import open_source
from crowdad.workflows import Progress, fit
from crowdad.workflows.progress import silent

__all__ = ["LOOKS_AT_TEST_LABELS", "PROTOCOLS", "TEST_INFORMED", "Outcome", "benchmark_ucsd", "report"]

LOOKS_AT_TEST_LABELS = 163
"""How often Ped2's test labels had been looked at while choosing settings; benchmarks/README.md tells the story."""

TEST_INFORMED = (
    "motion.*",
    "tubes.*",
    "encoder.*",
    "normality.*",
    "heatmap.*",
    "scale.person_px",
    "scale.walk_px",
)
"""Settings whose values were taken over from scouting that looked at test labels."""

PROTOCOLS = {
    "one-class": "fitted on the normal training clips, no test frame seen",
    "unsupervised": "fitted on all test clips together as H.264 files, anomalies inside, no label seen",
    "alone": "each test clip fitted on itself alone, no label seen; scales every clip by itself, so no headline",
}

_CRF = 12


@dataclass(frozen=True, eq=False)
class Outcome:
    """One protocol's result.  fit_s: seconds of fitting, one a seed.  fps: frames scored a second, with decoding."""

    protocol: str
    metrics: tuple[Metric, ...]
    fit_s: tuple[float, ...]
    fps: tuple[float, ...]

    def as_dict(self) -> dict[str, Any]:
        """Plain values for a report."""
        return {
            "protocol": PROTOCOLS[self.protocol],
            "metrics": mapped(self.metrics),
            "fit_s": self.fit_s,
            "fps": self.fps,
        }


def benchmark_ucsd(
    protocol: str,
    root: Path | None = None,
    *,
    name: str = "ped2",
    seeds: Sequence[int] = (0, 1, 2),
    settings: Settings | None = None,
    variant: VariantName = "native",
    device: str = "auto",
    resamples: int = 1000,
    progress: Progress = silent,
    on_run: Callable[[int, Sequence[ClipScores]], None] | None = None,
) -> Outcome:
    """Measure one protocol, a key of PROTOCOLS.

    root: data folder.  seeds: one fit each.  variant: a key of VARIANTS; fit and test see the same.
    on_run: given each seed and its scored clips, to keep more of them than the metrics.
    Raises DatasetNotFoundError, ConfigError for an unknown protocol or variant.
    """
    if protocol not in PROTOCOLS or variant not in VARIANTS:
        raise ConfigError(
            f"protocol {protocol!r}, variant {variant!r}; choose among {', '.join(PROTOCOLS)} and {', '.join(VARIANTS)}"
        )
    dataset = find_clips(name, root)
    tests = [vary(clip, variant) for clip in dataset.test]
    settings = settings or Settings()
    runs, fit_s = [], []
    with _footage(dataset, tests, protocol, variant) as (learning, scoring):
        for seed in seeds:
            seeded = settings.model_copy(update={"seed": seed})
            if protocol == "alone":
                run, seconds = _each_alone(scoring, seeded, device, progress)
            else:
                began_s = time.perf_counter()
                unlabelled = protocol == "unsupervised"
                scene = fit(learning, unlabelled=unlabelled, settings=seeded, device=device, progress=progress)
                seconds = time.perf_counter() - began_s
                run = [score_clip(scene, clip.source, clip.labels, clip.masks, device) for clip in scoring]
            if on_run is not None:
                on_run(seed, run)
            runs.append(run)
            fit_s.append(seconds)
    fps = tuple(sum(len(clip.labels) for clip in run) / sum(clip.seconds for clip in run) for run in runs)
    return Outcome(protocol, tuple(measure(runs, resamples)), tuple(fit_s), fps)


def _each_alone(
    scoring: Sequence[VariedClip], settings: Settings, device: str, progress: Progress
) -> tuple[list[ClipScores], float]:
    run, seconds = [], 0.0
    for clip in scoring:
        began_s = time.perf_counter()
        scene = fit(clip.source, unlabelled=True, settings=settings, device=device, progress=progress)
        seconds += time.perf_counter() - began_s
        run.append(score_clip(scene, clip.source, clip.labels, clip.masks, device))
    return run, seconds


@contextmanager
def _footage(
    dataset: UcsdDataset, tests: Sequence[VariedClip], protocol: str, variant: VariantName
) -> Iterator[tuple[list[Any], list[VariedClip]]]:
    """What is learned from, and what is scored; without normal clips both are the test clips as video files."""
    if protocol == "one-class":
        yield [vary(clip, variant, truth=False).source for clip in dataset.train], list(tests)
        return
    with tempfile.TemporaryDirectory(prefix="crowdad-") as place:
        files = [_as_video(clip, Path(place) / f"{clip.name}.mp4") for clip in tests]
        yield [clip.source for clip in files], files


def _as_video(clip: VariedClip, path: Path) -> VariedClip:
    info = clip.source.info
    with H264Writer(path, info.size_hw, info.fps, crf=_CRF) as video:
        for frame in clip.source.frames():
            video.write(np.repeat(frame.luma[..., None], 3, axis=2), frame.time_s)
    return VariedClip(clip.name, open_source(path), clip.labels, clip.masks)


def report(
    outcomes: Sequence[Outcome],
    *,
    name: str,
    seeds: Sequence[int],
    settings: Settings,
    variant: VariantName,
    command: Sequence[str],
) -> dict[str, Any]:
    """Everything that a published number needs beside it, ready for JSON."""
    return {
        "benchmark": name,
        "variant": f"{variant}: {VARIANTS[variant]}",
        "assumed_fps": ASSUMED_FPS,
        "frames_dropped": 0,
        "seeds": list(seeds),
        "looks_at_test_labels": LOOKS_AT_TEST_LABELS,
        "test_informed_settings": list(TEST_INFORMED),
        "settings": settings.model_dump(mode="json"),
        **provenance(command),
        "outcomes": {outcome.protocol: outcome.as_dict() for outcome in outcomes},
    }
