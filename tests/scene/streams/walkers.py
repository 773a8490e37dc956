"""Walkers in a straight line, as the tubes that follow them: no picture is needed to learn from who goes where."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np

from crowdad.config import Settings
from crowdad.records import Tubes
from crowdad.scene.streams import Lesson, Step
from crowdad.tubes.scale import SceneScale

__all__ = ["SCALE", "SETTINGS", "Walker", "crossing", "lesson_of", "steps_of", "tubes_of"]

SETTINGS = Settings()
SCALE = SceneScale(
    size_hw=(240, 360),
    person=(30.0, 0.0, 0.0),
    walk=0.1,
    foreshortening=1.0,
    along=10,
    gap=1,
    rows=(20.0, 220.0),
    figures=100,
    fps=10.0,
    certainty="sure",
)
"""People of 30 px that walk 3 px a step, ten steps a second."""

WALK_PX = 3.0
_SPREAD = np.array([(-3.0, -4.0), (3.0, -4.0), (-3.0, 4.0), (3.0, 4.0), (0.0, 0.0)])  # of a subject's tubes, pixels


@dataclass(frozen=True)
class Walker:
    """From a place (x, y) on, at a velocity in walking speeds (x, y), first seen at a step.  swing: of its legs."""

    start: tuple[float, float]
    velocity: tuple[float, float]
    first: int = 0
    swing: float = -1.0

    def at(self, step: int) -> np.ndarray:
        """Where it is, pixels (2,)."""
        return np.array(self.start) + WALK_PX * (step - self.first) * np.array(self.velocity)


def tubes_of(walkers: Sequence[Walker], step: int) -> Tubes:
    """Five tubes for each walker who is in the picture and was five steps long."""
    steps = SETTINGS.tubes.steps
    paths, swings, speeds = [], [], []
    for walker in walkers:
        path = np.stack([walker.at(step - age) for age in range(steps)])
        if step - walker.first >= steps and (path >= 0).all() and (path < (360, 240)).all():
            paths += [path + offset for offset in _SPREAD]
            swings += [walker.swing] * len(_SPREAD)
            speeds += [np.hypot(*walker.velocity)] * len(_SPREAD)
    count = len(paths)
    features = np.zeros((count, 3, steps, 5, 3), np.float32)
    features[:, :2] = np.reshape(speeds, (count, 1, 1, 1, 1))
    return Tubes(
        features,
        np.reshape(paths, (count, steps, 2)).astype(np.float32),
        np.ones((count, steps), bool),
        np.full(count, 30, np.float32),
        np.zeros(count, np.int64),
        np.stack([swings, np.full(count, 0.5)], axis=1).astype(np.float32) if count else np.zeros((0, 2), np.float32),
    )


def crossing(seconds: float, row: float, way: int, every_s: float = 2.5, seed: int = 0) -> list[Walker]:
    """Walkers along about one row, to the right (1) or to the left (-1), one after the other."""
    rng = np.random.default_rng(seed)
    return [
        Walker(
            (5.0 if way > 0 else 355.0, row + rng.normal(0, 4)),
            (way * rng.normal(1, 0.08), rng.normal(0, 0.03)),
            int(10 * start_s),
            rng.normal(-1, 0.15),
        )
        for start_s in np.arange(0, seconds, every_s) + rng.uniform(0, 1)
    ]


def steps_of(walkers: Sequence[Walker], count: int) -> Iterator[Step]:
    """The steps with their tubes, from 1 on."""
    for number in range(1, count + 1):
        yield Step(number, number / 10, tubes_of(walkers, number))


def lesson_of(steps: Sequence[Step], *, unlabelled: bool = False) -> Lesson:
    """All of them kept."""
    return Lesson({step.number: step.tubes for step in steps if step.tubes is not None}, unlabelled)
