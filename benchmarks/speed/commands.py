"""Whole commands, each in a process of its own: from its start to the first frame, to the end, and its peak memory."""

from __future__ import annotations

import fcntl
import json
import os
import pty
import select
import signal
import struct
import subprocess
import sys
import termios
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

__all__ = ["detect_run", "first_line_s", "fit_run", "help_s", "on_cores"]

_DETECT = """
import json, sys, time
from crowdad.workflows import detect
video, model, output, runtime, overlay, report = sys.argv[1:7]
told = []
def tell(stage):
    if stage.what.startswith("scoring") and stage.done and not told:
        told.append(time.monotonic())
results = detect(video, model=model or None, output=output, runtime=runtime, overlay=overlay == "1", heatmaps=False,
                 report=report == "1", progress=tell)
"""
_FIT = """
import json, sys, time
from pathlib import Path
from crowdad.workflows import fit
from crowdad.evaluation.datasets.catalogue import find_dataset
told = [time.monotonic()]
fit([clip.open() for clip in find_dataset("ped2", Path(sys.argv[1])).train], output=sys.argv[2])
"""
# Not getrusage: its peak goes on from that of the process that started this one.
_END = """
ended_s = time.monotonic()
status = dict(line.split(":", 1) for line in open("/proc/self/status").read().splitlines())
print(json.dumps({"first_at_s": told[0], "ended_at_s": ended_s, "peak_mb": int(status["VmHWM"].split()[0]) / 1024,
                  "torch": "torch" in sys.modules}))
"""


def on_cores(command: Sequence[str], cores: int) -> dict[str, Any]:
    """Run a command on so many cores, and read the JSON of its last line.  Raises RuntimeError where it failed."""
    environment = {**os.environ, "OMP_NUM_THREADS": str(cores)}
    some = sorted(os.sched_getaffinity(0))[:cores]
    ended = subprocess.run(
        command,
        capture_output=True,
        text=True,
        check=False,
        env=environment,
        preexec_fn=lambda: os.sched_setaffinity(0, some),
    )
    if ended.returncode:
        raise RuntimeError(f"{' '.join(command[:3])} ... ended with {ended.returncode}:\n{ended.stderr[-2000:]}")
    told: dict[str, Any] = json.loads(ended.stdout.splitlines()[-1])
    return told


def detect_run(
    video: Path,
    model: Path | None,
    output: Path,
    *,
    cores: int,
    runtime: str = "torch",
    overlay: bool = False,
    report: bool = False,
) -> dict[str, float]:
    """One `crowdad detect`: first_frame_s from the process's start, after_s from there to its end, peak_mb.

    model: None: it learns from the footage itself.
    """
    flags = [str(int(overlay)), str(int(report))]
    return _run(
        _DETECT, [str(video), str(model or ""), str(output), runtime, *flags], cores, loads_torch=runtime == "torch"
    )


def fit_run(data: Path, output: Path, *, cores: int) -> dict[str, float]:
    """One `crowdad fit` on Ped2's training clips; after_s: of the fit, imports left out."""
    return _run(_FIT, [str(data), str(output)], cores, loads_torch=True)


def _run(script: str, arguments: Sequence[str], cores: int, *, loads_torch: bool) -> dict[str, float]:
    began_s = time.monotonic()
    told = on_cores([sys.executable, "-c", script + _END, *arguments], cores)
    if told["torch"] != loads_torch:
        raise RuntimeError("torch was loaded where it must not be, or was not where it must")
    first_s = told["first_at_s"]
    return {
        "first_frame_s": first_s - began_s,
        "after_s": told["ended_at_s"] - first_s,
        "whole_s": time.monotonic() - began_s,
        "peak_mb": told["peak_mb"],
    }


def help_s() -> float:
    """Seconds of `crowdad --help`."""
    began_s = time.monotonic()
    subprocess.run([sys.executable, "-m", "crowdad", "--help"], capture_output=True, check=True)
    return time.monotonic() - began_s


def first_line_s(arguments: Sequence[str], patience_s: float = 60.0) -> float:
    """Seconds from the start of `crowdad ARGUMENTS` at a terminal to the first character it shows; then it is stopped.

    Raises RuntimeError where nothing was shown.
    """
    ours, theirs = pty.openpty()
    fcntl.ioctl(theirs, termios.TIOCSWINSZ, struct.pack("HHHH", 40, 100, 0, 0))
    began_s = time.monotonic()
    running = subprocess.Popen(
        [sys.executable, "-m", "crowdad", *arguments], stdout=theirs, stderr=theirs, start_new_session=True
    )
    os.close(theirs)
    try:
        shown, _, _ = select.select([ours], [], [], patience_s)
        taken_s = time.monotonic() - began_s
        if not shown or not os.read(ours, 1):
            raise RuntimeError(f"crowdad {arguments[0]} showed nothing in {patience_s:.0f} s")
        return taken_s
    finally:
        os.killpg(running.pid, signal.SIGKILL)
        running.wait()
        os.close(ours)
