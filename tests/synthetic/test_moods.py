"""What a whole crowd does at once, and when."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from crowdad.synthetic import GeneratedClip, Whereabouts, load_truth, scene_config, write_clip

Frames = list[tuple[float, list[Whereabouts]]]


def _walk(kind: str, seed: int = 1) -> tuple[GeneratedClip, Frames]:
    clip = GeneratedClip("plaza", seed, anomalies=(kind,), duration_s=90, fps=5)
    return clip, [(index / 5, people) for index, people in enumerate(clip.positions())]


def _mean(frames: Frames, start_s: float, end_s: float, of: str = "speed_m_s") -> float:
    values = [getattr(person, of) for time_s, people in frames if start_s <= time_s < end_s for person in people]
    return float(np.mean([value for value in values if value]))


def _people(frames: Frames, start_s: float, end_s: float) -> float:
    counts = [sum(p.kind == "walker" for p in people) for time_s, people in frames if start_s <= time_s < end_s]
    return float(np.mean(counts))


def _distance(clip: GeneratedClip, people: list[Whereabouts]) -> float:
    x, y = clip.crowd_events[0].place_m
    return float(np.mean([np.hypot(person.x_m - x, person.y_m - y) for person in people if person.kind == "walker"]))


def test_in_a_panic_everybody_runs_away():
    clip, frames = _walk("panic")
    start_s = clip.crowd_events[0].start_s
    assert _mean(frames, start_s - 5, start_s) < 1.5
    assert _mean(frames, start_s + 2.5, start_s + 4) > 2.7
    assert _people(frames, start_s + 6.5, start_s + 8) < 0.4 * _people(frames, start_s - 10, start_s)


def test_everybody_gathers_and_stands():
    clip, frames = _walk("gathering")
    event = clip.crowd_events[0]
    at = {round(time_s, 1): people for time_s, people in frames}
    first, last = (at[round(round(time_s * 5) / 5, 1)] for time_s in (event.start_s, event.end_s - 1))
    assert _distance(clip, last) < 0.5 * _distance(clip, first)
    assert np.median([person.speed_m_s for person in last if person.kind == "walker"]) < 0.15
    assert _mean(frames, event.end_s + 3, event.end_s + 10) > 0.9


def test_everybody_stops_and_goes_on():
    clip, frames = _walk("freezing")
    event = clip.crowd_events[0]
    assert _mean(frames, event.start_s + 3, event.end_s) < 0.05
    assert _mean(frames, event.end_s + 3, event.end_s + 8) > 0.9


def test_everybody_scatters_at_a_walk():
    clip, frames = _walk("scattering")
    event = clip.crowd_events[0]
    assert 1.2 < _mean(frames, event.start_s + 2.5, event.start_s + 5) < 1.8
    assert _people(frames, event.end_s - 1, event.end_s) < 0.4 * _people(frames, event.start_s - 10, event.start_s)


@pytest.mark.parametrize(("kind", "least", "most"), [("surge", 1.8, 2.8), ("emptiness", 0.0, 0.1)])
def test_more_people_come_or_none(kind, least, most):
    clip, frames = _walk(kind)
    event = clip.crowd_events[0]
    usual = _people(frames, 0, event.start_s - 14)
    assert least <= _people(frames, event.end_s - 15, event.end_s) / usual <= most


def test_times_follow_from_the_seed_and_are_in_the_truth(tmp_path):
    scene = replace(scene_config("plaza"), people=2, fps=5.0, duration_s=30.0, anomalies=("panic", "freezing"))
    clips = [GeneratedClip(scene, seed) for seed in (1, 1, 2)]
    same, again, other = (clip.crowd_events for clip in clips)
    assert same == again != other
    write_clip(clips[0], tmp_path / "clip.mp4")
    truth, drawn = load_truth(tmp_path / "clip.mp4"), list(clips[0].truths())
    assert truth.crowd_events == same
    for event in same:
        shown = [event.kind in frame.crowd_kinds for frame in drawn]
        np.testing.assert_array_equal(truth.of_kind(event.kind), shown)
        assert sum(shown) == pytest.approx((event.end_s - event.start_s) * 5, abs=1.1)
    np.testing.assert_array_equal(truth.labels, [frame.label for frame in drawn])
    assert not any(frame.mask.any() or frame.kinds for frame in drawn)
