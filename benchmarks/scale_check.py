"""People's measured height against their true one, on real scenes and generated cameras.

python -m benchmarks.scale_check --data DIR               # every scene that is missing; without data, generated cameras
python -m benchmarks.scale_check --data DIR --only mall --fresh
python -m benchmarks.scale_check --data DIR --detect      # also what `crowdad detect` tells of each real scene

True heights of real scenes were read by eye: DIR/scenes/heights.csv and benchmarks/scale/heights.csv.  Each scene is
measured in a process of its own.  Writes benchmarks/results/people.json and a picture of each scene's outlines in
benchmarks/results/people/; `python -m benchmarks.tables` makes the tables of it.
"""

from __future__ import annotations

import argparse
import os
import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path

from benchmarks.rows import Row, read_rows, write_rows
from benchmarks.scale.child import in_a_process
from benchmarks.scale.scenes import Scene, all_scenes, as_person_height
from benchmarks.scale.tables import agreement, drawable, people_table
from crowdad.errors import CrowdadError
from crowdad.evaluation.datasets.root import DATA_VARIABLE
from crowdad.evaluation.protocols import provenance
from crowdad.sources import open_source

__all__ = ["main"]

RESULT = Path(__file__).parent / "results" / "people.json"
LIMIT_S = 900.0


def main(arguments: Sequence[str] | None = None) -> int:
    """Measure the scenes that are missing; returns the exit code."""
    options = _parser().parse_args(arguments)
    rows = {row["scene"]: row for row in read_rows(options.output)}
    try:
        with tempfile.TemporaryDirectory(prefix="crowdad-") as temporary:
            scenes = all_scenes(_data(options.data), options.keep or Path(temporary))
            for name in _chosen(options.only, list(scenes)):
                if options.fresh or name not in rows:
                    again = ["python", "-m", "benchmarks.scale_check", "--only", name, "--fresh"]
                    rows[name] = {**_measured(scenes[name](), options.limit), **provenance(again)}
                    print(people_table([rows[name]]).splitlines()[-1], flush=True)
                if options.detect and not rows[name]["generated"] and "detect" not in rows[name]:
                    rows[name]["detect"] = _detected(scenes[name](), "refused" in rows[name], options.limit)
                order = [*scenes, *rows]
                write_rows(options.output, sorted(rows.values(), key=lambda row: order.index(row["scene"])))
    except CrowdadError as error:
        print(f"benchmarks.scale_check: {error}", file=sys.stderr)
        return 1
    _draw(list(rows.values()), options.output.with_suffix(""))
    return 0


def _chosen(only: Sequence[str] | None, names: Sequence[str]) -> Sequence[str]:
    unknown = [name for name in only or () if name not in names]
    if unknown:
        raise CrowdadError(f"no scene is called {unknown[0]!r}; choose among {', '.join(names)}")
    return only or names


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="python -m benchmarks.scale_check",
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("--data", type=Path, help=f"folder with real scenes; default: ${DATA_VARIABLE}; neither: none")
    parser.add_argument("--only", action="append", metavar="NAME", help="of these scenes alone; may be repeated")
    parser.add_argument("--fresh", action="store_true", help="measure also what has a row")
    parser.add_argument("--detect", action="store_true", help="also run crowdad detect on real scenes")
    parser.add_argument(
        "--keep", type=Path, help="folder for generated clips, which are drawn once; default: temporary"
    )
    parser.add_argument(
        "--limit", type=float, default=LIMIT_S, help="seconds for each measurement (default: %(default)g)"
    )
    parser.add_argument("--output", type=Path, default=RESULT, help="file of rows (default: %(default)s)")
    return parser


def _data(given: Path | None) -> Path | None:
    named = os.environ.get(DATA_VARIABLE, "").strip()
    return given or (Path(named) if named else None)


def _measured(scene: Scene, limit_s: float) -> Row:
    if scene.generated:
        scene.draw()
    first = open_source(scene.footage[0], fps=scene.fps)
    height, width = first.info.size_hw
    told = in_a_process(scene, "measure", limit_s)
    true_px = [place.height_px for place in scene.places]
    return {
        "scene": scene.name,
        "generated": scene.generated is not None,
        "size_wh": [width, height],
        "fps": round(first.fps, 3),
        "fps_assumed": scene.fps is not None,
        "places": [[place.x, place.y, place.height_px] for place in scene.places],
        "true_walk_s": scene.walk_s,
        "true_foreshortening": scene.foreshortening,
        **told,
        **(agreement(true_px, told["measured_px"]) if told.get("measured_px") else {}),
    }


def _detected(scene: Scene, refused: bool, limit_s: float) -> Row:
    """What `crowdad detect` tells; it is given the true height where people's size was refused."""
    return in_a_process(scene, "detect", limit_s, as_person_height(scene.places) if refused else None)


def _draw(rows: Sequence[Row], folder: Path) -> None:
    from benchmarks.scale.pictures import draw_people

    for row in drawable(rows):
        draw_people(row, folder / f"{row['scene']}.png")


if __name__ == "__main__":
    sys.exit(main())
