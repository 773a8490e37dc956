"""Sinks of a watch: what each of them gets, and what is refused before the watch begins."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import av
import pytest

from crowdad.errors import ConfigError
from crowdad.workflows import AlertOptions, watch
from tests.live_camera import FakeCamera
from tests.outputs.alerts.test_webhook import Hook, served
from tests.workflows.watching.watched import events, options_of, walk


def test_a_sink_that_cannot_work_is_told_before_the_watch_begins(
    model: Path, tmp_path: Path, own_threads: Callable[[], set[str]]
) -> None:
    options = options_of(model, alerts=AlertOptions(webhook="no address"))
    camera = FakeCamera(walk(10))
    with pytest.raises(ConfigError, match="http:// or https://"):
        watch(camera.open, options, output=tmp_path / "watch")
    assert camera.tally.frames_read == 0
    assert not own_threads()


def test_a_webhook_gets_what_the_file_gets_and_clips_are_named_and_play(model: Path, tmp_path: Path) -> None:
    folder = tmp_path / "watch"
    with served(Hook(500, 204)) as hook:
        alerts = AlertOptions(webhook=hook.url, save_clips=True)
        status = watch(FakeCamera(walk(30, still=60)).open, options_of(model, alerts=alerts), output=folder)
    assert hook.bodies[1:] == (folder / "events.jsonl").read_text().splitlines()
    assert [record.sink for record in status.alerts] == ["events.jsonl", "webhook 127.0.0.1"]
    assert status.alerts[1].delivered == len(hook.bodies) - 1
    begun = [line for line in events(folder) if line["type"] == "new"]
    for line in begun:  # a clip begins with the watch, or five seconds before its first event
        first_s = min(other["start_s"] for other in begun if other["clip"] == line["clip"])
        assert line["clip_at_s"] == pytest.approx(line["start_s"] - max(0.0, first_s - 5), abs=0.15)
    named = {line["clip"] for line in begun}
    assert named == {f"clips/{path.name}" for path in (folder / "clips").iterdir()}
    with av.open(str(folder / named.pop())) as container:
        assert len(list(container.decode(video=0))) > 30
    assert sorted(path.name for path in folder.iterdir()) == ["clips", "events.jsonl", "status.json"]
    assert "secret" not in (folder / "events.jsonl").read_text() + (folder / "status.json").read_text()
