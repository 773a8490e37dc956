"""Whether recordings of one camera that were joined in one video are told apart, and nothing else is taken for a join.

python -m benchmarks.joins --data DIR             # every camera that is missing, and Ped2; without DIR it is left out
python -m benchmarks.joins --quick                # one camera, a few seconds; not written unless --output is given

Each generated camera records six times ten seconds of other people.  Counted are the five joins that are told, and
cuts anywhere else, as recorded and with a jolt of the camera of up to 6 px in 240 every five seconds.  Of Ped2's clips
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
from benchmarks.rows import read_rows, write_rows
from crowdad.cuts import CutFinder
from crowdad.datasets.generated import GeneratedClip, SceneConfig, scene_config
from crowdad.datasets.ucsd import find_clips
from crowdad.errors import CrowdadError
from crowdad.evaluation import provenance
from crowdad.records import Frame

__all__ = ["JOIN_TABLES", "main"]

Row = dict[str, Any]
Luma = npt.NDArray[np.uint8]

RESULT = Path(__file__).parent / "results" / "joins.json"
RECORDINGS, SECONDS = 6, 10.0
_JOLT_EVERY_S, _JOLT = 5.0, 6 / 240


def table(rows: Sequence[Mapping[str, Any]]) -> str:
    """One line a camera."""
    if not rows:
        return "No rows yet: run `python -m benchmarks.joins`."
    lines = [
        "| recordings of | frames | joins | told | cuts elsewhere | joins told with jolts | cuts elsewhere |",
        "|" + "---|" * 7,
    ]
    for row in rows:
        plain, jolted = row["plain"], row["jolted"]
        after = "– | –" if jolted is None else f"{jolted['told']} | {jolted['elsewhere']}"
        counted = f"{row['joins']} | {plain['told']} | {plain['elsewhere']}"
        lines.append(f"| {row['camera']} | {row['frames']:,} | {counted} | {after} |")
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
                    rows[name] = {**_of_recordings(name, recordings), **provenance(command)}
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
    return _of_recordings(name, recordings, jolt_every=round(_JOLT_EVERY_S * scene.fps))  # type: ignore[arg-type]


def _of_recordings(name: str, recordings: Iterable[Iterable[Luma]], jolt_every: int | None = None) -> Row:
    rng = np.random.default_rng(0)
    plain, jolted = _Counting(), _Counting()
    frames = joins = 0
    for luma, begins in chain.from_iterable(map(_with_begins, recordings)):
        joined = begins and frames > 0
        joins += joined
        plain.see(luma, frames, joined=joined)
        if jolt_every is not None:
            jolt = frames % jolt_every == jolt_every // 2
            jolted.see(_jolted(luma, rng) if jolt else luma, frames, joined=joined)
        frames += 1
    after = None if jolt_every is None else jolted.row()
    return {"camera": name, "frames": frames, "joins": joins, "plain": plain.row(), "jolted": after}


def _with_begins(recording: Iterable[Luma]) -> Iterator[tuple[Luma, bool]]:
    return ((luma, number == 0) for number, luma in enumerate(recording))


def _jolted(luma: Luma, rng: np.random.Generator) -> Luma:
    height, width = luma.shape
    right, down = rng.uniform(-_JOLT, _JOLT, 2) * height
    shift = np.array([[1, 0, right], [0, 1, down]])
    return np.asarray(cv2.warpAffine(luma, shift, (width, height), borderMode=cv2.BORDER_REPLICATE), np.uint8)


if __name__ == "__main__":
    sys.exit(main())
