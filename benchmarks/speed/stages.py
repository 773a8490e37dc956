"""Seconds of each stage over the same footage, one after the other in one process.

python -m benchmarks.speed.stages VIDEO MODEL REPEATS [--no-overlay] prints {stage: [seconds, ...]}; how many cores it
has is for whoever starts it to say.  Each stage reads what the one before it left in memory; the first round warms up.
"""

from __future__ import annotations

import json
import sys
import tempfile
import time
from collections.abc import Callable, Sequence
from functools import partial
from pathlib import Path

import av
import numpy as np
import numpy.typing as npt

from crowdad.detection.detector import Detector
from crowdad.detection.events import find_events
from crowdad.outputs.overlay import write_overlay
from crowdad.outputs.tables import FrameLog, FrameTable
from crowdad.records import FrameResult, Tubes
from crowdad.scene.heatmap import voter_of
from crowdad.scene.model import SceneModel
from crowdad.scene.normality import normality
from crowdad.sources import open_source
from crowdad.tubes.patches import Extractor

__all__ = ["STAGES", "stage_seconds"]

STAGES = {
    "decode": "packets to pictures and no more: the floor",
    "decode and luma": "frames as the detector takes them",
    "motion": "flow and its maps, every step",
    "tubes": "followed back and sampled",
    "encoder": "unit codes",
    "normality": "largest cosine to a centre",
    "heatmap and events": "votes, smoothing, events",
    "overlay": "read again in colour, painted, encoded",
}
_BATCH_STEPS = 8  # as the detector takes them


def stage_seconds(video: Path, scene: SceneModel, repeats: int, *, overlay: bool = True) -> dict[str, list[float]]:
    """Seconds of every stage (without `overlay` of all but that), `repeats` of each after a warm-up."""
    taken: dict[str, list[float]] = {}
    for repeat in range(repeats + 1):
        for name, seconds in _round(video, scene, overlay).items():
            if repeat:
                taken.setdefault(name, []).append(seconds)
    return taken


def _round(video: Path, scene: SceneModel, overlay: bool) -> dict[str, float]:
    source = open_source(video)
    fitted = scene.fitted_to(source.info.size_hw, source.fps)
    gap = fitted.scale.gap
    taken = {
        "decode": _timed(lambda: _decode(video)),
        "decode and luma": _timed(lambda: sum(1 for _ in source.frames())),
    }

    extractor = Extractor(fitted.scale, fitted.settings)
    steps: list[Tubes | None] = []
    motion_s = tubes_s = 0.0
    for luma in [frame.luma for frame in source.frames()][::gap]:
        motion_s += _timed(partial(extractor.look, luma))
        tubes_s += _timed(lambda: steps.append(extractor.tubes()))
    taken |= {"motion": motion_s, "tubes": tubes_s}

    batches = [np.concatenate([tubes.features for tubes in part]) for part in _batches(steps)]
    codes: list[npt.NDArray[np.float32]] = []
    taken["encoder"] = _timed(lambda: codes.extend(map(fitted.motion.codes, batches)))
    taken["normality"] = _timed(lambda: [normality(part, fitted.motion.centres) for part in codes])

    scored = [(tubes, None if tubes is None else fitted.motion.normality(tubes.features)) for tubes in steps]
    voter = voter_of(fitted.scale, fitted.settings)
    voting_s = _timed(lambda: [list(voter.push(*step)) for step in scored] + [list(voter.finish())])
    results = list(Detector(fitted).run(source.frames()))
    taken["heatmap and events"] = voting_s + _timed(lambda: find_events(results, source.fps))
    if overlay:
        with tempfile.TemporaryDirectory(prefix="crowdad-") as folder:
            taken["overlay"] = _timed(lambda: _overlay(video, results, Path(folder) / "overlay.mp4"))
    return taken


def _decode(video: Path) -> None:
    with av.open(str(video)) as container:
        stream = container.streams.video[0]
        stream.thread_type = "AUTO"
        for _ in container.decode(stream):
            pass


def _overlay(video: Path, results: Sequence[FrameResult], path: Path) -> None:
    source = open_source(video)
    write_overlay(
        source.frames(color=True),
        ((result.index, result.heatmap) for result in results),
        _table(results),
        find_events(results, source.fps),
        path,
        fps=source.fps,
    )


def _table(results: Sequence[FrameResult]) -> FrameTable:
    log = FrameLog()
    for result in results:
        log.add(result)
    return log.table()


def _batches(steps: Sequence[Tubes | None]) -> list[list[Tubes]]:
    full = [tubes for tubes in steps if tubes is not None]
    return [full[place : place + _BATCH_STEPS] for place in range(0, len(full), _BATCH_STEPS)]


def _timed(work: Callable[[], object]) -> float:
    began_s = time.perf_counter()
    work()
    return time.perf_counter() - began_s


if __name__ == "__main__":
    drawn = "--no-overlay" not in sys.argv
    print(json.dumps(stage_seconds(Path(sys.argv[1]), SceneModel.load(sys.argv[2]), int(sys.argv[3]), overlay=drawn)))
