"""People's size as a plane over the picture: heights, plain numbers, other sizes of the same footage."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from crowdad.tubes.scale import SceneScale
from tests.tiny_scene import scale_of


def test_height_of_a_person_is_a_plane_with_a_floor():
    scale = scale_of(size_hw=(100, 200), person=(40.0, 0.1, 0.5))
    np.testing.assert_allclose(scale.person_px([100, 110, 100], [50, 50, 60]), [40, 41, 45])
    assert float(scale.person_px(100, -500)) == 20  # a head at the border: its body's middle is 10 rows below
    horizon = scale_of(size_hw=(100, 200), person=(20.0, 0.1, 0.5), rows=(40.0, 95.0))
    assert float(horizon.person_px(100, -500)) == 7.5  # half of the 15 px of the first row with people
    assert float(scale_of(size_hw=(100, 200), person=(10.0, 0.0, 0.1)).person_px(100, -500)) == 6.0


def test_above_the_rows_where_people_were_seen_nobody_shrinks_to_nothing():
    # On a compressed copy of Ped2 this slope made people 6 px tall in the trees, whose flicker then counted as running.
    scale = scale_of(size_hw=(240, 360), person=(35.3, 0.0, 0.262), rows=(101.0, 157.0))
    assert float(scale.person_px(180, 101)) == pytest.approx(30.3, abs=0.1)
    assert float(scale.person_px(180, 0)) == pytest.approx(30.3 / 2, abs=0.1)


def test_a_scale_goes_to_plain_numbers_and_back():
    scale = scale_of(person=(40.0, 0.1, 0.5))
    assert SceneScale.from_dict(scale.as_dict()) == scale
    listed = {key: list(value) if isinstance(value, tuple) else value for key, value in scale.as_dict().items()}
    assert SceneScale.from_dict(listed) == scale


def test_fitted_to_follows_size_and_frame_rate_and_keeps_the_rest():
    scale = scale_of(gap=2, person=(40.0, 0.01, 0.1), foreshortening=1.7)
    other = scale.fitted_to((48, 64), 30.0)
    assert other == replace(
        scale,
        size_hw=(48, 64),
        person=(20.0, 0.01, 0.1),
        rows=(0.0, 47.5),
        walk=pytest.approx(scale.walk / 3),
        gap=6,
        fps=30.0,
    )


def test_fitted_to_and_back_stays_in_the_picture_whatever_is_rounded():
    for height in range(16, 1200):
        scale = scale_of(size_hw=(height, 2 * height), rows=(0.0, float(height)))
        again = scale.fitted_to((round(0.4 * height), round(0.8 * height)), 10.0).fitted_to(scale.size_hw, 10.0)
        assert SceneScale.from_dict(again.as_dict()) == again
