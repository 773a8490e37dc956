"""Live footage: files at their own pace, cameras over HTTP and MPEG-TS, and what becomes of those that fail."""

from __future__ import annotations

import contextlib
import itertools
import socket
import subprocess
import sys
import threading
import time
import traceback
from collections.abc import Callable, Iterator
from http.server import BaseHTTPRequestHandler
from pathlib import Path

import av
import numpy as np
import numpy.typing as npt
import pytest

from crowdad.errors import ConfigError, CrowdadError, SourceNotFoundError, UnreadableSourceError
from crowdad.sources import LiveFrame, Stream, StreamLimits, StreamStatus, VideoFile
from crowdad.sources import stream as stream_module
from tests.conftest import moving_square, write_video
from tests.servers import WebServer, behind_login, body, free_port, motion_jpeg
from tests.sources.timed import restamped

pytestmark = pytest.mark.timeout(120)

PLAYLIST = "application/vnd.apple.mpegurl"


def taken(stream: Stream, count: int) -> list[LiveFrame]:
    """The first frames of a stream, which is then closed."""
    with stream:
        return list(itertools.islice(stream.frames(), count))


def threads() -> list[str]:
    return [thread.name for thread in threading.enumerate() if thread.name == "crowdad-stream"]


def playlist(*parts: str, ended: bool = True) -> bytes:
    entries = "".join(f"#EXTINF:1.0,\n{part}\n" for part in parts)
    end = "#EXT-X-ENDLIST\n" if ended else ""
    return f"#EXTM3U\n#EXT-X-VERSION:3\n#EXT-X-TARGETDURATION:2\n#EXT-X-MEDIA-SEQUENCE:0\n{entries}{end}".encode()


def test_a_file_is_played_at_its_own_pace(tiny_video: Path) -> None:
    told: list[StreamStatus] = []
    began_s, began_unix_s = time.monotonic(), time.time()
    with Stream(str(tiny_video), realtime=True, on_status=told.append) as stream:
        frames = list(stream.frames(color=True))
    lasted_s = time.monotonic() - began_s
    expected = list(VideoFile(tiny_video).frames(color=True))
    assert 2.3 <= lasted_s < 10
    assert [frame.index for frame in frames] == list(range(24))
    assert [frame.time_s for frame in frames] == [frame.time_s for frame in expected]
    for frame, other in zip(frames, expected, strict=True):
        assert np.array_equal(frame.luma, other.luma)
        assert frame.bgr is not None
        assert other.bgr is not None
        assert np.array_equal(frame.bgr, other.bgr)
        assert frame.segment == 0
        assert frame.captured_s - began_unix_s >= frame.time_s - 0.01
    assert (stream.fps, stream.size_hw, stream.name) == (10.0, (48, 64), "tiny.mp4")
    assert [status.state for status in told] == ["online"]
    assert stream.report.frames_read == 24
    assert stream.report.frames_skipped == 0
    assert not threads()


@pytest.mark.parametrize(("name", "fps"), [("b.avi", None), ("order.mkv", None), ("a.mjpeg", 25.0), ("a.m1v", 25.0)])
def test_at_its_own_pace_too_each_picture_comes_once_and_in_its_place(
    name: str, fps: float | None, tmp_path: Path
) -> None:
    codec = {"a.mjpeg": "mjpeg", "a.m1v": "mpeg1video"}.get(name, "libx264")
    options = {"pix_fmt": "yuvj420p"} if codec == "mjpeg" else {"bf": "3", "g": "24"}
    path = write_video(tmp_path / f"sound{Path(name).suffix}", moving_square(40), 25, codec, **options)  # type: ignore[arg-type]
    if name == "order.mkv":
        path = restamped(path, tmp_path / name, lambda n, _pts, _dts, tick: (round(n / 25 / tick),) * 2)
    with Stream(str(path), realtime=True, fps=fps) as stream:
        frames = list(stream.frames())
    expected = list(VideoFile(path, fps=fps).frames())
    assert [frame.index for frame in frames] == list(range(40))
    assert [frame.time_s for frame in frames] == pytest.approx([n / 25 for n in range(40)], abs=1.1e-3)
    assert all(np.array_equal(one.luma, other.luma) for one, other in zip(frames, expected, strict=True))
    assert stream.report.frames_skipped == 0


def test_a_late_reader_loses_the_oldest_and_each_is_counted(tmp_path: Path) -> None:
    video = write_video(tmp_path / "fast.mp4", moving_square(60), fps=60)
    stream = Stream(str(video), realtime=True, queue_frames=5)
    frames = []
    for frame in stream.frames():
        frames.append(frame)
        time.sleep(0.1)
    indices = [frame.index for frame in frames]
    assert indices == sorted(set(indices))
    assert indices[-5:] == [55, 56, 57, 58, 59]
    assert len(frames) < 50
    assert stream.tally.dropped == 60 - len(frames)
    report = stream.report
    assert report.frames_read + report.frames_skipped == 60
    assert report.skip_counts == {"dropped, scoring was late": stream.tally.dropped}
    skipped = sum(skip.count for skip in report.skips)
    assert skipped == stream.tally.dropped
    assert all(skip.time_s is not None and 0 <= skip.time_s < 1 for skip in report.skips)


def test_files_that_cannot_be_played(tiny_video: Path, tmp_path: Path) -> None:
    (tmp_path / "text.mp4").write_text("no video\n" * 50)
    with pytest.raises(SourceNotFoundError, match="no such file"):
        Stream(str(tmp_path / "missing.mp4"), realtime=True)
    with pytest.raises(UnreadableSourceError, match="video"):
        Stream(str(tmp_path / "text.mp4"), realtime=True)
    with pytest.raises(UnreadableSourceError, match="realtime=True"):
        Stream(str(tiny_video))
    with pytest.raises(ConfigError, match="queue_frames"):
        Stream(str(tiny_video), realtime=True, queue_frames=0)


def test_what_is_known_only_later_says_so(tiny_video: Path) -> None:
    stream = Stream(str(tiny_video), realtime=True)
    with pytest.raises(RuntimeError, match="first frame"):
        _ = stream.fps
    with pytest.raises(RuntimeError, match="first frame"):
        _ = stream.size_hw
    assert len(taken(stream, 1)) == 1
    with pytest.raises(RuntimeError, match="once"):
        next(stream.frames())


def test_motion_jpeg_carries_no_times_and_its_rate_is_measured() -> None:
    answer = motion_jpeg(moving_square(60), fps=20)
    with WebServer({"/camera": behind_login("me", "s3cret", answer)}) as server:
        stream = Stream(server.url.replace("://", "://me:s3cret@") + "/camera")
        assert stream.name == server.url
        frames = taken(stream, 40)
    times_s = [frame.time_s for frame in frames]
    assert stream.fps == pytest.approx(20, rel=0.3)
    assert times_s[0] == 0
    assert times_s == sorted(times_s)
    assert times_s[-1] == pytest.approx(39 / 20, rel=0.4)
    assert {frame.segment for frame in frames} == {0}
    assert not threads()


def test_a_rate_that_is_asked_for_is_taken() -> None:
    with WebServer({"/camera": motion_jpeg(moving_square(20), fps=40)}) as server:
        stream = Stream(server.url + "/camera", fps=12.5)
        taken(stream, 3)
    assert stream.fps == 12.5


def parts(folder: Path, seconds: int = 2) -> dict[str, bytes]:
    """Footage of 10 frames a second as parts of MPEG-TS of about a second each, whose times go on."""
    write_video(
        folder / "made.m3u8",
        moving_square(10 * seconds),
        g="10",
        bf="0",
        container_format="hls",
        container_options={"hls_time": "1", "hls_list_size": "0"},
    )
    return {path.name: path.read_bytes() for path in sorted(folder.glob("*.ts"))}


def test_parts_of_a_playlist_come_at_their_pace(tmp_path: Path) -> None:
    made = parts(tmp_path)
    answers = {f"/{name}": body(blob, "video/mp2t") for name, blob in made.items()}
    answers["/live.m3u8"] = body(playlist(*made), PLAYLIST)
    with WebServer(answers) as server:
        began_s = time.monotonic()
        frames = taken(Stream(server.url + "/live.m3u8"), 19)
    assert time.monotonic() - began_s >= 1.7
    assert [frame.index for frame in frames] == list(range(19))
    assert [frame.time_s for frame in frames] == pytest.approx([index / 10 for index in range(19)], abs=0.001)


def test_a_playlist_that_grows_is_followed(tmp_path: Path) -> None:
    made = parts(tmp_path, seconds=6)
    answers = {f"/{name}": body(blob, "video/mp2t") for name, blob in made.items()}
    began_s = time.monotonic()

    def grown(request: BaseHTTPRequestHandler) -> None:
        shown = list(made)[: 3 + int(time.monotonic() - began_s)]
        body(playlist(*shown, ended=False), PLAYLIST)(request)

    with WebServer({**answers, "/live.m3u8": grown}) as server:
        told: list[StreamStatus] = []
        frames = taken(Stream(server.url + "/live.m3u8", on_status=told.append), 35)
        assert server.requests.count("/live.m3u8") > 1
    assert [frame.index for frame in frames] == list(range(35))
    assert {frame.segment for frame in frames} == {0}
    assert [status.state for status in told] == ["online"]


def test_a_playlist_from_the_network_opens_no_file_here(tmp_path: Path) -> None:
    made = parts(tmp_path)
    part = next(iter(made))
    local = tmp_path / part
    answers = {f"/{part}": body(made[part], "video/mp2t"), "/good.m3u8": body(playlist(part), PLAYLIST)}
    bad = {
        "/bad1.m3u8": playlist(f"file://{local}"),
        "/bad2.m3u8": playlist(f"concat:{local}"),
        "/bad3.m3u8": playlist(f"subfile,,start,0,end,0,,:{local}"),
        "/bad4.m3u8": playlist(f"crypto+file:{local}"),
        "/bad5": f"ffconcat version 1.0\nfile file:{local}\n".encode(),
        "/bad6.sdp": b"v=0\no=- 0 0 IN IP4 127.0.0.1\ns=x\nc=IN IP4 127.0.0.1\nt=0 0\nm=video 5004 RTP/AVP 96\n",
    }
    answers.update({path: body(blob, PLAYLIST) for path, blob in bad.items()})
    with WebServer(answers) as server:
        assert len(taken(Stream(server.url + "/good.m3u8"), 3)) == 3
        for path in bad:
            with pytest.raises(UnreadableSourceError, match="video, nor a playlist"):
                taken(Stream(server.url + path, limits=StreamLimits(open_timeout_s=5)), 1)


REFUSED = {
    "/locked": "the login is refused (401)",
    "/missing": "there is no such stream (404)",
    "/page": "what it sends is no video",
    "/sound": "holds audio but no video",
    "/huge": "pictures of 64x48, more than 1000 pixels are not read",
}


def test_what_no_second_try_mends_is_one_line_after_one_try(tmp_path: Path) -> None:
    from tests.sources.test_file import write_sound

    answers = {
        "/locked": behind_login("me", "s3cret", body(b"")),
        "/page": body(b"<html><body>hello</body></html>" * 50, "text/html"),
        "/sound": body(write_sound(tmp_path / "sound.ts").read_bytes()),
        "/huge": body(write_video(tmp_path / "huge.ts", moving_square(10)).read_bytes()),
    }
    with WebServer(answers) as server:
        for path, words in REFUSED.items():
            told: list[StreamStatus] = []
            max_pixels = 1000 if path == "/huge" else 10_000
            address = server.url.replace("://", "://me:wr0ng@") + path
            with pytest.raises(CrowdadError) as caught:
                taken(Stream(address, on_status=told.append, limits=StreamLimits(max_pixels, read_timeout_s=3)), 1)
            assert words in str(caught.value)
            assert str(caught.value).startswith(f"{server.url}: ")
            assert "wr0ng" not in "".join(traceback.format_exception(caught.value))
            assert told == []
            # Two for a login: one to hear that one is wanted, one with it.
            assert server.requests.count(path) == (2 if path == "/locked" else 1)
    assert not threads()


def test_a_camera_that_is_not_there_is_waited_for(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(stream_module, "FIRST_WAIT_S", 0.1)
    told: list[StreamStatus] = []
    port = free_port()
    stream = Stream(f"http://me:s3cret@127.0.0.1:{port}/camera", on_status=told.append)
    frames: list[LiveFrame] = []
    reader = threading.Thread(target=lambda: frames.extend(itertools.islice(stream.frames(), 5)))
    reader.start()
    wait_for(lambda: len(told) == 1)
    time.sleep(0.3)
    with WebServer({"/camera": motion_jpeg(moving_square(40), fps=20)}, port):
        reader.join(20)
    assert not reader.is_alive()
    assert [status.state for status in told] == ["offline", "online"]
    assert told[0].reason == "connection refused"
    assert told[1].reason == ""
    assert abs(told[0].at_s - time.time()) < 60
    assert stream.tally.reconnects == 0
    assert {frame.segment for frame in frames} == {0}


def wait_for(happened: Callable[[], object], within_s: float = 20.0) -> None:
    until_s = time.monotonic() + within_s
    while not happened():
        assert time.monotonic() < until_s, "it did not happen in time"
        time.sleep(0.02)


@pytest.mark.parametrize("how", ["silent", "refusing", "sending"])
def test_close_comes_back_whatever_the_camera_does(how: str) -> None:
    with (
        socket.create_server(("127.0.0.1", 0)) as camera,
        WebServer({"/camera": motion_jpeg(moving_square(200), fps=20)}) as server,
    ):
        address = {
            "silent": f"http://127.0.0.1:{camera.getsockname()[1]}/",
            "refusing": f"http://127.0.0.1:{free_port()}/",
            "sending": server.url + "/camera",
        }[how]
        stream = Stream(address, limits=StreamLimits(open_timeout_s=1, read_timeout_s=1), fps=20)
        reader = threading.Thread(target=lambda: list(stream.frames()))
        reader.start()
        time.sleep(0.4)
        began_s = time.monotonic()
        stream.close()
        assert time.monotonic() - began_s < 3
        reader.join(5)
        assert not reader.is_alive()
        wait_for(lambda: not threads())
        stream.close()


def test_a_program_ends_at_once_though_a_read_hangs() -> None:
    with socket.create_server(("127.0.0.1", 0)) as camera:
        program = (
            "import threading, time\n"
            "from crowdad.sources import Stream, StreamLimits\n"
            f"stream = Stream('http://127.0.0.1:{camera.getsockname()[1]}/', limits=StreamLimits(open_timeout_s=60))\n"
            "threading.Timer(0.5, stream.close).start()\n"
            "print(list(stream.frames()))\n"
        )
        began_s = time.monotonic()
        ended = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, timeout=100)
        lasted_s = time.monotonic() - began_s
    assert (ended.returncode, ended.stdout, ended.stderr) == (0, "[]\n", "")
    assert lasted_s < 50, "the read's own time was waited for"


def test_a_reader_that_raises_ends_the_thread(tiny_video: Path) -> None:
    def fail_at(frame: LiveFrame) -> None:
        raise ZeroDivisionError(f"at frame {frame.index}")

    def watch() -> None:
        for frame in Stream(str(tiny_video), realtime=True).frames():
            fail_at(frame)

    with pytest.raises(ZeroDivisionError, match="at frame 0"):
        watch()
    wait_for(lambda: not threads())
    stream = Stream(str(tiny_video), realtime=True)
    frames = stream.frames()
    next(frames)
    frames.close()
    assert not threads()


def test_what_a_listener_raises_surfaces_at_the_reader(tiny_video: Path) -> None:
    def listen(_: StreamStatus) -> None:
        raise ZeroDivisionError("a sink failed")

    with pytest.raises(ZeroDivisionError, match="a sink failed"):
        taken(Stream(str(tiny_video), realtime=True, on_status=listen), 5)
    assert not threads()


def test_a_bug_in_the_reading_thread_surfaces_at_the_reader(tiny_video: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def broken(*_: object) -> Iterator[object]:
        raise AssertionError("a bug")

    monkeypatch.setattr(VideoFile, "pictures", broken)
    with pytest.raises(AssertionError, match="a bug"):
        taken(Stream(str(tiny_video), realtime=True), 5)


def send_at_pace(port: int, blob: bytes, seconds: float) -> threading.Thread:
    """Send MPEG-TS as UDP packets of seven times 188 bytes, spread over `seconds`."""

    def send() -> None:
        pieces = [blob[at : at + 1316] for at in range(0, len(blob), 1316)]
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as out:
            for piece in pieces:
                out.sendto(piece, ("127.0.0.1", port))
                time.sleep(seconds / len(pieces))

    sender = threading.Thread(target=send)
    sender.start()
    return sender


def listened_on(port: int) -> bool:
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as probe:
        try:
            probe.bind(("127.0.0.1", port))
        except OSError:
            return True
        return False


def transport_stream(folder: Path, pictures: npt.NDArray[np.uint8]) -> bytes:
    return write_video(folder / "live.ts", pictures, g="5", bf="0").read_bytes()


def test_mpeg_ts_over_udp(tmp_path: Path) -> None:
    told: list[StreamStatus] = []
    port = free_port()
    limits = StreamLimits(open_timeout_s=10, read_timeout_s=0.5)
    stream = Stream(f"udp://127.0.0.1:{port}", on_status=told.append, limits=limits)
    frames: list[LiveFrame] = []
    reader = threading.Thread(target=lambda: frames.extend(stream.frames()))
    reader.start()
    wait_for(lambda: listened_on(port))
    send_at_pace(port, transport_stream(tmp_path, moving_square(40)), seconds=1.0).join()
    # Where the machine is so busy that the first pictures are lost, it is offline once before.
    wait_for(lambda: [status.state for status in told][-2:] == ["online", "offline"])
    stream.close()
    reader.join(5)
    assert len(frames) > (30 if len(told) == 2 else 15)
    assert told[-1].reason == "nothing came for 0.5 s"
    assert stream.size_hw == (48, 64)


def test_mpeg_ts_over_tcp_that_ends_is_looked_for_again(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(stream_module, "FIRST_WAIT_S", 0.1)
    blobs = [transport_stream(tmp_path, moving_square(20)), transport_stream(tmp_path, moving_square(20, (64, 96)))]
    told: list[StreamStatus] = []
    with socket.create_server(("127.0.0.1", 0)) as camera:

        def serve() -> None:
            for blob in blobs:
                connection, _ = camera.accept()
                with connection:
                    connection.sendall(blob)

        server = threading.Thread(target=serve)
        server.start()
        stream = Stream(f"tcp://127.0.0.1:{camera.getsockname()[1]}", on_status=told.append)
        frames = taken(stream, 30)
        server.join()
    assert [status.state for status in told][:3] == ["online", "offline", "online"]
    assert told[1].reason == "the stream ended"
    assert stream.tally.reconnects == 1
    assert [frame.segment for frame in frames] == [0] * 20 + [1] * 10
    assert [frame.index for frame in frames] == list(range(30))
    assert frames[19].luma.shape == (48, 64)
    assert frames[20].luma.shape == (64, 96)
    times_s = [frame.time_s for frame in frames]
    assert times_s == sorted(times_s)
    assert stream.report.breaks[0].index == 20


def test_of_a_camera_too_the_rate_is_measured_whatever_its_stream_states(tmp_path: Path) -> None:
    """Every second of 25 pictures a second, under headers that still claim 25."""
    path = restamped(
        write_video(tmp_path / "live.ts", moving_square(50), 25, bf="0", g="5"),
        tmp_path / "half.ts",
        lambda n, _pts, _dts, tick: (round((1 + n / 12.5) / tick),) * 2,
    )
    told: list[StreamStatus] = []
    with socket.create_server(("127.0.0.1", 0)) as camera:

        def serve() -> None:
            connection, _ = camera.accept()
            with connection:
                connection.sendall(path.read_bytes())

        server = threading.Thread(target=serve)
        server.start()
        stream = Stream(f"tcp://127.0.0.1:{camera.getsockname()[1]}", on_status=told.append)
        frames = taken(stream, 50)
        server.join()
    assert stream.fps == pytest.approx(12.5, rel=1e-2)
    assert np.diff([frame.time_s for frame in frames]) == pytest.approx(0.08, abs=1e-3)


def write_sound_that_goes_on(path: Path) -> bytes:
    """MPEG-TS of half a minute of noise, with pictures in its first second only."""
    noise = np.random.default_rng(0).normal(0, 0.1, (1, 1024)).astype(np.float32)
    with av.open(str(path), "w") as container:
        video = container.add_stream("libx264", rate=10, options={"bf": "0", "tune": "zerolatency"})
        sound = container.add_stream("aac", rate=16000, layout="mono")
        assert isinstance(video, av.VideoStream)
        video.width, video.height, video.pix_fmt = 64, 48, "yuv420p"
        for index, picture in enumerate(moving_square(10)):
            frame = av.VideoFrame.from_ndarray(picture, format="gray")
            frame.pts = index
            container.mux(video.encode(frame))
        container.mux(video.encode(None))
        for index in range(30 * 16):
            heard = av.AudioFrame.from_ndarray(noise, format="fltp", layout="mono")
            heard.sample_rate, heard.pts = 16000, 1024 * index
            container.mux(sound.encode(heard))
        container.mux(sound.encode(None))
    return path.read_bytes()


def test_a_camera_that_sends_sound_but_no_more_pictures_is_lost(tmp_path: Path) -> None:
    blob = write_sound_that_goes_on(tmp_path / "sound.ts")
    told: list[StreamStatus] = []
    with socket.create_server(("127.0.0.1", 0)) as camera:

        def serve() -> None:
            connection, _ = camera.accept()
            with connection, contextlib.suppress(OSError):
                for at in range(0, len(blob), 1316):
                    connection.sendall(blob[at : at + 1316])
                    time.sleep(4 * 1316 / len(blob))

        server = threading.Thread(target=serve)
        server.start()
        address = f"tcp://127.0.0.1:{camera.getsockname()[1]}"
        stream = Stream(address, on_status=told.append, limits=StreamLimits(stall_s=0.8))
        reader = threading.Thread(target=lambda: list(stream.frames()))
        reader.start()
        # Of ten pictures the last two are known to be whole only once another one begins.
        wait_for(lambda: len(told) == 2 and stream.tally.frames_read >= 8)
        stream.close()
        reader.join(5)
        server.join(10)
    assert [(status.state, status.reason) for status in told] == [
        ("online", ""),
        ("offline", "no picture came for 0.8 s"),
    ]


def test_waits_between_tries_grow_and_differ(monkeypatch: pytest.MonkeyPatch) -> None:
    waits_s: list[float] = []
    stream = Stream(f"http://127.0.0.1:{free_port()}/")

    def wait(seconds: float) -> bool:
        waits_s.append(seconds)
        if len(waits_s) == 12:
            stream._queue.close()
            real_set()
        return False

    real_set = stream._stopping.set
    monkeypatch.setattr(stream._stopping, "wait", wait)
    assert list(stream.frames()) == []
    assert len(waits_s) == 12
    longest_s = [min(0.5 * 2**number, 30.0) for number in range(12)]
    for wait_s, most_s in zip(waits_s, longest_s, strict=True):
        assert most_s / 2 <= wait_s <= most_s
    assert len(set(waits_s)) == 12


def test_a_playlist_without_news_is_not_asked_for_without_end() -> None:
    empty = b"#EXTM3U\n#EXT-X-TARGETDURATION:0\n#EXTINF:0,\n/gone.ts\n"
    with WebServer({"/live.m3u8": body(empty, PLAYLIST)}) as server:
        with pytest.raises(UnreadableSourceError), Stream(server.url + "/live.m3u8") as stream:
            list(stream.frames())
        assert server.requests.count("/live.m3u8") < 60
