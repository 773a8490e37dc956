"""Live scoring: each frame's result at most a lag later, and every event begun, told of and ended."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

import numpy as np
import numpy.typing as npt
import pytest

from crowdad.detection.live import EventChange, LiveScore, LiveScorer, Unscored, tube_lag
from crowdad.records import Event, FrameResult, Heatmap, OpenEvent
from crowdad.scene.model import SceneModel
from crowdad.scene.streams import Told
from crowdad.sources import LiveFrame
from tests.tiny_scene import model_of, scale_of, settings_of, texture, walkers

BEGAN_S = 1_700_000_000.0
FPS = 10.0


def live(pictures: npt.NDArray[np.uint8], *, first: int = 0, segment: int = 0, color: bool = False) -> list[LiveFrame]:
    return [
        LiveFrame(
            first + number,
            (first + number) / FPS,
            picture,
            np.repeat(picture[..., None], 3, axis=2) if color else None,
            segment,
            captured_s=BEGAN_S + (first + number) / FPS,
        )
        for number, picture in enumerate(pictures)
    ]


def scored(scorer: LiveScorer, arrivals: Iterable[LiveFrame | None]) -> list[LiveScore | EventChange | Unscored]:
    return list(scorer.run(arrivals, lambda: FPS))


def scores_of(items: Iterable[object]) -> list[LiveScore]:
    return [item for item in items if isinstance(item, LiveScore)]


class Scripted:
    """Stands for the detector: anomaly by frame index, in one cell, the largest in one of the frames."""

    def __init__(self, hot: Iterable[int], hottest: int = -1) -> None:
        self.hot = set(hot)
        self.hottest = hottest

    def run(self, frames: Iterable[LiveFrame]) -> Iterator[FrameResult]:
        for frame in frames:
            anomaly = np.full((6, 8), 0.1, np.float32)
            if frame.index in self.hot:
                anomaly[2, 2] = 0.99 if frame.index == self.hottest else 0.9
            peak = float(anomaly.max())
            heatmap = Heatmap(anomaly, 16.0, (96, 128))
            yield FrameResult(frame.index, frame.time_s, 0.0, peak, peak >= 0.5, False, 1, heatmap, frame.segment)


def scripted(hot: Iterable[int], monkeypatch: pytest.MonkeyPatch, *settings: str, hottest: int = -1) -> LiveScorer:
    scorer = LiveScorer(model_of(settings=settings_of(*settings)))
    detector = Scripted(hot, hottest)
    monkeypatch.setattr(scorer, "_detector_for", lambda *_: detector)
    return scorer


def test_every_frame_is_scored_once_with_its_time_of_capture_and_its_picture() -> None:
    frames = live(walkers(40), color=True)
    scorer = LiveScorer(model_of(), pictures=True)
    came: list[int] = []

    def watched() -> Iterator[LiveFrame]:
        for frame in frames:
            came.append(frame.index)
            yield frame

    for item in scorer.run(watched(), lambda: FPS):
        if isinstance(item, LiveScore):
            assert scorer.lag == tube_lag(scorer.scene) == 4
            # The first frame has no flow and takes the second one's map.
            assert len(came) - 1 - max(item.result.index, 1) <= scorer.lag
            assert item.captured_s == pytest.approx(BEGAN_S + item.result.index / FPS)
            picture = item.picture()
            assert picture is not None
            difference = picture[..., 0].astype(int) - frames[item.result.index].luma
            assert np.abs(difference).mean() < 6
    assert len(came) == 40


def test_events_are_numbered_without_gaps(monkeypatch: pytest.MonkeyPatch) -> None:
    hot = [*range(10, 20), 30, *range(45, 55), *range(70, 80)]  # what is hot for one frame is too short for an event
    scorer = scripted(hot, monkeypatch)
    items = scored(scorer, live(walkers(100)))
    told = [(item.type, item.key) for item in items if isinstance(item, EventChange) and item.type != "update"]
    assert told == [("new", 1), ("end", 1), ("new", 2), ("end", 2), ("new", 3), ("end", 3)]
    open_keys = {event.keys for score in scores_of(items) for event in score.open_events}
    assert open_keys == {(1,), (2,), (3,)}


def test_without_pictures_none_are_kept() -> None:
    (score, *_) = scores_of(scored(LiveScorer(model_of()), live(walkers(8))))
    assert score.jpeg is None
    assert score.picture() is None


def test_the_lag_is_that_of_the_detector() -> None:
    frames = live(walkers(30))
    at_once = scores_of(scored(LiveScorer(model_of(), lag=0), frames))
    later = scores_of(scored(LiveScorer(model_of(), lag=8), frames))
    assert [score.result.index for score in at_once] == [score.result.index for score in later] == list(range(30))
    assert any(
        not np.array_equal(one.result.heatmap.anomaly, other.result.heatmap.anomaly)
        for one, other in zip(at_once, later, strict=True)
    )


def test_a_pause_tells_all_that_waits_before_anything_else_comes() -> None:
    frames = live(walkers(20))
    told: list[int] = []
    seen_at_pause: list[int] = []

    def paused() -> Iterator[LiveFrame | None]:
        yield from frames[:12]
        yield None
        seen_at_pause.extend(told)
        yield None
        yield from frames[12:]

    for item in LiveScorer(model_of()).run(paused(), lambda: FPS):
        if isinstance(item, LiveScore):
            told.append(item.result.index)
    assert seen_at_pause == list(range(12))
    assert told == list(range(20))


def test_a_camera_that_comes_back_larger_is_scored_at_its_size_and_another_shape_is_not() -> None:
    double = np.repeat(np.repeat(walkers(20), 2, axis=1), 2, axis=2)
    square = np.repeat(texture((96, 96), 3)[None], 4, axis=0)
    frames = live(walkers(20)) + live(double, first=20, segment=1) + live(square, first=40, segment=2)
    items = scored(LiveScorer(model_of()), frames)
    scores = scores_of(items)
    assert [score.result.index for score in scores] == list(range(40))
    assert scores[30].result.heatmap.size_hw == (192, 256)
    assert scores[30].result.n_tubes > 0
    refused = [item for item in items if isinstance(item, Unscored)]
    assert [item.time_s for item in refused] == [4.0, 4.1, 4.2, 4.3]
    assert "another shape" in refused[0].reason


def test_the_mask_is_fitted_to_the_cameras_size() -> None:
    mask = np.zeros((96, 128), bool)
    mask[:48] = True
    double = np.repeat(np.repeat(walkers(30), 2, axis=1), 2, axis=2)
    scores = scores_of(scored(LiveScorer(model_of(), roi=mask), live(double)))
    heat = np.max([score.result.heatmap.anomaly for score in scores], axis=0)
    assert heat[: len(heat) // 2].max() > 0
    assert heat[len(heat) // 2 + 1 :].max() == 0


def test_an_event_is_announced_while_it_lasts_and_ends_once(monkeypatch: pytest.MonkeyPatch) -> None:
    items = scored(scripted(range(10, 40), monkeypatch), live(walkers(60)))
    changes = [item for item in items if isinstance(item, EventChange)]
    assert [change.type for change in changes] == ["new", "update", "end"] or [c.type for c in changes] == [
        "new",
        "end",
    ]
    new, end = changes[0], changes[-1]
    assert (new.key, new.start_s, new.time_s) == (1, 1.0, pytest.approx(1.3))  # 0.4 s are needed for an event
    assert new.captured_s == pytest.approx(BEGAN_S + 1.3)
    assert new.end_s is None
    assert (end.key, end.end_s, end.merged_into) == (1, pytest.approx(4.0), None)
    assert end.time_s == pytest.approx(4.6)  # the gap an event survives is over
    open_at = {score.result.index: [event.keys for event in score.open_events] for score in scores_of(items)}
    assert open_at[12] == []
    assert open_at[20] == [(1,)]
    assert open_at[50] == []


def test_what_lasts_is_reported_every_ten_seconds_and_ends_with_the_camera(monkeypatch: pytest.MonkeyPatch) -> None:
    changes = [
        item
        for item in scored(scripted(range(10, 900), monkeypatch), live(walkers(250)))
        if isinstance(item, EventChange)
    ]
    assert [(change.type, round(change.time_s, 1)) for change in changes] == [
        ("new", 1.3),
        ("update", 11.3),
        ("update", 21.3),
        ("end", 24.9),
    ]
    assert changes[-1].end_s == pytest.approx(25.0)


def test_a_break_ends_an_event_and_keys_go_on(monkeypatch: pytest.MonkeyPatch) -> None:
    frames = [*live(walkers(20)), None, *live(walkers(20), first=20, segment=1)]
    items = scored(scripted(range(5, 40), monkeypatch), frames)
    changes = [(item.type, item.key) for item in items if isinstance(item, EventChange)]
    assert changes == [("new", 1), ("end", 1), ("new", 2), ("end", 2)]


@pytest.mark.parametrize("left_at", [12, 13, 20])
def test_a_run_that_is_left_early_ends_what_it_began(left_at: int, monkeypatch: pytest.MonkeyPatch) -> None:
    scorer = scripted(range(10, 40), monkeypatch)
    told: list[EventChange] = []
    for item in scorer.run(live(walkers(60)), lambda: FPS):
        if isinstance(item, EventChange):
            told.append(item)
        elif isinstance(item, LiveScore) and item.result.index == left_at:
            break
    told += scorer.finish()
    assert [change.type for change in told] == ([] if left_at == 12 else ["new", "end"])
    assert list(scorer.finish()) == []


def test_a_short_flash_is_no_event(monkeypatch: pytest.MonkeyPatch) -> None:
    items = scored(scripted((10, 11), monkeypatch), live(walkers(40)))
    assert not [item for item in items if isinstance(item, EventChange)]


def test_a_step_of_several_frames_has_a_longer_lag() -> None:
    assert tube_lag(model_of(scale_of(3), settings_of())) == 14


@pytest.fixture
def kinds_by_peak(monkeypatch: pytest.MonkeyPatch) -> None:
    """Events are fast while their peak so far lies before 3 s, and glide from then on."""

    def told(_: SceneModel, event: Event | OpenEvent) -> Told:
        return Told("fast", "is fast") if event.peak_s < 3 else Told("glides", "glides along")

    monkeypatch.setattr(SceneModel, "told", told)


def changes_of(scorer: LiveScorer) -> list[EventChange]:
    return [item for item in scored(scorer, live(walkers(80))) if isinstance(item, EventChange)]


@pytest.mark.usefixtures("kinds_by_peak")
@pytest.mark.parametrize(
    ("setting", "kind"), [('events.kinds=["glides"]', "glides"), ('events.not_kinds=["glides"]', "fast")]
)
def test_events_of_other_kinds_are_neither_announced_nor_shown(
    setting: str, kind: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    items = scored(scripted([*range(10, 20), *range(40, 50)], monkeypatch, setting), live(walkers(80)))
    changes = [(item.type, item.key, item.kind) for item in items if isinstance(item, EventChange)]
    assert changes == [("new", 1, kind), ("end", 1, kind)]
    assert {event.keys for score in scores_of(items) for event in score.open_events} == {(1,)}


@pytest.mark.usefixtures("kinds_by_peak")
def test_what_was_announced_is_followed_to_its_end_whatever_it_becomes(monkeypatch: pytest.MonkeyPatch) -> None:
    changes = changes_of(scripted(range(10, 60), monkeypatch, 'events.kinds=["fast"]', hottest=40))
    told = [(change.type, change.key, change.kind) for change in changes]
    assert told == [("new", 1, "fast"), ("update", 1, "glides"), ("end", 1, "glides")]


@pytest.mark.usefixtures("kinds_by_peak")
def test_what_becomes_a_wanted_kind_is_announced_then(monkeypatch: pytest.MonkeyPatch) -> None:
    changes = changes_of(scripted(range(10, 60), monkeypatch, 'events.kinds=["glides"]', hottest=40))
    told = [(change.type, round(change.time_s, 1), change.start_s, change.kind) for change in changes]
    assert told == [("new", 4.0, 1.0, "glides"), ("end", 6.6, 1.0, "glides")]
