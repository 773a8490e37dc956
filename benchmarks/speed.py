"""How fast each stage of the main job is, in one run on one machine: `python -m benchmarks.speed --quick`.

Stages: decode | motion and tubes | encoder and normality | heatmap and events, then `crowdad detect` from first to last
frame without and with the overlay.  Medians over the repeats; ratios tell more than the numbers, which are the
machine's.
"""

from __future__ import annotations

import argparse
import statistics
import sys
import tempfile
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from benchmarks.rows import write_report
from crowdad.config import Settings, load_settings
from crowdad.datasets.generated import GeneratedClip, write_clip
from crowdad.detector import Detector
from crowdad.events import find_events
from crowdad.patches import Extractor
from crowdad.records import FrameResult, Tubes
from crowdad.scene import SceneModel
from crowdad.sources import open_source
from crowdad.workflows import detect, fit

RESULTS = Path(__file__).parent / "results" / "speed.json"
QUICK = ("encoder.epochs=2", "encoder.max_tubes=8000", "normality.clusters=64")


def main(arguments: Sequence[str] | None = None) -> int:
    """Measure, print and write; returns the exit code."""
    options = _parser().parse_args(arguments)
    frames = options.frames or (300 if options.quick else 2000)
    repeats = options.repeats or (1 if options.quick else 3)
    settings = load_settings(overrides=QUICK if options.quick else ())
    with tempfile.TemporaryDirectory(prefix="crowdad-") as place:
        rows = _measure(Path(place), options.scene, frames, repeats, settings)
    report = {"benchmark": "speed", "scene": options.scene, "frames": frames, "repeats": repeats, "rows": rows}
    _print(rows)
    out = options.json or (None if options.quick else RESULTS)
    if out is not None:
        write_report(out, report, ["python", "-m", "benchmarks.speed", *(arguments or sys.argv[1:])])
    return 0


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.speed", description=__doc__)
    parser.add_argument("--quick", action="store_true", help="300 frames, once; not written unless --json is given")
    parser.add_argument("--scene", default="ped2like", help="generated scene to run on (default: ped2like, 240x360)")
    parser.add_argument("--frames", type=int, help="length of the footage (default: 2000)")
    parser.add_argument("--repeats", type=int, help="of each stage; the median counts (default: 3)")
    parser.add_argument("--json", type=Path, help=f"results file (default: {RESULTS})")
    return parser


def _measure(folder: Path, scene: str, frames: int, repeats: int, settings: Settings) -> list[dict[str, Any]]:
    fps = GeneratedClip(scene).fps
    video, normal, model = folder / "footage.mp4", folder / "normal.mp4", folder / "scene.safetensors"
    write_clip(GeneratedClip(scene, 2, duration_s=frames / fps), video)
    write_clip(GeneratedClip(scene, 1, normal_only=True, duration_s=min(frames / fps, 60.0)), normal)
    began_s = time.perf_counter()
    fit(normal, settings=settings, output=model)
    rows = [
        {"stage": "fit", "seconds": round(time.perf_counter() - began_s, 3), "frames": round(min(frames, 60 * fps))}
    ]
    stages = _stages(video, SceneModel.load(model))
    for name, stage in stages.items():
        rows.append(_row(name, frames, [stage() for _ in range(repeats)]))
    for name, overlay in (("detect, no overlay", False), ("detect, overlay", True)):
        seconds, startup_s = [], []
        for repeat in range(repeats):
            began_s = time.perf_counter()
            results = detect(video, model=model, output=folder / f"{overlay}-{repeat}", overlay=overlay)
            total_s = time.perf_counter() - began_s
            seconds.append(total_s - results.timing.startup_s)
            startup_s.append(results.timing.startup_s)
        rows.append({**_row(name, frames, seconds), "startup_s": round(statistics.median(startup_s), 3)})
    return rows


def _row(name: str, frames: int, seconds: Sequence[float]) -> dict[str, Any]:
    median_s = statistics.median(seconds)
    return {"stage": name, "seconds": round(median_s, 3), "frames": frames, "fps": round(frames / median_s, 1)}


def _stages(video: Path, scene: SceneModel) -> dict[str, Callable[[], float]]:
    """Name -> a function that runs the stage over the whole footage and returns its seconds."""
    source = open_source(video)
    fitted = scene.fitted_to(source.info.size_hw, source.fps)
    steps: list[Tubes | None] = []
    results: list[FrameResult] = []

    def decode() -> float:
        return _timed(lambda: sum(1 for _ in source.frames()))

    def tubes() -> float:
        lumas = [frame.luma for frame in source.frames()][:: fitted.scale.gap]
        extractor = Extractor(fitted.scale, fitted.settings)
        steps.clear()
        return _timed(lambda: steps.extend(extractor.push(luma) for luma in lumas))

    def encode() -> float:
        batches = [part for part in _batches(steps) if part]
        return _timed(lambda: [fitted.normality(np.concatenate([t.features for t in part])) for part in batches])

    def vote() -> float:
        scored = [(t, None if t is None else fitted.normality(t.features)) for t in steps]
        voter = fitted.voter()
        seconds = _timed(lambda: [list(voter.push(t, n)) for t, n in scored] + [list(voter.finish())])
        if not results:
            results.extend(Detector(fitted).run(source.frames()))
        return seconds + _timed(lambda: find_events(results, source.fps))

    return {"decode": decode, "motion and tubes": tubes, "encoder and normality": encode, "heatmap and events": vote}


def _batches(steps: Sequence[Tubes | None], size: int = 8) -> list[list[Tubes]]:
    full = [tubes for tubes in steps if tubes is not None]
    return [full[place : place + size] for place in range(0, len(full), size)]


def _timed(work: Callable[[], object]) -> float:
    began_s = time.perf_counter()
    work()
    return time.perf_counter() - began_s


def _print(rows: Sequence[dict[str, Any]]) -> None:
    whole = next(row["seconds"] for row in rows if row["stage"] == "detect, no overlay")
    for row in rows:
        fps = f"{row['fps']:8.1f} fps" if "fps" in row else " " * 12
        print(f"{row['stage']:<24}{row['seconds']:9.2f} s{fps}{row['seconds'] / whole:8.2f} of detect")


if __name__ == "__main__":
    sys.exit(main())
