"""A cut is another picture; drifting light, noise, flicker and moving people are not."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
import pytest

from crowdad.cuts import CutFinder
from crowdad.records import Frame
from tests.tiny_scene import texture, walkers

Pictures = npt.NDArray[np.uint8]


def cuts(pictures) -> list[int]:
    finder = CutFinder()
    return [index for index, picture in enumerate(pictures) if finder.is_cut(Frame(index, index / 10, picture))]


def place(seed: int, size_hw: tuple[int, int] = (96, 128)) -> Pictures:
    """A still of some place, with large light and dark parts."""
    return texture(size_hw, seed, coarseness=24)


def noisy(picture: Pictures, count: int, noise: float, seed: int = 0) -> Pictures:
    grain = np.random.default_rng(seed).normal(0, noise, (count, *picture.shape))
    return np.clip(picture + grain, 0, 255).astype(np.uint8)


def test_the_first_frame_is_no_cut():
    assert cuts([place(1)]) == []


def test_every_cut_is_found_where_it_is():
    footage = np.concatenate([noisy(place(seed), 12, 4, seed) for seed in (1, 2, 3)])
    assert cuts(footage) == [12, 24]


def test_a_cut_to_black_and_back_is_two_cuts():
    footage = np.concatenate([noisy(place(1), 8, 2), np.zeros((3, 96, 128), np.uint8), noisy(place(1), 8, 2)])
    assert cuts(footage) == [8, 11]


def test_noise_and_still_pictures_are_no_cut():
    assert cuts(noisy(place(1), 20, 30)) == []
    assert cuts([np.zeros((48, 64), np.uint8)] * 5) == []


@pytest.mark.parametrize("light", [np.linspace(0, 90, 40), 60.0 * (np.arange(40) % 2)], ids=["drift", "flicker"])
def test_a_change_of_light_is_no_cut(light):
    still = place(1) // 2 + 20
    assert cuts([(still + level).astype(np.uint8) for level in light]) == []


def test_people_who_pass_are_no_cut():
    assert cuts(walkers(60, speeds=(3, -3, 12), background_seed=5)) == []


def test_pictures_of_another_size_are_compared_too():
    assert cuts([place(1), place(1), place(2, (48, 64))]) == [2]
    assert cuts([place(1), place(1)[::2, ::2]]) == []
