"""A crowd: one seed, one crowd, in which nobody jumps."""

import math

import numpy as np
import pytest

from crowdad.synthetic import (
    GeneratedClip,
)


class TestCrowd:
    def test_one_seed_is_one_crowd_at_every_frame_rate(self, small_scene):
        slow = list(GeneratedClip(small_scene, 5, fps=5).positions())
        fast = list(GeneratedClip(small_scene, 5, fps=50).positions())
        for index, people in enumerate(slow):
            assert people == fast[10 * index]

    def test_speeds_are_those_of_walkers(self):
        clip = GeneratedClip("top", 1, fps=5, duration_s=30, normal_only=True)
        speeds = [person.speed_m_s for people in clip.positions() for person in people if person.kind == "walker"]
        assert np.median(speeds) == pytest.approx(1.35, abs=0.12)
        assert np.percentile(speeds, 99) < 2.0

    def test_nobody_jumps_and_nobody_appears_in_the_picture(self):
        clip = GeneratedClip("demo", 2, fps=20, duration_s=20)
        height, width = clip.size_hw
        before: dict[int, tuple[float, float]] = {}
        for index, people in enumerate(clip.positions()):
            for person in people:
                xy, _ = clip.camera.project([person.x_m, person.y_m, 0.9])
                if person.track_id in before:
                    moved = math.dist(before[person.track_id], (person.x_m, person.y_m))
                    assert moved < 6.0 / clip.fps
                elif index:
                    assert not (0 <= xy[0] < width and 0 <= xy[1] < height)
            before = {person.track_id: (person.x_m, person.y_m) for person in people}

    def test_people_rarely_walk_through_each_other(self):
        clip = GeneratedClip("demo", 0, fps=5, duration_s=40, normal_only=True)
        close = [
            np.hypot(a.x_m - b.x_m, a.y_m - b.y_m) < 0.3
            for people in clip.positions()
            for row, a in enumerate(people)
            for b in people[:row]
        ]
        assert np.mean(close) < 0.002
