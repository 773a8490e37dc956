"""A scene model put together by hand, and textured walkers to score with it: no test here needs a real fit."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import numpy as np
import numpy.typing as npt
import torch

from crowdad.config import Settings, load_settings
from crowdad.records import Frame
from crowdad.scene.calibration import Calibration
from crowdad.scene.encoders.conv3d import Conv3dAutoEncoder
from crowdad.scene.model import SceneModel
from crowdad.scene.streams import Motion
from crowdad.tubes.scale import SceneScale

PINNED = (
    "scale.person_px=40",
    "scale.walk_px=3",
    "motion.moving=0.36",
    "motion.local_sigma=0.1",
    "motion.body_sigma_x=0.15",
    "motion.body_sigma_y=0.25",
    "tubes.steps=5",
    "tubes.rows=5",
    "tubes.columns=3",
    "tubes.half_height=0.3",
    "tubes.half_width=0.15",
    "tubes.spacing=0.2",
    "tubes.min_density=0.12",
    "tubes.min_fill=0.65",
    "encoder.code_dim=8",
    "encoder.temporal_kernel=3",
    "heatmap.cell=0.2",
)
"""Defaults may be tuned; what is worked out by hand in the tests stands on these."""

SIZE_HW = (96, 128)
PERSON_PX = 40.0
STEP_PX = 3.0
"""What a walker moves in one step."""


def settings_of(*overrides: str) -> Settings:
    """The pinned settings with some of them changed."""
    return load_settings(overrides=[*PINNED, *overrides])


def scale_of(gap: int = 1, **changes: Any) -> SceneScale:
    """Flat scene: people 40 px tall who walk 3 px a step."""
    flat = SceneScale(
        size_hw=SIZE_HW,
        person=(PERSON_PX, 0.0, 0.0),
        walk=STEP_PX / PERSON_PX / gap,
        foreshortening=1.0,
        along=0,
        gap=gap,
        rows=(0.0, SIZE_HW[0] - 1.0),
        figures=100,
        fps=10.0,
    )
    return replace(flat, **changes)


def model_of(scale: SceneScale | None = None, settings: Settings | None = None, *, seed: int = 0) -> SceneModel:
    """A model with random weights and centres: its scores mean nothing, its plumbing is the real one."""
    settings = settings or settings_of()
    torch.manual_seed(seed)
    encoder = Conv3dAutoEncoder.from_settings(settings.encoder, settings.tubes)
    rng = np.random.default_rng(seed)
    centres = rng.normal(size=(4, encoder.code_width)).astype(np.float32)
    rows = settings.tubes.rows
    motion = Motion(
        settings=settings,
        weights={name: weight.numpy().copy() for name, weight in encoder.state_dict().items()},
        centres=centres / np.linalg.norm(centres, axis=1, keepdims=True),
        shares=np.full(4, 0.25, np.float32),
        mean=np.zeros((3, 1, rows, 1), np.float32),
        spread=np.ones((3, 1, rows, 1), np.float32),
        tube_normality=np.linspace(-1, 1, 101, dtype=np.float32),
        thumbnails=rng.integers(0, 255, (4, 36, 24), dtype=np.uint8),
    )
    calibration = Calibration(0.1, 50.0, 0.0, 0.05, 0.5, "exponential tail")
    provenance = {"how": "one-class", "frames": 7}
    return SceneModel(settings, scale or scale_of(), calibration, {motion.name: motion}, provenance)


def moved_otherwise(scene: SceneModel, **changes: Any) -> SceneModel:
    """The scene with some of what it has learned of motion changed."""
    return scene.with_stream(replace(scene.motion, **changes))


def texture(size_hw: tuple[int, int], seed: int, coarseness: int = 4) -> npt.NDArray[np.uint8]:
    """Random blotches, uint8 (H, W): something for the flow to hold on to."""
    rng = np.random.default_rng(seed)
    small = rng.uniform(40, 215, (size_hw[0] // coarseness + 2, size_hw[1] // coarseness + 2))
    fine = np.kron(small, np.ones((coarseness, coarseness)))
    smooth = sum(np.roll(fine, (dy, dx), (0, 1)) for dy in range(-1, 2) for dx in range(-1, 2)) / 9
    return smooth[2 : 2 + size_hw[0], 2 : 2 + size_hw[1]].astype(np.uint8)


def walkers(
    count: int,
    *,
    speeds: Sequence[float] = (STEP_PX, -STEP_PX),
    size_hw: tuple[int, int] = SIZE_HW,
    background_seed: int | None = None,
) -> npt.NDArray[np.uint8]:
    """Textured boxes of 40x16 px that cross the picture, one in each band of rows: uint8 (count, H, W).

    speeds: pixels a frame, one walker each.  background_seed: of a textured ground, None = plain grey.
    """
    height, width = size_hw
    ground = np.full(size_hw, 110, np.uint8) if background_seed is None else texture(size_hw, background_seed) // 2
    frames = np.repeat(ground[None], count, axis=0)
    tall, wide = min(40, height // len(speeds)), 16
    for number, speed in enumerate(speeds):
        body = texture((tall, wide), seed=100 + number)
        top = round((number + 0.5) * height / len(speeds) - tall / 2)
        for index in range(count):
            x = round(width / 3 + speed * index) % (width - wide)
            frames[index, top : top + tall, x : x + wide] = body
    return frames


def frames_of(
    pictures: npt.NDArray[np.uint8], *, first: int = 0, fps: float = 10.0, segment: int = 0, start_s: float = 0.0
) -> list[Frame]:
    """Frames of one run of footage."""
    return [
        Frame(first + i, start_s + (first + i) / fps, picture, segment=segment) for i, picture in enumerate(pictures)
    ]
