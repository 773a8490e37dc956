"""Scores and heat in a page: what is packed can be unpacked, and fits."""

from __future__ import annotations

import base64
import json
import zlib
from dataclasses import replace

import numpy as np
import numpy.typing as npt
import pytest

from crowdad.outputs.report import packing
from crowdad.outputs.report.packing import pack_heat, pack_scores
from tests.outputs.report.made_up import GRID, SHORT, MadeUp


def unpacked(text: str, dtype: str) -> npt.NDArray[np.generic]:
    return np.frombuffer(zlib.decompress(base64.b64decode(text)), dtype)


def maps_of(data: dict) -> dict[int, npt.NDArray[np.uint8]]:
    """Time in ms -> levels."""
    found = {}
    for chunk in data["chunks"]:
        times = np.cumsum([chunk["start_ms"], *chunk["steps"]])
        levels = unpacked(chunk["levels"], "u1").reshape(-1, *GRID) * data["step"]
        assert len(levels) == len(times)
        found.update(zip(times.tolist(), levels, strict=True))
    return found


def test_every_score_is_there_where_they_are_few() -> None:
    scores = pack_scores(SHORT.table)
    assert (scores["count"], scores["pooled"], scores["start_ms"]) == (100, 1, 0)
    levels = unpacked(scores["levels"], "u1")
    assert np.abs(levels / 255 - SHORT.table.anomaly).max() <= 0.5 / 255 + 1e-9
    assert np.cumsum(unpacked(scores["steps"], "<u4"))[[0, 1, 99]].tolist() == [0, 100, 9900]


def test_many_scores_are_pooled_to_the_largest(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(packing, "MOST_SCORES", 30)
    scores = pack_scores(SHORT.table)
    assert (scores["count"], scores["pooled"]) == (25, 4)
    levels = unpacked(scores["levels"], "u1")
    assert levels[92 // 4] == round(255 * SHORT.peak(2)), "one of four frames is enough"


def test_times_that_start_late_and_vary() -> None:
    table = replace(SHORT.table, time_s=12.3456 + np.cumsum(np.tile([0.05, 0.15], 50)))
    scores = pack_scores(table)
    times_s = (scores["start_ms"] + np.cumsum(unpacked(scores["steps"], "<u4"))) / 1000
    assert np.abs(times_s - table.time_s).max() < 1e-3


def test_heat_is_kept_at_a_rate_a_page_can_hold() -> None:
    run = MadeUp(250, 25.0, [(50, 149)])
    heat = run.heat()
    assert (heat.per_s, heat.only_events) == (8.0, False)
    assert heat.data is not None
    maps = maps_of(heat.data)
    # Frames 50 to 149 last 4 s: 8 maps a second, cold ones left out.
    assert 31 <= len(maps) <= 33
    assert min(maps) == 2000
    for time_ms, levels in maps.items():
        frame = round(time_ms / 40)
        assert np.flatnonzero(levels[4] > 127).tolist() == [frame % GRID[1]]
        assert levels.max() == pytest.approx(255 * run.peak(0), abs=4)


def test_heat_that_does_not_fit_is_kept_around_events_then_thinned() -> None:
    table = SHORT.table
    hot = [replace(chunk, levels=np.maximum(chunk.levels, 40)) for chunk in SHORT.maps()]
    only = [event for event in SHORT.events if event.event_id == 1]
    whole = pack_heat(hot, table, only)
    assert whole.data is not None
    assert len(maps_of(whole.data)) == 80
    around = pack_heat(hot, table, only, budget=int(0.9 * len(json.dumps(whole.data["chunks"]))))
    assert around.only_events
    assert around.data is not None
    times = list(maps_of(around.data))
    # The event lasts from 2 to 3 s; 2 s on either side are kept.
    assert (min(times), max(times)) == (0, 5000)
    thinned = pack_heat(hot, table, only, budget=200)
    assert thinned.per_s < around.per_s
    assert thinned.data is not None
    assert 0 < len(maps_of(thinned.data)) < len(times)


def test_gathered_heat_is_the_mean_of_what_is_hot() -> None:
    gathered = SHORT.heat().gathered
    assert gathered is not None
    expected = sum(
        round(255 * SHORT.peak(number)) / 255 / 100
        for number, (first, last) in enumerate(SHORT.spans)
        for frame in range(first, last + 1)
        if frame % GRID[1] == 4
    )
    assert gathered[4, 4] == pytest.approx(expected)
    assert gathered[8:].max() == 0


def test_a_run_without_maps_has_no_heat() -> None:
    heat = pack_heat([], SHORT.table, SHORT.events)
    assert heat.data is None
    assert heat.gathered is None


def test_a_run_without_events_keeps_no_heat_that_does_not_fit() -> None:
    hot = [replace(chunk, levels=np.maximum(chunk.levels, 40)) for chunk in SHORT.maps()]
    heat = pack_heat(hot, SHORT.table, [], budget=10)
    assert heat.only_events
    assert heat.data is not None
    assert heat.data["chunks"] == []
