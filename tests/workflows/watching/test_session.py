"""A camera is watched: every event is told in time, every frame is accounted for, and nothing that fails stops it."""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Iterable
from datetime import datetime
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pytest

from crowdad.detection.live import EventChange, LiveUpdate
from crowdad.errors import ConfigError, ModelError, OutputExistsError, OutputNotWritableError
from crowdad.outputs.alerts import read_messages
from crowdad.outputs.watch_status import WatchStatus
from crowdad.scene.streams import KINDS
from crowdad.workflows import AlertOptions, WatchOptions, watch
from tests.live_camera import OFFLINE, FakeCamera
from tests.servers import RtspServer, require_rtsp_server, write_access_units
from tests.tiny_scene import walkers
from tests.workflows.watching.watched import FPS, check_account, events, lines, options_of, states, walk


def test_an_event_is_told_when_it_begins_and_when_it_ends(model: Path, tmp_path: Path) -> None:
    folder = tmp_path / "watch"
    changes: list[Any] = []
    camera = FakeCamera(walk(40, still=40))
    status = watch(camera.open, options_of(model), output=folder, on_change=changes.append)
    told = events(folder)
    kinds: dict[str, list[str]] = {}
    for line in told:
        kinds.setdefault(line["id"], []).append(line["type"])
    assert kinds
    for those in kinds.values():
        assert those[0] == "new"
        assert those[-1] == "end"
        assert set(those[1:-1]) <= {"update"}
    assert [change.type for change in changes] == [line["type"] for line in told]
    assert states(folder) == ["online", "offline"]
    assert len(list(read_messages(folder / "events.jsonl"))) == len(told) + 2
    first = told[0]
    assert first["camera"] == camera.name
    assert first["run"] == status.run
    assert first["peak_anomaly"] >= 0.5
    assert [(line["kind"], line["sentence"]) for line in told] == [(one.kind, one.sentence) for one in changes]
    assert all(line["kind"] in KINDS and line["sentence"] for line in told)
    clocks = [datetime.fromisoformat(first[name]) for name in ("start_at", "wall_clock")]
    assert (clocks[1] - clocks[0]).total_seconds() == pytest.approx(first["time_s"] - first["start_s"], abs=0.01)
    assert (status.events, status.open_events) == (len(kinds), 0)
    assert (status.phase, status.ended, status.state) == ("ended", "the camera was at its end", "offline")
    check_account(status, 80)
    assert (status.scored, status.skipped) == (80, {})
    assert status == WatchStatus.model_validate_json((folder / "status.json").read_bytes())
    assert sorted(path.name for path in folder.iterdir()) == ["events.jsonl", "status.json"]


def test_events_are_announced_within_the_lag_and_a_second_of_frames(model: Path, tmp_path: Path) -> None:
    """Counted in frames, which no other program on the machine delays."""
    camera = FakeCamera(walk(40))
    late: list[int] = []

    def told(change: EventChange) -> None:
        if change.type == "new":
            late.append(camera.tally.frames_read - 1 - change.start_frame)

    status = watch(camera.open, options_of(model), output=tmp_path / "watch", on_change=told)
    assert status.lag_frames == 4
    assert late
    assert max(late) <= 4 + FPS


@pytest.mark.slow
def test_events_are_announced_within_the_lag_and_a_second(model: Path, tmp_path: Path) -> None:
    """By the clock; needs a machine that has nothing else to do."""
    folder = tmp_path / "watch"
    status = watch(FakeCamera(walk(40), pace_s=0.1).open, options_of(model), output=folder)
    limit_s = 4 / FPS + 1
    assert status.events > 0
    assert status.frame_delays.count == 40
    assert status.event_delays.max_s < limit_s
    for line in events(folder):
        assert line["latency_s"] < limit_s
        assert line["type"] != "new" or line["since_start_s"] < limit_s


@pytest.mark.parametrize("step_s", [86400.0, -86400.0])
def test_a_clock_that_is_set_amid_an_event_changes_no_delay(
    step_s: float, model: Path, tmp_path: Path, set_clock: Callable[[float], None]
) -> None:
    folder = tmp_path / "watch"

    def step(update: LiveUpdate) -> None:
        if update.result.index == 20:
            set_clock(step_s)

    status = watch(FakeCamera(walk(40)).open, options_of(model), output=folder, on_update=step)
    assert status.scored == 40
    assert status.event_delays.count > 0
    assert 0 < max(status.frame_delays.max_s, status.event_delays.max_s) < 60
    for line in events(folder):
        assert 0 < line["since_start_s"] < 60
        assert 0 < line["latency_s"] < 60


def test_a_live_view_is_told_of_every_scored_frame(model: Path, tmp_path: Path) -> None:
    updates: list[LiveUpdate] = []
    pictures = walk(30)
    watch(FakeCamera(pictures).open, options_of(model), output=tmp_path / "watch", on_update=updates.append)
    assert [update.result.index for update in updates] == list(range(30))
    shown = updates[20].score.picture()
    assert shown is not None
    assert np.abs(shown[..., 0].astype(int) - pictures[20]).mean() < 6
    assert updates[20].status.state == "online"
    assert updates[20].latency_s >= 0
    assert updates[20].fps > 0
    assert any(update.open_events for update in updates)


def test_a_lost_camera_ends_its_events_at_once_and_goes_on_when_it_is_back(model: Path, tmp_path: Path) -> None:
    folder = tmp_path / "watch"
    camera = FakeCamera([*walk(20), OFFLINE, *walk(20)])
    notices: list[str] = []

    def back(status: WatchStatus) -> None:
        if status.state == "offline" and status.scored == 20 and status.events and not status.open_events:
            camera.back.set()

    began_s = time.monotonic()
    status = watch(camera.open, options_of(model), output=folder, notice=notices.append, on_status=back)
    assert time.monotonic() - began_s < 60, "frames and events from before the outage are told only after it"
    assert states(folder) == ["online", "offline", "online", "offline"]
    offline = next(line for line in lines(folder) if line["type"] == "status" and line["state"] == "offline")
    assert offline["reason"] == "the camera was unplugged"
    order = [line["type"] for line in lines(folder)]
    second_online = [number for number, line in enumerate(lines(folder)) if line.get("state") == "online"][1]
    assert order[:second_online].count("new") == order[:second_online].count("end") > 0
    check_account(status, 40)
    assert status.scored == 40
    assert status.reconnects == 1
    assert notices == [
        "rtsp://camera: offline, the camera was unplugged",
        "rtsp://camera: online again",
    ]


def test_the_watch_ends_when_its_time_is_over_also_where_no_frame_comes(model: Path, tmp_path: Path) -> None:
    camera = FakeCamera(walk(12), stays=True)
    began_s = time.monotonic()
    status = watch(camera.open, options_of(model, duration_s=3), output=tmp_path / "watch")
    assert time.monotonic() - began_s < 60
    assert status.ended == "its time was up"
    check_account(status, camera.tally.frames_read)
    assert status.open_events == 0


def test_an_interrupt_ends_open_events_and_is_passed_on(
    model: Path, tmp_path: Path, own_threads: Callable[[], set[str]]
) -> None:
    folder = tmp_path / "watch"

    def interrupting(update: LiveUpdate) -> None:
        if update.result.index == 25:
            raise KeyboardInterrupt

    camera = FakeCamera(walk(40), stays=True)
    with pytest.raises(KeyboardInterrupt):
        watch(camera.open, options_of(model), output=folder, on_update=interrupting)
    told = events(folder)
    assert {line["id"] for line in told if line["type"] == "new"} == {
        line["id"] for line in told if line["type"] == "end"
    }
    status = WatchStatus.model_validate_json((folder / "status.json").read_bytes())
    assert status.ended == "interrupted"
    assert status.scored == 26
    assert status.scored + sum(status.skipped.values()) == status.frames_total
    assert states(folder)[-1] == "offline"
    assert "crowdad-read-ahead" not in own_threads()


def test_what_a_consumer_raises_surfaces_and_everything_is_closed(
    model: Path, tmp_path: Path, own_threads: Callable[[], set[str]]
) -> None:
    def failing(_: LiveUpdate) -> None:
        raise ZeroDivisionError

    camera = FakeCamera(walk(40), stays=True)
    with pytest.raises(ZeroDivisionError):
        watch(camera.open, options_of(model), output=tmp_path / "watch", on_update=failing)
    assert camera._closed.is_set()
    assert not own_threads()


def test_what_the_camera_raises_surfaces(model: Path, tmp_path: Path) -> None:
    def broken() -> Iterable[npt.NDArray[np.uint8]]:
        yield from walk(10)
        raise ModelError("the lens fell off")

    with pytest.raises(ModelError, match="the lens fell off"):
        watch(FakeCamera(broken()).open, options_of(model), output=tmp_path / "watch")


def test_a_watch_goes_on_in_its_folder_and_another_camera_or_run_does_not(model: Path, tmp_path: Path) -> None:
    folder = tmp_path / "watch"
    first = watch(FakeCamera(walk(20)).open, options_of(model), output=folder)
    before = lines(folder)
    second = watch(FakeCamera(walk(20)).open, options_of(model), output=folder)
    after = lines(folder)
    assert after[: len(before)] == before
    assert {line["run"] for line in after[len(before) :]} == {second.run} != {first.run}
    other = FakeCamera(walk(20))
    other.name = "rtsp://other"
    with pytest.raises(OutputExistsError, match="rtsp://camera"):
        watch(other.open, options_of(model), output=folder)
    (tmp_path / "run").mkdir()
    (tmp_path / "run" / "results.json").write_text("{}")
    with pytest.raises(OutputExistsError, match=r"crowdad\.detect"):
        watch(FakeCamera(walk(20)).open, options_of(model), output=tmp_path / "run")


@pytest.mark.parametrize("place", ["http://host/watch", "s3://bucket/watch"])
def test_a_watch_is_written_on_this_machine(
    place: str, model: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    before = set(tmp_path.iterdir())
    with pytest.raises(ConfigError, match="output"):
        watch(FakeCamera(walk(20)).open, options_of(model), output=place)
    assert set(tmp_path.iterdir()) == before


def test_half_a_line_of_a_machine_that_went_down_is_cut_off(model: Path, tmp_path: Path) -> None:
    folder = tmp_path / "watch"
    folder.mkdir()
    (folder / "events.jsonl").write_text('{"type": "status", "sta')
    watch(FakeCamera(walk(8)).open, options_of(model), output=folder)
    assert states(folder) == ["online", "offline"]


def test_a_camera_of_another_shape_is_told_once_and_counted(model: Path, tmp_path: Path) -> None:
    notices: list[str] = []
    square = [np.zeros((96, 96), np.uint8)] * 5
    status = watch(FakeCamera(square).open, options_of(model), output=tmp_path / "watch", notice=notices.append)
    check_account(status, 5)
    assert status.skipped == {"does not suit the model": 5}
    assert len(notices) == 1
    assert "another shape" in notices[0]


def test_a_camera_that_is_too_slow_for_the_model_is_told_once_and_counted(model: Path, tmp_path: Path) -> None:
    notices: list[str] = []
    camera = FakeCamera(walk(5), fps=1.0)
    status = watch(camera.open, options_of(model), output=tmp_path / "watch", notice=notices.append)
    check_account(status, 5)
    assert status.skipped == {"does not suit the model": 5}
    (told,) = notices
    assert "1 new pictures a second" in told


@pytest.mark.parametrize(
    ("wrong", "message"),
    [
        ({"warm_up_s": 0.0}, r"0\.0 s; .* 0"),
        ({"duration_s": -1.0}, r"-1\.0 s; .* 0"),
        ({"lag": -1}, "lag is -1 "),
    ],
)
def test_options_that_make_no_sense_are_refused(wrong: dict[str, Any], message: str) -> None:
    with pytest.raises(ConfigError, match=message):
        WatchOptions(**wrong)
    with pytest.raises(ConfigError, match=r"mqtt HOST .*topic"):
        AlertOptions(mqtt="broker")
    with pytest.raises(ConfigError, match="0 GB"):
        AlertOptions(keep_gb=0)
    with pytest.raises(ConfigError, match=r"'pigeon'.*webhook, mqtt"):
        AlertOptions(sinks={"pigeon": "coop"})
    with pytest.raises(ConfigError, match="'webhook'"):
        AlertOptions(webhook="https://host/x", sinks={"webhook": "https://host/y"})


def test_a_threshold_that_cannot_be_kept_and_a_notice_that_fails_end_nothing(
    model: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The scene is its own, so that its threshold is kept current and written now and then."""
    folder = tmp_path / "watch"
    folder.mkdir()
    (folder / "scene.safetensors").write_bytes(model.read_bytes())
    monkeypatch.setattr("crowdad.workflows.watching.session._SAVE_EVERY_S", 0.0)
    told: list[str] = []

    def full(*_: object) -> None:
        raise OutputNotWritableError("the disk is full")

    def notice(line: str) -> None:
        told.append(line)
        raise BrokenPipeError

    monkeypatch.setattr("crowdad.workflows.watching.session.save_scene", full)
    camera = FakeCamera([*walk(20), OFFLINE, *walk(20)], pace_s=0.02)
    camera.back.set()
    status = watch(camera.open, options_of(None), output=folder, notice=notice)
    assert (status.scored, status.ended) == (40, "the camera was at its end")
    assert any("the disk is full" in line for line in told)
    assert states(folder) == ["online", "offline", "online", "offline"]


@pytest.mark.slow
def test_ten_minutes_at_four_times_the_speed_leave_memory_flat(model: Path, tmp_path: Path) -> None:
    """6,000 frames with clips and a live view; the resident memory of this process is read along the way."""
    pictures = walk(120, still=40)
    count = 6000
    camera = FakeCamera((pictures[index % len(pictures)] for index in range(count)), pace_s=0.25 / FPS)
    page_mb = os.sysconf("SC_PAGE_SIZE") / 1e6
    resident: list[tuple[int, float]] = []

    def look(status: WatchStatus) -> None:
        resident.append((status.scored, page_mb * int(Path("/proc/self/statm").read_text().split()[1])))

    alerts = AlertOptions(save_clips=True, keep_gb=0.01)
    status = watch(
        camera.open,
        options_of(model, alerts=alerts),
        output=tmp_path / "watch",
        on_status=look,
        on_update=lambda update: None,
    )
    check_account(status, count)
    assert status.events > 20
    first, last = (
        max(mb for scored, mb in resident if low <= scored <= low + count // 3) for low in (0, 2 * count // 3)
    )
    assert last <= 1.05 * first
    clips = list((tmp_path / "watch" / "clips").iterdir())
    assert sum(path.stat().st_size for path in clips) <= 0.01e9


def test_an_rtsp_camera_that_is_switched_off_and_on_is_watched_on_and_its_login_told_nobody(
    model: Path, tmp_path: Path
) -> None:
    require_rtsp_server()
    folder = tmp_path / "watch"
    notices: list[str] = []
    clip = write_access_units(tmp_path / "clip", walkers(30, background_seed=1))
    switched: list[str] = []
    with RtspServer(clip, login=("admin", "hush-hush")) as server:

        def off(update: LiveUpdate) -> None:
            if not switched and update.open_events:
                switched.append("off")
                server.kill()
            elif update.result.segment and update.open_events:
                raise KeyboardInterrupt

        def on(status: WatchStatus) -> None:
            if status.state == "offline" and switched == ["off"]:
                switched.append("on")
                server.start()

        url = server.url.replace("rtsp://", "rtsp://admin:hush-hush@")
        with pytest.raises(KeyboardInterrupt):
            watch(url, options_of(model), output=folder, on_update=off, on_status=on, notice=notices.append)
    assert states(folder) == ["online", "offline", "online", "offline"]
    told = events(folder)
    assert {line["camera"] for line in told} == {server.url.rpartition("/")[0]}
    assert [line["type"] for line in told].count("new") == [line["type"] for line in told].count("end") >= 2
    status = WatchStatus.model_validate_json((folder / "status.json").read_bytes())
    assert status.reconnects == 1
    assert status.scored + sum(status.skipped.values()) == status.frames_total
    assert "hush" not in "".join(path.read_text() for path in folder.iterdir()) + "".join(notices)
