"""What belongs together in one frame."""

from __future__ import annotations

import pytest

from crowdad.detection.events.tracks import Candidate
from crowdad.records import Region


@pytest.mark.parametrize("order", [(0, 1), (1, 0)])
def test_of_two_regions_in_one_frame_the_hotter_one_says_what_it_is(order: tuple[int, int]) -> None:
    regions = (
        Region(5, 0.5, (0, 0, 10, 10), 0.9, stream=2, velocity_px_s=(30.0, 0.0), note=3),
        Region(5, 0.5, (20, 0, 30, 10), 0.6),
    )
    first, second = (regions[place] for place in order)
    candidate = Candidate([], [1], first, first)
    candidate.see(second, strong=True)
    now = candidate.now
    assert (now.peak_anomaly, now.stream, now.velocity_px_s, now.note) == (0.9, 2, (30.0, 0.0), 3)
    assert now.box_xyxy == (0, 0, 30, 10)
