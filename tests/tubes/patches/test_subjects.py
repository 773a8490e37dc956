from __future__ import annotations

import numpy as np

from crowdad.records import Tubes
from crowdad.tubes.patches import SUBJECT_HW, motion_of, subject_of


def test_a_subject_fills_its_picture() -> None:
    luma = np.full((120, 160), 10, np.uint8)
    luma[40:80, 70:90] = 200  # 40 px tall, centre at (80, 60)
    nothing = np.zeros((1, 3, 2, 5, 3), np.float32)
    path = np.array([[[80.0, 60.0], [70.0, 60.0]]], np.float32)
    tubes = Tubes(nothing, path, np.ones((1, 2), bool), np.array([40.0], np.float32), np.zeros(1, np.int64))
    picture = subject_of(luma, tubes, 0)
    assert picture.shape == SUBJECT_HW
    rows, columns = np.nonzero(picture > 100)
    # 1.2 heights are 36 rows, so 40 px are 30 of them, and 20 px are 15 columns.
    assert abs(len(set(rows)) - 30) <= 1
    assert abs(len(set(columns)) - 15) <= 1
    assert abs(rows.mean() - 17.5) <= 1


def test_motion_is_speed_by_part_and_step() -> None:
    features = np.zeros((2, 3, 4, 5, 3), np.float32)
    features[0, 1, 2] = 1.0
    features[1, 1] = 9.0
    features[:, [0, 2]] = 7.0
    motion = motion_of(features)
    assert motion.shape == (2, 4, 5, 3)
    assert (motion[0, 2] == 51).all(), "a walking speed is a fifth of the scale"
    assert motion[0, [0, 1, 3]].max() == 0
    assert motion[1].min() == 255, "faster than the scale is its end"
