"""Is footage of the model's camera? Real and generated cameras against themselves, changed, and against each other.

python -m benchmarks.right_camera --data DIR

A model's background is taken from the first half of a clip, or from a data set's training clips; the footage is five
seconds of the second half, or of test clips.  Writes results/right_camera.json; `python -m benchmarks.tables`
puts it into benchmarks/README.md.
"""

from __future__ import annotations

import argparse
import statistics
import sys
import time
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import numpy.typing as npt

from benchmarks.cameras import cameras
from benchmarks.rows import Row, write_rows
from crowdad.evaluation.datasets.root import data_root
from crowdad.evaluation.protocols import provenance
from crowdad.scene.viewpoint import BackgroundKeeper, compare
from crowdad.sources import open_source
from crowdad.synthetic import GeneratedClip

__all__ = ["CHANGES", "RIGHT_CAMERA_TABLES", "main"]

RESULT = Path(__file__).parent / "results" / "right_camera.json"

Luma = npt.NDArray[np.uint8]
Clip = list[Luma]

_MARGIN = 0.12  # of each side, out of which a moved camera's view comes
_WIDTH = 640  # pixels of shifts are those of pictures of this width
_LOOK_S, _LOOK = 5.0, 9
_FITTED = 24


@dataclass(frozen=True)
class Place:
    """One camera: pictures that a model is fitted on, and clips of later footage.  family: cameras of one view."""

    name: str
    family: str
    fitted: Clip
    later: list[Clip]


def moved(shift_px: tuple[float, float] = (0, 0), angle: float = 0, zoom: float = 1) -> Callable[[Clip], Clip]:
    """What a camera sees after it was moved."""

    def change(clip: Clip) -> Clip:
        return [_inner(luma, shift_px, angle, zoom) for luma in clip]

    return change


def _inner(luma: Luma, shift_px: tuple[float, float] = (0, 0), angle: float = 0, zoom: float = 1) -> Luma:
    height, width = luma.shape
    turn = cv2.getRotationMatrix2D(((width - 1) / 2, (height - 1) / 2), angle, zoom)
    turn[:, 2] += np.array(shift_px) * width / _WIDTH
    seen = cv2.warpAffine(luma, turn, (width, height), borderMode=cv2.BORDER_REFLECT)
    top, left = round(height * _MARGIN), round(width * _MARGIN)
    return np.asarray(seen[top : height - top, left : width - left], np.uint8)


def lit(level: Callable[[npt.NDArray[np.float64]], npt.NDArray[np.float64]]) -> Callable[[Clip], Clip]:
    """The same view in another light.  level: of a picture in [0, 1]."""

    def change(clip: Clip) -> Clip:
        return [np.rint(255 * level(_inner(luma) / 255).clip(0, 1)).astype(np.uint8) for luma in clip]

    return change


def _noisy(clip: Clip) -> Clip:
    rng = np.random.default_rng(1)
    return [(_inner(luma) + rng.normal(0, 20, _inner(luma).shape)).clip(0, 255).astype(np.uint8) for luma in clip]


def _night(clip: Clip) -> Clip:
    """Dark but for four lamps, and grainy."""
    rng = np.random.default_rng(0)
    views = [_inner(luma) for luma in clip]
    height, width = views[0].shape
    y, x = np.mgrid[:height, :width]
    light = np.full((height, width), 0.08)
    for _ in range(4):
        far = (x - rng.uniform(0, width)) ** 2 + (y - rng.uniform(0, height)) ** 2
        light += 0.3 * np.exp(-far / (2 * (0.12 * width) ** 2))
    return [(view * light + 4 + rng.normal(0, 6, view.shape)).clip(0, 255).astype(np.uint8) for view in views]


def _jpeg(clip: Clip) -> Clip:
    packed = [cv2.imencode(".jpg", _inner(luma), [cv2.IMWRITE_JPEG_QUALITY, 15])[1] for luma in clip]
    return [np.asarray(cv2.imdecode(blob, cv2.IMREAD_GRAYSCALE), np.uint8) for blob in packed]


def _halved(clip: Clip) -> Clip:
    return [
        np.asarray(cv2.resize(_inner(luma), None, fx=0.5, fy=0.5, interpolation=cv2.INTER_AREA), np.uint8)
        for luma in clip
    ]


def crowded(share: float, view: Callable[[Clip], Clip]) -> Callable[[Clip], Clip]:
    """People who stand still all the time hide `share` of the picture."""

    def change(clip: Clip) -> Clip:
        views = view(clip)
        people, hidden = _standing(views[0].shape, share)
        return [np.where(hidden, people, seen) for seen in views]

    return change


def _standing(size_hw: tuple[int, ...], share: float) -> tuple[Luma, npt.NDArray[np.bool_]]:
    rng = np.random.default_rng(0)
    height, width = size_hw
    people, hidden = np.zeros((height, width), np.uint8), np.zeros((height, width), np.uint8)
    while hidden.mean() < share:
        x, y, tall = rng.uniform(0, width), rng.uniform(0.1 * height, height), height * rng.uniform(0.12, 0.25)
        for up, across, along, grey in ((0, 0.18, 0.35, 220), (0.5, 0.14, 0.3, 120), (-0.45, 0.1, 0.12, 200)):
            place, axes = (int(x), int(y + up * tall)), (max(1, int(across * tall)), max(1, int(along * tall)))
            cv2.ellipse(people, place, axes, 0, 0, 360, int(rng.integers(20, grey)), -1)
            cv2.ellipse(hidden, place, axes, 0, 0, 360, 1, -1)
    return people, hidden.astype(bool)


_SAME, _MOVED, _LIGHT = ("same",), ("moved",), ("same", "another light")

CHANGES: Mapping[str, tuple[Callable[[Clip], Clip], tuple[str, ...]]] = {
    "none": (moved(), _SAME),
    **{f"shifted {px} px of 640": (moved((0.8 * px, 0.6 * px)), _SAME) for px in (2, 5, 10)},
    "shifted 30 px of 640": (moved((24, 18)), _MOVED),
    "rotated 1°": (moved(angle=1), _SAME),
    **{f"rotated {angle}°": (moved(angle=angle), _MOVED) for angle in (3, 10)},
    **{f"zoomed {zoom} times": (moved(zoom=zoom), _MOVED) for zoom in (0.9, 1.1)},
    "0.3 times as bright": (lit(lambda level: 0.3 * level), _LIGHT),
    "0.1 times as bright": (lit(lambda level: 0.1 * level), _LIGHT),
    "gamma 0.5": (lit(lambda level: level**0.5), _SAME),
    "gamma 2.2": (lit(lambda level: level**2.2), _SAME),
    "noise, 20 grey levels": (_noisy, _SAME),
    "JPEG, quality 15": (_jpeg, _SAME),
    "half the resolution": (_halved, _SAME),
    "half of it hidden by people who stand": (crowded(0.5, moved()), _SAME),
    "night: four lamps, grain": (_night, _LIGHT),
    "40 % hidden, and shifted 30 px": (crowded(0.4, moved((24, 18))), _MOVED),
}
"""Name -> what is done to the later footage, and the verdicts that are right then."""


def real_places(root: Path) -> Iterator[Place]:
    """The cameras of the data folder."""
    for path in sorted((root / "scenes").glob("*.[ma][pv][4i]")):
        source = open_source(path)
        length = source.expected_frames or 0
        look = min(0.5, _LOOK_S * source.fps / max(length, 1))
        yield Place(path.stem, path.stem, _pictures(path, 0, 0.5, _FITTED), [_pictures(path, 0.5, 0.5 + look, _LOOK)])
    ped2 = root / "UCSD_Anomaly_Dataset.v1p2" / "UCSDped2"
    sets = (
        ("Ped1", "ped1/training/videos/*.mp4", "ped1/testing/videos/*.mp4", root),
        ("Ped2", "Train/Train0??", "Test/Test0??", ped2),
    )
    for name, training, testing, folder in sets:
        fitted = [luma for path in sorted(folder.glob(training)) for luma in _pictures(path, 0, 1, 2)]
        later = [_pictures(path, 0, 0.3, _LOOK) for path in sorted(folder.glob(testing))]
        if fitted and later:
            yield Place(name, name, fitted, later)


def _pictures(path: Path, start: float, end: float, count: int) -> Clip:
    """Pictures spread over a part of the footage, 960 px wide at most."""
    source = open_source(path)
    length = source.expected_frames or 0
    wanted = set(np.linspace(length * start, max(length * end - 1, 0), count).astype(int).tolist())
    found = (frame.luma for index, frame in enumerate(source.frames()) if index in wanted)
    return [_narrow(luma) for luma in found]


def _narrow(luma: Luma) -> Luma:
    share = min(1.0, 960 / luma.shape[1])
    return luma if share == 1 else np.asarray(cv2.resize(luma, None, fx=share, fy=share, interpolation=cv2.INTER_AREA))


def generated_places() -> Iterator[Place]:
    """The generated cameras; several look at one view."""
    for name, scene in cameras().items():
        families = {"demo": "demo", "5fps": "demo", "50fps": "demo", "sparse": "demo", "dense": "demo"}
        family = "plaza" if name.startswith("plaza") else families.get(name, name)
        clips = [_drawn(GeneratedClip(scene, seed, duration_s=8.0, fps=5.0)) for seed in (1, 2)]
        yield Place(name, family, clips[0], [clips[1][: _LOOK * 3 : 3]])


def _drawn(clip: GeneratedClip) -> Clip:
    return [_narrow(np.asarray(cv2.cvtColor(picture, cv2.COLOR_BGR2GRAY), np.uint8)) for picture in clip.frames()]


def background(clip: Clip) -> Luma:
    """Of a few pictures."""
    keeper = BackgroundKeeper()
    for luma in clip:
        keeper.add(luma)
    return keeper.background()


class Tally:
    """Verdicts on pairs of one kind, and whether they are right."""

    def __init__(self, what: str, wanted: tuple[str, ...]) -> None:
        self.what = what
        self.wanted = wanted
        self._verdicts: Counter[str] = Counter()
        self._seconds: list[float] = []
        self._certainties: list[float] = []
        self._wrong: list[str] = []

    @property
    def pairs(self) -> int:
        """How many were judged."""
        return self._verdicts.total()

    def judge(self, model: Luma, clip: Clip, name: str) -> None:
        """Compare one pair."""
        seen = background(clip)
        began_s = time.perf_counter()
        found = compare(model, seen, (clip[0].shape[0], clip[0].shape[1]))
        self._seconds.append(time.perf_counter() - began_s)
        verdict = "not compared" if found is None else found.verdict
        self._verdicts[verdict] += 1
        self._certainties.append(0.0 if found is None else found.certainty)
        if verdict not in self.wanted:
            self._wrong.append(f"{name}: {verdict}")

    def row(self) -> Row:
        """What is kept of it."""
        quiet = self._verdicts["same"] + self._verdicts["not compared"]
        return {
            "what": self.what,
            "wanted": list(self.wanted),
            "pairs": self.pairs,
            "verdicts": dict(self._verdicts),
            "false_alarms": self.pairs - quiet if self.wanted == _SAME else 0,
            "misses": quiet if "same" not in self.wanted else 0,
            "wrong": self._wrong[:20],
            "certainty": statistics.median(self._certainties),
            "seconds": statistics.median(self._seconds),
            "longest_s": max(self._seconds),
        }


def measure(real: Sequence[Place], drawn: Sequence[Place]) -> Iterator[Row]:
    """All rows, of cameras as they are and of changes."""
    places = [*real, *drawn]
    models = {place.name: background(place.fitted) for place in places}
    own = Tally("the same camera, other footage", _SAME)
    other, unlike = (
        Tally(f"another camera of {kind}", ("another camera",)) for kind in ("the same shape", "another shape, resized")
    )
    for place in places:
        for later in places:
            for number, clip in enumerate(later.later):
                pair = f"{later.name} {number + 1} with the model of {place.name}"
                if place.family == later.family:
                    own.judge(models[place.name], clip, pair)
                elif number < 3:
                    shapes = [picture.shape[1] / picture.shape[0] for picture in (models[place.name], clip[0])]
                    alike = abs(shapes[0] / shapes[1] - 1) < 0.03
                    (other if alike else unlike).judge(models[place.name], clip, pair)
    yield from (tally.row() for tally in (own, other, unlike) if tally.pairs)
    for what, (change, wanted) in CHANGES.items():
        tally = Tally(f"changed: {what}", wanted)
        for place in real:
            tally.judge(background(moved()(place.fitted)), change(place.later[0]), place.name)
        if tally.pairs:
            yield tally.row()


def table(rows: Sequence[Row]) -> str:
    """One line a kind of pair."""
    if not rows:
        return "No rows yet: run `python -m benchmarks.right_camera`."
    kinds = ("same", "another light", "moved", "another camera", "unsure")
    lines = [
        f"| the footage | pairs | {' | '.join(kinds)} | false alarms | misses | s, median (longest) |",
        f"|---|---|{'---|' * (len(kinds) + 3)}",
    ]
    for row in rows:
        counts = [_count(row, kind) for kind in kinds]
        lines.append(
            f"| {row['what']} | {row['pairs']} | {' | '.join(counts)} | {row['false_alarms']} | {row['misses']} | "
            f"{row['seconds']:.2f} ({row['longest_s']:.2f}) |"
        )
    return "\n".join(lines)


def _count(row: Row, kind: str) -> str:
    """How often, in bold where that is right."""
    count: Any = row["verdicts"].get(kind, 0)
    shown = str(count) if count else "–"
    return f"**{shown}**" if count and kind in row["wanted"] else shown


RIGHT_CAMERA_TABLES = {"right-camera": table}


def main(arguments: Sequence[str] | None = None) -> int:
    """Measure all pairs; returns the exit code."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.right_camera", description=__doc__)
    parser.add_argument("--data", type=Path, help="data folder; default: $CROWDAD_DATA")
    parser.add_argument("--out", type=Path, default=RESULT, help="file of rows; default: the published one")
    options = parser.parse_args(arguments)
    root = data_root(options.data)
    real = list(real_places(root))
    if not real:
        print(f"error: {root}: no real camera there; give the folder of the data with --data", file=sys.stderr)
        return 1
    kept = provenance(["python", "-m", "benchmarks.right_camera"])
    rows = []
    for row in measure(real, list(generated_places())):
        rows.append({**row, **kept})
        print(table([row]).splitlines()[-1], flush=True)
    write_rows(options.out, rows)
    return 0


if __name__ == "__main__":
    sys.exit(main())
