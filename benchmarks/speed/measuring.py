"""What is measured: rows, one a stage or a command, each with the median of its repeats."""

from __future__ import annotations

import os
import statistics
import sys
import tempfile
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np

from benchmarks.rows import Row, spread
from benchmarks.speed.commands import detect_run, first_line_s, fit_run, help_s, on_cores
from benchmarks.speed.footage import FOOTAGE, Footage, prepared, repeated, resized
from benchmarks.speed.real import scene_row, scenes_in
from benchmarks.speed.stages import STAGES
from crowdad.config import Settings
from crowdad.evaluation.datasets.catalogue import find_dataset
from crowdad.evaluation.metrics import FrameScores, frame_auc_micro
from crowdad.outputs.tables import read_frames_csv
from crowdad.workflows import score

__all__ = ["COMMANDS", "Measuring"]

COMMANDS: Mapping[str, Mapping[str, Any]] = {
    "scores, torch": {},
    "scores, ONNX Runtime": {"runtime": "onnx"},
    "with the report, ONNX Runtime": {"runtime": "onnx", "report": True},
    "with the overlay, ONNX Runtime": {"runtime": "onnx", "overlay": True},
}
"""Forms of `crowdad detect`: keywords of `detect_run`; on one core only the first is measured."""

_TIMES = (1, 2, 4, 16)
_LINES = (180, 270, 360, 540, 720, 1080, 2160)


@dataclass
class Measuring:
    """Measures one part after the other.

    folder: where footage and models are kept.  data: with UCSD Ped2; None leaves its footage out.
    repeats: of each measurement.  frames: of generated footage.  quick: only what shows that all of it runs.
    """

    folder: Path
    data: Path | None
    settings: Settings
    repeats: int
    frames: int
    quick: bool = False
    _footage: dict[str, Footage] = field(default_factory=dict)

    @cached_property
    def cores(self) -> tuple[int, ...]:
        """1, and all that this process may use."""
        return tuple(sorted({1, len(os.sched_getaffinity(0))}))

    def rows(self, part: str, names: Sequence[str]) -> Iterator[Row]:
        """The rows of a part, each as soon as it is measured."""
        if self.data is None:
            names = [name for name in names if name != "ped2"]
        parts: dict[str, Callable[[Sequence[str]], Iterator[Row]]] = {
            "stages": self._stages,
            "commands": self._commands,
            "starting": self._starting,
            "growth": self._growth,
            "fit": self._fit,
            "accuracy": self._accuracy,
            "scenes": self._scenes,
        }
        for row in parts[part](names):
            _tell(row)
            yield row

    def _of(self, name: str) -> Footage:
        if name not in self._footage:
            print(f"preparing {name} ({FOOTAGE[name]})", file=sys.stderr, flush=True)
            self._footage[name] = prepared(name, self.folder, self.data, self.frames, self.settings)
        return self._footage[name]

    def _stages(self, names: Sequence[str]) -> Iterator[Row]:
        for name in names:
            footage = self._of(name)
            for cores in self.cores:
                command = [sys.executable, "-m", "benchmarks.speed.stages", str(footage.video), str(footage.model)]
                taken = on_cores([*command, str(self.repeats)], cores)
                floor = statistics.median(taken["decode"])
                for stage in STAGES:
                    row: Row = {
                        "part": "stages",
                        "footage": name,
                        "cores": cores,
                        "stage": stage,
                        "frames": footage.frames,
                    }
                    row |= {"seconds": spread(taken[stage]), **_rate(footage, statistics.median(taken[stage]))}
                    yield row | {"of_decode": round(statistics.median(taken[stage]) / floor, 3)}

    def _commands(self, names: Sequence[str]) -> Iterator[Row]:
        for name in names:
            footage = self._of(name)
            for cores in self.cores:
                for form, keywords in list(COMMANDS.items())[: None if cores == self.cores[-1] else 1]:
                    runs = []
                    with tempfile.TemporaryDirectory(prefix="crowdad-") as place:
                        for repeat in range(self.repeats):
                            output = Path(place) / str(repeat)
                            runs.append(detect_run(footage.video, footage.model, output, cores=cores, **keywords))
                        row: Row = {"part": "commands", "footage": name, "cores": cores, "form": form}
                        row |= {"frames": footage.frames} | _spreads(runs)
                        row |= _rate(footage, row["after_s"]["median"])
                        if footage.labels is not None:
                            row["frame_auc"] = _auc(output, footage)
                    yield row

    def _starting(self, names: Sequence[str]) -> Iterator[Row]:
        footage = self._of(names[0])
        with tempfile.TemporaryDirectory(prefix="crowdad-") as place:
            detect = ["detect", str(footage.video), "-m", str(footage.model), "-o", f"{place}/run", "--overwrite"]
            fit = ["fit", str(footage.video), "-o", f"{place}/scene.safetensors"]
            waits = {
                "crowdad --help": help_s,
                "first line of crowdad detect": lambda: first_line_s(detect),
                "first line of crowdad fit": lambda: first_line_s(fit),
            }
            for what, wait in waits.items():
                wait()
                yield {"part": "starting", "what": what, "seconds": spread([wait() for _ in range(self.repeats)])}

    def _growth(self, names: Sequence[str]) -> Iterator[Row]:
        cores = self.cores[-1]
        with tempfile.TemporaryDirectory(prefix="crowdad-") as place:
            short = self._of("ped2" if "ped2" in names else names[0])
            for times in _TIMES[:2] if self.quick else _TIMES:
                video = repeated(short, times, Path(place))
                run = detect_run(video, short.model, Path(place) / f"x{times}", cores=cores)
                yield {"part": "growth", "with": "length", "frames": short.frames * times, "cores": cores} | _spreads(
                    [run]
                )
                video.unlink()
            large = self._of("1080p25" if "1080p25" in names else names[-1])
            for lines in _LINES[:2] if self.quick else _LINES:
                video = resized(large, lines, Path(place))
                command = [sys.executable, "-m", "benchmarks.speed.stages", str(video), str(large.model)]
                taken = on_cores([*command, str(min(self.repeats, 3)), "--no-overlay"], cores)
                per_frame = {stage: statistics.median(seconds) / large.frames for stage, seconds in taken.items()}
                yield {"part": "growth", "with": "resolution", "lines": lines, "cores": cores, "per_frame_s": per_frame}
                video.unlink()

    def _fit(self, names: Sequence[str]) -> Iterator[Row]:
        if "ped2" not in names or self.data is None or self.quick:
            return
        with tempfile.TemporaryDirectory(prefix="crowdad-") as place:
            run = fit_run(self.data, Path(place) / "scene.safetensors", cores=self.cores[-1])
        yield {"part": "fit", "footage": "ped2", "cores": self.cores[-1]} | _spreads([run])

    def _accuracy(self, names: Sequence[str]) -> Iterator[Row]:
        if "ped2" not in names or self.data is None or self.quick:
            return
        clips = find_dataset("ped2", self.data).test
        model = self._of("ped2").model
        for runtime in ("torch", "onnx"):
            scored = []
            for clip in clips:
                anomaly = [result.anomaly for result in score(clip.open(), model, runtime=runtime)]
                scored.append(FrameScores(clip.name, np.array(anomaly, np.float32), clip.labels()))
            yield {"part": "accuracy", "footage": "ped2", "runtime": runtime, "frame_auc": frame_auc_micro(scored)}

    def _scenes(self, _names: Sequence[str]) -> Iterator[Row]:
        for video in scenes_in(self.data):
            with tempfile.TemporaryDirectory(prefix="crowdad-") as place:
                yield scene_row(video, Path(place), cores=self.cores[-1], repeats=self.repeats)


def _auc(run: Path, footage: Footage) -> float:
    """Frame AUC, micro, of a run over all of the test clips in one video, seams and all."""
    assert footage.labels is not None
    return frame_auc_micro([FrameScores(footage.name, read_frames_csv(run / "frames.csv").anomaly, footage.labels)])


def _rate(footage: Footage, seconds: float) -> Row:
    fps = footage.frames / seconds
    return {"fps": round(fps, 1), "of_real_time": round(fps / footage.fps, 2)}


def _spreads(runs: Sequence[Mapping[str, float]]) -> Row:
    return {key: spread([run[key] for run in runs]) for key in runs[0]}


def _tell(row: Row) -> None:
    named = [
        str(row[key])
        for key in ("part", "footage", "scene", "what", "stage", "form", "with", "lines", "runtime")
        if key in row
    ]
    cores = f" on {row['cores']}" if "cores" in row else ""
    figures = [f"{row['fps']:.0f} frames a second" if "fps" in row else ""]
    figures += [f"{row[key]['median']:.2f} s" for key in ("seconds", "after_s") if key in row]
    if row["part"] == "scenes" and "peak_mb" in row:
        figures.append(f"{row['whole_s']['median']:.1f} s, {row['peak_mb']['median']:.0f} MB")
    figures += [row.get("refused", "")]
    figures += [f"frame AUC {row['frame_auc']:.4f}" if "frame_auc" in row else ""]
    if "per_frame_s" in row:
        figures.append(f"{1000 * float(np.sum(list(row['per_frame_s'].values()))):.1f} ms a frame")
    print(f"{', '.join(named)}{cores}: {', '.join(filter(None, figures))}", flush=True)
