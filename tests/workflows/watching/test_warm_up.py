"""A watch without a model learns from its first minutes, and goes on watching whatever fails meanwhile."""

from __future__ import annotations

import errno
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
import numpy.typing as npt
import pytest

from crowdad.config import load_settings
from crowdad.errors import ConfigError
from crowdad.outputs.h264 import H264Writer
from crowdad.outputs.watch_status import WatchStatus
from crowdad.scene.model import SceneModel
from crowdad.sources import open_source
from crowdad.synthetic import GeneratedClip, write_clip
from crowdad.tubes.scale import GivenHeights
from crowdad.workflows import watch
from tests.conftest import TINY_SETTINGS
from tests.live_camera import FakeCamera
from tests.tiny_scene import walkers
from tests.workflows.watching.watched import check_account, options_of, walk


def test_without_a_model_it_learns_first_and_goes_on_with_what_it_learned_also_where_the_clock_is_set_back(
    tmp_path: Path, tmp_path_factory: pytest.TempPathFactory, set_clock: Callable[[float], None]
) -> None:
    clip = tmp_path_factory.mktemp("clip") / "normal.mp4"
    write_clip(GeneratedClip("ped2like", seed=1, normal_only=True, duration_s=10), clip)
    pictures = [frame.luma for frame in open_source(clip).frames()]
    enough = threading.Event()
    came = 0

    def playing() -> Iterator[npt.NDArray[np.uint8]]:
        nonlocal came
        while not enough.is_set() and came < 9000:
            came += 1
            time.sleep(0.005)
            yield pictures[came % len(pictures)]

    phases: list[str] = []

    def look(status: WatchStatus) -> None:
        if not phases or phases[-1] != status.phase:
            phases.append(status.phase)
            if status.phase == "scoring":
                set_clock(-3600.0)
        if status.scored >= 12:
            enough.set()

    folder = tmp_path / "watch"
    scoring = {"settings": load_settings(overrides=TINY_SETTINGS)}
    options = options_of(None, warm_up_s=8.0, scoring=scoring)
    status = watch(FakeCamera(playing()).open, options, output=folder, on_status=look)
    assert phases == ["warming up", "learning", "scoring"]
    assert status.skipped["warming up"] == 81
    assert status.skipped["learning"] > 0
    assert set(status.skipped) <= {"warming up", "learning"}
    check_account(status, came)
    assert sorted(path.name for path in folder.iterdir()) == ["events.jsonl", "scene.safetensors", "status.json"]
    scene = SceneModel.load(folder / "scene.safetensors")
    assert scene.provenance["how"] == "self-fitted"
    assert scene.provenance["sources"] == [FakeCamera.name]
    notices: list[str] = []
    again = watch(FakeCamera(pictures[:20]).open, options_of(None), output=folder, notice=notices.append)
    assert (again.scored, again.skipped) == (20, {})
    assert notices == [
        f"goes on with what was learned before ({folder / 'scene.safetensors'}); remove that file to learn anew"
    ]


def test_a_disk_that_is_full_during_the_warm_up_is_told_once_and_tried_again(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("crowdad.workflows.watching.warm_up._AGAIN_S", 0.05)
    notices: list[str] = []
    tries = 0
    written = H264Writer.write

    def full(self: H264Writer, bgr: npt.NDArray[np.uint8], time_s: float) -> None:
        nonlocal tries
        tries += 1
        if tries <= 3:
            raise OSError(errno.ENOSPC, "No space left on device")
        written(self, bgr, time_s)

    monkeypatch.setattr(H264Writer, "write", full)
    camera = FakeCamera(walk(60), pace_s=0.01)
    status = watch(camera.open, options_of(None, warm_up_s=30.0), output=tmp_path / "watch", notice=notices.append)
    assert tries > 10
    assert "the disk is full" in notices[0]
    assert [line for line in notices if "disk" in line] == notices[:1]
    check_account(status, 60)
    assert status.skipped == {"warming up": 60}
    assert not list((tmp_path / "watch").glob("*.part"))


def test_where_too_little_moves_it_watches_on_and_leaves_nothing_behind(tmp_path: Path) -> None:
    folder = tmp_path / "watch"
    notices: list[str] = []
    came = 0

    def nobody() -> Iterator[npt.NDArray[np.uint8]]:
        nonlocal came
        while not notices:
            came += 1
            time.sleep(0.01)
            yield walkers(1)[0]

    camera = FakeCamera(nobody())
    status = watch(camera.open, options_of(None, warm_up_s=3.0), output=folder, notice=notices.append)
    assert notices[0] == "too little moved in 0.1 minutes to learn from; as much again is watched"
    assert notices[-1] == "the watch ended before there was enough to learn from; nothing was scored"
    check_account(status, came)
    assert status.scored == 0
    assert sorted(path.name for path in folder.iterdir()) == ["events.jsonl", "status.json"]


def test_a_height_that_the_picture_cannot_have_is_told_before_the_warm_up(tmp_path: Path) -> None:
    options = options_of(None, scoring={"person_height": GivenHeights.of(500)})
    with pytest.raises(ConfigError, match=r"500 px .*128x96"):
        watch(FakeCamera(walk(10), stays=True).open, options, output=tmp_path / "watch")
