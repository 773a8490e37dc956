"""How fast torch and ONNX Runtime score one scene, in one run: `python -m benchmarks.runtimes --quick`.

Throughput: tubes a second, in one process, the runtimes taking turns.  Each in a process of its own: seconds from its
start to the first scored frame, frames a second from there on, and peak memory.  Medians over the repeats, with the
least and the largest; ratios tell more than the numbers, which are the machine's.
"""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
import tempfile
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from benchmarks.rows import spread, write_report
from crowdad.config import load_settings
from crowdad.detection.detector import Detector
from crowdad.errors import CrowdadError
from crowdad.evaluation.datasets.catalogue import find_dataset
from crowdad.evaluation.datasets.clips import Dataset
from crowdad.evaluation.metrics import FrameScores, frame_auc_micro
from crowdad.scene.model import SceneModel
from crowdad.scene.runtimes import RUNTIMES, Runtime
from crowdad.sources import open_source
from crowdad.synthetic import GeneratedClip, write_clip
from crowdad.tubes.patches import Extractor
from crowdad.workflows import export, fit

RESULTS = Path(__file__).parent / "results" / "runtimes.json"
QUICK = ("encoder.epochs=2", "encoder.max_tubes=8000", "normality.clusters=64")

_BATCH_STEPS = 8  # as the detector takes them
_CHILD = """
import json, sys, time
from pathlib import Path
from crowdad.workflows import score
results = score(sys.argv[1], sys.argv[2], runtime=sys.argv[3])
next(results)
first_s = time.monotonic()
frames = sum(1 for _ in results)
seconds = time.monotonic() - first_s
# Not getrusage: its peak goes on from that of the process that started this one.
status = dict(line.split(":", 1) for line in Path("/proc/self/status").read_text().splitlines())
peak_mb = int(status["VmHWM"].split()[0]) / 1024
print(json.dumps({"first_at_s": first_s, "fps": frames / seconds, "peak_mb": peak_mb, "torch": "torch" in sys.modules}))
"""


def main(arguments: Sequence[str] | None = None) -> int:
    """Measure, print and write; returns the exit code."""
    options = _parser().parse_args(arguments)
    frames = options.frames or (200 if options.quick else 1000)
    repeats = options.repeats or (2 if options.quick else 5)
    try:
        dataset = None if options.data is None else find_dataset("ped2", options.data)
        with tempfile.TemporaryDirectory(prefix="crowdad-") as place:
            video, model, exported = _prepared(Path(place), options.scene, frames, options.model, quick=options.quick)
            rows = _throughput(video, model, repeats)
            for name, figures in _processes(video, model, repeats).items():
                rows[name] |= figures
            if dataset is not None:
                for name, auc in _on_ped2(dataset, options.model).items():
                    rows[name]["ped2_frame_auc"] = auc
    except CrowdadError as error:
        print(f"benchmarks.runtimes: {error}", file=sys.stderr)
        return 1
    report = {"benchmark": "runtimes", "scene": options.scene, "frames": frames, "repeats": repeats}
    report |= {"exported": exported, "rows": rows}
    _print(report)
    out = options.json or (None if options.quick else RESULTS)
    if out is not None:
        write_report(out, report, ["python", "-m", "benchmarks.runtimes", *(arguments or sys.argv[1:])])
    return 0


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.runtimes", description=__doc__)
    parser.add_argument("--quick", action="store_true", help="200 frames, twice; not written unless --json is given")
    parser.add_argument("--scene", default="ped2like", help="generated scene to run on (default: ped2like, 240x360)")
    parser.add_argument("--model", type=Path, help="model of such a scene (default: one is fitted)")
    parser.add_argument("--data", type=Path, help="folder with UCSD Ped2: its frame AUC by every runtime, too")
    parser.add_argument("--frames", type=int, help="length of the footage (default: 1000)")
    parser.add_argument("--repeats", type=int, help="of each measurement; the median counts (default: 5)")
    parser.add_argument("--json", type=Path, help=f"results file (default: {RESULTS})")
    return parser


def _prepared(
    folder: Path, scene: str, frames: int, given: Path | None, *, quick: bool
) -> tuple[Path, Path, dict[str, Any]]:
    """Footage, its model, and how far its graph is off torch."""
    fps = GeneratedClip(scene).fps
    video, model = folder / "footage.mp4", folder / "scene.safetensors"
    write_clip(GeneratedClip(scene, 2, duration_s=frames / fps), video)
    if given is None:
        normal = folder / "normal.mp4"
        write_clip(GeneratedClip(scene, 1, normal_only=True, duration_s=30.0 if quick else 60.0), normal)
        fit(normal, settings=load_settings(overrides=QUICK if quick else ()), output=model)
    else:
        SceneModel.load(given).save(model)
    return video, model, {"off_torch": export(model).difference}


def _throughput(video: Path, model: Path, repeats: int) -> dict[str, dict[str, Any]]:
    """Tubes a second of every runtime, taking turns over the tubes of the footage."""
    scene = SceneModel.load(model)
    batches = _batches(video, scene)
    runtimes = _runtimes(scene)
    tubes = sum(len(batch) for batch in batches)
    rates: dict[str, list[float]] = {name: [] for name in runtimes}
    for repeat in range(repeats + 1):
        for name, runtime in runtimes.items():
            began_s = time.perf_counter()
            for batch in batches:
                runtime.normality(batch)
            if repeat:  # the first round is the warm-up
                rates[name].append(tubes / (time.perf_counter() - began_s))
    return {name: {"tubes_per_s": spread(values)} for name, values in rates.items()}


def _runtimes(scene: SceneModel) -> dict[str, Runtime]:
    return {"torch": scene.motion, **{name: opened(scene.motion) for name, opened in RUNTIMES.items()}}


def _on_ped2(dataset: Dataset, given: Path | None) -> dict[str, float]:
    """Frame AUC (micro) of Ped2's test clips by every runtime; given: a model of Ped2, else one is fitted."""
    scene = fit([clip.open() for clip in dataset.train]) if given is None else SceneModel.load(given)
    runtimes = _runtimes(scene)
    scored: dict[str, list[FrameScores]] = {name: [] for name in runtimes}
    for clip in dataset.test:
        source = clip.open()
        fitted = scene.fitted_to(source.info.size_hw, source.fps)
        for name, runtime in runtimes.items():
            results = Detector(fitted, runtime=runtime).run(source.frames())
            anomaly = np.array([result.anomaly for result in results], np.float32)
            scored[name].append(FrameScores(clip.name, anomaly, clip.labels()))
    return {name: frame_auc_micro(clips) for name, clips in scored.items()}


def _batches(video: Path, scene: SceneModel) -> list[npt.NDArray[np.float32]]:
    """The footage's tubes, (N, C, T, rows, columns), of as many steps at once as the detector takes."""
    source = open_source(video)
    fitted = scene.fitted_to(source.info.size_hw, source.fps)
    extractor = Extractor(fitted.scale, fitted.settings)
    pictures = (frame.luma for place, frame in enumerate(source.frames()) if place % fitted.scale.gap == 0)
    steps = [tubes.features for luma in pictures if (tubes := extractor.push(luma)) is not None]
    return [np.concatenate(steps[first : first + _BATCH_STEPS]) for first in range(0, len(steps), _BATCH_STEPS)]


def _processes(video: Path, model: Path, repeats: int) -> dict[str, dict[str, Any]]:
    """Each runtime in processes of its own: start to first frame, frames a second after it, peak memory."""
    found: dict[str, list[dict[str, float]]] = {name: [] for name in ("torch", *RUNTIMES)}
    for _ in range(repeats):
        for name, runs in found.items():
            began_s = time.monotonic()
            command = [sys.executable, "-c", _CHILD, str(video), str(model), name]
            told = json.loads(subprocess.run(command, capture_output=True, text=True, check=True).stdout)
            if told.pop("torch") != (name == "torch"):
                raise RuntimeError(f"{name}: torch was loaded where it must not be, or was not where it must")
            runs.append({"first_frame_s": told.pop("first_at_s") - began_s, **told})
    return {name: {key: spread([run[key] for run in runs]) for key in runs[0]} for name, runs in found.items()}


def _print(report: Mapping[str, Any]) -> None:
    rows, columns = report["rows"], {"tubes_per_s": "tubes/s", "first_frame_s": "first frame, s"}
    columns |= {"fps": "frames/s after it", "peak_mb": "peak MB"}
    print(f"{'':<12}" + "".join(f"{title:>30}" for title in columns.values()))
    for name, row in rows.items():
        cells = [_cell(row.get(key), rows["torch"][key]["median"]) for key in columns]
        print(f"{name:<12}" + "".join(f"{cell:>30}" for cell in cells))
    print(f"graph: off torch by at most {report['exported']['off_torch']:.2g}")
    for name, row in rows.items():
        if "ped2_frame_auc" in row:
            lost = 100 * (rows["torch"]["ped2_frame_auc"] - row["ped2_frame_auc"])
            print(f"{name}: frame AUC on Ped2 {row['ped2_frame_auc']:.4f}, {lost:.3f} points lost")


def _cell(figure: Mapping[str, float] | None, torch: float) -> str:
    if figure is None:
        return ""
    return f"{figure['median']:.4g} ({figure['least']:.4g}-{figure['largest']:.4g}) {figure['median'] / torch:.2f}x"


if __name__ == "__main__":
    sys.exit(main())
