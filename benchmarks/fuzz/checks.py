"""One mutated input: made from its number alone, run through crowdad, and judged."""

from __future__ import annotations

import json
import math
import shutil
from collections.abc import Callable
from pathlib import Path

import av
import numpy as np

from benchmarks.fuzz.mutations import mutate_bytes, mutate_json, mutate_model
from benchmarks.fuzz.seeds import RAW_FPS, Seeds
from benchmarks.fuzz.watchdog import Case, Verdict
from crowdad.errors import CrowdadError
from crowdad.outputs.heatmaps import HeatmapReader
from crowdad.outputs.results import read_results
from crowdad.outputs.tables import read_frames_csv
from crowdad.scene import SceneModel
from crowdad.sources import ReadReport, open_source
from crowdad.workflows import detect, score

__all__ = ["TARGETS", "UNSTEADY", "check"]

UNSTEADY = "a second pass fills damaged places of a picture in otherwise"
"""No fault of the reader: the decoder leaves such places as it finds the memory."""

_GIVE_UP_AFTER = 1000


class _BrokenPromiseError(Exception):
    """The result contradicts what is promised of it."""


class _SilentLossError(Exception):
    """Frames are missing and nothing in the result says so."""


Rng = np.random.Generator


def check(case: Case, seeds: Seeds, folder: Path) -> Verdict:
    """Make the case's input in `folder`, run it and judge what came back; removes what it wrote."""
    target = case.target
    place = folder / f"case-{case.number}"
    place.mkdir(parents=True)
    rng = np.random.default_rng([case.seed, case.number])
    what = ["not made"]
    try:
        return Verdict(target, "result", what[0], TARGETS[target](rng, seeds, place, what))
    except CrowdadError as error:
        line = str(error)
        if "\n" in line or not line.strip():
            return Verdict(target, "broken promise", what[0], f"a refusal of more than one line: {line!r}")
        return Verdict(target, "refused", what[0], line)
    except _SilentLossError as error:
        return Verdict(target, "silent loss", what[0], str(error))
    except _BrokenPromiseError as error:
        return Verdict(target, "broken promise", what[0], str(error))
    except Exception as error:
        return Verdict(target, "exception", what[0], f"{type(error).__name__}: {error}")
    finally:
        shutil.rmtree(place, ignore_errors=True)


def _mutated_clip(rng: Rng, seeds: Seeds, place: Path, what: list[str]) -> Path:
    clip = seeds.clips[int(rng.integers(len(seeds.clips)))]
    others = [other.read_bytes() for other in seeds.clips]
    blob, damage = mutate_bytes(rng, clip.read_bytes(), others)
    what[0] = f"{clip.name}: {damage}"
    path = place / clip.name
    path.write_bytes(blob)
    return path


def _read_clip(rng: Rng, seeds: Seeds, place: Path, what: list[str]) -> str:
    path = _mutated_clip(rng, seeds, place, what)
    source = open_source(path, fps=RAW_FPS)
    seen = [(frame.index, frame.time_s, int(frame.luma.sum())) for frame in source.frames(color=True)]
    report = source.report
    _check_order([index for index, *_ in seen], [time_s for _, time_s, _ in seen])
    if report.frames_read != len(seen):
        raise _BrokenPromiseError(f"{len(seen)} frames came, the report says {report.frames_read}")
    again = [(frame.index, frame.time_s, int(frame.luma.sum())) for frame in source.frames()]
    if [frame[:2] for frame in again] != [frame[:2] for frame in seen] or source.report != report:
        raise _BrokenPromiseError("a second pass gives other frames or another report")
    _check_losses(path, report)
    if again != seen:
        return UNSTEADY
    return f"{len(seen)} frames, {report.frames_skipped} skipped, {report.bad_packets} bad packets"


def _check_order(indices: list[int], times_s: list[float]) -> None:
    if indices != sorted(set(indices)) or any(index < 0 for index in indices):
        raise _BrokenPromiseError(f"frame numbers do not rise: {indices[:50]}")
    if times_s != sorted(times_s) or not all(math.isfinite(time_s) and time_s >= 0 for time_s in times_s):
        raise _BrokenPromiseError(f"times do not rise: {times_s[:50]}")


def _check_losses(path: Path, report: ReadReport) -> None:
    """Hold the report against a plain reading of the same file: what that gets more of must have been told."""
    told = report.frames_skipped or report.bad_packets or report.truncated or report.notes or report.breaks
    plain = _plainly_decoded(path)
    if report.frames_read < plain and not told:
        raise _SilentLossError(f"{report.frames_read} frames, nothing told; a plain reader gets {plain}")


def _plainly_decoded(path: Path) -> int:
    """Frames that a bare loop of demuxing and decoding gets."""
    frames = failures = 0
    with av.open(f"file:{path}", metadata_errors="replace") as container:
        stream = container.streams.best("video")
        packets = container.demux(stream)
        while failures < _GIVE_UP_AFTER:
            try:
                packet = next(packets, None)
                if packet is None:
                    break
                frames += len(packet.decode())
            except (EOFError, IndexError):
                break  # IndexError: PyAV's way to end where a stream first shows up on the way
            except av.FFmpegError:
                failures += 1
                packets = container.demux(stream)
    return frames


def _detect_clip(rng: Rng, seeds: Seeds, place: Path, what: list[str]) -> str:
    path = _mutated_clip(rng, seeds, place, what)
    run = place / "run"
    results = detect(path, model=seeds.model, output=run, fps=RAW_FPS)
    counts, table = results.counts, read_frames_csv(run / "frames.csv")
    if read_results(run / "results.json") != results:
        raise _BrokenPromiseError("results.json does not hold what was returned")
    if counts.frames_total != counts.scored + sum(counts.skipped.values()):
        raise _BrokenPromiseError(f"the counts do not add up: {counts}")
    if list(run.glob("*.part")):
        raise _BrokenPromiseError("a finished run leaves .part files")
    _check_order(table.frame.tolist(), table.time_s.tolist())
    return f"{counts.scored} scored of {counts.frames_total}, {len(results.events)} events"


def _read_pictures(rng: Rng, seeds: Seeds, place: Path, what: list[str]) -> str:
    picture = seeds.pictures[int(rng.integers(len(seeds.pictures)))]
    others = [other.read_bytes() for other in seeds.pictures]
    blob, damage = mutate_bytes(rng, picture.read_bytes(), others)
    what[0] = f"{picture.name}: {damage}"
    damaged = int(rng.integers(4))
    for index in range(4):
        (place / f"{index}{picture.suffix}").write_bytes(blob if index == damaged else picture.read_bytes())
    source = open_source(place)
    indices = [frame.index for frame in source.frames(color=True)]
    if len(indices) + source.report.frames_skipped != 4:
        raise _SilentLossError(f"{len(indices)} of 4 pictures, {source.report.frames_skipped} reported")
    return f"{len(indices)} of 4 pictures"


def _use_model(rng: Rng, seeds: Seeds, place: Path, what: list[str]) -> str:
    blob = seeds.model.read_bytes()
    if rng.random() < 0.5:
        blob, what[0] = mutate_model(rng, blob)
    else:
        blob, what[0] = mutate_bytes(rng, blob, [seeds.footage.read_bytes(), blob])
    path = place / "scene.safetensors"
    path.write_bytes(blob)
    scene = SceneModel.load(path)
    results = list(score(seeds.footage, scene))
    if not all(0 <= r.anomaly <= 1 and -1.001 <= r.normality <= 1.001 for r in results):
        raise _BrokenPromiseError("scores outside their range")
    return f"loads and scores {len(results)} frames"


def _read_run(rng: Rng, seeds: Seeds, place: Path, what: list[str]) -> str:
    name = ("results.json", "frames.csv", "heatmaps.npz")[int(rng.integers(3))]
    blob = (seeds.run / name).read_bytes()
    if name == "results.json" and rng.random() < 0.5:
        tree, damage = mutate_json(rng, json.loads(blob))
        blob = json.dumps(tree).encode()
    else:
        blob, damage = mutate_bytes(rng, blob, [other.read_bytes() for other in seeds.run.iterdir()])
    what[0] = f"{name}: {damage}"
    path = place / name
    path.write_bytes(blob)
    if name == "results.json":
        return f"{len(read_results(path).events)} events"
    if name == "frames.csv":
        return f"{len(read_frames_csv(path))} rows"
    with HeatmapReader(path) as maps:
        return f"{sum(1 for _ in maps)} of {len(maps)} maps"


TARGETS: dict[str, Callable[[Rng, Seeds, Path, list[str]], str]] = {
    "clip, reader": _read_clip,
    "clip, detect": _detect_clip,
    "pictures": _read_pictures,
    "model": _use_model,
    "run files": _read_run,
}
