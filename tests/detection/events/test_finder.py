"""Events from maps drawn by hand: 6 x 8 cells of 10 px on a 60 x 80 picture, 10 frames a second."""

from __future__ import annotations

import itertools
import pickle
from collections.abc import Iterable, Mapping
from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from crowdad.detection.events import EventFinder, find_events
from crowdad.detection.events.regions import find_regions
from crowdad.records import Event, FrameResult, Heatmap

FPS = 10
SIZE_HW = (60, 80)
Cells = Mapping[tuple[int, int], float]


def heatmap(cells: Cells, size_hw: tuple[int, int] = SIZE_HW, cell_px: float = 10) -> Heatmap:
    anomaly = np.full((6, 8), 0.1, dtype=np.float32)
    for place, value in cells.items():
        anomaly[place] = value
    return Heatmap(anomaly, cell_px, size_hw)


def result(index: int, cells: Cells, segment: int = 0, **drawing: Any) -> FrameResult:
    drawn = heatmap(cells, **drawing)
    highest = float(np.nanmax(drawn.anomaly))
    return FrameResult(index, index / FPS, 0.0, highest, highest >= 0.5, False, 1, drawn, segment)


def events_of(frames: Iterable[Cells], **parameters: float) -> list[Event]:
    return find_events((result(index, cells) for index, cells in enumerate(frames)), FPS, **parameters)


def spans(events: Iterable[Event]) -> list[tuple[int, int]]:
    return [(event.start_frame, event.end_frame) for event in events]


HOT: Cells = {(2, 2): 0.9}
WEAK: Cells = {(2, 2): 0.45}
CALM: Cells = {}


def test_a_region_is_eight_connected_and_grows_down_to_the_lower_level() -> None:
    regions = find_regions(result(7, {(1, 1): 0.8, (2, 2): 0.45, (3, 3): 0.4, (4, 4): 0.39}))
    assert [(r.box_xyxy, r.frame_index, r.time_s) for r in regions] == [((10, 10, 40, 40), 7, 0.7)]
    assert regions[0].peak_anomaly == pytest.approx(0.8)


def test_a_place_without_a_cell_at_the_threshold_is_no_event() -> None:
    assert events_of([{(1, 1): 0.499, (1, 2): 0.499}] * 8) == []
    assert len(events_of([{(1, 1): 0.5}] * 8)) == 1


def test_boxes_are_clipped_to_the_displayed_picture() -> None:
    (region,) = find_regions(result(0, {(5, 7): 1.0}, size_hw=(55, 74)))
    assert region.box_xyxy == (70, 50, 74, 55)


def test_cells_wholly_outside_the_picture_make_no_region() -> None:
    assert find_regions(result(0, {(5, 7): 1.0}, size_hw=(50, 70))) == []


def test_cells_need_not_be_whole_pixels_and_holes_in_the_map_are_calm() -> None:
    (region,) = find_regions(result(0, {(0, 1): 1.0, (3, 3): float("nan")}, cell_px=7.5))
    assert region.box_xyxy == (7.5, 0, 15, 7.5)


def test_a_strip_at_the_border_thinner_than_a_third_of_a_person_is_no_region_to_an_event():
    def tall(_x, _y):
        return 45.0

    inside, strip, corner = {(2, 2): 0.8}, {(1, 0): 0.8, (2, 0): 0.8, (3, 0): 0.8}, {(0, 3): 0.8}
    kept = [find_regions(result(0, cells), 0.4, tall) for cells in (inside, strip, corner)]
    assert [len(found) for found in kept] == [1, 0, 0]
    assert len(find_regions(result(0, {**strip, (2, 1): 0.8}), 0.4, tall)) == 1  # thick enough: 20 px
    assert len(find_regions(result(0, strip), 0.4)) == 1


def test_an_event_says_when_where_and_how_strongly() -> None:
    frames = [CALM] * 3 + [{(2, c): 0.6 + 0.05 * c} for c in range(5)] + [CALM] * 10
    (event,) = events_of(frames)
    assert (event.event_id, event.start_frame, event.end_frame, event.peak_frame) == (1, 3, 7, 7)
    assert (event.start_s, event.end_s, event.peak_s) == pytest.approx((0.3, 0.8, 0.7))
    assert event.peak_anomaly == pytest.approx(0.8)
    assert event.box_xyxy == (40, 20, 50, 30)
    assert event.boxes == {3 + c: (10 * c, 20, 10 * c + 10, 30) for c in range(5)}


@pytest.mark.parametrize(("hot_frames", "expected"), [(3, 0), (4, 1)])
def test_what_is_shorter_than_the_least_duration_is_not_told(hot_frames: int, expected: int) -> None:
    assert len(events_of([CALM] + [HOT] * hot_frames + [CALM] * 9)) == expected


@pytest.mark.parametrize(("missing", "expected"), [(4, [(0, 13)]), (5, [(0, 4), (10, 14)])])
def test_a_gap_up_to_its_limit_is_bridged(missing: int, expected: list[tuple[int, int]]) -> None:
    assert spans(events_of([HOT] * 5 + [CALM] * missing + [HOT] * 5)) == expected


def test_no_box_is_made_up_for_frames_in_a_gap() -> None:
    (event,) = events_of([HOT] * 5 + [CALM] * 3 + [HOT] * 5)
    assert sorted(event.boxes) == [0, 1, 2, 3, 4, 8, 9, 10, 11, 12]


def test_the_lower_level_carries_an_event_on_but_does_not_start_or_end_it() -> None:
    assert spans(events_of([WEAK] * 6 + [HOT] * 4 + [WEAK] * 12 + [HOT] * 4 + [WEAK] * 12)) == [(6, 25)]


def test_the_lower_level_carries_an_event_only_so_long() -> None:
    assert spans(events_of([HOT] * 4 + [WEAK] * 30 + [HOT] * 4)) == [(0, 3), (34, 37)]
    assert events_of([WEAK] * 50) == []


def test_flickers_that_add_up_to_too_little_are_not_told() -> None:
    assert events_of([HOT, CALM, CALM, CALM, HOT, CALM, CALM, CALM, HOT]) == []


def test_events_are_numbered_in_order_of_start_though_the_second_ends_first() -> None:
    far: Cells = {(5, 7): 0.7}
    frames = [HOT] * 5 + [{**HOT, **far}] * 5 + [HOT] * 20 + [CALM] * 9
    finder = EventFinder(FPS)
    told = [(index, event) for index, cells in enumerate(frames) for event in finder.push(result(index, cells))]
    assert [(event.event_id, event.start_frame, event.end_frame) for _, event in told] == [(1, 0, 29), (2, 5, 9)]
    assert {index for index, _ in told} == {34}
    assert finder.finish() == []


def test_a_subject_is_followed_across_the_picture_and_over_a_gap() -> None:
    walk: list[Cells] = [{(2, step // 2): 0.9} for step in range(16)]
    walk[7] = walk[8] = CALM
    assert spans(events_of(walk)) == [(0, 15)]


def test_two_subjects_far_apart_are_two_events() -> None:
    assert spans(events_of([{(0, 0): 0.9, (5, 7): 0.9}] * 6)) == [(0, 5), (0, 5)]


def test_pieces_that_keep_touching_are_one_event_with_their_common_box() -> None:
    ring = {(row, column): 0.9 for row in (1, 2, 3) for column in (1, 2, 3)} | {(2, 2): 0.1, (1, 2): 0.1}
    inner = {(r, c): 0.9 for r in range(5) for c in range(5) if r in (0, 4) or c in (0, 4)} | {(2, 2): 0.8}
    (event,) = events_of([ring] * 3 + [inner] * 6)
    assert event.boxes[8] == (0, 0, 50, 50)


def test_subjects_that_cross_stay_two_events() -> None:
    frames = [{(2, step // 2): 0.9, (3, 7 - step // 2): 0.8} for step in range(16)]
    assert spans(events_of(frames)) == [(0, 15), (0, 15)]


def test_a_break_in_the_footage_ends_everything() -> None:
    finder = EventFinder(FPS)
    for index in range(6):
        assert finder.push(result(index, HOT, segment=0)) == []
    (first,) = finder.push(result(6, HOT, segment=1))
    for index in range(7, 12):
        assert finder.push(result(index, HOT, segment=1)) == []
    (second,) = finder.finish()
    assert [(e.event_id, e.start_frame, e.end_frame) for e in (first, second)] == [(1, 0, 5), (2, 6, 11)]


def test_an_open_event_is_known_while_it_lasts_and_closed_at_once() -> None:
    finder = EventFinder(FPS)
    warmer: Cells = {(2, 3): 0.95, (2, 4): 0.8}
    for index, cells in enumerate([CALM, HOT, HOT, HOT, warmer, warmer]):
        finder.push(result(index, cells))
        lasting = [event for event in finder.open_events() if event.lasts]
        assert bool(lasting) == (index >= 4)
    (event,) = lasting
    assert (event.keys, event.start_s, event.start_frame, event.peak_frame) == ((1,), 0.1, 1, 4)
    assert (event.peak_anomaly, event.box_xyxy) == (pytest.approx(0.95), (30, 20, 50, 30))
    assert event.now_xyxy == (30, 20, 50, 30)
    for index in range(6, 12):
        finder.push(result(index, CALM))
        if finder.closed:
            break
    assert index == 10
    (closed,) = finder.closed
    assert (closed.keys, closed.event.start_frame, closed.event.end_frame) == ((1,), 1, 5)
    assert finder.open_events() == []
    assert finder.finish() == []
    assert finder.closed == []


def test_an_event_is_closed_though_an_older_one_lasts() -> None:
    far: Cells = {(5, 7): 0.7}
    finder = EventFinder(FPS)
    for index, cells in enumerate([HOT] * 5 + [{**HOT, **far}] * 5 + [HOT] * 5):
        assert finder.push(result(index, cells)) == []
        if finder.closed:
            assert index == 14
            assert [closed.keys for closed in finder.closed] == [(2,)]
    assert [event.keys for event in finder.open_events()] == [(1,)]


def test_pieces_that_keep_touching_are_part_of_the_oldest_and_close_as_one() -> None:
    inner = {(r, c): 0.9 for r in range(5) for c in range(5) if r in (0, 4) or c in (0, 4)} | {(2, 2): 0.8}
    finder = EventFinder(FPS)
    for index, cells in enumerate([inner] * 6):
        finder.push(result(index, cells))
    assert [(event.keys, event.part_of) for event in finder.open_events()] == [((1,), None), ((2,), 1)]
    for index in range(6, 12):
        finder.push(result(index, CALM))
        if finder.closed:
            break
    assert [closed.keys for closed in finder.closed] == [(1, 2)]


def test_what_never_ends_is_told_in_pieces() -> None:
    pieces = spans(events_of([HOT] * 100, max_duration_s=3.0))
    assert pieces[0] == (0, 30)
    assert pieces[-1][1] == 99
    assert all(after[0] == before[1] + 1 for before, after in itertools.pairwise(pieces))


def test_memory_does_not_grow_with_the_footage() -> None:
    finder = EventFinder(FPS, max_duration_s=5.0)
    sizes = []
    for index in range(2000):
        finder.push(result(index, {(2, 2): 0.9, (4, index % 50 // 7): 0.8} if index % 50 < 40 else CALM))
        sizes.append(len(pickle.dumps(finder)))
    assert max(sizes[1000:]) <= max(sizes[:500]) * 1.1


@pytest.mark.parametrize(
    "wrong", [{"level": 1.2}, {"low": 0.6}, {"low": 0.0}, {"min_duration_s": -1}, {"gap_s": -1}, {"max_duration_s": 0}]
)
def test_impossible_parameters_are_refused(wrong: dict[str, float]) -> None:
    with pytest.raises(ValueError, match="needed"):
        EventFinder(FPS, **wrong)
    with pytest.raises(ValueError, match="fps"):
        EventFinder(0)


@settings(max_examples=40, deadline=None)
@given(
    st.lists(
        st.dictionaries(st.tuples(st.integers(0, 5), st.integers(0, 7)), st.floats(0, 1, width=32), max_size=6),
        max_size=40,
    ),
    st.lists(st.integers(0, 39), max_size=3),
)
def test_events_of_any_footage_are_in_order_and_inside_it(frames: list[Cells], cuts: list[int]) -> None:
    results = [result(i, cells, segment=sum(cut <= i for cut in cuts)) for i, cells in enumerate(frames)]
    events = find_events(results, FPS, min_duration_s=0.1)
    assert [event.event_id for event in events] == list(range(1, len(events) + 1))
    starts = [event.start_s for event in events]
    assert starts == sorted(starts)
    covered = {frame for event in events for frame in event.boxes}
    assert {r.index for r in results if r.flagged} <= covered
    for event in events:
        assert event.start_frame <= event.peak_frame <= event.end_frame
        assert event.box_xyxy == event.boxes[event.peak_frame]
        assert 0.5 <= event.peak_anomaly <= results[event.peak_frame].anomaly
        assert {event.start_frame, event.end_frame} <= set(event.boxes)
        assert len({results[frame].segment for frame in event.boxes}) == 1
        for x0, y0, x1, y1 in event.boxes.values():
            assert 0 <= x0 < x1 <= SIZE_HW[1]
            assert 0 <= y0 < y1 <= SIZE_HW[0]


def test_an_event_moves_as_what_is_at_its_hottest_cell_does_also_while_it_lasts() -> None:
    def moving(index: int) -> FrameResult:
        velocity = np.full((6, 8, 2), 7, np.float16)
        velocity[2, index] = (10 * index, -5)
        velocity[4] = 0
        return replace(result(index, {(2, index): 0.6 + 0.01 * index, (4, 4): 0.7}), velocity_px_s=velocity)

    finder = EventFinder(FPS)
    for index in range(8):
        finder.push(moving(index))
    lasting, events = finder.open_events(), finder.finish()
    for found in (lasting, events):
        assert {round(event.peak_anomaly, 2): event.velocity_px_s for event in found} == {0.67: (70, -5), 0.7: None}


def test_an_event_is_of_the_stream_whose_evidence_its_peak_is() -> None:
    def of_two(index: int) -> FrameResult:
        leading = np.zeros(heatmap({}).anomaly.shape, np.uint8)
        leading[2, 5:] = 1
        return replace(result(index, {(2, 2): 0.9, (2, 5): 0.7, (2, 6): 0.6 + 0.02 * index}), leading=leading)

    found = {event.box_xyxy[0]: event.stream for event in find_events(map(of_two, range(8)), FPS)}
    assert found == {20.0: 0, 50.0: 1}


def test_what_crosses_the_picture_too_fast_to_overlap_itself_is_one_event_where_its_speed_is_known() -> None:
    def passing(known: bool) -> list[Event]:
        frames = []
        for index in range(4):
            seen = result(index, {(2, 2 * index): 0.9})
            moves = np.zeros((6, 8, 2), np.float16)
            moves[2, 2 * index] = (200.0, 0.0)
            frames.append(replace(seen, velocity_px_s=moves) if known else seen)
        return find_events(frames, FPS)

    assert spans(passing(known=True)) == [(0, 3)]
    assert passing(known=False) == []
