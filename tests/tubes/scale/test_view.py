"""Views: bands of the picture, enlarged until people have the working height."""

from __future__ import annotations

import math
from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from crowdad.tubes.scale import views
from tests.tiny_scene import scale_of, settings_of, texture

SETTINGS = settings_of().scale


def test_a_flat_scene_is_one_view_at_the_working_height():
    (view,) = views(scale_of(person=(20.0, 0.0, 0.0)), SETTINGS)
    assert view.owned == (0.0, 96.0)
    assert view.seen == (0, 96)
    assert view.size_hw == (192, 256)
    assert view.person_px == pytest.approx(40)
    (large,) = views(scale_of(person=(80.0, 0.0, 0.0)), SETTINGS)
    assert large.size_hw == (48, 64)
    (tiny,) = views(scale_of(person=(8.0, 0.0, 0.0)), SETTINGS)
    assert tiny.zoom_xy == (2.5, 2.5)  # enlarged by at most this


@pytest.mark.parametrize("person_px", [8.0, 20.0])
def test_small_figures_in_a_huge_picture_are_enlarged_only_as_far_as_memory_goes(person_px):
    (view,) = views(scale_of(size_hw=(2160, 3840), person=(person_px, 0.0, 0.0), rows=(0.0, 2159.0)), SETTINGS)
    assert view.size_hw[0] * view.size_hw[1] < 8.4e6
    assert view.zoom_xy[0] == pytest.approx(view.zoom_xy[1], rel=0.01)


def test_a_size_close_to_the_working_height_is_left_as_it_is():
    (view,) = views(scale_of(person=(41.0, 0.0, 0.0)), SETTINGS)
    assert view.zoom_xy == (1.0, 1.0)
    picture = texture((96, 128), 1)
    assert np.array_equal(view.cut(picture), picture)


@given(
    centre=st.floats(10, 120),
    slope=st.floats(-1, 1),
    height=st.integers(20, 400),
    width=st.integers(20, 400),
    rows=st.tuples(st.floats(0, 0.45), st.floats(0.55, 1)),
)
def test_views_cover_where_people_may_be_once_with_heights_in_range(centre, slope, height, width, rows):
    seen_rows = (rows[0] * height, rows[1] * height)
    scale = scale_of(size_hw=(height, width), person=(centre, 0.0, slope * centre / height), rows=seen_rows)
    bands = views(scale, SETTINGS)
    farthest = float(scale.person_px(width / 2, seen_rows[0]))
    assert bands[0].owned[0] == (
        max(0, seen_rows[0] - farthest) if scale.person[2] > 0 else 0
    )  # nobody is far above people
    assert bands[-1].owned[1] == height
    assert sum(math.prod(band.size_hw) for band in bands) <= max(2.1 * height * width, 310_000)
    for band, following in pairwise(bands):
        assert band.owned[1] == following.owned[0]
    for band in bands:
        top, end = (min(max(row, seen_rows[0]), seen_rows[1]) for row in band.owned)
        assert top <= end + 1e-6
        ratio = scale.person_px(width / 2, end) / scale.person_px(width / 2, top)
        assert abs(math.log(ratio)) <= math.log(SETTINGS.view_ratio) + 1e-6
        assert 0 <= band.seen[0] < band.seen[1] <= height
        assert band.seen[0] <= max(band.owned[0], 0)
        assert band.seen[1] >= min(band.owned[1], height)
        assert min(band.size_hw) >= 16
        assert band.cut(np.zeros((height, width), np.uint8)).shape == band.size_hw


def test_view_pixels_go_back_to_the_picture():
    scale = scale_of(size_hw=(200, 100), person=(40.0, 0.0, 0.3), rows=(0.0, 200.0))
    bands = views(scale, SETTINGS)
    assert len(bands) > 1
    last = bands[-1]
    corner = np.float32([[0, 0], [last.size_hw[1], last.size_hw[0]]])
    np.testing.assert_allclose(last.to_picture(corner), [[0, last.seen[0]], [100, last.seen[1]]], atol=1e-3)
    middle = np.float32([last.size_hw[1] / 2, last.size_hw[0] / 2])
    place = last.to_picture(middle)
    expected = scale.person_px(place[0], place[1]) * last.zoom_xy[1]
    assert last.local_person_px(scale, middle) == pytest.approx(expected, rel=1e-5)
