"""Cut-outs, actors and composites, on walkers drawn here and on Ped2's training clips."""

from __future__ import annotations

import os
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from benchmarks.proxy.actors import IN_SCOPE, KINDS, LIMITS, ORDINARY, Actor, Stage
from benchmarks.proxy.composites import Composite, Troupe, paint
from benchmarks.proxy.cutouts import Ground, Pose, find_cutouts, look_at, measure_ground
from benchmarks.proxy.footage import Ped2Footage
from benchmarks.proxy.shapes import SHAPES, draw_shape
from crowdad.errors import ConfigError, DataError
from tests.benchmarks.drawn_walkers import COUNT, HEIGHT_PX, SIZE_HW, SPEED_PX, walkers_clip


@pytest.fixture(scope="module")
def troupe() -> Troupe:
    """Five clips with two walkers each."""
    return Troupe({f"clip{seed}": walkers_clip(seed) for seed in range(5)})


@pytest.fixture
def stage(troupe: Troupe) -> Stage:
    return Stage(troupe.backdrops["clip0"], troupe.ground, troupe.cutouts[2:], (70.0, 80.0), 1)


def test_walkers_are_cut_out_with_their_size_and_path(troupe: Troupe) -> None:
    assert len(troupe.cutouts) >= 8
    for cutout in troupe.cutouts:
        assert abs(cutout.height_px - HEIGHT_PX) <= 3
        assert abs(abs(cutout.velocity[0]) - SPEED_PX) < 0.1
        assert abs(cutout.velocity[1]) < 0.1
    assert {np.sign(cutout.velocity[0]) for cutout in troupe.cutouts} == {-1, 1}
    assert troupe.ground.walk == pytest.approx(SPEED_PX / HEIGHT_PX, rel=0.12)
    first, last = troupe.ground.rows
    assert 40 < first < 60
    assert 100 < last < 120


def test_mattes_are_solid_on_the_body_and_empty_on_the_ground(troupe: Troupe) -> None:
    pose = troupe.cutouts[0].poses[10]
    rows, columns = pose.matte.shape
    assert pose.luma.shape == (rows, columns)
    assert pose.matte[rows // 4, columns // 2] == pytest.approx(1, abs=0.01)
    assert pose.matte[0].max() < 0.5
    assert 0.15 < pose.matte.mean() < 0.8
    inside = pose.luma[pose.matte > 0.95]
    assert abs(np.median(inside) - 50) < 6


def test_a_walk_goes_on_in_its_cycle(troupe: Troupe) -> None:
    for cutout in troupe.cutouts:
        start, end = cutout.cycle
        assert (end - start + 1) % 6 <= 2  # legs swing once in 12 frames, and look alike twice in that
        shown = cutout.at_phase(np.arange(200))
        assert shown.max() < end
        assert (shown[end : end + 3] == [start, start + 1, start + 2]).all()


def test_groups_do_not_tilt_the_ground(troupe: Troupe) -> None:
    ground = troupe.ground
    assert ground.height_at(50) == pytest.approx(HEIGHT_PX, abs=3)
    assert ground.height_at(110) == pytest.approx(HEIGHT_PX, abs=3)


def test_too_few_walkers_are_refused() -> None:
    with pytest.raises(DataError, match="at least 4"):
        Troupe({"one": walkers_clip(1, walkers=1)})
    with pytest.raises(DataError, match="0 single walkers"):
        measure_ground([], SIZE_HW)
    with pytest.raises(DataError, match="at least two clips"):
        Troupe({"alone": np.concatenate([walkers_clip(1), walkers_clip(1)]), "empty": walkers_clip(2, walkers=0)})


def test_nobody_is_found_where_nobody_walks() -> None:
    backdrop, blobs = look_at("empty", walkers_clip(3, walkers=0))
    assert find_cutouts(backdrop, blobs) == []
    assert (backdrop.foot_row == -1).all()
    assert backdrop.noise == pytest.approx(1, abs=0.5)


@pytest.mark.parametrize("kind", KINDS)
def test_every_kind_plays_and_is_seen(troupe: Troupe, kind: str) -> None:
    seen = [troupe.play("clip1", kind, seed=5, turn=turn) for turn in range(4)]
    assert all(one.frames.shape == (COUNT, *SIZE_HW) for one in seen)
    assert max(one.shown[kind].sum() for one in seen) > 10
    original = troupe.backdrops["clip1"].frames
    for one in seen:
        touched = (one.frames != original).reshape(COUNT, -1).sum(axis=1)
        shown = np.logical_or.reduce(list(one.shown.values()))
        assert (touched[shown] > 30).all()
    assert kind in (*IN_SCOPE, *LIMITS, ORDINARY)


def test_the_seed_decides(troupe: Troupe) -> None:
    first, again, other = (troupe.play("clip2", "glide", seed, 1) for seed in (7, 7, 8))
    np.testing.assert_array_equal(first.frames, again.frames)
    np.testing.assert_array_equal(first.shown["glide"], again.shown["glide"])
    assert (first.frames != other.frames).any()


def test_an_unknown_kind_is_refused(troupe: Troupe) -> None:
    with pytest.raises(ConfigError, match=r"'ufo'.* fast"):
        troupe.play("clip1", "ufo", 0)


def _paces(actor: Actor, ground: Ground) -> np.ndarray:
    """Speed along the path in walking speeds."""
    moved = np.diff(actor.foot_xy, axis=0)
    return np.hypot(moved[:, 0], 2.2 * moved[:, 1]) / ground.height_at(actor.foot_xy[1:, 1]) / ground.walk


@pytest.mark.parametrize(("kind", "low", "high"), [("fast", 1.35, 3.0), ("glide", 1.3, 2.5), ("shape", 1.2, 2.2)])
def test_speeds_are_in_walking_speeds(stage: Stage, kind: str, low: float, high: float) -> None:
    medians = []
    for seed in range(12):
        (actor,) = KINDS[kind](stage, np.random.default_rng(seed))
        medians.append(float(np.median(_paces(actor, stage.ground))))
    assert low * 0.98 <= min(medians) < max(medians) <= high * 1.02
    assert max(medians) > 1.3 * min(medians)


def test_fast_ones_step_and_gliders_are_frozen(stage: Stage) -> None:
    (fast,) = KINDS["fast"](stage, np.random.default_rng(1))
    (glide,) = KINDS["glide"](stage, np.random.default_rng(1))
    assert len(set(glide.shown)) == 1
    assert len(set(fast.shown)) > 3
    gliding, stepping = KINDS["pair"](stage, np.random.default_rng(1))
    assert len(set(gliding.shown)) == 1
    assert len(set(stepping.shown)) > 3
    assert np.abs(gliding.foot_xy - stepping.foot_xy).max() < HEIGHT_PX


def test_paths_keep_to_where_people_walk(stage: Stage) -> None:
    ground = stage.ground
    assert 0.2 < ground.walked.mean() < 0.95
    assert not ground.walked[:20].any()
    shares = [
        ground.walked_share(actor.foot_xy)
        for seed in range(8)
        for actor in KINDS["glide"](replace(stage, rows=ground.rows), np.random.default_rng(seed))
    ]
    assert min(shares) >= 0.75  # nobody was cut out at the very border, so the ground ends before it
    assert ground.walked_share(np.array([[5.0, 5.0], [1000.0, 60.0]])) == 0
    assert ground.walked_share(np.array([[1000.0, 60.0]])) == 0


def test_limbs_keep_up_with_the_path(stage: Stage) -> None:
    """A walk twice as fast goes through twice as many poses."""
    (actor,) = KINDS["fast"](stage, np.random.default_rng(3))
    start, end = next(cutout for cutout in stage.pool if cutout.poses is actor.poses).cycle
    steps = np.mod(np.diff(actor.shown), end - start)
    pace = float(np.median(_paces(actor, stage.ground)))
    assert float(np.mean(steps)) == pytest.approx(pace, rel=0.35)


def test_large_ones_are_larger_by_as_much_as_they_are_faster(stage: Stage) -> None:
    (large,) = KINDS["large"](stage, np.random.default_rng(2))
    size = float(np.median(large.zoom))
    assert 1.3 < size < 1.9
    assert float(np.median(_paces(large, stage.ground))) == pytest.approx(size, rel=0.1)


def test_against_goes_against_the_stream_and_across_goes_across(stage: Stage) -> None:
    for seed in range(6):
        (against,) = KINDS["against"](stage, np.random.default_rng(seed))
        assert against.foot_xy[-1, 0] < against.foot_xy[0, 0]
    (across,) = KINDS["across"](stage, np.random.default_rng(1))
    moved = np.abs(np.diff(across.foot_xy, axis=0)).sum(axis=0)
    assert 2.2 * moved[1] > moved[0]
    (loiter,) = KINDS["loiter"](stage, np.random.default_rng(1))
    assert _paces(loiter, stage.ground).max() < 0.55
    assert np.ptp(loiter.foot_xy[:, 0]) < 2 * HEIGHT_PX
    assert 0 < loiter.mirrored.sum() < COUNT  # it turns round


def test_depths_are_gone_through_in_turn(troupe: Troupe) -> None:
    first, last = troupe.ground.rows
    stages = [troupe._stage("clip0", turn) for turn in range(3)]
    assert stages[0].rows[0] == pytest.approx(first)
    assert stages[2].rows[1] == pytest.approx(last)
    assert stages[0].rows[1] == pytest.approx(stages[1].rows[0])
    assert {cutout.clip for cutout in stages[0].pool} == {"clip1", "clip2", "clip3", "clip4"}


def _still(pose: Pose, foot_xy: tuple[float, float], *, zoom: float = 1.0, mirrored: bool = False) -> Actor:
    path = np.tile(np.array(foot_xy, float), (COUNT, 1))
    return Actor(
        "still",
        (pose,),
        np.zeros(COUNT, np.int64),
        path,
        np.full(COUNT, zoom),
        np.full(COUNT, mirrored),
        1.0,
    )


def _painted(troupe: Troupe, actor: Actor, clip: str = "clip0") -> tuple[Composite, np.ndarray]:
    """The composite, and how much darker its first frame became, float (H, W)."""
    backdrop = troupe.backdrops[clip]
    played = paint("test", backdrop, [actor], np.random.default_rng(0))
    return played, backdrop.frames[0].astype(float) - played.frames[0]


BLOCK = Pose(np.full((10, 6), 20, np.float32), np.ones((10, 6), np.float32), (-3.0, -10.0))


@pytest.mark.parametrize("x", [100.0, 100.25, 100.5])
def test_a_pose_lands_where_its_feet_are(troupe: Troupe, x: float) -> None:
    played, darker = _painted(troupe, _still(BLOCK, (x, 80.0)))
    assert played.shown["still"].all()
    mask = np.clip(darker / 140, 0, 1) * (darker > 15)
    rows, columns = np.indices(darker.shape)
    assert mask.sum() == pytest.approx(60, rel=0.1)
    assert (columns * mask).sum() / mask.sum() + 0.5 == pytest.approx(x, abs=0.1)
    assert (rows * mask).sum() / mask.sum() + 0.5 == pytest.approx(75, abs=0.1)


def test_zoom_and_mirror(troupe: Troupe) -> None:
    _, darker = _painted(troupe, _still(BLOCK, (100, 80), zoom=2.0))
    assert (darker > 70).sum() == pytest.approx(240, rel=0.1)
    half = Pose(BLOCK.luma, np.repeat([[1, 1, 1, 0, 0, 0]], 10, axis=0).astype(np.float32), BLOCK.origin_xy)
    for mirrored, side in ((False, np.s_[70:80, 97:100]), (True, np.s_[70:80, 100:103])):
        _, darker = _painted(troupe, _still(half, (100, 80), mirrored=mirrored))
        assert darker[side].mean() > 100
        assert (darker > 70).sum() == pytest.approx(30, rel=0.1)


def test_what_is_out_of_the_picture_is_neither_painted_nor_shown(troupe: Troupe) -> None:
    played, darker = _painted(troupe, _still(BLOCK, (-30, 80)))
    assert not played.shown["still"].any()
    assert (darker == 0).all()
    played, _ = _painted(troupe, _still(BLOCK, (-2, 80)))  # one sixth of it is inside
    assert not played.shown["still"].any()


def test_those_who_stand_nearer_hide_it(troupe: Troupe) -> None:
    backdrop, time = troupe.backdrops["clip0"], COUNT // 2
    feet = backdrop.foot_row[time][backdrop.foot_row[time] >= 0].min()
    row, column = np.argwhere(backdrop.foot_row[time] == feet).mean(axis=0)
    hidden, seen = (
        paint("test", backdrop, [_still(BLOCK, (column, y))], np.random.default_rng(0)).frames[time].astype(int)
        for y in (row + 3, feet + 3)
    )
    original = backdrop.frames[time].astype(int)
    place = (int(row), int(column))
    assert abs(hidden[place] - original[place]) <= 2
    assert (np.abs(hidden - original) > 15).sum() < 20  # what reaches past the figure's outline
    assert (np.abs(seen - original) > 15).sum() > 30


@pytest.mark.parametrize("form", SHAPES)
def test_shapes_are_of_the_crowd_s_grey_levels(troupe: Troupe, form: str) -> None:
    pose = draw_shape(np.random.default_rng(4), troupe.cutouts[0], HEIGHT_PX, form)
    assert pose.luma.shape == pose.matte.shape
    assert pose.matte.min() >= 0
    assert pose.matte.max() <= 1.001
    assert abs(float(pose.luma[pose.matte > 0.9].mean()) - 50) < 25
    rows, columns = np.nonzero(pose.matte > 0.5)
    assert np.ptp(rows) < 2 * HEIGHT_PX
    assert 0.3 * HEIGHT_PX < np.ptp(columns) < 2 * HEIGHT_PX


def test_composites_on_ped2() -> None:
    if not os.environ.get("CROWDAD_DATA"):
        pytest.skip("CROWDAD_DATA is not set: UCSD Ped2 is read only where it names the data folder")
    root = Path(os.environ["CROWDAD_DATA"])
    trial = Ped2Footage(unlabelled=False, root=root).trial(0)
    assert (len(trial.learning), trial.unlabelled) == (12, False)
    assert len(trial.clips) == 4 + 4 * len(KINDS)
    learned, scored = (
        {source.name for source in sources} for sources in (trial.learning, [c.source for c in trial.clips[:4]])
    )
    assert not learned & scored
    for kind in IN_SCOPE:
        share = np.concatenate([clip.shown[kind] for clip in trial.clips if kind in clip.shown]).mean()
        assert 0.15 < share < 0.9, kind
    alone = Ped2Footage(unlabelled=True, root=root).trial(0)
    assert alone.unlabelled
    assert len(alone.learning) == len(alone.clips) == 12
    assert {kind for clip in alone.clips for kind in clip.shown} - {ORDINARY} == set(IN_SCOPE)
