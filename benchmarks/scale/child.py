"""One measurement in a process of its own, so that its peak memory is its own: prints one line of JSON.

python -m benchmarks.scale.child '{"do": "measure", "footage": ["clip.mp4"], "fps": null, "places": [[100, 50]]}'
"""

from __future__ import annotations

import json
import subprocess
import sys
import tempfile
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from benchmarks.rows import Row
from benchmarks.scale.scenes import Scene
from crowdad.config import Settings
from crowdad.errors import CrowdadError
from crowdad.sources import open_source

__all__ = ["in_a_process", "run"]

ROOT = Path(__file__).parents[2]


def in_a_process(scene: Scene, do: str, limit_s: float, person_height: str | None = None) -> Row:
    """What `run` gives, from a fresh process; {"failed": why} where it crashed or took longer than limit_s.

    person_height: given to "detect" instead of measuring it.
    """
    job = {
        "do": do,
        "footage": [str(path) for path in scene.footage],
        "fps": scene.fps,
        "places": [(place.x, place.y) for place in scene.places],
        "person_height": person_height,
    }
    command = [sys.executable, "-m", "benchmarks.scale.child", json.dumps(job)]
    try:
        ended = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False, timeout=limit_s)
    except subprocess.TimeoutExpired:
        return {"failed": f"not finished after {limit_s:g} s"}
    if ended.returncode:
        return {"failed": (ended.stderr.strip().splitlines() or [f"ended with {ended.returncode}"])[-1]}
    row: Row = json.loads(ended.stdout.splitlines()[-1])
    return row


def run(job: Mapping[str, Any]) -> Row:
    """Do it here; what crowdad refuses is told as {"refused": its message}.  Adds seconds and peak memory."""
    began = time.monotonic()
    try:
        told = {"measure": _measure, "detect": _detect}[job["do"]](job)
    except CrowdadError as error:
        told = {"refused": str(error), "refused_as": type(error).__name__}
    return {**told, "seconds": round(time.monotonic() - began, 2), "peak_mb": _peak_mb()}


def _measure(job: Mapping[str, Any]) -> Row:
    from crowdad.scene.sampling import measure_people

    sources = [open_source(path, fps=job["fps"]) for path in job["footage"]]
    scale = measure_people(sources, Settings(), lambda what, share: None)
    x = scale.size_hw[1] / 2
    rows = (scale.rows[0], sum(scale.rows) / 2, scale.rows[1])
    return {
        "middle_px": [[x, round(y, 1), round(float(scale.person_px(x, y)), 2)] for y in rows],
        "measured_px": [round(float(scale.person_px(x, y)), 2) for x, y in job["places"]],
        "walk_s": round(scale.walk * scale.fps, 3),
        "scale": scale.as_dict(),
    }


def _detect(job: Mapping[str, Any]) -> Row:
    """One piece of footage by itself, without a model: of a data set's clips the first."""
    from crowdad.workflows import detect

    with tempfile.TemporaryDirectory(prefix="crowdad-") as folder:
        results = detect(
            job["footage"][0],
            fps=job["fps"],
            person_height=job["person_height"],
            output=Path(folder) / "run",
            overlay=False,
            heatmaps=False,
            report=False,
        )
    return {
        "person_height": job["person_height"],
        "events": [_moment(event) for event in results.events],
        "candidates": [_moment(event) for event in results.candidates],
        "frames_per_s": round(results.timing.fps, 1),
        "warnings": [*results.warnings, *([results.threshold.note] if results.threshold.note else [])],
    }


def _moment(event: Any) -> Row:
    told: Row = event.model_dump(mode="json", exclude={"boxes"})
    return told


def _peak_mb() -> float:
    # Not getrusage: its peak goes on from that of the process that started this one.
    status = dict(line.split(":", 1) for line in Path("/proc/self/status").read_text().splitlines())
    return round(int(status["VmHWM"].split()[0]) / 1024, 1)


if __name__ == "__main__":
    print(json.dumps(run(json.loads(sys.argv[1]))))
