"""Cameras for the tests: an RTSP server in a process of its own, and a web server on loopback."""

from __future__ import annotations

import base64
import os
import signal
import socket
import struct
import subprocess
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from fractions import Fraction
from functools import cache
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from types import TracebackType

import av
import cv2
import numpy as np
import numpy.typing as npt
import pytest

SYSTEM_PYTHON = "/usr/bin/python3"
_SCRIPT = Path(__file__).with_name("rtsp_server.py")
_IMPORTS = "import gi; gi.require_version('GstRtspServer', '1.0'); from gi.repository import GstRtspServer"
PACKAGES = "gir1.2-gst-rtsp-server-1.0 python3-gst-1.0 gstreamer1.0-plugins-good"

Pictures = npt.NDArray[np.uint8] | Sequence[npt.NDArray[np.uint8]]


@cache
def _rtsp_missing() -> str | None:
    try:
        tried = subprocess.run([SYSTEM_PYTHON, "-c", _IMPORTS], capture_output=True, text=True, timeout=60)
    except OSError as error:
        return str(error)
    return None if tried.returncode == 0 else tried.stderr.strip().splitlines()[-1]


def require_rtsp_server() -> None:
    """Skip the test where the RTSP server's parts are not installed."""
    missing = _rtsp_missing()
    if missing is not None:
        pytest.skip(f"no RTSP server ({missing}); apt-get install {PACKAGES}")


def free_port() -> int:
    """A port of loopback that nothing listens on."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def write_access_units(path: Path, pictures: Pictures, fps: int = 10) -> Path:
    """Encode grey uint8 (H, W) frames to H.264, each picture behind its length as 32 bits; returns `path`."""
    height, width = pictures[0].shape
    encoder = av.CodecContext.create("libx264", "w")
    assert isinstance(encoder, av.VideoCodecContext)
    encoder.width, encoder.height, encoder.pix_fmt = width, height, "yuv420p"
    encoder.time_base, encoder.framerate = Fraction(1, fps), Fraction(fps)
    encoder.thread_count = 1
    encoder.options = {"bf": "0", "g": "5", "tune": "zerolatency"}
    with path.open("wb") as file:
        frames = [av.VideoFrame.from_ndarray(picture, format="gray") for picture in pictures]
        for index, frame in enumerate([*frames, None]):
            if frame is not None:
                frame.pts = index
            for packet in encoder.encode(frame):
                blob = bytes(packet)
                file.write(struct.pack(">I", len(blob)) + blob)
    return path


class RtspServer:
    """Serves a clip of `write_access_units` without end on `url`; may be killed, started again, and frozen.

    login: (user, password) that is asked for.
    """

    def __init__(self, clip: Path, fps: int = 10, login: tuple[str, str] | None = None) -> None:
        self.clip = clip
        self.port = free_port()
        self.url = f"rtsp://127.0.0.1:{self.port}/live"
        self._fps = fps
        self._login = login or ()
        self._process: subprocess.Popen[str] | None = None

    def __enter__(self) -> RtspServer:
        self.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.kill()

    def start(self) -> None:
        command = [SYSTEM_PYTHON, str(_SCRIPT), str(self.clip), str(self.port), str(self._fps), *self._login]
        self._process = subprocess.Popen(command, stdout=subprocess.PIPE, text=True)
        assert self._process.stdout is not None
        assert self._process.stdout.readline() == "serving\n"

    def kill(self) -> None:
        """The server is gone at once, as when its power is cut but its network card still answers."""
        if self._process is not None:
            self._process.kill()
            self._process.wait()
            assert self._process.stdout is not None
            self._process.stdout.close()
            self._process = None

    def freeze(self) -> None:
        """The server falls silent, its connections stay open."""
        assert self._process is not None
        os.kill(self._process.pid, signal.SIGSTOP)

    def thaw(self) -> None:
        assert self._process is not None
        os.kill(self._process.pid, signal.SIGCONT)


Answer = Callable[[BaseHTTPRequestHandler], None]


class WebServer:
    """Answers each path with a function of `answers`; `requests` lists what was asked for."""

    def __init__(self, answers: dict[str, Answer], port: int = 0) -> None:
        self.requests: list[str] = []
        self.stopping = threading.Event()
        owner = self

        class Handler(BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                owner.requests.append(self.path)
                answer = answers.get(self.path)
                try:
                    if answer is None:
                        self.send_error(404)
                    else:
                        answer(self)
                except OSError:
                    pass  # the reader has gone

            def log_message(self, *_: object) -> None:
                pass

        self._server = ThreadingHTTPServer(("127.0.0.1", port), Handler)
        self._server.daemon_threads = True
        self._server.block_on_close = False
        self.port = self._server.server_port
        self.url = f"http://127.0.0.1:{self.port}"
        self._thread = threading.Thread(target=self._server.serve_forever, args=(0.05,), daemon=True)

    def __enter__(self) -> WebServer:
        self._thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._server.shutdown()
        self._server.server_close()
        self._thread.join()


def body(blob: bytes, kind: str = "application/octet-stream") -> Answer:
    """An answer that is `blob`."""

    def answer(request: BaseHTTPRequestHandler) -> None:
        request.send_response(200)
        request.send_header("Content-Type", kind)
        request.send_header("Content-Length", str(len(blob)))
        request.end_headers()
        request.wfile.write(blob)

    return answer


def behind_login(user: str, password: str, answer: Answer) -> Answer:
    """The answer for who knows the login, 401 for all others."""
    wanted = "Basic " + base64.b64encode(f"{user}:{password}".encode()).decode()

    def guarded(request: BaseHTTPRequestHandler) -> None:
        if request.headers.get("Authorization") == wanted:
            answer(request)
            return
        request.send_response(401)
        request.send_header("WWW-Authenticate", 'Basic realm="camera"')
        request.send_header("Content-Length", "0")
        request.end_headers()

    return guarded


def motion_jpeg(pictures: Iterator[npt.NDArray[np.uint8]] | Pictures, fps: float) -> Answer:
    """An answer that sends one JPEG after the other at `fps`, and then closes."""

    def answer(request: BaseHTTPRequestHandler) -> None:
        request.send_response(200)
        request.send_header("Content-Type", "multipart/x-mixed-replace; boundary=picture")
        request.end_headers()
        due_s = time.monotonic()
        for picture in pictures:
            blob = cv2.imencode(".jpg", picture)[1].tobytes()
            head = f"--picture\r\nContent-Type: image/jpeg\r\nContent-Length: {len(blob)}\r\n\r\n"
            request.wfile.write(head.encode() + blob + b"\r\n")
            due_s += 1 / fps
            time.sleep(max(0.0, due_s - time.monotonic()))

    return answer
