"""Footage whose recorder writes pictures more than once."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from benchmarks.fuzz.promises import Rng, check_order, hold, never_refused, one_of
from benchmarks.fuzz.seeds import Clip, Seeds, encode, walkers
from crowdad.outputs.tables import read_frames_csv
from crowdad.sources import open_source
from crowdad.workflows import detect

__all__ = ["repeated_pictures"]

_TOO_MANY = 1.1  # new ones, for each that there is


def repeated_pictures(rng: Rng, seeds: Seeds, place: Path, what: list[str]) -> str:
    """Pictures that are written several times: each has its row, and no more count as new than there are."""
    pictures = walkers()
    clip, fps = one_of(rng, _WRITTEN), one_of(rng, (25, 30, 50, 60))
    rhythm = rng.integers(1, 7, int(one_of(rng, (1, 1, 2, 3, len(pictures))))).tolist()
    times = [rhythm[number % len(rhythm)] for number in range(len(pictures))]
    even = len(rhythm) == 1
    what[0] = f"{clip.name}, {fps} a second, each picture {rhythm} times"
    path = encode(place / clip.name, clip, list(np.repeat(pictures, times, axis=0)), fps)
    source = open_source(path)
    frames = list(source.frames())
    hold(len(frames) == sum(times), f"{len(frames)} frames of {sum(times)}")
    first = np.repeat(np.arange(len(times)), times)
    check_order([frame.index for frame in frames], [frame.time_s for frame in frames])
    new = {int(number) for number, frame in zip(first, frames, strict=True) if not frame.repeated}
    told = sum(not frame.repeated for frame in frames)
    hold(source.report.frames_repeated == len(frames) - told, "the report counts other repeats")
    hold(len(new) >= 0.9 * len(times), f"only {len(new)} of {len(times)} pictures are new at any time")
    hold(not even or told <= _TOO_MANY * len(times) + 1, f"{told} frames count as new, {len(times)} pictures are")
    run = place / "run"
    with never_refused("a sound clip"):
        counts = detect(path, model=seeds.model, output=run, overlay=False, report=False).counts
    rows = len(read_frames_csv(run / "frames.csv"))
    hold(rows == len(frames) == counts.frames_total, f"{rows} rows, {counts.frames_total} in all, of {len(frames)}")
    hold(counts.repeated == len(frames) - told, f"detect counts {counts.repeated} repeats of {len(frames) - told}")
    hold(counts.scored + counts.repeated <= rows, f"the counts do not add up: {counts}")
    return f"{told} of {len(frames)} frames are new, {len(times)} pictures"


_EVENLY = {"qmin": "3", "qmax": "3"}  # a rate control's first attempts and keyframes make pictures that do change
_WRITTEN = (
    Clip("twice.mkv", "ffv1", "gray"),
    Clip("twice.mp4", options={"bf": "2"}),
    Clip("twice.avi", "mjpeg", "yuvj420p", _EVENLY),
    Clip("twice.ts", "mpeg2video", options=_EVENLY),
)
