"""What a clip of ten seconds to some minutes says of itself, learned from itself alone.

python -m benchmarks.short_clips --data DIR              # every clip that is missing
python -m benchmarks.short_clips --data DIR --only ped2  # one set: ped2, ped1, training, generated, scenes
python -m benchmarks.short_clips --data DIR --fresh      # every clip, or with --only those of its set, anew

Ped1's and Ped2's test clips each alone, generated clips of 20 seconds with and without anomalies, real scenes, and
training clips, in which nothing is unusual.  The level from which a moment is an event was chosen on generated and
training clips.  Writes benchmarks/results/short_clips.json; `python -m benchmarks.tables` puts it into the README.
"""

from __future__ import annotations

import argparse
import sys
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from concurrent.futures import ProcessPoolExecutor
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from benchmarks.cameras import cameras
from benchmarks.rows import read_rows, write_rows
from crowdad.errors import CrowdadError, DataError
from crowdad.evaluation.datasets.root import data_root
from crowdad.evaluation.datasets.ucsd import find_clips
from crowdad.evaluation.protocols import provenance
from crowdad.outputs.results import EventRecord, RunResults
from crowdad.synthetic import GeneratedClip, SceneConfig, load_truth, write_clip
from crowdad.workflows import detect

__all__ = ["SHORT_CLIP_TABLES", "main"]

Row = Mapping[str, Any]
Labels = npt.NDArray[np.bool_]

RESULT = Path(__file__).parent / "results" / "short_clips.json"
SECONDS, SEED, TOP = 20.0, 1, 3
UCSD = ("ped2", "ped1")
SETS = (*UCSD, "training", "generated", "scenes")
SCENES = ("street", "steps", "mall", "pets", "onebyone", "lowcrowd", "shopdoor", "traindoor03", "bicyclecar")
NOTHING = np.zeros(0, np.bool_)
NEEDED = {"ped2": "10 of 12", "ped1": "28 of 36"}


def table(rows: Sequence[Row]) -> str:
    """One line a set."""
    lines = [
        "| clips | unusual | truth among the top three | wanted | events | false events | people's size refused |",
        "|---|---|---|---|---|---|---|",
    ]
    kinds = dict.fromkeys((row["set"], row["unusual"]) for row in rows)
    for name, unusual in kinds:
        clips = [row for row in rows if (row["set"], row["unusual"]) == (name, unusual)]
        hits = f"**{sum(row['hit'] for row in clips)} of {len(clips)}**" if unusual else "–"
        false = sum(row["false_events"] for row in clips)
        lines.append(
            f"| {name}, {len(clips)} clips | {'yes' if unusual else 'no'} | {hits} | {NEEDED.get(name, '–')} | "
            f"{sum(row['events'] for row in clips)} | {false} | {sum(row['refused'] != '' for row in clips)} |"
        )
    return "\n".join(lines)


def scene_table(rows: Sequence[Row]) -> str:
    """One line a real scene: what was told of it."""
    lines = ["| scene | computed in, s | events | most unusual moments (candidates in brackets) |", "|---|---|---|---|"]
    for row in (row for row in rows if row["set"] == "scenes"):
        told = "; ".join(
            f"{'(' if moment['candidate'] else ''}{moment['start_s']:.1f} s, {moment['surprise']:.1f} times"
            f"{')' if moment['candidate'] else ''}"
            for moment in row["moments"]
        )
        lines.append(f"| {row['clip']} | {row['seconds']:.0f} | {row['events']} | {row['refused'] or told} |")
    return "\n".join(lines)


SHORT_CLIP_TABLES = {"short-clips": table, "short-clips-scenes": scene_table}


def main(arguments: Sequence[str] | None = None) -> int:
    """Measure the clips that are missing; returns the exit code."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.short_clips", description=__doc__)
    parser.add_argument("--data", type=Path, help="data folder; default: CROWDAD_DATA, then the user's cache")
    parser.add_argument("--only", choices=SETS, help="one set of clips")
    parser.add_argument("--fresh", action="store_true", help="measure also what has a row")
    parser.add_argument("--jobs", type=int, default=2, help="clips side by side (default: %(default)s)")
    parser.add_argument("--out", type=Path, default=RESULT, help="results file")
    options = parser.parse_args(arguments)
    try:
        return _run(options)
    except CrowdadError as error:
        print(f"error: {error}", file=sys.stderr)
        return 1


def _run(options: argparse.Namespace) -> int:
    root = data_root(options.data)
    rows = {(row["set"], row["clip"]): row for row in read_rows(options.out)}
    wanted = [name for name in SETS if options.only in (None, name)]
    clips = [clip for name in wanted for clip in _clips(name, root) if options.fresh or clip[:2] not in rows]
    with ProcessPoolExecutor(options.jobs) as pool:
        for row in pool.map(partial(_measure, root=root), clips):
            rows[row["set"], row["clip"]] = row
            order = sorted(rows.values(), key=lambda row: (SETS.index(row["set"]), row["unusual"], row["clip"]))
            write_rows(options.out, order)
            print(row["set"], row["clip"], "hit" if row["hit"] else "-", row["events"], row["refused"], flush=True)
    return 0


Clip = tuple[str, str, bool]
"""Set, name, whether it holds anything unusual."""


def _clips(name: str, root: Path) -> Iterator[Clip]:
    if name in UCSD:
        yield from ((name, clip.name, True) for clip in find_clips(name, root).test)
    elif name == "training":
        for data in UCSD:
            yield from ((name, f"{data} {clip.name}", False) for clip in find_clips(data, root).train[::3])
    elif name == "generated":
        for scene in cameras():
            yield name, scene, True
            yield name, f"{scene}, normal", False
    else:
        yield from ((name, scene, scene == "street") for scene in SCENES)


def _measure(clip: Clip, root: Path) -> dict[str, Any]:
    name, title, unusual = clip
    with tempfile.TemporaryDirectory(prefix="crowdad-") as folder:
        spec, fps, truth = _footage(clip, root, Path(folder))
        row: dict[str, Any] = {"set": name, "clip": title, "unusual": unusual, "refused": "", "moments": []}
        try:
            results = detect(spec, fps=fps, output=Path(folder) / "run", overlay=False, report=False)
        except CrowdadError as error:
            row |= {"refused": str(error), "hit": False, "events": 0, "false_events": 0, "seconds": 0.0}
        else:
            row |= _told(results, truth)
    return {**row, **provenance(["python", "-m", "benchmarks.short_clips"])}


def _footage(clip: Clip, root: Path, folder: Path) -> tuple[Any, float | None, Labels | None]:
    """What to score, its frame rate where it has none, and bool (frames,) where something is unusual, if known."""
    name, title, unusual = clip
    if name == "scenes":
        found = sorted((root / "scenes").glob(f"{title}.*"))
        if not found:
            raise DataError(f"{root / 'scenes'}: no {title} there; give the folder of the data with --data")
        return found[0], None, None if unusual else NOTHING
    if name == "generated":
        config = cameras()[title.removesuffix(", normal")]
        video = folder / "clip.mp4"
        write_clip(GeneratedClip(_short(config), SEED, normal_only=not unusual), video)
        labelled = load_truth(video)
        return video, None, labelled.labels | labelled.out_of_scope if unusual else NOTHING
    data, wanted = (name, title) if unusual else title.split(" ", 1)
    dataset = find_clips(data, root)
    found_clip = next(each for each in (dataset.test if unusual else dataset.train) if each.name == wanted)
    return found_clip.footage, found_clip.fps, found_clip.labels() if unusual else NOTHING


def _short(config: SceneConfig) -> SceneConfig:
    return replace(config, duration_s=SECONDS)


def _told(results: RunResults, truth: Labels | None) -> dict[str, Any]:
    """truth: bool (frames,); empty where nothing is unusual; None where nobody labelled it."""
    moments = sorted([*results.events, *results.candidates], key=lambda moment: -(moment.surprise or 0.0))
    events = {event.id for event in results.events}

    def is_true(moment: EventRecord) -> bool:
        return truth is None or (moment.peak_frame < len(truth) and bool(truth[moment.peak_frame]))

    return {
        "hit": any(map(is_true, moments[:TOP])),
        "events": len(results.events),
        "false_events": sum(not is_true(event) for event in results.events),
        "seconds": results.timing.seconds + results.timing.startup_s,
        "moments": [
            {
                "start_s": moment.start_s,
                "end_s": moment.end_s,
                "peak_frame": moment.peak_frame,
                "box_xyxy": moment.box_xyxy,
                "surprise": moment.surprise,
                "candidate": moment.id not in events,
            }
            for moment in moments
        ],
    }


if __name__ == "__main__":
    sys.exit(main())
