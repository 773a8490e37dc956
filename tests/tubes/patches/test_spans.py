"""Tubes of a stretch of footage that pass through given boxes."""

from __future__ import annotations

import numpy as np
import pytest

from crowdad.tubes.patches import Span, tubes_through
from tests.tiny_scene import SIZE_HW, frames_of, scale_of, settings_of, texture, walkers

FRAMES = frames_of(walkers(30))
"""Two walkers, the upper one to the right, the lower one to the left, for 3 s."""
ELSEWHERE = texture(SIZE_HW, seed=5, coarseness=24)
TOP = (0.0, 0.0, 128.0, SIZE_HW[0] / 2)


def gathered(*boxes: tuple[float, ...], start_s: float = 0.0, end_s: float = 3.0) -> dict[int, np.ndarray]:
    """Frame index -> ends of the tubes, (N, 2)."""
    span = Span(start_s, end_s, boxes)  # type: ignore[arg-type]
    found = tubes_through(FRAMES, span, scale_of(), settings_of())
    return {frame.index: tubes.path_xy[:, 0] for frame, tubes in found}


def test_only_what_passes_through_the_box_is_taken() -> None:
    ends = gathered((0.0, *TOP))
    assert min(ends) == 5, "a window takes five steps of flow"
    assert sum(map(len, ends.values())) > 30
    assert all((xy[:, 1] < SIZE_HW[0] / 2).all() for xy in ends.values())
    everywhere = gathered((0.0, 0.0, 0.0, 128.0, 96.0))
    assert sum(map(len, everywhere.values())) > 1.5 * sum(map(len, ends.values()))


def test_a_box_moves_evenly_between_two_times() -> None:
    # The upper walker's left edge goes from 43 px on at 30 px a second; a box that goes with it keeps seeing it.
    along = gathered((0.5, 48.0, 0.0, 84.0, 48.0), (1.5, 78.0, 0.0, 114.0, 48.0), start_s=0.5, end_s=1.5)
    still = gathered((0.5, 48.0, 0.0, 84.0, 48.0), start_s=0.5, end_s=1.5)
    assert len(along[14]) > 0
    assert len(still[14]) < len(along[14])


def test_tubes_that_end_after_the_span_count_as_long_as_they_reach_back_into_it() -> None:
    ends = gathered((1.0, *TOP), start_s=1.0, end_s=1.5)
    taken = [index for index, xy in ends.items() if len(xy)]
    # Frame 14 is the span's last; a tube reaches four steps back.
    assert (min(taken), max(taken)) == (10, 18)


@pytest.mark.parametrize("change", ["segment", "size", "cut"])
def test_breaks_cuts_and_other_sizes_are_no_window(change: str) -> None:
    odd = frames_of(walkers(8), first=0)
    later = walkers(8)[:, :80] if change == "size" else np.stack([ELSEWHERE] * 8) if change == "cut" else walkers(8)
    more = frames_of(later, first=8, segment=int(change != "cut"))
    found = tubes_through([*odd, *more], Span(0, 9, ((0.0, *TOP),)), scale_of(), settings_of())
    expected = [5, 6, 7] if change == "size" else [5, 6, 7, 13, 14, 15]
    assert [frame.index for frame, _ in found] == expected
