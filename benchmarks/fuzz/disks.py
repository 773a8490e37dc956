"""Disks that fill at any write of `detect` or `fit`."""

from __future__ import annotations

import builtins
import errno
import io
import os
import resource
import signal
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any
from unittest import mock

from benchmarks.fuzz.promises import Rng, hold, never_refused, plainly_decoded
from benchmarks.fuzz.seeds import FRAMES, Seeds
from crowdad.config import load_settings
from crowdad.errors import CrowdadError
from crowdad.outputs.heatmaps import HeatmapReader
from crowdad.outputs.results import read_results
from crowdad.outputs.tables import read_frames_csv
from crowdad.scene.model import SceneModel
from crowdad.workflows import detect, fit

__all__ = ["full_after", "full_disk"]

_FIT = (
    "encoder.epochs=1",
    "encoder.max_tubes=300",
    "motion.preset=ultrafast",
    "normality.clusters=4",
    "scale.person_px=24",
    "scale.walk_px=1.5",
)
_MOST_WRITES, _MOST_BYTES = 120, 80_000


def full_disk(rng: Rng, seeds: Seeds, place: Path, what: list[str]) -> str:
    """`detect` or `fit` on a disk that fills: one line, nothing half-written, and once there is room it works."""
    fits = rng.random() < 0.1
    if rng.random() < 0.5:
        writes = int(rng.integers(_MOST_WRITES))
        disk, how = full_after(writes), f"full from write {writes} on"
    else:
        size = int(rng.integers(_MOST_BYTES))
        disk, how = _files_of_at_most(size), f"no file beyond {size} bytes"
    what[0] = f"{'fit' if fits else 'detect'}: {how}"
    run, model = place / "run", place / "scene.safetensors"

    def work(again: bool = False) -> None:
        if fits:
            fit(seeds.normal, settings=load_settings(overrides=_FIT), output=model)
        else:
            detect(seeds.footage, model=seeds.model, output=run, resume=again)

    told = "there was room enough"
    with disk:
        try:
            work()
        except CrowdadError as error:
            told = str(error)
            hold(bool(told.strip()) and "\n" not in told, f"a refusal of more than one line: {told!r}")
    with never_refused("what was written"):
        _check_whole(run, model)
    if not (run / "results.json").exists() and not model.exists():
        with never_refused("the same once more, with room,"):
            work(again=True)
            _check_whole(run, model)
    hold((run / "results.json").exists() or model.exists(), "nothing was written, though the disk had room again")
    hold(not list(place.rglob("*.part")), f"a finished run leaves {list(place.rglob('*.part'))}")
    return told


def _check_whole(run: Path, model: Path) -> None:
    """Whatever has its final name can be read to its end."""
    if model.exists():
        SceneModel.load(model)
    if (run / "frames.csv").exists():
        rows = len(read_frames_csv(run / "frames.csv"))
        hold(rows == FRAMES, f"frames.csv has {rows} rows")
    if (run / "heatmaps.npz").exists():
        with HeatmapReader(run / "heatmaps.npz") as maps:
            hold(sum(1 for _ in maps) == len(maps), "heatmaps.npz ends early")
    if (run / "overlay.mp4").exists():
        shown = sum(1 for _ in plainly_decoded(run / "overlay.mp4"))
        hold(shown == FRAMES, f"overlay.mp4 has {shown} pictures")
    if (run / "report.html").exists():
        hold((run / "report.html").read_text().rstrip().endswith("</html>"), "report.html ends early")
    if (run / "results.json").exists():
        read_results(run / "results.json")


@contextmanager
def _files_of_at_most(size: int) -> Iterator[None]:
    """The kernel refuses what would make a file larger, whoever writes it."""
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    before = signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
    resource.setrlimit(resource.RLIMIT_FSIZE, (size, hard))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))
        signal.signal(signal.SIGXFSZ, before)


@contextmanager
def full_after(writes: int) -> Iterator[None]:
    """Python's own writes to files fail from that one on, of which the disk takes half."""
    opens, left = io.open, [writes]

    class Filling(io.FileIO):
        def write(self, data: Any) -> int:
            left[0] -= 1
            if left[0] < -1:
                raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
            return super().write(data if left[0] >= 0 else memoryview(data)[: len(data) // 2])

    def opened(file: Any, mode: str = "r", *given: Any, **named: Any) -> Any:
        really: Any = opens(file, mode, *given, **named)
        buffered: Any = getattr(really, "buffer", really)
        if not set(mode) & set("wax+") or not isinstance(buffered, io.BufferedWriter | io.BufferedRandom):
            return really
        raw = Filling(os.dup(really.fileno()), mode.replace("t", ""))
        really.close()
        wrapped = type(buffered)(raw)
        if buffered is really:
            return wrapped
        return io.TextIOWrapper(wrapped, really.encoding, really.errors, named.get("newline"))

    with mock.patch.object(builtins, "open", opened), mock.patch.object(io, "open", opened):
        yield
