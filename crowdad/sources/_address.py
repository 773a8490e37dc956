"""Where live footage comes from: what each kind of address may open, and how it is read."""

from __future__ import annotations

import re
import sys
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from crowdad.errors import ConfigError, SourceNotFoundError, UnreadableSourceError
from crowdad.sources._container import FORMATS
from crowdad.sources._expand import path_of, require_existing
from crowdad.wording import address_shown, one_line

__all__ = ["Address", "address_of", "live_file"]

_KNOWN = "give rtsp://, http(s)://, tcp:// or udp://, the number of a webcam, or a file with --realtime"


@dataclass(frozen=True)
class Address:
    """A camera.

    name: scheme and host; the only part that may be shown.  target: what is opened, login included.
    format: of the container, None where the stream tells.  options: of the reader; they say what it may open.
    bursts: the stream comes in pieces, faster than it was recorded, and waits until the next piece is asked for.
    """

    name: str
    target: str = field(repr=False)
    format: str | None
    options: Mapping[str, str]
    bursts: bool = False


@dataclass(frozen=True)
class _Kind:
    format: str | None
    options: Mapping[str, str]
    bursts: bool = False


# `protocol_whitelist`: nothing that came from the network, a playlist above all, opens a file of this machine.
_RTSP = _Kind(
    "rtsp",
    {
        "protocol_whitelist": "rtp,udp,tcp,tls,srtp",
        # Over TCP where the camera can: over UDP a busy network loses pieces of pictures.
        "rtsp_flags": "prefer_tcp",
        "allowed_media_types": "video",
    },
)
_HTTP = _Kind(
    None,
    {
        "protocol_whitelist": "http,https,httpproxy,tcp,tls,crypto",
        "format_whitelist": f"{FORMATS},mpjpeg,hls",
        # A playlist without news is asked for again so often; 20 times cover a segment of any length.
        "max_reload": "20",
        "m3u8_hold_counters": "20",
    },
    bursts=True,
)
_TCP = _Kind("mpegts", {"protocol_whitelist": "tcp", "merge_pmt_versions": "1"})
_UDP = _Kind("mpegts", {"protocol_whitelist": "udp", "merge_pmt_versions": "1", "overrun_nonfatal": "1"})

_KINDS = {"rtsp": _RTSP, "rtsps": _RTSP, "http": _HTTP, "https": _HTTP, "tcp": _TCP, "udp": _UDP}


def live_file(spec: str, realtime: bool) -> Path | None:
    """The file that `spec` names, to be played at its own pace; None for cameras.

    Raises SourceNotFoundError for a missing one, UnreadableSourceError for folders and for a file that is not to be
    played in real time, ConfigError for a camera that is.
    """
    if _scheme(spec) is not None or _webcam(spec) is not None:
        if realtime:
            shown = spec if _scheme(spec) is None else address_shown(spec)
            raise ConfigError(f"{shown}: --realtime is for files; a camera has a pace of its own, leave it out")
        return None
    path = path_of(spec)
    require_existing(path)
    if not path.is_file():
        raise UnreadableSourceError(f"{path}: is no stream and no video file; {_KNOWN}")
    if not realtime:
        raise UnreadableSourceError(
            f"{path}: is a file; score it with crowdad detect, or play it at its own pace with --realtime"
        )
    return path


def address_of(spec: str) -> Address:
    """The camera that `spec` names.

    Raises UnreadableSourceError for schemes that are not known, SourceNotFoundError for a webcam that is not there.
    """
    scheme = _scheme(spec)
    if scheme is None:
        return _webcam_address(spec)
    if re.search(r"\s", spec):
        # Nothing of the address is shown: where a login ends cannot be told.
        raise UnreadableSourceError(f"{scheme}://..: the address holds a space; write spaces as %20")
    name = one_line(address_shown(spec))
    if scheme not in _KINDS:
        raise UnreadableSourceError(f"{name}: streams over {scheme} cannot be read; {_KNOWN}")
    kind = _KINDS[scheme]
    return Address(name, spec, kind.format, kind.options, kind.bursts)


def _webcam_address(spec: str) -> Address:
    device = f"/dev/video{_webcam(spec)}"
    if not sys.platform.startswith("linux"):
        raise UnreadableSourceError(f"{spec}: webcams are read on Linux only; serve it as rtsp:// and give that")
    if not Path(device).exists():
        raise SourceNotFoundError(f"{spec}: there is no webcam {device}; plug it in, or give another number")
    return Address(spec, device, "video4linux2,v4l2", {})


def _scheme(spec: str) -> str | None:
    found = re.match(r"([A-Za-z][A-Za-z0-9+.-]+)://", spec)
    return found[1].lower() if found else None


def _webcam(spec: str) -> int | None:
    found = re.fullmatch(r"(?:/dev/video)?(\d{1,3})", spec)
    return int(found[1]) if found else None
