"""RTSP cameras that are switched off, fall silent, come back with other pictures, or want a login."""

from __future__ import annotations

import itertools
import threading
import time
import traceback
from pathlib import Path

import pytest

from crowdad.errors import UnreadableSourceError
from crowdad.sources import Stream, StreamLimits, StreamStatus
from crowdad.sources import stream as stream_module
from tests.conftest import moving_square
from tests.servers import RtspServer, require_rtsp_server, write_access_units

pytestmark = pytest.mark.timeout(120)

FPS = 25


@pytest.fixture(autouse=True)
def quick(monkeypatch: pytest.MonkeyPatch) -> None:
    require_rtsp_server()
    monkeypatch.setattr(stream_module, "FIRST_WAIT_S", 0.2)


@pytest.fixture(scope="module")
def clip(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_access_units(tmp_path_factory.mktemp("rtsp") / "clip.au", moving_square(50), FPS)


def streamed(server: RtspServer, told: list[StreamStatus], **settings: float) -> Stream:
    limits = StreamLimits(open_timeout_s=5, read_timeout_s=1.5)
    return Stream(server.url, on_status=told.append, limits=limits, **settings)  # type: ignore[arg-type]


def test_a_camera_that_is_switched_off_and_comes_back_with_other_pictures(clip: Path, tmp_path: Path) -> None:
    larger = write_access_units(tmp_path / "larger.au", moving_square(50, (64, 96)), FPS)
    told: list[StreamStatus] = []
    with RtspServer(clip, FPS) as server, streamed(server, told) as stream:
        frames = stream.frames()
        before = list(itertools.islice(frames, 30))
        server.kill()
        for pictures in (larger, clip):
            server.clip = pictures
            threading.Timer(0.7, server.start).start()
            before.append(next(frame for frame in frames if frame.segment > before[-1].segment))
            server.kill()
    # The last kill may be told too, before the stream is closed.
    assert [status.state for status in told][:5] == ["online", "offline", "online", "offline", "online"]
    assert all((status.reason == "") == (status.state == "online") for status in told)
    assert [frame.segment for frame in before] == [0] * 30 + [1, 2]
    assert [before[place].luma.shape for place in (0, 30, 31)] == [(48, 64), (64, 96), (48, 64)]
    assert stream.tally.reconnects == 2
    for earlier, later in itertools.pairwise(before):
        assert later.index > earlier.index
        assert later.time_s >= earlier.time_s
        assert later.captured_s >= earlier.captured_s
    # Over a loss the wall clock counts: when a frame was taken is when it is said to be from.
    assert before[31].time_s - before[30].time_s == pytest.approx(before[31].captured_s - before[30].captured_s, abs=2)
    assert [found.index for found in stream.report.breaks] == [before[30].index, before[31].index]


def test_a_camera_that_falls_silent_is_found_again(clip: Path) -> None:
    told: list[StreamStatus] = []
    with RtspServer(clip, FPS) as server, streamed(server, told) as stream:
        frames = stream.frames()
        before = list(itertools.islice(frames, 30))
        server.freeze()
        threading.Timer(3.0, server.thaw).start()
        after = next(frame for frame in frames if frame.segment == 1)
    assert [status.state for status in told] == ["online", "offline", "online"]
    assert told[1].reason == "nothing came for 1.5 s"
    assert before[-1].segment == 0
    assert stream.tally.reconnects == 1
    assert after.time_s - before[-1].time_s > 1.5
    assert after.captured_s >= told[1].at_s


def test_a_wrong_login_is_told_once_and_never_shown(clip: Path, capfd: pytest.CaptureFixture[str]) -> None:
    told: list[StreamStatus] = []
    with RtspServer(clip, FPS, login=("viewer", "s3cret")) as server:
        for login in ("viewer:wr0ng@", ""):
            with pytest.raises(UnreadableSourceError, match="login") as caught:
                list(Stream(server.url.replace("://", f"://{login}"), on_status=told.append).frames())
            assert "wr0ng" not in "".join(traceback.format_exception(caught.value))
        right = Stream(server.url.replace("://", "://viewer:s3cret@"), on_status=told.append)
        with right:
            frame = next(right.frames())
        assert frame.luma.shape == (48, 64)
        assert right.name == server.url.removesuffix("/live")
        with pytest.raises(UnreadableSourceError, match="stream"):
            list(Stream(server.url.replace("://", "://viewer:s3cret@") + "/other").frames())
    assert [status.state for status in told] == ["online"]
    shown = "".join(capfd.readouterr())
    assert "wr0ng" not in shown
    assert "s3cret" not in shown


def test_late_scoring_drops_the_oldest_and_keeps_the_delay_small(clip: Path) -> None:
    told: list[StreamStatus] = []
    with RtspServer(clip, FPS) as server, streamed(server, told, queue_frames=5) as stream:
        delays_s = []
        for frame in itertools.islice(stream.frames(), 15):
            time.sleep(0.2)
            delays_s.append(time.time() - frame.captured_s)
    assert stream.tally.dropped > 20
    assert max(delays_s[5:]) < 2.0
    report = stream.report
    assert sum(report.skip_counts.values()) == stream.tally.dropped
    assert report.breaks == ()


def test_close_while_the_camera_is_silent(clip: Path) -> None:
    told: list[StreamStatus] = []
    with RtspServer(clip, FPS) as server:
        stream = streamed(server, told)
        frames = stream.frames()
        next(frames)
        server.freeze()
        closer = threading.Timer(1.0, stream.close)
        closer.start()
        began_s = time.monotonic()
        list(frames)
        assert time.monotonic() - began_s < 4
        closer.join()
        deadline_s = time.monotonic() + 5
        while any(thread.name == "crowdad-stream" for thread in threading.enumerate()):
            assert time.monotonic() < deadline_s, "the reading thread did not end"
            time.sleep(0.05)
        server.thaw()
