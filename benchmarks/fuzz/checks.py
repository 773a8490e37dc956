"""One mutated input: made from its number alone, run through crowdad, and judged."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from pathlib import Path

import numpy as np

from benchmarks.fuzz.disks import full_disk
from benchmarks.fuzz.mutations import mutate_bytes, mutate_json, mutate_model
from benchmarks.fuzz.promises import BrokenPromiseError, Rng, SilentLossError, check_order, hold, plainly_decoded
from benchmarks.fuzz.repeats import repeated_pictures
from benchmarks.fuzz.seeds import RAW_FPS, Seeds
from benchmarks.fuzz.timing import lying_header, stamped_anew
from benchmarks.fuzz.watchdog import Case, Verdict
from benchmarks.fuzz.watches import troubled_watch
from crowdad.errors import CrowdadError
from crowdad.outputs.heatmaps import HeatmapReader
from crowdad.outputs.results import read_results
from crowdad.outputs.tables import read_frames_csv
from crowdad.scene.model import SceneModel
from crowdad.sources import ReadReport, open_source
from crowdad.workflows import detect, score

__all__ = ["TARGETS", "UNSTEADY", "check"]

UNSTEADY = "a second pass fills damaged places of a picture in otherwise"
"""No fault of the reader: the decoder leaves such places as it finds the memory."""


def check(case: Case, seeds: Seeds, folder: Path) -> Verdict:
    """Make the case's input in `folder`, run it and judge what came back; removes what it wrote."""
    target = case.target
    place = folder / f"case-{case.number}"
    place.mkdir(parents=True)
    rng = np.random.default_rng([case.seed, case.number])
    what = ["not made"]
    try:
        detail = TARGETS[target](rng, seeds, place, what)
        return Verdict(target, "result", what[0], detail)
    except CrowdadError as error:
        line = str(error)
        if "\n" in line or not line.strip():
            return Verdict(target, "broken promise", what[0], f"a refusal of more than one line: {line!r}")
        return Verdict(target, "refused", what[0], line)
    except SilentLossError as error:
        return Verdict(target, "silent loss", what[0], str(error))
    except BrokenPromiseError as error:
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
    check_order([index for index, *_ in seen], [time_s for _, time_s, _ in seen])
    hold(report.frames_read == len(seen), f"{len(seen)} frames came, the report says {report.frames_read}")
    again = [(frame.index, frame.time_s, int(frame.luma.sum())) for frame in source.frames()]
    alike = [frame[:2] for frame in again] == [frame[:2] for frame in seen] and source.report == report
    hold(alike, "a second pass gives other frames or another report")
    _check_losses(path, report)
    if again != seen:
        return UNSTEADY
    return f"{len(seen)} frames, {report.frames_skipped} skipped, {report.bad_packets} bad packets"


def _check_losses(path: Path, report: ReadReport) -> None:
    """Hold the report against a plain reading of the same file: what that gets more of must have been told."""
    told = report.frames_skipped or report.bad_packets or report.truncated or report.notes or report.breaks
    plain = sum(1 for _ in plainly_decoded(path))
    if report.frames_read < plain and not told:
        raise SilentLossError(f"{report.frames_read} frames, nothing told; a plain reader gets {plain}")


def _detect_clip(rng: Rng, seeds: Seeds, place: Path, what: list[str]) -> str:
    path = _mutated_clip(rng, seeds, place, what)
    run = place / "run"
    results = detect(path, model=seeds.model, output=run, fps=RAW_FPS)
    counts, table = results.counts, read_frames_csv(run / "frames.csv")
    hold(read_results(run / "results.json") == results, "results.json does not hold what was returned")
    accounted = counts.scored + counts.repeated + sum(counts.skipped.values())
    hold(counts.frames_total == accounted, f"the counts do not add up: {counts}")
    hold(not list(run.glob("*.part")), "a finished run leaves .part files")
    check_order(table.frame.tolist(), table.time_s.tolist())
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
        raise SilentLossError(f"{len(indices)} of 4 pictures, {source.report.frames_skipped} reported")
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
    in_range = all(0 <= r.anomaly <= 1 and -1.001 <= r.normality <= 1.001 for r in results)
    hold(in_range, "scores outside their range")
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
    "timestamps": stamped_anew,
    "lying headers": lying_header,
    "repeated pictures": repeated_pictures,
    "full disk": full_disk,
    "watch": troubled_watch,
}
