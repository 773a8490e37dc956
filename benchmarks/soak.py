"""Memory of `crowdad watch` over a long time: `python -m benchmarks.soak`, half an hour of a camera on loopback.

A generated camera of 360x240 is served over RTSP at its own pace, without end; twice on the way it is switched off for
ten seconds.  The resident memory of the watching process is read every five seconds.  It is flat where the most of the
last third is at most 1.05 times the most of the first third; the exit code is 1 where it is not.
"""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import matplotlib

matplotlib.use("Agg")

from matplotlib import pyplot

from benchmarks.rows import write_report
from benchmarks.rtsp import PACKAGES, RtspServer, rtsp_missing, write_access_units
from crowdad.config import load_settings
from crowdad.errors import DataError
from crowdad.synthetic import GeneratedClip, write_clip
from crowdad.workflows import fit

RESULTS = Path(__file__).parent / "results" / "soak.json"
MOST_GROWTH = 1.05
EVERY_S = 5.0
OFF_S = 10.0
_SCENE = "ped2like"
_LOOP_S = 60.0
_QUICK = ("encoder.epochs=2", "encoder.max_tubes=8000", "normality.clusters=64")
_ENDS_WITHIN_S = 120.0


@dataclass(frozen=True)
class Camera:
    """What is watched.  speed: frames come so many times as fast as they were recorded."""

    minutes: float
    fps: int
    speed: int
    outages: int


def main(arguments: Sequence[str] | None = None) -> int:
    """Measure, print, write and draw; returns the exit code."""
    options = _parser().parse_args(arguments)
    missing = rtsp_missing()
    if missing is not None:
        raise DataError(f"no RTSP server ({missing}); install {PACKAGES}")
    camera = Camera(options.minutes, options.fps, options.speed, options.outages)
    with tempfile.TemporaryDirectory(prefix="crowdad-") as place:
        report = measure(camera, Path(place), options.model)
    print(
        f"{report['first_third_mb']:.0f} MB in the first third, {report['last_third_mb']:.0f} MB in the last: "
        f"{report['growth']:.3f} times, {MOST_GROWTH} is allowed"
    )
    write_report(options.json, report, ["python", "-m", "benchmarks.soak", *(arguments or sys.argv[1:])])
    _draw(report, options.json.with_suffix(".png"))
    return 0 if report["flat"] else 1


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.soak", description=__doc__)
    parser.add_argument("--minutes", type=float, default=30.0, help="how long is watched (default: 30)")
    parser.add_argument("--fps", type=int, default=25, help="frames a second of the camera (default: 25)")
    parser.add_argument(
        "--speed", type=int, default=1, help="playback speed, as a multiple of the recorded one (default: 1)"
    )
    parser.add_argument("--outages", type=int, default=2, help="how often the camera is switched off (default: 2)")
    parser.add_argument("--model", type=Path, help="scene to score with (default: one is fitted in a minute)")
    parser.add_argument("--json", type=Path, default=RESULTS, help=f"results file (default: {RESULTS})")
    return parser


def measure(camera: Camera, folder: Path, model: Path | None = None) -> dict[str, Any]:
    """Watch the camera in a process of its own; `rss_mb` is its memory every `EVERY_S`, `status` how the watch went."""
    clip = write_access_units(
        folder / "camera.au",
        (picture for picture, _ in GeneratedClip(_SCENE, 2, duration_s=_LOOP_S, fps=camera.fps)),
        camera.fps * camera.speed,
    )
    if model is None:
        model = fitted(folder, camera.fps)
    with RtspServer(clip, camera.fps * camera.speed) as server:
        command = [
            *(sys.executable, "-m", "crowdad", "watch", server.url, "--model", str(model)),
            *("--output", str(folder / "watch"), "--duration", f"{round(60 * camera.minutes)}s"),
        ]
        with (folder / "printed.txt").open("w+", encoding="utf-8") as printed:
            process = subprocess.Popen(command, stdout=printed, stderr=subprocess.STDOUT, text=True)
            try:
                rss_mb = _sampled(process, server, camera)
            finally:
                process.kill()
                process.wait()
            printed.seek(0)
            said = printed.read().splitlines()
    if process.returncode != 0:
        raise DataError(f"crowdad watch ended with exit code {process.returncode}: {' | '.join(said[-3:])}")
    status = json.loads((folder / "watch" / "status.json").read_text(encoding="utf-8"))
    return _report(camera, rss_mb, status, said)


def fitted(folder: Path, fps: int) -> Path:
    """A scene of a generated camera, fitted in a minute; kept in the folder."""
    model, normal = folder / "scene.safetensors", folder / "normal.mp4"
    write_clip(GeneratedClip(_SCENE, 1, normal_only=True, duration_s=_LOOP_S, fps=fps), normal)
    fit(normal, settings=load_settings(overrides=_QUICK), output=model)
    return model


def _sampled(process: subprocess.Popen[str], server: RtspServer, camera: Camera) -> list[float]:
    """Resident memory in MB every `EVERY_S` until the process ends; the camera goes off and on on the way."""
    began_s = time.monotonic()
    ends_s = began_s + 60 * camera.minutes + _ENDS_WITHIN_S
    switched_off_s = [began_s + 60 * camera.minutes * (k + 1) / (camera.outages + 1) for k in range(camera.outages)]
    rss_mb: list[float] = []
    while process.poll() is None:
        now_s = time.monotonic()
        if now_s > ends_s:
            raise DataError(f"crowdad watch did not end {_ENDS_WITHIN_S:g} s after its --duration")
        if switched_off_s and now_s >= switched_off_s[0]:
            del switched_off_s[0]
            server.kill()
            threading.Timer(OFF_S, server.start).start()
        rss = resident_mb(process.pid)
        if rss is not None:
            rss_mb.append(rss)
        time.sleep(max(0.0, began_s + EVERY_S * len(rss_mb) - time.monotonic()))
    return rss_mb


def resident_mb(pid: int) -> float | None:
    """Resident memory as Linux tells it; None once the process has ended."""
    try:
        lines = Path(f"/proc/{pid}/status").read_text(encoding="utf-8").splitlines()
    except OSError:
        return None
    found = next((line for line in lines if line.startswith("VmRSS:")), None)
    return None if found is None else round(int(found.split()[1]) / 1024, 1)


def _report(camera: Camera, rss_mb: Sequence[float], status: dict[str, Any], said: Sequence[str]) -> dict[str, Any]:
    third = len(rss_mb) // 3
    first_mb, last_mb = max(rss_mb[:third]), max(rss_mb[-third:])
    return {
        "benchmark": "soak",
        "scene": f"{_SCENE}, 360x240",
        "minutes": camera.minutes,
        "fps": camera.fps,
        "speed": camera.speed,
        "outages": camera.outages,
        "every_s": EVERY_S,
        "first_third_mb": first_mb,
        "last_third_mb": last_mb,
        "growth": round(last_mb / first_mb, 4),
        "flat": last_mb <= MOST_GROWTH * first_mb,
        "rss_mb": list(rss_mb),
        "printed": list(said),
        "status": status,
    }


def _draw(report: dict[str, Any], path: Path) -> None:
    minutes = [place * report["every_s"] / 60 for place in range(len(report["rss_mb"]))]
    figure, axes = pyplot.subplots(figsize=(8, 3), layout="constrained")
    axes.plot(minutes, report["rss_mb"], color="tab:blue", linewidth=1)
    limit_mb = MOST_GROWTH * report["first_third_mb"]
    axes.axhline(limit_mb, color="tab:red", linewidth=1, linestyle="--", label=f"limit, {limit_mb:.0f} MB")
    for number in range(report["outages"]):
        off_min = report["minutes"] * (number + 1) / (report["outages"] + 1)
        axes.axvline(off_min, color="tab:gray", linewidth=1, linestyle=":", label=None if number else "camera off")
    axes.set(xlabel="minutes", ylabel="resident memory, MB", ylim=(0, 1.2 * limit_mb))
    axes.legend(loc="lower right")
    figure.savefig(path, dpi=100)
    pyplot.close(figure)


if __name__ == "__main__":
    sys.exit(main())
