"""Votes land on the tubes' paths, one map a step, in order; the sign flips here and nowhere else."""

from __future__ import annotations

import ast
from itertools import pairwise
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import crowdad
from crowdad.config import HeatmapSettings
from crowdad.records import Tubes
from crowdad.scene.heatmap import CellGrid, StepMap, Voter, anomaly_of, voter_of
from tests.tiny_scene import PERSON_PX, model_of

SIZE_HW = (80, 120)
GRID = CellGrid(0, 10.0, (8, 12))
SHARP = HeatmapSettings(sigma_cells=0.3, sigma_steps=0.3, prior_votes=0.1)
"""Nearly no smoothing, so that votes can be counted by hand (radius: 1 step)."""


def tubes(*paths: list[tuple[float, float]], alive: list[list[bool]] | None = None, view: int = 0) -> Tubes:
    """Tubes with these paths, newest step first."""
    path = np.array(paths, np.float32)
    count, steps = path.shape[:2]
    return Tubes(
        np.zeros((count, 3, steps, 5, 3), np.float32),
        path,
        np.ones((count, steps), bool) if alive is None else np.array(alive),
        np.full(count, 40, np.float32),
        np.full(count, view, np.int64),
    )


def told(voter: Voter, pushes) -> list[StepMap]:
    maps = []
    for tube, scores in pushes:
        maps.extend(voter.push(tube, None if scores is None else np.float32(scores)))
    return [*maps, *voter.finish()]


def hot_cells(step: StepMap) -> set[tuple[int, int]]:
    return {(int(r), int(c)) for r, c in np.argwhere(step.raw > 0.5 * step.raw.max())} if step.raw.max() > 0 else set()


def test_what_of_a_subject_is_outside_of_the_picture_is_taken_for_normal():
    voter = Voter([GRID], SIZE_HW, 1, SHARP)
    (inside,) = told(voter, [(tubes([(60, 40)]), [0.0])])
    (cut,) = told(voter, [(tubes([(0, 40)]), [0.0])])  # half of it is seen
    (corner,) = told(voter, [(tubes([(120, 80)]), [0.0])])
    assert cut.raw.max() == pytest.approx(inside.raw.max() / 2, rel=0.05)
    assert corner.raw.max() == pytest.approx(inside.raw.max() / 4, rel=0.05)


def test_anomaly_is_one_minus_normality():
    np.testing.assert_array_equal(anomaly_of(np.float32([1, 0.25, 0, -1])), [0, 0.75, 1, 2])


def test_the_sign_flips_in_this_module_only():
    """`1 - normality` by any name that holds it is written down once in the package."""
    flips = []
    for path in Path(crowdad.__file__).parent.rglob("*.py"):
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if (
                isinstance(node, ast.BinOp)
                and isinstance(node.op, ast.Sub)
                and isinstance(node.left, ast.Constant)
                and node.left.value == 1
                and "normality" in ast.unparse(node.right)
            ):
                flips.append(path.name)
    assert flips == ["heatmap.py"]


def test_a_lower_normality_gives_a_larger_map():
    path = [(55.0, 35.0)] * 2
    peaks = [
        max(step.raw.max() for step in told(Voter([GRID], SIZE_HW, 2, SHARP), [(None, None), (tubes(path), [n])]))
        for n in (0.9, 0.5, 0.0, -0.5)
    ]
    assert all(low < high for low, high in pairwise(peaks))


def test_one_tubes_score_lands_on_the_cells_of_its_path():
    path = [(105.0, 5.0), (65.0, 35.0), (25.0, 75.0)]
    maps = told(Voter([GRID], SIZE_HW, 3, SHARP), [(None, None), (None, None), (tubes(path), [0.2])])
    assert [hot_cells(step) for step in maps] == [{(7, 2)}, {(3, 6)}, {(0, 10)}]
    assert [step.n_tubes for step in maps] == [1, 1, 1]
    assert all(step.normality == pytest.approx(0.2) for step in maps)


def test_the_votes_of_a_cell_are_averaged_with_the_prior():
    # Two tubes of anomaly 0.4 and 0.8 in one cell: 1.2 / (2 + 0.1); the smoothing leaves next to nothing elsewhere.
    here = [(55.0, 35.0)]
    (step,) = told(Voter([GRID], SIZE_HW, 1, SHARP), [(tubes(here, here), [0.6, 0.2])])
    assert step.raw[3, 5] == pytest.approx(1.2 / 2.1, rel=0.02)
    assert step.normality == pytest.approx(0.2)
    assert step.n_tubes == 2


def test_prior_votes_keep_few_tubes_from_proving_much():
    here = [(55.0, 35.0)]
    heights = []
    for prior in (0.01, 0.15, 1.0, 10.0):
        chosen = SHARP.model_copy(update={"prior_votes": prior})
        (step,) = told(Voter([GRID], SIZE_HW, 1, chosen), [(tubes(here), [0.0])])
        heights.append(step.raw[3, 5])
        assert step.raw[3, 5] == pytest.approx(1 / (1 + prior), rel=0.03)
    assert heights == sorted(heights, reverse=True)


def test_a_tube_does_not_vote_from_the_border_on():
    path = [(55.0, 35.0), (5.0, 35.0), (0.0, 35.0)]
    dead = [[True, False, False]]
    maps = told(Voter([GRID], SIZE_HW, 3, SHARP), [(None, None), (None, None), (tubes(path, alive=dead), [0.0])])
    assert [step.n_tubes for step in maps] == [0, 0, 1]
    assert maps[0].raw.max() == 0
    assert maps[0].normality == 1.0
    assert hot_cells(maps[2]) == {(3, 5)}


def test_votes_only_where_the_tube_ends_without_voting_along_the_path():
    path = [(105.0, 5.0), (65.0, 35.0)]
    chosen = SHARP.model_copy(update={"vote": False})
    maps = told(Voter([GRID], SIZE_HW, 2, chosen), [(None, None), (tubes(path), [0.0])])
    assert [step.n_tubes for step in maps] == [0, 1]
    assert hot_cells(maps[1]) == {(0, 10)}


def test_places_outside_the_picture_count_for_its_nearest_cell():
    maps = told(Voter([GRID], SIZE_HW, 1, SHARP), [(tubes([(-3.0, 84.0)]), [0.0])])
    assert hot_cells(maps[0]) == {(7, 0)}


@given(
    count=st.integers(0, 25),
    steps=st.integers(1, 6),
    sigma=st.sampled_from([0.3, 1.33, 2.5]),
    lag=st.sampled_from([None, 0, 1, 3, 50]),
)
@settings(max_examples=40, deadline=None)
def test_every_step_is_given_exactly_once_and_in_order(count, steps, sigma, lag):
    chosen = SHARP.model_copy(update={"sigma_steps": sigma})
    voter = Voter([GRID], SIZE_HW, steps, chosen, lag)
    assert voter.lag == (steps - 1 + voter.reach if lag is None else min(lag, steps - 1 + voter.reach))
    pushed: list[int] = []
    maps: list[StepMap] = []
    for step in range(count):
        path = [(10.0 * (step % 12) + 5, 35.0)] * steps
        alive = [[True] + [False] * (steps - 1)]
        maps += voter.push(tubes(path, alive=alive) if step % 3 else None, np.float32([0.0]) if step % 3 else None)
        pushed.append(step)
        assert len(maps) == max(0, len(pushed) - voter.lag)
    maps += voter.finish()
    assert len(maps) == count
    assert list(voter.finish()) == []
    for step, found in enumerate(maps):
        assert found.n_tubes == (1 if step % 3 else 0)
        if sigma == 0.3 and step % 3:
            assert (3, step % 12) in hot_cells(found)


@pytest.mark.parametrize("lag", [0, 1, 2])
def test_a_map_hangs_on_no_step_later_than_its_lag(lag):
    path = [(55.0, 35.0)] * 3
    quiet = [(tubes(path), [0.9])] * 6
    for later in range(1, 4):
        loud = [(tubes(path), [0.9 if step < 3 + later else -1.0]) for step in range(6)]
        maps = [told(Voter([GRID], SIZE_HW, 3, HeatmapSettings(), lag), pushes)[3].raw for pushes in (quiet, loud)]
        assert np.array_equal(*maps) == (later > lag)


def test_a_lag_of_all_votes_is_that_of_no_lag_given():
    rng = np.random.default_rng(5)
    pushes = [
        (tubes(*[[(float(x), 35.0)] * 3 for x in rng.uniform(0, 119, 4)]), rng.uniform(-1, 1, 4)) for _ in range(12)
    ]
    offline = Voter([GRID], SIZE_HW, 3, HeatmapSettings())
    lagging = Voter([GRID], SIZE_HW, 3, HeatmapSettings(), offline.lag)
    for one, other in zip(told(offline, pushes), told(lagging, pushes), strict=True):
        np.testing.assert_array_equal(one.raw, other.raw)


def test_a_finished_voter_starts_afresh():
    voter = Voter([GRID], SIZE_HW, 2, SHARP)
    path = [(55.0, 35.0)] * 2
    first = told(voter, [(None, None), (tubes(path), [0.0]), (None, None)])
    second = told(voter, [(None, None), (tubes(path), [0.0]), (None, None)])
    for one, other in zip(first, second, strict=True):
        np.testing.assert_array_equal(one.raw, other.raw)
    list(voter.push(tubes(path), np.float32([0.0])))
    voter.reset()
    assert list(voter.finish()) == []


@pytest.mark.parametrize("lag", [None, 0, 3])
def test_memory_stays_bounded(lag):
    voter = Voter([GRID], SIZE_HW, 5, HeatmapSettings(), lag)
    path = [(55.0, 35.0)] * 5
    for _ in range(300):
        list(voter.push(tubes(path), np.float32([0.3])))
        assert len(voter._open) + len(voter._closed) <= 5 + 2 * (4 + voter.reach)


def test_smoothing_in_time_sums_to_one():
    # The same vote in every step: the middle of the footage reads as a single step would.
    here = [(55.0, 35.0)]
    smooth = SHARP.model_copy(update={"sigma_steps": 1.33})
    maps = told(Voter([GRID], SIZE_HW, 1, smooth), [(tubes(here), [0.5])] * 12)
    for step in maps:
        assert step.raw[3, 5] == pytest.approx(0.5 / 1.1, rel=0.02)


def test_the_composite_of_two_views_has_the_finer_cells_and_each_views_place():
    far, near = CellGrid(0, 10.0, (4, 12)), CellGrid(30, 25.0, (2, 5))
    voter = Voter([far, near], SIZE_HW, 1, SHARP)
    assert (voter.cell_px, voter.shape) == (10.0, (8, 12))
    far_only = told(voter, [(tubes([(85.0, 15.0)]), [0.5])])[0]
    assert hot_cells(far_only) == {(1, 8)}
    near_only = told(voter, [(tubes([(40.0, 68.0)], view=1), [0.2])])[0]
    # Row (68 - 30) // 25 = 1 and column 40 // 25 = 1 of the near grid: pixels 55-80 down, 25-50 across.
    row, column = np.unravel_index(near_only.raw.argmax(), near_only.raw.shape)
    assert 55 <= (row + 0.5) * 10 <= 80
    assert 25 <= (column + 0.5) * 10 <= 50
    assert near_only.normality == pytest.approx(0.2)
    both = told(voter, [(_joined(tubes([(85.0, 15.0)]), tubes([(40.0, 68.0)], view=1)), [0.5, 0.2])])[0]
    np.testing.assert_allclose(both.raw, np.maximum(far_only.raw, near_only.raw), atol=1e-6)
    assert both.n_tubes == 2


def test_a_view_that_reaches_past_the_picture_is_cut_off():
    voter = Voter([CellGrid(0, 7.0, (12, 18)), CellGrid(61, 33.0, (1, 4))], SIZE_HW, 1, SHARP)
    (step,) = told(voter, [(tubes([(119.0, 79.0)], view=1), [0.0])])
    assert step.raw.shape == (12, 18)
    assert step.raw[-1, -1] > 0.2  # a quarter of the subject is in the picture


def _joined(first: Tubes, second: Tubes) -> Tubes:
    names = Tubes.__dataclass_fields__.keys() - {"gait"}
    return Tubes(**{name: np.concatenate([getattr(first, name), getattr(second, name)]) for name in names})


def test_the_voters_cells_are_a_share_of_a_person_in_pixels_of_the_picture():
    scene = model_of()
    voter = voter_of(scene.scale, scene.settings)
    assert voter.cell_px == pytest.approx(scene.settings.heatmap.cell * PERSON_PX)
    assert voter.shape == (12, 16)
    assert voter_of(scene.fitted_to((192, 256), 10.0).scale, scene.settings).shape == (12, 16)
