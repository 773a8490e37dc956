"""Cameras for the tests: an RTSP server in a process of its own, and a web server on loopback."""

from __future__ import annotations

import base64
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from types import TracebackType

import cv2
import numpy as np
import numpy.typing as npt
import pytest

from benchmarks.rtsp import PACKAGES, RtspServer, free_port, rtsp_missing, write_access_units

__all__ = [
    "RtspServer",
    "WebServer",
    "behind_login",
    "body",
    "free_port",
    "motion_jpeg",
    "require_rtsp_server",
    "write_access_units",
]

Pictures = npt.NDArray[np.uint8] | Sequence[npt.NDArray[np.uint8]]


def require_rtsp_server() -> None:
    """Skip the test where the RTSP server's parts are not installed."""
    missing = rtsp_missing()
    if missing is not None:
        pytest.skip(f"no RTSP server ({missing}); apt-get install {PACKAGES}")


Answer = Callable[[BaseHTTPRequestHandler], None]


class WebServer:
    """Answers each path with a function of `answers`; `requests` lists what was asked for."""

    def __init__(self, answers: dict[str, Answer], port: int = 0) -> None:
        self.requests: list[str] = []
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
