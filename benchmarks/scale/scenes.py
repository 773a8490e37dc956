"""Scenes whose people's height is known: real ones, read by eye, and generated cameras."""

from __future__ import annotations

import csv
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial
from itertools import islice
from pathlib import Path

import numpy as np

from benchmarks.cameras import cameras, small_cameras
from crowdad.errors import DatasetNotFoundError
from crowdad.evaluation.datasets.ucsd import ASSUMED_FPS
from crowdad.synthetic import PERSON_HEIGHT_M, GeneratedClip, SceneConfig, write_clip

__all__ = ["HEIGHTS", "Place", "Scene", "all_scenes", "as_person_height", "generated_scene", "real_scenes"]

HEIGHTS = Path(__file__).parent / "heights.csv"
"""Heights read for this benchmark; those that came with the footage lie beside it, in scenes/heights.csv."""

_SEED = 1  # of generated clips, as in benchmarks/generated.py
_UCSD = {"ped1": "ped1", "UCSD_Anomaly_Dataset.v1p2": "ped2"}  # first folder of a file's name -> data set
_MOMENTS = 12  # of a generated clip at which people's places are taken
_MOST_PLACES = 60


@dataclass(frozen=True)
class Place:
    """The middle of a whole person, in pixels of the displayed picture, and their height in pixels."""

    x: float
    y: float
    height_px: float


@dataclass(frozen=True)
class Scene:
    """One camera.

    footage: videos or folders of pictures, all measured together.  places: empty where nobody is seen whole.
    fps: assumed frames a second, None where the footage says.  generated: the camera that the footage is drawn with.
    walk_s: true walking speed across the picture's centre, person heights a second.  foreshortening: true, there.
    """

    name: str
    footage: tuple[Path, ...]
    places: tuple[Place, ...] = ()
    fps: float | None = None
    generated: SceneConfig | None = None
    walk_s: float | None = None
    foreshortening: float | None = None

    def draw(self) -> None:
        """Write the footage of a generated camera, unless it is there."""
        (video,) = self.footage
        if self.generated is not None and not video.exists():
            write_clip(GeneratedClip(self.generated, _SEED), video)


def as_person_height(places: Sequence[Place]) -> str | None:
    """What to give as --person-height of people at these places, None without any: a line through their heights."""
    if not places:
        return None
    rows = np.array([place.y for place in places])
    tall = np.array([place.height_px for place in places])
    if np.ptp(rows) > np.median(tall) / 2:
        down, at_top = np.polyfit(rows, tall, 1)
        if down > 0:
            return ",".join(f"{at_top + down * row:.0f}@{row:.0f}" for row in (rows.min(), rows.max()))
    return f"{np.median(tall):.0f}"


def all_scenes(data: Path | None, folder: Path) -> dict[str, Callable[[], Scene]]:
    """Scenes by name, made when they are called for, since it takes seconds to learn where generated people walk.

    Real ones in the data folder (none without one), then generated cameras, whose clips are to lie in `folder`.
    """
    real = [] if data is None else real_scenes(data)
    return {
        **{scene.name: partial(_itself, scene) for scene in real},
        **{name: partial(generated_scene, config, folder) for name, config in {**cameras(), **small_cameras()}.items()},
    }


def _itself(scene: Scene) -> Scene:
    return scene


def real_scenes(data: Path, heights: Path = HEIGHTS) -> list[Scene]:
    """Scenes of the videos in DATA/scenes, and of UCSD's training clips.

    Raises DatasetNotFoundError where DATA does not hold them.
    """
    folder = data / "scenes"
    if not folder.is_dir():
        raise DatasetNotFoundError(f"{folder}: no such folder; --data must name the folder with the real scenes")
    footage = {video.stem: [video] for video in sorted(folder.iterdir()) if video.suffix in (".avi", ".mp4")}
    places: dict[str, list[Place]] = {name: [] for name in footage}
    for file, place in (*_read_heights(folder / "heights.csv"), *_read_heights(heights)):
        name = _UCSD.get(Path(file).parts[0], Path(file).stem)
        places.setdefault(name, []).append(place)
        footage.setdefault(name, _clips_beside(data / file))
    return [
        Scene(name, tuple(footage[name]), tuple(found), ASSUMED_FPS if name in _UCSD.values() else None)
        for name, found in places.items()
    ]


def _clips_beside(clip: Path) -> list[Path]:
    """All training clips of a data set, of which one is given.  Raises DatasetNotFoundError."""
    if not clip.exists():
        raise DatasetNotFoundError(f"{clip}: no such clip; --data must name the folder that holds it")
    beside = sorted(clip.parent.iterdir())
    return [other for other in beside if other.suffix == clip.suffix and not other.name.startswith(".")]


def _read_heights(path: Path) -> list[tuple[str, Place]]:
    if not path.exists():
        return []
    with path.open(encoding="utf-8", newline="") as lines:
        return [
            (row["file"], Place(float(row["x"]), float(row["y"]), float(row["height_px"])))
            for row in csv.DictReader(lines)
        ]


def generated_scene(config: SceneConfig, folder: Path) -> Scene:
    """A generated camera, with the height of a mean person wherever its own people walk."""
    camera = config.camera
    height, width = camera.size_hw
    x, y = (width - 1) / 2, (height - 1) / 2
    across, along = (float(camera.walking_speed_px(x, y, heading)) for heading in (0.0, 90.0))
    return Scene(
        config.name,
        (folder / f"{config.name}.mp4",),
        _walked_places(GeneratedClip(config, _SEED)),
        generated=config,
        walk_s=across / float(camera.person_height_px(x, y, at=0.5)),
        foreshortening=across / along,
    )


def _walked_places(clip: GeneratedClip) -> tuple[Place, ...]:
    """Whole walkers at moments all over the clip."""
    height, width = clip.size_hw
    found = []
    for people in islice(clip.positions(), 0, None, max(1, clip.n_frames // _MOMENTS)):
        on_ground = np.array([(one.x_m, one.y_m) for one in people if one.kind == "walker"]).reshape(-1, 2)
        feet, middle, head = (
            clip.camera.project(np.column_stack([on_ground, np.full(len(on_ground), level)]))[0]
            for level in (0.0, PERSON_HEIGHT_M / 2, PERSON_HEIGHT_M)
        )
        whole = np.all((np.minimum(feet, head) > 0) & (np.maximum(feet, head) < (width, height)), axis=1)
        x, y = middle[whole].T
        tall = clip.camera.person_height_px(x, y, at=0.5)
        found += [Place(*map(float, one)) for one in np.round(np.stack([x, y, tall], axis=1), 1)]
    return tuple(found[:: max(1, -(-len(found) // _MOST_PLACES))])
