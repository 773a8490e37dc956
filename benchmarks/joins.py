"""Whether recordings of one camera that were joined in one video are told apart, and nothing else is taken for a join.

python -m benchmarks.joins --data DIR             # every camera that is missing, and Ped2; without DIR it is left out
python -m benchmarks.joins --quick                # one camera, a few seconds; not written unless --output is given

Each generated camera records six times ten seconds of other people.  Counted are the five joins that are told, and
cuts anywhere else: as recorded, with a jolt of the camera of up to 6 px in 240 every five seconds, and with a lorry
that passes right before the camera in 0.7 s every five seconds, 0.8 of the picture high and 0.35 wide.  Of Ped2's clips
nobody knows which go on where the one before ended: told joins are not scored there.  No label is read.
Writes benchmarks/results/joins.json; `python -m benchmarks.tables` makes the table of it.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from itertools import chain
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import numpy.typing as npt

from benchmarks.cameras import cameras
from benchmarks.rows import Row, read_rows, write_rows
from crowdad.errors import CrowdadError
from crowdad.evaluation.datasets.ucsd import find_clips
from crowdad.evaluation.protocols import provenance
from crowdad.records import Frame
from crowdad.synthetic import GeneratedClip, SceneConfig, scene_config
from crowdad.tubes.cuts import CutFinder

__all__ = ["JOIN_TABLES", "main"]

Luma = npt.NDArray[np.uint8]

RESULT = Path(__file__).parent / "results" / "joins.json"
RECORDINGS, SECONDS = 6, 10.0
_EVERY_S, _JOLT = 5.0, 6 / 240
_PED2_FPS = 10.0
_LORRY_S, _LORRY_HW = 0.7, (0.8, 0.35)


def table(rows: Sequence[Mapping[str, Any]]) -> str:
    """One line a camera."""
    if not rows:
        return "No rows yet: run `python -m benchmarks.joins`."
    lines = [
        "| recordings of | frames | joins | told | cuts elsewhere | told with jolts | cuts elsewhere "
        "| told with lorries | cuts elsewhere |",
        "|" + "---|" * 9,
    ]
    for row in rows:
        cells = [f"{row[name]['told']} | {row[name]['elsewhere']}" for name in ("plain", "jolted", "passed")]
        lines.append(f"| {row['camera']} | {row['frames']:,} | {row['joins']} | {' | '.join(cells)} |")
    return "\n".join(lines)


JOIN_TABLES = {"joins": table}


def main(arguments: Sequence[str] | None = None) -> int:
    """Measure the cameras that are missing; returns the exit code."""
    parser = argparse.ArgumentParser(
        prog="python -m benchmarks.joins", description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--data", type=Path, help="folder with UCSD Ped2; without it only generated cameras")
    parser.add_argument("--fresh", action="store_true", help="measure every camera anew")
    parser.add_argument("--quick", action="store_true", help="one camera for a few seconds")
    parser.add_argument("--output", type=Path, help=f"file of rows (default: {RESULT})")
    options = parser.parse_args(arguments)
    output = options.output or (None if options.quick else RESULT)
    command = ["python", "-m", "benchmarks.joins", *(sys.argv[1:] if arguments is None else arguments)]
    rows = {} if output is None or options.fresh else {row["camera"]: row for row in read_rows(output)}
    scenes = {"ped2like": scene_config("ped2like")} if options.quick else _scenes()
    try:
        for name, scene in scenes.items():
            if name not in rows:
                rows[name] = {**_of_camera(name, scene, 3.0 if options.quick else SECONDS), **provenance(command)}
                _keep(output, rows)
        if options.data is not None:
            found = find_clips("ped2", options.data)
            for name, clips in (("ped2, training clips", found.train), ("ped2, test clips", found.test)):
                if name not in rows:
                    recordings = ((frame.luma for frame in clip.open().frames()) for clip in clips)
                    rows[name] = {**_of_recordings(name, recordings, _PED2_FPS), **provenance(command)}
                    _keep(output, rows)
    except CrowdadError as error:
        print(f"benchmarks.joins: {error}", file=sys.stderr)
        return 1
    print(table(list(rows.values())))
    return 0


def _scenes() -> dict[str, SceneConfig]:
    shaken = {f"ped2like, shaken by {px} px": replace(scene_config("ped2like"), shake_px=float(px)) for px in (1, 2)}
    return {**cameras(), **shaken}


def _keep(output: Path | None, rows: Mapping[str, Row]) -> None:
    if output is not None:
        write_rows(output, list(rows.values()))


@dataclass
class _Counting:
    """Cuts that one finder sees, at joins and elsewhere."""

    finder: CutFinder = field(default_factory=CutFinder)
    told: int = 0
    elsewhere: int = 0

    def see(self, luma: Luma, index: int, *, joined: bool) -> None:
        if self.finder.is_cut(Frame(index, float(index), luma)):
            self.told += joined
            self.elsewhere += not joined

    def row(self) -> Row:
        return {"told": self.told, "elsewhere": self.elsewhere}


def _of_camera(name: str, scene: SceneConfig, seconds: float) -> Row:
    print(name, file=sys.stderr, flush=True)
    clips = [GeneratedClip(scene, seed=seed, duration_s=seconds) for seed in range(RECORDINGS)]
    recordings = ((cv2.cvtColor(picture, cv2.COLOR_BGR2GRAY) for picture in clip.frames()) for clip in clips)
    return _of_recordings(name, recordings, scene.fps)  # type: ignore[arg-type]


def _of_recordings(name: str, recordings: Iterable[Iterable[Luma]], fps: float) -> Row:
    rng = np.random.default_rng(0)
    plain, jolted, passed = _Counting(), _Counting(), _Counting()
    every = round(_EVERY_S * fps)
    frames = joins = 0
    for luma, begins in chain.from_iterable(map(_with_begins, recordings)):
        joined = begins and frames > 0
        joins += joined
        plain.see(luma, frames, joined=joined)
        jolt = frames % every == every // 2
        jolted.see(_jolted(luma, rng) if jolt else luma, frames, joined=joined)
        passed.see(_with_lorry(luma, (frames + every // 2) % every / (_LORRY_S * fps)), frames, joined=joined)
        frames += 1
    counted = {"plain": plain.row(), "jolted": jolted.row(), "passed": passed.row()}
    return {"camera": name, "frames": frames, "joins": joins, **counted}


def _with_begins(recording: Iterable[Luma]) -> Iterator[tuple[Luma, bool]]:
    return ((luma, number == 0) for number, luma in enumerate(recording))


def _jolted(luma: Luma, rng: np.random.Generator) -> Luma:
    height, width = luma.shape
    right, down = rng.uniform(-_JOLT, _JOLT, 2) * height
    shift = np.array([[1, 0, right], [0, 1, down]])
    return np.asarray(cv2.warpAffine(luma, shift, (width, height), borderMode=cv2.BORDER_REPLICATE), np.uint8)


def _with_lorry(luma: Luma, share: float) -> Luma:
    """The picture with a lorry that has done `share` of its way from one side to the other; none from 1 on."""
    height, width = luma.shape
    high, long = round(_LORRY_HW[0] * height), round(_LORRY_HW[1] * width)
    front = round(share * (width + long))
    first, last = max(front - long, 0), min(front, width)
    if first >= last:
        return luma
    panels = np.random.default_rng(1).uniform(20, 110, (6, 8)).astype(np.float32)
    side = cv2.resize(panels, (long, high), interpolation=cv2.INTER_NEAREST).astype(np.uint8)
    seen = luma.copy()
    seen[height - high :, first:last] = side[:, first - front + long : last - front + long]
    return seen


if __name__ == "__main__":
    sys.exit(main())
