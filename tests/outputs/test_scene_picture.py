"""The picture of a scene: what lies where in it."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import cv2
import numpy as np
import numpy.typing as npt
import pytest

from crowdad.outputs.scene_picture import Portrait, write_scene_picture
from crowdad.scene.calibration import Calibration

TAIL = Calibration(0.05, 400.0, 0.1, 0.02, 0.5, "generalised Pareto tail")
GREYS = (40, 200, 120)
SHARES = (0.2, 0.5, 0.3)


def portrait(**changes: object) -> Portrait:
    whole = Portrait(
        title="gate$3$ \u4e2d.safetensors",
        about="one-class",
        size_hw=(240, 360),
        thumbnails=np.stack([np.full((36, 24), grey, np.uint8) for grey in GREYS]),
        shares=np.array(SHARES, np.float32),
        motions=None,
        activity=None,
        calibration=TAIL,
        rate=1.0,
        losses=(),
    )
    return replace(whole, **changes)


def drawn(path: Path, **changes: object) -> npt.NDArray[np.uint8]:
    write_scene_picture(path, portrait(**changes))
    picture = cv2.imread(str(path))
    assert picture is not None
    return np.asarray(picture, np.uint8)


def test_the_most_common_centre_comes_first(tmp_path: Path) -> None:
    picture = drawn(tmp_path / "scene.png")
    assert picture.shape[1] == 1600
    row = picture[96 + 40, :, 0]
    starts = [60, 60 + 124, 60 + 248]
    assert [int(row[start + 50]) for start in starts] == [200, 120, 40]
    assert row[starts[2] + 124 + 50] == 255, "three centres, no more"


def test_speed_lies_below_its_subject_from_the_oldest_step_to_the_newest(tmp_path: Path) -> None:
    motions = np.zeros((3, 5, 5, 3), np.uint8)
    motions[1, 0] = 255  # the newest step of the most common centre
    still = drawn(tmp_path / "still.png")
    picture = drawn(tmp_path / "moving.png", motions=motions)
    strip = picture[96 + 171 + 15, 60:174].sum(axis=-1)
    assert np.flatnonzero(strip > 400).min() > 85
    assert picture.shape[0] > still.shape[0]


@pytest.mark.parametrize(("count", "rows"), [(1, 1), (256, 8), (400, 9)])
def test_as_many_centres_as_there_is_room_for(count: int, rows: int, tmp_path: Path) -> None:
    thumbnails = np.full((count, 36, 24), 90, np.uint8)
    picture = drawn(tmp_path / "many.png", thumbnails=thumbnails, shares=np.full(count, 1 / count, np.float32))
    column = (picture[:, 60 + 10] == 90).all(axis=-1)
    assert np.count_nonzero(np.diff(column.astype(int)) == 1) == rows


def test_motion_is_bright_where_it_was(tmp_path: Path) -> None:
    activity = np.zeros((32, 48), np.float16)
    activity[:, 24:] = 1
    unknown, picture = drawn(tmp_path / "no.png"), drawn(tmp_path / "map.png", activity=activity)
    changed = np.flatnonzero((unknown != picture).any(axis=(0, 2)))
    middle = picture[picture.shape[0] - 250, :, 2].astype(int)
    left, right = 60 + 100, 60 + 500
    assert changed.min() < left < right < changed.max()
    assert middle[left] < 20
    assert middle[right] > 200


@pytest.mark.parametrize("rate", [1.0, 0.001, 4000.0])
def test_the_threshold_is_marked_at_the_wanted_rate(rate: float, tmp_path: Path) -> None:
    picture = drawn(tmp_path / "scene.png", rate=rate)
    blue, green, red = (picture[..., channel].astype(int) for channel in range(3))
    hot = (red - blue > 150) & (red - green > 100)
    assert np.count_nonzero(hot.sum(axis=1) >= 7) >= 5, "a dot"


def test_a_training_curve_needs_epochs(tmp_path: Path) -> None:
    without, with_one = drawn(tmp_path / "a.png"), drawn(tmp_path / "b.png", losses=[0.5])
    assert np.array_equal(without, with_one)
    assert not np.array_equal(without, drawn(tmp_path / "c.png", losses=[0.5, 0.3, 0.2]))
