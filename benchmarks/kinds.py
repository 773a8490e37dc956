"""Kinds of anomalies, each in generated scenes where it is one: what is told of it, how soon, and what else is told.

python -m benchmarks.kinds                        # every scene and group of kinds that is missing
python -m benchmarks.kinds --only lanes --keep DIR   # one scene; keep the clips, and use those that are there

A model is fitted on a normal clip of each scene and scores other clips of the scene.  Settings are the default.
Writes benchmarks/results/kinds.json; `python -m benchmarks.tables` puts it into benchmarks/README.md.
"""

from __future__ import annotations

import argparse
import json
import sys
import tempfile
import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from benchmarks.rows import Row, read_rows, write_rows
from crowdad.errors import DataError, UndefinedMetricError
from crowdad.evaluation.metrics import FrameScores, frame_auc_micro
from crowdad.evaluation.protocols import provenance
from crowdad.records import Box, Event
from crowdad.scene.model import SceneModel
from crowdad.synthetic import ClipTruth, GeneratedClip, load_truth, write_clip
from crowdad.workflows import events, fit, score

__all__ = ["KIND_TABLES", "TrueEvent", "kind_rows", "main", "true_events"]

RESULT = Path(__file__).parent / "results" / "kinds.json"
FIT_SEED, TEST_SEED, SECONDS = 100, 200, 240.0
TOLD_S = 0.4
"""A true event is told by a detected one that overlaps it for so long."""
AFTERMATH_S = 25.0
"""So long after a crowd's event, and as long before an emptiness, frames are neither normal nor anomalous."""

_WALKED = ("against", "intruder", "slow_bicycle") * 3
_ROLLED = ("skater", "wheelchair") * 3
_STOOD = ("lingerer", "stopper", "lingerer", "stopper")
_ON_LANES = (
    *((), _WALKED, _STOOD, ("parked_cart",), ("left_object",), ("removed_object",)),
    *(("runner", "bicycle"), _ROLLED),
)
GROUPS: Mapping[str, tuple[tuple[str, ...], ...]] = {
    "lanes": _ON_LANES,
    "crossing": _ON_LANES,
    "plaza": (
        *((), _STOOD, ("panic", "gathering", "freezing"), ("scattering", "surge", "emptiness")),
        *(("panic", "freezing", "panic"), ("surge", "gathering", "scattering")),
    ),
    "daylight": ((), _STOOD, ("left_object",), ("removed_object",), ("runner", "bicycle")),
}
"""By scene, the kinds of each test clip; () is a normal one.  What stays to the end of a clip has a clip of its own."""


@dataclass(frozen=True)
class TrueEvent:
    """One subject, or the whole crowd, from when to when.  boxes_xyxy: by frame, None of a crowd."""

    kind: str
    start_s: float
    end_s: float
    boxes_xyxy: Mapping[int, Box] | None


def table(rows: Sequence[Row]) -> str:
    """One line a scene and kind; then what normal footage of the scene brings."""
    if not rows:
        return "No rows yet: run `python -m benchmarks.kinds`."
    lines = [
        "| scene | kind | frame AUC | told | seconds to the start of its event | false events, in minutes |",
        "|" + "---|" * 6,
    ]
    keys = dict.fromkeys((row["scene"], row["kind"]) for row in rows)
    for scene, kind in keys:
        found = [row for row in rows if (row["scene"], row["kind"]) == (scene, kind)]
        false, minutes = (sum(row[key] for row in found) for key in ("false_events", "normal_minutes"))
        aucs = [row["auc"] for row in found if row["auc"] is not None]
        delays = [delay for row in found for delay in row["delays_s"]]
        told = f"**{sum(row['told'] for row in found)} of {sum(row['events'] for row in found)}**" if kind else "–"
        lines.append(
            f"| {scene} | {kind or 'normal'} | {f'{np.mean(aucs):.3f}' if aucs else '–'} | {told} | "
            f"{f'{np.median(delays):.1f}' if delays else '–'} | {false} in {minutes:.1f} |"
        )
    return "\n".join(lines)


KIND_TABLES = {"kinds": table}


def main(arguments: Sequence[str] | None = None) -> int:
    """Measure the clips that are missing; returns the exit code."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.kinds", description=__doc__)
    parser.add_argument("--only", choices=tuple(GROUPS), help="one scene")
    parser.add_argument("--kinds", help="only clips of these kinds, as in panic,gathering")
    parser.add_argument("--seconds", type=float, default=SECONDS, help="of every clip (default: %(default)s)")
    parser.add_argument("--keep", type=Path, help="folder for the clips; default: a temporary one")
    parser.add_argument("--fresh", action="store_true", help="measure every clip anew")
    parser.add_argument("--out", type=Path, default=RESULT, help="results file")
    options = parser.parse_args(arguments)
    rows = read_rows(options.out)
    with tempfile.TemporaryDirectory(prefix="crowdad-") as temporary:
        folder = options.keep or Path(temporary)
        models: dict[str, SceneModel] = {}
        for scene, kinds, seed in _wanted(options):
            done = any((row["scene"], row["seed"]) == (scene, seed) for row in rows)
            if done and not options.fresh:
                continue
            rows = [row for row in rows if (row["scene"], row["seed"]) != (scene, seed)]
            if scene not in models:
                clip = GeneratedClip(scene, FIT_SEED, normal_only=True, duration_s=options.seconds)
                models[scene] = fit(_drawn(clip, folder))
            clip = GeneratedClip(scene, seed, anomalies=kinds, duration_s=options.seconds)
            rows += _measure(clip, models[scene], folder)
            write_rows(options.out, rows)
            print(table([row for row in rows if (row["scene"], row["seed"]) == (scene, seed)]), flush=True)
    return 0


def _wanted(options: argparse.Namespace) -> Iterator[tuple[str, tuple[str, ...], int]]:
    """Scene, kinds and seed of each test clip."""
    for scene, groups in GROUPS.items():
        for number, kinds in enumerate(groups):
            chosen = options.kinds is None or set(options.kinds.split(",")) & set(kinds or ("normal",))
            if options.only in (None, scene) and chosen:
                yield scene, kinds, TEST_SEED + number


def _measure(clip: GeneratedClip, model: SceneModel, folder: Path) -> list[Row]:
    video = _drawn(clip, folder)
    truth = load_truth(video)
    began_s = time.perf_counter()
    results = list(score(video, model))
    told = events(results, model, fps=truth.fps)
    anomaly = np.array([result.anomaly for result in results])
    facts = {"scene": clip.config.name, "seed": clip.seed, "duration_s": clip.config.duration_s}
    facts |= {"seconds": time.perf_counter() - began_s, "settings": model.settings.model_dump(mode="json")}
    facts |= provenance(["python", "-m", "benchmarks.kinds"])
    return [{**row, **facts} for row in kind_rows(anomaly, told, truth)]


def _drawn(clip: GeneratedClip, folder: Path) -> Path:
    """The clip's video in `folder`, drawn where it is not there yet."""
    what = "-".join(dict.fromkeys(clip.config.anomalies)) or "normal"
    video = folder / f"{clip.config.name}-{clip.seed}-{what}-{clip.config.duration_s:g}s.mp4"
    try:
        if video.exists() and load_truth(video).provenance == _provenance(clip):
            return video
    except DataError:
        pass  # Missing or damaged truth: both are written again.
    write_clip(clip, video)
    return video


def true_events(truth: ClipTruth) -> list[TrueEvent]:
    """Subjects of one kind while they are visible, gaps included, and the crowd's events."""
    boxes: dict[tuple[str, int], dict[int, Box]] = {}
    for frame, subjects in enumerate(zip(truth.kinds, truth.track_ids, truth.boxes_xyxy, strict=True)):
        for kind, track, box in zip(*subjects, strict=True):
            boxes.setdefault((kind, track), {})[frame] = box
    found = [
        TrueEvent(kind, min(seen) / truth.fps, (max(seen) + 1) / truth.fps, seen) for (kind, _), seen in boxes.items()
    ]
    found += [TrueEvent(event.kind, event.start_s, event.end_s, None) for event in truth.crowd_events]
    return sorted(found, key=lambda event: event.start_s)


def kind_rows(anomaly: npt.NDArray[np.floating], told: Sequence[Event], truth: ClipTruth) -> list[Row]:
    """One row a kind, and one of kind "" for a clip without any.

    auc: of frames with that kind against normal frames.  told, delays_s: true events that a detected one tells, and
    how long after their start that begins.  false_events: those that tell nothing and lie in normal frames.
    """
    real = true_events(truth)
    normal = _normal(truth, len(anomaly))
    false = sum(not _tells_any(event, real, truth.fps) and bool(_share(event, normal) > 0.5) for event in told)
    counts: dict[str, Any] = {"false_events": false, "normal_minutes": float(normal.sum() / truth.fps / 60)}
    kinds = sorted({event.kind for event in real})
    if not kinds:
        return [{"kind": "", "auc": None, "events": 0, "told": 0, "delays_s": [], **counts}]
    rows = []
    for kind in kinds:
        ones = [event for event in real if event.kind == kind]
        delays = [delay for event in ones if (delay := _delay_s(event, told, truth.fps)) is not None]
        auc = _auc(anomaly, truth.of_kind(kind), normal)
        rows.append({"kind": kind, "auc": auc, "events": len(ones), "told": len(delays), "delays_s": delays, **counts})
    return rows


def _normal(truth: ClipTruth, frames: int) -> npt.NDArray[np.bool_]:
    """Frames in which nothing is unusual, about to be or just over: bool (T,)."""
    normal = ~(truth.labels | truth.out_of_scope)[:frames]
    if truth.undecided is not None:
        normal &= ~truth.undecided[:frames]
    times_s = np.arange(frames) / truth.fps
    for event in truth.crowd_events:
        before_s = AFTERMATH_S if event.kind == "emptiness" else 0.0
        normal &= (times_s < event.start_s - before_s) | (times_s >= event.end_s + AFTERMATH_S)
    return np.asarray(normal, np.bool_)


def _auc(
    anomaly: npt.NDArray[np.floating], shown: npt.NDArray[np.bool_], normal: npt.NDArray[np.bool_]
) -> float | None:
    used = shown[: len(anomaly)] | normal
    try:
        return float(frame_auc_micro([FrameScores("clip", anomaly[used], shown[: len(anomaly)][used])]))
    except UndefinedMetricError:
        return None


def _share(event: Event, frames: npt.NDArray[np.bool_]) -> float:
    """Share of an event's frames that are among these, bool (T,)."""
    return float(frames[event.start_frame : event.end_frame + 1].mean())


def _touching_frames(event: Event, real: TrueEvent, fps: float) -> list[int]:
    """Frames in which a detected event overlaps a true one, and touches its box if it has one."""
    frames = range(event.start_frame, event.end_frame + 1)
    if real.boxes_xyxy is None:
        return [frame for frame in frames if real.start_s <= frame / fps < real.end_s]
    pairs = ((frame, event.boxes.get(frame), real.boxes_xyxy.get(frame)) for frame in frames)
    return [frame for frame, box, true in pairs if box is not None and true is not None and _touch(box, true)]


def _touch(first: Box, second: Box) -> bool:
    return first[0] < second[2] and second[0] < first[2] and first[1] < second[3] and second[1] < first[3]


def _tells_any(event: Event, real: Sequence[TrueEvent], fps: float) -> bool:
    return any(_touching_frames(event, one, fps) for one in real)


def _delay_s(real: TrueEvent, told: Sequence[Event], fps: float) -> float | None:
    """From the start of a true event to the first detected one that tells it, seconds; None where none does."""
    overlaps = [_touching_frames(event, real, fps) for event in told]
    firsts = [frames[0] / fps for frames in overlaps if len(frames) >= TOLD_S * fps - 1e-9]
    return max(0.0, min(firsts) - real.start_s) if firsts else None


def _provenance(clip: GeneratedClip) -> dict[str, object]:
    return {"scene": json.loads(json.dumps(asdict(clip.config))), "seed": clip.seed}


if __name__ == "__main__":
    sys.exit(main())
