"""Data sets of footage under two protocols: learned from normal clips, and learned from the test clips unlabelled.

A scene is one fixed camera: where a data set has several, one is fitted for each and scores that camera's clips.
"""

from __future__ import annotations

import tempfile
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import asdict, dataclass, replace
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np

from crowdad.config import Settings
from crowdad.errors import ConfigError, DataError, TooLittleMotionError, UnclearSizeError
from crowdad.evaluation.datasets.clips import Dataset
from crowdad.evaluation.datasets.variants import VARIANTS, VariedClip, vary
from crowdad.evaluation.metrics import KIND_PROTOCOL
from crowdad.evaluation.protocols import (
    ClipScores,
    KindMetric,
    Metric,
    TrueInterval,
    mapped,
    measure,
    measure_kinds,
    provenance,
    refused_clip,
    score_clip,
    told_intervals,
)
from crowdad.outputs.h264 import H264Writer
from crowdad.scene.kinds import check_kinds
from crowdad.sources import Source, open_source
from crowdad.workflows import Progress, fit
from crowdad.workflows.progress import silent

__all__ = ["LOOKS_AT_TEST_LABELS", "PROTOCOLS", "TEST_INFORMED", "Outcome", "benchmark_video", "report"]

LOOKS_AT_TEST_LABELS = {"ped1": 40, "ped2": 276}
"""How often a data set's test labels had been looked at while choosing settings, none where it is not named;
benchmarks/README.md tells the story."""

TEST_INFORMED = (
    "motion.*",
    "tubes.*",
    "encoder.*",
    "normality.*",
    "heatmap.*",
    "scale.person_px",
    "scale.walk_px",
)
"""Settings whose values were taken over from scouting that looked at Ped2's test labels."""

PROTOCOLS = {
    "one-class": "fitted on the camera's normal training clips, no test frame seen",
    "unsupervised": "fitted on all test clips of a camera together as H.264 files, anomalies inside, no label seen",
    "alone": "each test clip fitted on itself alone, no label seen; scales every clip by itself, so no headline",
}

_CRF = 12


@dataclass(frozen=True, eq=False)
class Outcome:
    """One protocol's result.

    fit_s: seconds of fitting, one a seed.  fps: frames scored a second, with decoding, one a seed.
    assumed_fps: frames a second of the footage where it comes as pictures; None where the videos say.
    runs: the scored clips of each seed.  refused: names of clips from which nothing could be learned; they count as
    normal throughout.
    intervals: the true ones, and how soon each was told.  kinds: results by kind of anomaly, where kinds are known.
    """

    protocol: str
    metrics: tuple[Metric, ...]
    fit_s: tuple[float, ...]
    fps: tuple[float, ...]
    assumed_fps: float | None
    runs: tuple[Sequence[ClipScores], ...] = ()
    refused: tuple[str, ...] = ()
    intervals: tuple[TrueInterval, ...] = ()
    kinds: tuple[KindMetric, ...] = ()

    def as_dict(self) -> dict[str, Any]:
        """Plain values for a report."""
        return {
            "protocol": PROTOCOLS[self.protocol],
            "metrics": mapped(self.metrics),
            "fit_s": self.fit_s,
            "fps": self.fps,
            "refused": self.refused,
            "intervals": [asdict(interval) for interval in self.intervals],
            "kinds": {"protocol": KIND_PROTOCOL, "rows": [asdict(kind) for kind in self.kinds]},
        }


@dataclass(frozen=True, eq=False)
class _Lesson:
    """One fit and what it scores."""

    learning: Sequence[Source]
    scoring: Sequence[VariedClip]
    unlabelled: bool
    alone: bool = False


def benchmark_video(
    protocol: str,
    dataset: Dataset,
    *,
    seeds: Sequence[int] = (0, 1, 2),
    settings: Settings | None = None,
    variant: str = "native",
    device: str = "auto",
    resamples: int = 1000,
    progress: Progress = silent,
) -> Outcome:
    """Measure one protocol, a key of PROTOCOLS, on one data set, as `find_dataset` gives it.

    seeds: one fit each (and camera).  variant: a key of VARIANTS; fit and test see the same.
    Raises DataError (DatasetNotFoundError where it is not there), ConfigError for an unknown protocol or variant.
    """
    settings = settings or Settings()
    _check(dataset, protocol, variant, settings)
    runs: list[list[ClipScores]] = [[] for _ in seeds]
    fit_s = [0.0 for _ in seeds]
    for camera in dataset.cameras:
        with _lessons(dataset.of_camera(camera), protocol, variant) as lessons:
            for place, seed in enumerate(seeds):
                seeded = settings.model_copy(update={"seed": seed})
                for lesson in lessons:
                    run, seconds = _learn_and_score(lesson, seeded, device, progress)
                    runs[place] += run
                    fit_s[place] += seconds
    fps = tuple(_fps([clip for clip in run if not clip.refused]) for run in runs)
    refused = tuple(dict.fromkeys(clip.name for run in runs for clip in run if clip.refused))
    assumed_fps = next((clip.fps for clip in dataset.test), None)
    return Outcome(
        protocol,
        tuple(measure(runs, resamples)),
        tuple(fit_s),
        fps,
        assumed_fps,
        tuple(runs),
        refused,
        tuple(told_intervals(runs)),
        tuple(measure_kinds(runs)),
    )


def _fps(clips: Sequence[ClipScores]) -> float:
    return sum(len(clip.labels) for clip in clips) / max(sum(clip.seconds for clip in clips), 1e-9)


def _check(dataset: Dataset, protocol: str, variant: str, settings: Settings) -> None:
    """Raise where the protocol needs what is not there; told before hours are spent."""
    if protocol not in PROTOCOLS or variant not in VARIANTS:
        raise ConfigError(
            f"protocol {protocol!r}, variant {variant!r}; choose among {', '.join(PROTOCOLS)} and {', '.join(VARIANTS)}"
        )
    check_kinds(settings)
    without = [camera for camera in dataset.cameras if not dataset.of_camera(camera).train]
    if without and protocol == "one-class":
        raise DataError(
            f"{dataset.folder}: no training clips of camera {', '.join(without)}, whose test clips are there; "
            "get the data set again"
        )


@contextmanager
def _lessons(dataset: Dataset, protocol: str, variant: str) -> Iterator[list[_Lesson]]:
    """What one camera's scenes are fitted on and score; without normal clips both are test clips as video files."""
    tests = [vary(clip, variant) for clip in dataset.test]
    if protocol == "one-class":
        yield [_Lesson([vary(clip, variant).source for clip in dataset.train], tests, unlabelled=False)]
        return
    with tempfile.TemporaryDirectory(prefix="crowdad-") as place:
        files = [_as_video(clip, Path(place) / f"{clip.name}.mp4") for clip in tests]
        alone = protocol == "alone"
        together = [[file] for file in files] if alone else [files]
        yield [_Lesson([clip.source for clip in clips], clips, unlabelled=True, alone=alone) for clips in together]


def _learn_and_score(
    lesson: _Lesson, settings: Settings, device: str, progress: Progress
) -> tuple[list[ClipScores], float]:
    """The scored clips, and seconds of fitting; a clip that cannot be learned from itself costs only itself."""
    truths = [
        (clip.source, clip.labels, partial(getattr, clip, "masks") if clip.has_masks else None)
        for clip in lesson.scoring
    ]
    began_s = time.perf_counter()
    try:
        scene = fit(lesson.learning, unlabelled=lesson.unlabelled, settings=settings, device=device, progress=progress)
    except (TooLittleMotionError, UnclearSizeError):
        if not lesson.alone:
            raise
        scored = [refused_clip(*truth) for truth in truths]
        return _with_kinds(scored, lesson), time.perf_counter() - began_s
    seconds = time.perf_counter() - began_s
    return _with_kinds([score_clip(scene, *truth, device) for truth in truths], lesson), seconds


def _with_kinds(scored: Sequence[ClipScores], lesson: _Lesson) -> list[ClipScores]:
    return [replace(clip, kinds=varied.kinds) for clip, varied in zip(scored, lesson.scoring, strict=True)]


def _as_video(clip: VariedClip, path: Path) -> VariedClip:
    info = clip.source.info
    with H264Writer(path, info.size_hw, info.fps, crf=_CRF) as video:
        for frame in clip.source.frames():
            video.write(np.repeat(frame.luma[..., None], 3, axis=2), frame.time_s)
    return replace(clip, source=open_source(path))


def report(
    outcomes: Sequence[Outcome],
    *,
    name: str,
    seeds: Sequence[int],
    settings: Settings,
    variant: str,
    command: Sequence[str],
) -> dict[str, Any]:
    """Everything that a published number needs beside it, ready for JSON."""
    return {
        "benchmark": name,
        "variant": f"{variant}: {VARIANTS[variant].what}",
        "assumed_fps": outcomes[0].assumed_fps if outcomes else None,
        "frames_dropped": 0,
        "seeds": list(seeds),
        "looks_at_test_labels": LOOKS_AT_TEST_LABELS.get(name, 0),
        "test_informed_settings": list(TEST_INFORMED),
        "settings": settings.model_dump(mode="json"),
        **provenance(command),
        "outcomes": {outcome.protocol: outcome.as_dict() for outcome in outcomes},
    }
