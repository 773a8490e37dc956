"""A clip over and over as an RTSP camera, run by the system's Python, whose GStreamer bindings it needs.

usage: serve.py CLIP PORT FPS [USER PASSWORD]

CLIP holds H.264 pictures, each behind its length as 32 bits, big end first.  Prints one line once it serves, on
rtsp://127.0.0.1:PORT/live.
"""

from __future__ import annotations

import struct
import sys
from collections.abc import Iterator
from typing import Any

import gi

gi.require_version("Gst", "1.0")
gi.require_version("GstApp", "1.0")
gi.require_version("GstRtsp", "1.0")
gi.require_version("GstRtspServer", "1.0")
from gi.repository import GLib, Gst, GstRtsp, GstRtspServer  # noqa: E402

LAUNCH = (
    "( appsrc name=camera is-live=true format=time caps=video/x-h264,stream-format=byte-stream,alignment=au "
    "! rtph264pay name=pay0 pt=96 config-interval=-1 )"
)


def pictures(path: str) -> Iterator[bytes]:
    with open(path, "rb") as file:
        while header := file.read(4):
            yield file.read(*struct.unpack(">I", header))


class Camera:
    """Feeds one viewer's pipeline, at the pace that it asks for."""

    def __init__(self, clip: list[bytes], fps: int) -> None:
        self._clip = clip
        self._fps = fps
        self._count = 0

    def need_data(self, source: Any, _: int) -> None:
        buffer = Gst.Buffer.new_wrapped(self._clip[self._count % len(self._clip)])
        buffer.pts = buffer.dts = self._count * Gst.SECOND // self._fps
        buffer.duration = Gst.SECOND // self._fps
        self._count += 1
        source.emit("push-buffer", buffer)


def only_for(server: Any, factory: Any, user: str, password: str) -> None:
    auth = GstRtspServer.RTSPAuth()
    auth.set_supported_methods(GstRtsp.RTSPAuthMethod.BASIC)
    token = GstRtspServer.RTSPToken()
    token.set_string("media.factory.role", "viewer")
    auth.add_basic(GstRtspServer.RTSPAuth.make_basic(user, password), token)
    server.set_auth(auth)
    permissions = GstRtspServer.RTSPPermissions()
    permissions.add_permission_for_role("viewer", "media.factory.access", True)
    permissions.add_permission_for_role("viewer", "media.factory.construct", True)
    factory.set_permissions(permissions)


def main(clip_path: str, port: str, fps: str, *login: str) -> None:
    Gst.init(None)
    clip = list(pictures(clip_path))
    server = GstRtspServer.RTSPServer()
    server.set_address("127.0.0.1")
    server.set_service(port)
    factory = GstRtspServer.RTSPMediaFactory()
    factory.set_launch(LAUNCH)

    def configure(_: Any, media: Any) -> None:
        source = media.get_element().get_by_name("camera")
        source.connect("need-data", Camera(clip, int(fps)).need_data)

    factory.connect("media-configure", configure)
    server.get_mount_points().add_factory("/live", factory)
    if login:
        only_for(server, factory, *login)
    if server.attach(None) == 0:
        sys.exit(f"port {port} is taken")
    print("serving", flush=True)
    GLib.MainLoop().run()


if __name__ == "__main__":
    main(*sys.argv[1:])
