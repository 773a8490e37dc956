"""The code of a crowd's flow field: what goes in, and that it says something of every step."""

from __future__ import annotations

import numpy as np

from crowdad.evaluation.crowd_codes import CrowdCodes, FieldExtractor
from tests.scene.streams.test_crowd import SCALE, SETTINGS, footage


def test_a_field_sums_up_to_one_crowd_or_to_its_people() -> None:
    steps = list(footage(6))
    alone, counted = (FieldExtractor(SCALE, 5, (2, 3), tubes) for tubes in (None, 10.0))
    for step in steps:
        found, of_ten = alone.push(step), counted.push(step)
    assert found is not None
    assert of_ten is not None
    assert found.shape == (3, 5, 2, 3)
    assert np.allclose(found[2].sum(axis=(1, 2)), 1, atol=0.05)
    last = steps[-1].tubes
    assert last is not None
    assert np.allclose(of_ten[2, 0].sum(), last.alive.all(axis=1).sum() / 10, rtol=0.05)


def test_codes_give_every_step_a_normality() -> None:
    codes = CrowdCodes(SCALE, SETTINGS, (2, 3)).fit(footage(60), clusters=8)
    found = codes.score(footage(15, seed=4))
    assert found.shape == (50,)
    assert (found[:9] == 1).all()
    assert (np.abs(found) <= 1 + 1e-5).all()
    assert found[20:].min() > -1
