"""Drawn digits that a tiny training can already tell apart."""

from __future__ import annotations

import numpy as np

from crowdad.evaluation.datasets.digits import Digits


def striped_digits(per_class: int = 16, test_per_class: int = 6, name: str = "usps") -> Digits:
    """Class c is a bar at height c, on a noisy background."""
    rng = np.random.default_rng(0)
    classes = np.tile(np.arange(10), per_class + test_per_class)
    pictures = rng.integers(0, 60, (len(classes), 16, 16))
    for picture, kind in zip(pictures, classes, strict=True):
        picture[kind + 3 : kind + 5] = 230
    return Digits(name, pictures.astype(np.uint8), classes.astype(np.int64), 10 * per_class)
