"""What is drawn from footage to learn from."""

from __future__ import annotations

import numpy as np
import pytest

from crowdad.records import Tubes
from crowdad.scene.sampling import _Activity, _Kept, _Reservoir

SIZE_HW = (180, 160)


def tubes_at(step: int, count: int = 2) -> Tubes:
    """Tubes whose features hold their step."""
    return Tubes(
        np.full((count, 3, 2, 5, 3), step, np.float32),
        np.full((count, 2, 2), 20, np.float32),
        np.ones((count, 2), bool),
        np.full(count, 40, np.float32),
        np.zeros(count, np.int64),
    )


def kept_steps(most: int, steps: int, count: int = 1) -> list[int]:
    kept = _Kept(most)
    for step in range(1, steps + 1):
        kept.add(step, tubes_at(step, count))
    assert all(tubes.features[0, 0, 0, 0, 0] == step for step, tubes in kept.steps.items())
    return list(kept.steps)


def test_all_steps_of_short_footage_are_kept_to_calibrate_on():
    assert kept_steps(1000, 300) == list(range(1, 301))


def test_of_long_footage_whole_blocks_of_steps_all_over_it_are_kept():
    kept = kept_steps(150, 300)
    assert {step // 20 for step in kept} == {0, 4, 8, 12}  # every fourth
    assert kept[19:39] == list(range(80, 100))


def test_footage_without_a_known_end_does_not_fill_the_memory():
    assert 100 <= len(kept_steps(300, 2_000)) <= 300


def test_the_map_of_motion_counts_tubes_where_they_end_and_shows_no_lattice():
    activity = _Activity((60, 96), spacing=0.2)
    # People of 30 px: a lattice of 6 px, over cells of 2, in the right half only.
    x, y = (axis.ravel() for axis in np.meshgrid(np.arange(51, 96, 6), np.arange(3, 60, 6)))
    count = len(x)
    path = np.zeros((count, 5, 2), np.float32)
    path[:, 0] = np.stack([x, y], axis=1)
    tubes = Tubes(
        np.zeros((count, 3, 5, 5, 3), np.float32),
        path,
        np.ones((count, 5), bool),
        np.full(count, 30.0, np.float32),
        np.zeros(count, np.int64),
    )
    for _ in range(4):
        activity.add(tubes)
    seen = activity.per_step()
    assert (seen.dtype, seen.shape) == (np.float16, (30, 48))
    assert seen.sum() == pytest.approx(count, rel=0.01)
    assert seen[:, :16].max() < 1e-3
    inside = seen[6:-6, 32:-6].astype(float)
    assert inside.mean() == pytest.approx(1 / 9, rel=0.02), "one tube on three by three cells"
    assert inside.std() < 0.05 * inside.mean()
    assert _Activity((60, 96), spacing=0.2).per_step().max() == 0


def test_the_reservoir_is_a_uniform_sample_that_holds_no_whole_step():
    pool = _Reservoir(300, seed=0)
    picture = np.zeros((60, 60), np.uint8)
    for step in range(1000):
        pool.add(tubes_at(step, 3), picture, step)
    assert all(item[2].base is None for item in pool._kept)
    features, thumbnails, steps = pool.drawn()
    assert features.shape == (300, 3, 2, 5, 3)
    assert thumbnails.shape == (300, 36, 24)
    drawn = features[:, 0, 0, 0, 0]
    np.testing.assert_array_equal(drawn, steps)
    assert drawn.mean() == pytest.approx(500, abs=60)
    assert (np.histogram(drawn, bins=4, range=(0, 1000))[0] > 45).all()


def test_one_tube_more_changes_hardly_anything_in_the_sample():
    def drawn(counts: list[int]) -> set[float]:
        pool = _Reservoir(300, seed=0)
        for step, count in enumerate(counts):
            pool.add(tubes_at(step, count), np.zeros((60, 60), np.uint8), step)
        return set(pool.drawn()[0][:, 0, 0, 0, 0].tolist())

    same = drawn([1] * 1000) & drawn([1] * 100 + [2] + [1] * 899)
    assert len(same) >= 298, "of 300, each from a step of its own"


def test_an_empty_reservoir_has_no_samples():
    assert [len(part) for part in _Reservoir(5, seed=0).drawn()] == [0, 0, 0]
