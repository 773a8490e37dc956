"""Which frames are steps, and where nothing is followed across."""

from __future__ import annotations

from dataclasses import replace

from crowdad.records import Frame
from crowdad.tubes.patches import Extractor, steps_of, with_breaks
from tests.tiny_scene import frames_of, scale_of, settings_of, texture, walkers


def test_breaks_are_the_first_frame_new_segments_and_cuts() -> None:
    ground, other = (texture((180, 160), seed, 24) for seed in (1, 2))
    pictures = [ground, ground, other, other, other]
    frames = [Frame(i, i / 10, picture, segment=int(i >= 4)) for i, picture in enumerate(pictures)]
    assert [fresh for _, fresh in with_breaks(frames)] == [True, False, True, False, True]


def test_every_gap_th_new_picture_of_the_right_size_is_a_step() -> None:
    frames = frames_of(walkers(24))
    frames[3] = replace(frames[3], repeated=True)
    frames[9] = replace(frames[9], luma=frames[9].luma[:, :80])
    found = list(steps_of(frames, Extractor(scale_of(gap=2), settings_of())))
    assert [frame.index for frame, _ in found] == [0, 2, 5, 7, 11, 13, 15, 17, 19, 21, 23]
    assert [frame.index for frame, tubes in found if tubes is not None] == [13, 15, 17, 19, 21, 23]
