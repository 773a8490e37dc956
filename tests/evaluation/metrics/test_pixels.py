"""The 40 % rule, worked out by hand on pictures of a few pixels."""

from itertools import pairwise

import numpy as np
import pytest

from crowdad.errors import UndefinedMetricError
from crowdad.evaluation.metrics import ClipMaps, pixel_auc, pixel_scores


def clip(maps: list, masks: list, cell_px: float = 1) -> ClipMaps:
    return ClipMaps("clip", np.array(maps, dtype=np.float32), np.array(masks, dtype=bool), cell_px)


def test_level_of_an_anomalous_frame_covers_forty_percent():
    # Five true pixels 5, 4, 3, 2, 1: 40 % of 5 = 2 pixels, so the second largest value, 4; the 9 lies outside the mask.
    result = pixel_scores(clip([[[5, 1, 4, 2, 3, 9]]], [[[1, 1, 1, 1, 1, 0]]]))
    assert result.anomaly.tolist() == [4.0]
    assert result.anomalous.tolist() == [True]


def test_share_is_rounded_up():
    # Six true pixels: 2.4 -> 3 are needed (2 would be 33 %), the third largest of 6..1 is 4.
    assert pixel_scores(clip([[[6, 5, 4, 3, 2, 1]]], [[[1] * 6]])).anomaly.tolist() == [4.0]
    # One true pixel: that one.
    assert pixel_scores(clip([[[6, 5]]], [[[0, 1]]])).anomaly.tolist() == [5.0]


@pytest.mark.parametrize("n", [5, 15, 35, 55, 70, 115, 1000])
def test_whole_shares_are_not_rounded_past(n):
    # Values n, n - 1, ..., 1: the (2 n / 5)-th largest is n - 2 n / 5 + 1 in exact arithmetic.
    values = np.arange(n, 0, -1)
    assert pixel_scores(clip([[values]], [[np.ones(n)]])).anomaly.tolist() == [n - 2 * n // 5 + 1]


def test_level_of_a_normal_frame_is_its_maximum():
    assert pixel_scores(clip([[[5, 1], [4, 2]]], [np.zeros((2, 2))])).anomaly.tolist() == [5.0]


def test_cells_are_laid_over_pixels():
    # Cells of 2 px over 3 x 3 pixels: pixel 2 lies in cell 1.  True pixels (0, 2), (1, 2), (2, 2) have 20, 20, 40;
    # 40 % of 3 = 1.2 -> 2 pixels, the second largest is 20.
    mask = np.zeros((1, 3, 3))
    mask[0, :, 2] = 1
    assert pixel_scores(clip([[[10, 20], [30, 40]]], mask, cell_px=2)).anomaly.tolist() == [20.0]
    # Cells of 1.5 px: pixel centres 0.5 | 1.5, 2.5 -> columns 0 | 1, 1.
    mask = np.zeros((1, 1, 3))
    mask[0, 0, 1] = 1
    assert pixel_scores(clip([[[10, 20]]], mask, cell_px=1.5)).anomaly.tolist() == [20.0]


def test_auc_sees_what_is_noticed_in_the_wrong_place():
    # Normal frames: maxima 1 and 3.  Anomalous: the first is hit in place (level 4), the second glows elsewhere and
    # has 2 on its true pixel.  Pairs: 4 > 1, 4 > 3, 2 > 1, 2 < 3 -> 3 of 4, though the maxima alone would give 1.
    maps = [[[1, 0]], [[3, 0]], [[4, 0]], [[9, 2]]]
    masks = [[[0, 0]], [[0, 0]], [[1, 0]], [[0, 1]]]
    assert pixel_auc([pixel_scores(clip(maps, masks))]) == pytest.approx(0.75)


def test_auc_equals_the_definition_swept_by_hand():
    rng = np.random.default_rng(3)
    maps = rng.integers(0, 12, (40, 4, 5)).astype(np.float32)
    masks = rng.random((40, 8, 10)) < 0.3
    masks[::3] = False
    big = np.kron(maps, np.ones((1, 2, 2)))
    anomalous = masks.any(axis=(1, 2))
    points = [(0.0, 0.0)]
    for threshold in range(12, -1, -1):
        detected = big >= threshold
        found = 5 * (detected & masks).sum(axis=(1, 2)) >= 2 * masks.sum(axis=(1, 2))
        alarm = detected.any(axis=(1, 2))
        points.append((alarm[~anomalous].mean(), found[anomalous].mean()))
    area = sum((x1 - x0) * (y0 + y1) / 2 for (x0, y0), (x1, y1) in pairwise(points))
    assert pixel_auc([pixel_scores(clip(maps, masks, 2))]) == pytest.approx(area)


def test_one_class_has_no_value():
    with pytest.raises(UndefinedMetricError, match="all 1 frames are normal"):
        pixel_auc([pixel_scores(clip([[[1]]], [[[0]]]))])


def test_last_cell_may_reach_past_the_picture():
    assert clip(np.zeros((1, 4, 4)), np.zeros((1, 100, 100)), 33.3).cell_px == 33.3
    assert clip(np.zeros((1, 3, 3)), np.zeros((1, 100, 100)), 33.3).cell_px == 33.3


@pytest.mark.parametrize(
    ("maps", "masks", "cell_px", "said"),
    [
        (np.zeros((2, 2)), np.zeros((2, 2, 2), bool), 1, r"\(2, 2\)"),
        (np.zeros((1, 2, 2)), np.zeros((2, 2, 2), bool), 1, "one T"),
        (np.zeros((0, 2, 2)), np.zeros((0, 2, 2), bool), 1, "T >= 1"),
        (np.zeros((1, 2, 2)), np.zeros((1, 2, 2)), 1, "bool"),
        (np.zeros((1, 2, 2)), np.zeros((1, 4, 4), bool), 0, "cell_px is 0"),
        (np.zeros((1, 2, 2)), np.zeros((1, 4, 4), bool), 1, "do not fit"),
        (np.zeros((1, 3, 2)), np.zeros((1, 4, 4), bool), 2, "do not fit"),
        (np.full((1, 2, 2), np.nan), np.zeros((1, 4, 4), bool), 2, "NaN"),
    ],
)
def test_bad_maps_are_refused(maps, masks, cell_px, said):
    with pytest.raises(ValueError, match=said) as caught:
        ClipMaps("clip 7", maps, masks, cell_px)
    assert str(caught.value).startswith("clip 7: ")
    assert "\n" not in str(caught.value)
