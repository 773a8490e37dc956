"""The spine: one result for every frame, in order, whatever the footage does."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from crowdad.detection.detector import Detector
from crowdad.errors import ConfigError
from crowdad.records import Frame, FrameResult
from tests.tiny_scene import (
    SIZE_HW,
    STEP_PX,
    frames_of,
    model_of,
    moved_otherwise,
    scale_of,
    settings_of,
    texture,
    walkers,
)

STEPS = 5
LAG = 4 + 4
"""Steps by which a map comes late: the tubes' length and the smoothing in time (3 x 1.33, rounded up)."""


def run(frames, *, gap: int = 1, **kwargs) -> list[FrameResult]:
    return list(Detector(model_of(scale_of(gap)), **kwargs).run(frames))


def same(one: FrameResult, other: FrameResult) -> bool:
    names = ("index", "time_s", "normality", "anomaly", "flagged", "warm_up", "n_tubes", "segment")
    return all(getattr(one, name) == getattr(other, name) for name in names) and np.array_equal(
        one.heatmap.anomaly, other.heatmap.anomaly
    )


def check_contract(frames: list[Frame], results: list[FrameResult]) -> None:
    assert [result.index for result in results] == [frame.index for frame in frames]
    assert [result.time_s for result in results] == [frame.time_s for frame in frames]
    for result in results:
        assert 0 <= result.anomaly <= 1
        assert -1 <= result.normality <= 1
        assert result.anomaly == result.heatmap.anomaly.max()
        assert result.flagged == (result.anomaly >= 0.5)
        assert np.isfinite(result.heatmap.anomaly).all()


@pytest.mark.parametrize("gap", [1, 3])
@pytest.mark.parametrize("length", [0, 1, 2, 3, 4, STEPS, STEPS + 1, 15, 16, 17, 50])
def test_every_frame_gets_one_result_in_order_whatever_the_length(length, gap):
    frames = frames_of(walkers(length), first=40, start_s=2.5)
    results = run(frames, gap=gap)
    check_contract(frames, results)
    assert [result.warm_up for result in results] == [place < STEPS * gap for place in range(length)]
    if length <= STEPS * gap:
        assert all(result.n_tubes == 0 and result.normality == 1.0 for result in results)


def test_something_is_found_where_somebody_walks():
    results = run(frames_of(walkers(40)))
    assert all(result.n_tubes > 0 for result in results)
    assert all(result.anomaly > 0 for result in results)
    assert all(result.normality < 1 for result in results)
    assert results[0].heatmap.size_hw == SIZE_HW
    rows, columns = results[0].heatmap.anomaly.shape
    assert rows * results[0].heatmap.cell_px >= SIZE_HW[0]
    assert columns * results[0].heatmap.cell_px >= SIZE_HW[1]


def test_warm_up_frames_hold_the_votes_of_the_first_window():
    results = run(frames_of(walkers(30)))
    assert same(replace(results[0], index=1, time_s=results[1].time_s), results[1])  # the first step has no flow
    assert all(result.n_tubes > 0 for result in results[:5])


def test_frames_between_two_steps_get_the_maps_of_both_by_nearness():
    scene = model_of(scale_of(4))
    detector = Detector(scene, threshold_raw=0.3)
    results = list(detector.run(frames_of(np.repeat(walkers(16), 4, axis=0))))

    def raw(result: FrameResult) -> np.ndarray:
        heat = result.heatmap.anomaly.astype(np.float64)
        return 0.3 * np.sqrt(heat / (1 - heat))

    for place in (12, 20, 32):
        for past in (1, 2, 3):
            between = (1 - past / 4) * raw(results[place]) + past / 4 * raw(results[place + 4])
            np.testing.assert_allclose(raw(results[place + past]), between, atol=1e-4)
        assert np.abs(raw(results[place]) - raw(results[place + 4])).max() > 0.01


@pytest.mark.parametrize("picture", [np.zeros(SIZE_HW, np.uint8), texture(SIZE_HW, 2)], ids=["black", "still"])
def test_where_nothing_moves_there_is_no_anomaly(picture):
    results = run(frames_of(np.repeat(picture[None], 30, axis=0)))
    assert all(r.anomaly == 0 and r.normality == 1 and r.n_tubes == 0 and not r.flagged for r in results)


def test_a_cut_is_listed_and_starts_afresh():
    first, second = walkers(30, background_seed=1), walkers(27, background_seed=9)[:, ::-1]
    second = 255 - second
    frames = frames_of(np.concatenate([first, second]))
    detector = Detector(model_of())
    results = list(detector.run(frames))
    check_contract(frames, results)
    assert detector.cuts == [3.0]
    assert [result.warm_up for result in results[28:36]] == [False, False, True, True, True, True, True, False]
    assert results[29].segment != results[30].segment
    # Each side is scored as if it were alone.
    for alone, part in ((first, results[:30]), (second, results[30:])):
        for one, other in zip(run(frames_of(np.ascontiguousarray(alone))), part, strict=True):
            assert one.anomaly == other.anomaly
            assert one.n_tubes == other.n_tubes


def test_a_break_of_the_footage_starts_afresh_but_is_no_cut():
    first, second = walkers(20), walkers(20, speeds=(6, -2))
    frames = [*frames_of(first), *frames_of(second, first=20, segment=1, start_s=60)]
    detector = Detector(model_of())
    results = list(detector.run(frames))
    check_contract(frames, results)
    assert detector.cuts == []
    assert [result.warm_up for result in results[18:27]] == [False] * 2 + [True] * 5 + [False] * 2
    assert [result.segment for result in (results[0], results[19], results[20])] == [0, 0, 1]
    for one, other in zip(run(frames_of(second)), results[20:], strict=True):
        assert np.array_equal(one.heatmap.anomaly, other.heatmap.anomaly)


@given(lengths=st.lists(st.integers(1, 14), min_size=1, max_size=5), gap=st.integers(1, 3), batch=st.integers(1, 9))
@settings(max_examples=12, deadline=None)
def test_any_row_of_segments_gives_every_frame_once(lengths, gap, batch):
    frames: list[Frame] = []
    for segment, length in enumerate(lengths):
        frames += frames_of(walkers(length), first=len(frames), segment=segment)
    results = run(frames, gap=gap, batch_steps=batch)
    check_contract(frames, results)
    assert [result.segment for result in results] == [frame.segment for frame in frames]


def test_frames_of_another_size_are_scored_as_still():
    odd = texture((33, 47), 3)
    frames = frames_of(walkers(20))
    frames += [Frame(20 + i, 2 + i / 10, odd, segment=1) for i in range(8)]
    frames += frames_of(walkers(20), first=28, segment=2)
    results = run(frames)
    check_contract(frames, results)
    assert all(result.anomaly == 0 and result.n_tubes == 0 for result in results[20:28])
    assert all(result.n_tubes > 0 for result in results[28:])


def test_one_frame_of_another_size_amid_a_segment_is_survived():
    frames = frames_of(walkers(30))
    frames[15] = Frame(15, 1.5, texture((50, 60), 1))
    check_contract(frames, run(frames))


@pytest.mark.parametrize("gap", [1, 2])
def test_the_batch_changes_nothing_but_the_delay(gap):
    frames = frames_of(walkers(40))
    ones, eights = (run(frames, gap=gap, batch_steps=batch) for batch in (1, 8))
    for one, other in zip(ones, eights, strict=True):
        np.testing.assert_allclose(one.heatmap.anomaly, other.heatmap.anomaly, atol=1e-5)
        assert one.n_tubes == other.n_tubes


def test_where_tubes_may_be_very_many_fewer_steps_wait_for_each_other(monkeypatch):
    came: list[Frame] = []

    def counted():
        for frame in frames_of(walkers(40)):
            came.append(frame)
            yield frame

    def frames_before_the_first_result() -> int:
        came.clear()
        next(Detector(model_of()).run(counted()))
        return len(came)

    many = frames_before_the_first_result()
    monkeypatch.setattr("crowdad.detection.scorer._MOST_IN_BATCH", 1.0)
    assert frames_before_the_first_result() < many


@pytest.mark.parametrize(("gap", "lag"), [(1, 0), (1, 4), (2, 0), (3, 0), (3, 1), (3, 2), (3, 14), (3, 60)])
def test_with_a_lag_a_result_comes_at_most_so_many_frames_late(gap, lag):
    came: list[Frame] = []

    def counted():
        for frame in frames_of(walkers(70)):
            came.append(frame)
            yield frame

    frames = frames_of(walkers(70))
    results = []
    for result in Detector(model_of(scale_of(gap)), lag=lag).run(counted()):
        results.append(result)
        if result.index >= gap:  # the first step has no flow and takes the second one's map
            assert len(came) - 1 - result.index <= lag
    check_contract(frames, results)
    assert all(result.anomaly > 0 for result in results[(STEPS + 1) * gap :])


@pytest.mark.parametrize("gap", [1, 3])
def test_without_any_lag_nothing_later_has_a_say(gap):
    frames = frames_of(walkers(60))
    for end in (31, 40, 41):
        whole = run(frames, gap=gap, lag=0)[:end]
        part = run(frames[:end], gap=gap, lag=0)
        assert all(same(one, other) for one, other in zip(whole, part, strict=True))


def test_a_lag_of_all_votes_gives_what_is_given_offline():
    frames = frames_of(walkers(40))
    for one, other in zip(run(frames, batch_steps=1), run(frames, lag=LAG), strict=True):
        np.testing.assert_allclose(one.heatmap.anomaly, other.heatmap.anomaly, atol=1e-5)


def test_a_negative_lag_is_refused():
    with pytest.raises(ConfigError, match="lag is -1 "):
        Detector(model_of(), lag=-1)


def test_two_runs_agree_to_the_last_bit():
    frames = frames_of(walkers(30, background_seed=1))
    assert all(same(one, other) for one, other in zip(run(frames), run(frames), strict=True))


def test_one_detector_runs_one_footage_after_the_other():
    detector = Detector(model_of())
    first, second = (list(detector.run(frames_of(walkers(20)))) for _ in range(2))
    assert all(same(one, other) for one, other in zip(first, second, strict=True))


@pytest.mark.parametrize(("gap", "batch"), [(1, 8), (3, 2)])
def test_memory_is_bounded_and_results_come_while_frames_go_in(gap, batch):
    waiting = most_waiting = 0

    def counted():
        nonlocal waiting, most_waiting
        for frame in frames_of(walkers(300)):
            waiting += 1
            most_waiting = max(most_waiting, waiting)
            yield frame

    for _ in Detector(model_of(scale_of(gap)), batch_steps=batch).run(counted()):
        waiting -= 1
    assert waiting == 0
    assert most_waiting <= (LAG + 2 * batch + 1) * gap + 1  # one batch is voted on while the next is found


def test_no_frame_is_held_longer_than_its_step():
    import weakref

    alive: list[weakref.ref] = []
    most = 0

    def watched():
        nonlocal most
        for frame in frames_of(walkers(60)):
            fresh = replace(frame, luma=frame.luma.copy())
            alive.append(weakref.ref(fresh))
            yield fresh
            del fresh
            most = max(most, sum(ref() is not None for ref in alive))

    for _ in Detector(model_of()).run(watched()):
        pass
    assert most <= 3


def test_a_mask_keeps_tubes_out():
    frames = frames_of(walkers(30))  # one walker above row 48, one below
    upper = np.zeros(SIZE_HW, bool)
    upper[:48] = True
    everywhere, above, nowhere = (run(frames, roi=roi) for roi in (None, upper, np.zeros(SIZE_HW, bool)))
    for full, half, none in zip(everywhere, above, nowhere, strict=True):
        assert 0 < half.n_tubes < full.n_tubes
        assert none.n_tubes == 0
        assert none.anomaly == 0
        assert half.heatmap.anomaly[6:].max() == 0 < full.heatmap.anomaly[6:].max()  # cells of 8 px: 48 px down
        assert half.heatmap.anomaly[:6].max() == half.anomaly > 0
    for full, whole in zip(everywhere, run(frames, roi=np.ones(SIZE_HW, bool)), strict=True):
        assert same(full, whole)


def test_a_mask_of_another_size_is_refused():
    with pytest.raises(ConfigError, match="mask"):
        Detector(model_of(), roi=np.ones((10, 10), bool))


def test_the_threshold_is_the_calibrations_or_the_one_given():
    scene = model_of()
    assert Detector(scene).threshold_raw == scene.calibration.threshold(1.0)
    frames = frames_of(walkers(20))
    low, high = (run(frames, threshold_raw=threshold) for threshold in (0.01, 10.0))
    assert all(result.flagged for result in low)
    assert not any(result.flagged for result in high)


def test_strangeness_is_the_share_of_tubes_below_the_fits_five_percent():
    scene = model_of()
    frames = frames_of(walkers(20))
    for lowest, share in ((-2.0, 0.0), (2.0, 1.0)):
        detector = Detector(moved_otherwise(scene, tube_normality=np.full(101, lowest, np.float32)))
        assert detector.strangeness == 0
        list(detector.run(frames))
        assert detector.strangeness == share
        assert detector.tubes_scored > 20


@pytest.mark.parametrize("kind", ["tubes", "grid"])
def test_grid_patches_run_through_the_same_spine(kind):
    frames = frames_of(walkers(20))
    scene = model_of(settings=settings_of(f"tubes.kind={kind}", "tubes.steps=3"))
    results = list(Detector(scene).run(frames))
    check_contract(frames, results)
    assert sum(result.warm_up for result in results) == 3


def test_a_consumer_may_stop_early():
    closed = False

    def frames():
        nonlocal closed
        try:
            yield from frames_of(walkers(60))
        finally:
            closed = True

    source = frames()
    results = Detector(model_of()).run(source)
    assert next(results).index == 0
    results.close()
    source.close()
    assert closed


@pytest.mark.parametrize("size_hw", [(6, 9), (17, 23), (31, 200)])
def test_odd_and_tiny_pictures_are_scored(size_hw):
    scale = scale_of(size_hw=size_hw, person=(8.0, 0.0, 0.0), walk=0.1, rows=(0.0, size_hw[0] - 1.0))
    pictures = np.stack([texture(size_hw, seed, coarseness=2) for seed in range(14)])
    frames = frames_of(pictures)
    check_contract(frames, list(Detector(model_of(scale)).run(frames)))


def repeated_frames(frames: list[Frame], times: int) -> list[Frame]:
    """Each frame so often, all but the first time as a repeat, at the times of so many more frames a second."""
    return [
        replace(frame, index=times * number + copy, time_s=frame.time_s + copy / (10 * times), repeated=copy > 0)
        for number, frame in enumerate(frames)
        for copy in range(times)
    ]


@pytest.mark.parametrize("gap", [1, 2])
@pytest.mark.parametrize("lag", [None, 3])
def test_repeated_pictures_have_the_results_of_those_they_repeat(gap, lag):
    frames = frames_of(walkers(30))
    plain = run(frames, gap=gap, lag=lag)
    results = run(repeated_frames(frames, 3), gap=gap, lag=lag)
    assert [result.index for result in results] == list(range(90))
    for number, result in enumerate(results):
        assert np.array_equal(result.heatmap.anomaly, plain[number // 3].heatmap.anomaly)
        assert (result.n_tubes, result.warm_up) == (plain[number // 3].n_tubes, plain[number // 3].warm_up)


def test_a_run_over_repeated_pictures_can_be_gone_on_with():
    frames = repeated_frames(frames_of(walkers(120)), 3)
    detector = Detector(model_of(scale_of(gap=2)))
    going, told = detector.run(iter(frames)), []
    for result in going:
        told.append(result)
        if len(told) == 300:
            checkpoint = detector.checkpoint(300)
            break
    going.close()
    whole = list(Detector(model_of(scale_of(gap=2))).run(iter(frames)))
    again = list(Detector(model_of(scale_of(gap=2))).run(iter(frames), checkpoint, told))
    assert checkpoint.from_frame > 0
    assert all(same(one, other) for one, other in zip(again, whole, strict=True))


def test_a_segment_is_scored_at_its_own_rate():
    """Every other picture of twice the footage, behind a break, shows the same walk at half the rate."""
    pictures = walkers(40)
    halved = [replace(frame, segment=1, fps=5.0, time_s=frame.time_s * 2) for frame in frames_of(pictures[::2])]
    first = [replace(frame, fps=10.0) for frame in frames_of(pictures)]
    results = run([*first, *halved], gap=2)
    alone = run(frames_of(pictures[::2]), gap=1)
    behind = [result for result in results if result.segment == 1]
    assert [result.n_tubes for result in behind] == [result.n_tubes for result in alone]


def test_a_missing_picture_makes_nobody_fast():
    """Two pictures are missing: the walkers have moved three steps' worth, over three steps' time."""
    frames = frames_of(walkers(40))
    gone = [frame for frame in frames if frame.index not in (20, 21)]
    whole, holed = run(frames), run(gone)
    rushed = run([replace(frame, time_s=number / 10) for number, frame in enumerate(gone)])
    usual = max(result.anomaly for result in whole)
    assert max(result.anomaly for result in holed) <= max(usual * 1.5, 0.5 * max(r.anomaly for r in rushed) + usual)


def test_the_speed_of_what_is_hot_is_that_of_who_walks_there() -> None:
    """In pixels a second, whatever the rate of the footage; what no number of 16 bits holds is cut off."""
    pictures = walkers(40, speeds=(STEP_PX,))
    for fps in (10.0, 20.0):
        scene = model_of(scale_of(fps=fps))
        *_, last = Detector(scene, threshold_raw=0.05).run(frames_of(pictures, fps=fps))
        assert last.velocity_px_s is not None
        hottest = np.unravel_index(int(last.heatmap.anomaly.argmax()), last.heatmap.anomaly.shape)
        across, down = last.velocity_px_s[hottest]
        assert across == pytest.approx(STEP_PX * fps, rel=0.25)
        assert abs(down) < 0.3 * STEP_PX * fps
    fastest = Detector(model_of(scale_of(fps=90_000.0)), threshold_raw=0.05)
    assert all(
        np.isfinite(result.velocity_px_s).all()
        for result in fastest.run(frames_of(pictures, fps=90_000.0))
        if result.velocity_px_s is not None
    )
