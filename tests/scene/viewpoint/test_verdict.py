"""The same view, a moved one, another light and another camera are told apart."""

from __future__ import annotations

import cv2
import numpy as np
import pytest

from crowdad.scene.viewpoint import BackgroundKeeper, CameraVerdict, compare
from tests.scene.viewpoint.made_up import SIZE_HW, Luma, peopled, view


def background(luma: Luma) -> Luma:
    keeper = BackgroundKeeper()
    keeper.add(luma)
    return keeper.background()


def verdict(later: Luma, model: Luma | None = None) -> CameraVerdict:
    found = compare(background(view(1) if model is None else model), background(later), SIZE_HW)
    assert found is not None
    return found


@pytest.mark.parametrize("shift_px", [(0, 0), (1, 1), (3, -2), (5, 3)])
def test_a_view_that_sways_is_the_same(shift_px: tuple[float, float]) -> None:
    found = verdict(view(1, shift_px))
    assert found.verdict == "same"
    assert found.certainty > 0.9
    assert found.warning is None


@pytest.mark.parametrize("seed", range(5))
def test_people_in_the_picture_leave_it_the_same(seed: int) -> None:
    assert verdict(peopled(view(1), seed, 60)).verdict == "same"


def test_another_resolution_of_the_same_shape_is_the_same() -> None:
    twice = np.asarray(cv2.resize(view(1), None, fx=2, fy=2), np.uint8)
    assert verdict(twice).verdict == "same"


@pytest.mark.parametrize(
    ("moved", "told"),
    [
        ({"shift_px": (24, 0)}, "turned by about 24 px to the left"),
        ({"shift_px": (-24, 0)}, "turned by about 24 px to the right"),
        ({"shift_px": (0, 20)}, "turned by about 20 px up"),
        ({"angle": 9}, "tilted by 9° clockwise"),
        ({"angle": -9}, "tilted by 9° counterclockwise"),
        ({"zoom": 1.15}, "zoomed in 1.15 times"),
        ({"zoom": 0.87}, "zoomed out 1.15 times"),
    ],
)
def test_a_moved_camera_is_told_with_how_it_moved(moved: dict[str, float], told: str) -> None:
    found = verdict(view(1, **moved))  # type: ignore[arg-type]
    assert found.verdict == "moved"
    numbers = [float(word.rstrip("°")) for word in told.split() if word[0].isdigit()]
    said = found.detail.split(";")[0]
    assert [word for word in told.split() if not word[0].isdigit()] == [
        word for word in said.split() if not word[0].isdigit()
    ]
    assert [float(word.rstrip("°")) for word in said.split() if word[0].isdigit()] == pytest.approx(numbers, rel=0.12)
    assert found.warning is not None
    assert found.warning.startswith("the camera has moved since its model was fitted (sure): ")


@pytest.mark.parametrize("place", range(2, 8))
def test_another_place_is_another_camera(place: int) -> None:
    found = verdict(peopled(view(place), place))
    assert found.verdict == "another camera"
    assert found.warning is not None
    assert "give this camera's own model, or fit one on it" in found.warning


@pytest.mark.parametrize("gamma", [0.6, 1.8])
def test_a_change_of_exposure_is_the_same(gamma: float) -> None:
    later = np.rint(255 * (view(1) / 255) ** gamma).astype(np.uint8)
    assert verdict(later).verdict == "same"


def test_night_is_another_light() -> None:
    rng = np.random.default_rng(0)
    lamp = 0.05 + 0.25 * np.exp(-((np.arange(320) - 100) ** 2) / 3000)
    night = (view(1) * lamp + rng.normal(4, 3, SIZE_HW)).clip(0, 255).astype(np.uint8)
    found = verdict(night)
    assert found.verdict == "another light"
    assert "times darker" in found.detail


def test_darkness_is_not_taken_for_another_camera() -> None:
    found = verdict(np.full(SIZE_HW, 3, np.uint8))
    assert found.verdict == "unsure"
    assert "too dark" in found.detail


def test_a_plain_wall_is_compared_with_nothing() -> None:
    wall = np.full(SIZE_HW, 120, np.uint8)
    assert compare(background(wall), background(view(1)), SIZE_HW) is None
