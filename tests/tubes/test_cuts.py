"""A cut is another place or another time; light, noise, flicker, jolts and moving people are not."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
import pytest

from crowdad.errors import CrowdadError
from crowdad.evaluation.datasets.catalogue import Dataset, find_dataset
from crowdad.records import Frame
from crowdad.tubes.cuts import CutFinder
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


def crowd(count: int = 200) -> Pictures:
    """Many who walk to and fro, at all heights."""
    return walkers(count, speeds=(1, -1.5, 0.5, -1, 1.5, -0.5), size_hw=(240, 320), background_seed=5)


def test_the_same_place_at_another_time_is_a_cut():
    pictures = crowd()
    assert cuts(np.concatenate([pictures[:110], pictures[150:]])) == [110]
    assert cuts(pictures) == []


def test_a_crowd_whose_frames_come_five_times_each_is_no_cut():
    assert cuts(np.repeat(crowd(60), 5, axis=0)) == []


@pytest.mark.parametrize("frames", [30, 10, 6])
def test_what_passes_right_before_the_camera_is_no_cut(frames: int):
    pictures = crowd()
    lorry = texture((190, 110), 9, coarseness=40) // 3
    for passed in range(1, frames):
        front = round(passed / frames * (320 + 110))
        first, last = max(front - 110, 0), min(front, 320)
        pictures[100 + passed, 50:, first:last] = lorry[:, first - front + 110 : last - front + 110]
    assert cuts(pictures) == []


@pytest.mark.parametrize("shift", [(0, 3), (4, 0), (-3, -3)])
def test_a_jolt_of_the_camera_is_no_cut(shift):
    pictures = crowd()
    pictures[120] = np.roll(pictures[120], shift, axis=(0, 1))
    assert cuts(pictures) == []


def test_brighter_light_from_one_frame_to_the_next_is_no_cut():
    pictures = crowd()
    pictures[120:] = np.clip(pictures[120:] * 1.2, 0, 255).astype(np.uint8)
    assert cuts(pictures) == []


def test_what_goes_on_changing_is_a_cut_at_its_beginning_only():
    pictures = noisy(place(1), 150, 2)
    pictures[100:] = [noisy(place(seed), 1, 2)[0] // 4 + 60 for seed in range(2, 52)]
    assert 1 <= len(cuts(pictures)) <= 8
    assert max(cuts(pictures)) < 110


@pytest.fixture(scope="module")
def ped2() -> Dataset:
    try:
        return find_dataset("ped2", None)
    except CrowdadError as error:
        pytest.skip(f"UCSD Ped2 is not at hand, set CROWDAD_DATA: {error}")


def test_clips_of_one_camera_are_told_apart_and_nothing_within_them(ped2: Dataset):
    clips = [[frame.luma for frame in clip.open().frames()] for clip in ped2.test]
    ends = np.cumsum([len(pictures) for pictures in clips])
    assert cuts(picture for pictures in clips for picture in pictures) == ends[:-1].tolist()
