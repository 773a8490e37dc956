"""An RTSP camera on loopback: a clip over and over, by GStreamer's server in a process of its own."""

from __future__ import annotations

import os
import signal
import socket
import struct
import subprocess
from collections.abc import Iterable
from fractions import Fraction
from functools import cache
from pathlib import Path
from types import TracebackType

import av
import numpy as np
import numpy.typing as npt
from av.packet import Packet

__all__ = ["PACKAGES", "RtspServer", "free_port", "rtsp_missing", "write_access_units"]

PACKAGES = "gir1.2-gst-rtsp-server-1.0 python3-gst-1.0 gstreamer1.0-plugins-good"
"""Of Debian and Ubuntu; all that the server needs."""

_SYSTEM_PYTHON = "/usr/bin/python3"
_SCRIPT = Path(__file__).with_name("serve.py")
_IMPORTS = "import gi; gi.require_version('GstRtspServer', '1.0'); from gi.repository import GstRtspServer"


@cache
def rtsp_missing() -> str | None:
    """Why there can be no server here, or None."""
    try:
        tried = subprocess.run([_SYSTEM_PYTHON, "-c", _IMPORTS], capture_output=True, text=True, timeout=60)
    except OSError as error:
        return str(error)
    return None if tried.returncode == 0 else tried.stderr.strip().splitlines()[-1]


def free_port() -> int:
    """A port of loopback that nothing listens on."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def write_access_units(path: Path, pictures: Iterable[npt.NDArray[np.uint8]], fps: int = 10) -> Path:
    """Encode uint8 grey (H, W) or BGR (H, W, 3) frames to H.264, as `serve.py` reads them; returns `path`."""
    encoder = av.CodecContext.create("libx264", "w")
    assert isinstance(encoder, av.VideoCodecContext)
    encoder.pix_fmt, encoder.thread_count = "yuv420p", 1
    encoder.time_base, encoder.framerate = Fraction(1, fps), Fraction(fps)
    # As cameras do it: each picture leaves at once, and who comes in waits less than a second for a whole one.
    encoder.options = {"bf": "0", "g": "5", "tune": "zerolatency"}
    with path.open("wb") as file:

        def write(packets: Iterable[Packet]) -> None:
            for packet in packets:
                blob = bytes(packet)
                file.write(struct.pack(">I", len(blob)) + blob)

        for index, picture in enumerate(pictures):
            if index == 0:
                encoder.height, encoder.width = picture.shape[:2]
            frame = av.VideoFrame.from_ndarray(picture, format="gray" if picture.ndim == 2 else "bgr24")
            frame.pts = index
            write(encoder.encode(frame))
        write(encoder.encode(None))
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
        command = [_SYSTEM_PYTHON, str(_SCRIPT), str(self.clip), str(self.port), str(self._fps), *self._login]
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
