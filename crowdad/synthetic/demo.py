"""`crowdad demo`: the main job on a generated crowd, with the truth at hand to say how well it went."""

from __future__ import annotations

import json
import time
from dataclasses import asdict, dataclass, replace
from pathlib import Path

import numpy as np
import numpy.typing as npt

from crowdad.config import load_settings
from crowdad.errors import DataError, UndefinedMetricError
from crowdad.evaluation.metrics import FrameScores, frame_auc_micro
from crowdad.outputs.results import RunResults
from crowdad.outputs.tables import read_frames_csv
from crowdad.sources import open_source, read_ahead
from crowdad.synthetic import IN_SCOPE, ClipTruth, GeneratedClip, load_truth, scene_config, write_clip
from crowdad.workflows import Progress, Stage, detect
from crowdad.workflows.progress import counted, silent

__all__ = ["CLIP_NAME", "DEMO_SETTINGS", "DemoReport", "KindAuc", "prepare_clip", "run_demo", "score_by_kind"]

CLIP_NAME = "plaza.mp4"
RUN_NAME = "run"
_SCENE, _SEED = replace(scene_config("demo"), duration_s=50.0), 1
DEMO_SETTINGS = ("encoder.max_tubes=20000",)  # Half of what a camera deserves: the demo is to be over soon.
_BLOCK_PX = 16


@dataclass(frozen=True)
class KindAuc:
    """Frame AUC of one kind of anomaly against the frames without any.  in_scope: False for known limits."""

    kind: str
    auc: float
    frames: int
    in_scope: bool


@dataclass(frozen=True, eq=False)
class DemoReport:
    """How the demo went.  auc, baseline_auc: over all anomalies in scope; baseline: frame differencing."""

    video: Path
    folder: Path
    results: RunResults
    auc: float
    baseline_auc: float
    kinds: tuple[KindAuc, ...]
    seconds: float


def run_demo(folder: Path, *, seed: int = _SEED, progress: Progress = silent) -> DemoReport:
    """Draw the clip into `folder` (once), run `detect` on it without a model, and compare with the truth.

    Raises CrowdadError as `detect` does.
    """
    began_s = time.perf_counter()
    video = prepare_clip(folder, seed, progress)
    settings = load_settings(overrides=DEMO_SETTINGS)
    results = detect(video, output=folder / RUN_NAME, settings=settings, overwrite=True, progress=progress)
    truth = load_truth(video)
    anomaly = read_frames_csv(folder / RUN_NAME / "frames.csv").anomaly
    baseline = frame_differences(video, progress)
    return DemoReport(
        video,
        folder / RUN_NAME,
        results,
        in_scope_auc(anomaly, truth),
        in_scope_auc(baseline, truth),
        score_by_kind(anomaly, truth),
        time.perf_counter() - began_s,
    )


def prepare_clip(folder: Path, seed: int = _SEED, progress: Progress = silent) -> Path:
    """The demo's video in `folder`, drawn where it is not there, not whole or of another seed."""
    video = folder / CLIP_NAME
    clip = GeneratedClip(_SCENE, seed)
    try:
        if video.is_file() and _is_of(load_truth(video), clip):
            return video
    except DataError:
        pass  # Missing or damaged truth: both are written again.
    progress(Stage("drawing a crowd", 0, len(clip), "frame"))
    write_clip(clip, video)
    return video


def _is_of(truth: ClipTruth, clip: GeneratedClip) -> bool:
    """Whether the truth is of this very clip, and names as in scope what is in scope now."""
    scene = json.loads(json.dumps(asdict(clip.config)))
    in_scope = [any(kind in IN_SCOPE for kind in kinds) for kinds in truth.kinds]
    return truth.provenance == {"scene": scene, "seed": clip.seed} and in_scope == truth.labels.tolist()


def in_scope_auc(anomaly: npt.NDArray[np.floating], truth: ClipTruth) -> float:
    """Frame AUC of all anomalies in scope; frames with a known limit alone are left out."""
    used = truth.labels | ~truth.out_of_scope
    return frame_auc_micro([FrameScores("demo", anomaly[used], truth.labels[used])])


def score_by_kind(anomaly: npt.NDArray[np.floating], truth: ClipTruth) -> tuple[KindAuc, ...]:
    """Frame AUC of each kind of anomaly against frames without any, those in scope first."""
    calm = ~(truth.labels | truth.out_of_scope)
    found = []
    for kind in sorted({kind for kinds in truth.kinds for kind in kinds}):
        shown = truth.of_kind(kind)
        used = shown | calm
        try:
            auc = frame_auc_micro([FrameScores(kind, anomaly[used], shown[used])])
        except UndefinedMetricError:
            continue
        found.append(KindAuc(kind, auc, int(shown.sum()), kind in IN_SCOPE))
    return tuple(sorted(found, key=lambda row: (not row.in_scope, row.kind)))


def frame_differences(video: Path, progress: Progress = silent) -> npt.NDArray[np.float64]:
    """The baseline: float64 (T,), mean change of grey levels in the block of 16 x 16 pixels that changed most."""
    source = open_source(video)
    last: npt.NDArray[np.int16] | None = None
    changes = []
    for frame in counted(read_ahead(source.frames()), "differencing", source.expected_frames, progress):
        rows, columns = (side - side % _BLOCK_PX for side in frame.luma.shape)
        luma = frame.luma[:rows:2, :columns:2].astype(np.int16)
        change = np.zeros_like(luma) if last is None else np.abs(luma - last)
        blocks = change.reshape(rows // _BLOCK_PX, _BLOCK_PX // 2, columns // _BLOCK_PX, _BLOCK_PX // 2)
        changes.append(float(blocks.mean(axis=(1, 3)).max()))
        last = luma
    changes[0] = changes[min(1, len(changes) - 1)]
    return np.asarray(changes)
