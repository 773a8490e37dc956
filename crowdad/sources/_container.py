"""Opening a media file: which kinds are let in, and what to tell a person about one that cannot be read."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path
from typing import BinaryIO

import av
from av.container import InputContainer
from av.video.stream import VideoStream

from crowdad.errors import NoVideoError, SourceError, SourceNotFoundError, UnreadableSourceError
from crowdad.sources._base import MAX_PIXELS

__all__ = [
    "FORMATS",
    "browser_suffix",
    "claimed_end_s",
    "is_cut_mp4",
    "joined_recordings",
    "moving_streams",
    "open_container",
    "recorded_at",
    "shown_from_s",
    "video_stream",
]

FORMATS = (
    # Recordings and raw streams of pictures ...
    "mov,matroska,avi,mpegts,mpeg,mpegvideo,m4v,h261,h263,h264,hevc,vvc,av1,obu,ivf,flv,live_flv,asf,ogg,mxf,nut,dv,"
    "gxf,wtv,rm,gif,apng,mjpeg,mjpeg_2000,dirac,cavsvideo,vc1,yuv4mpegpipe,dhav,ifv,iv8,ingenient,nsv,pva,ty,lmlm4,"
    # ... and sound, so that a sound file is told apart from a broken one.
    "mp3,aac,ac3,wav,w64,flac,aiff,amr,caf"
)
"""Let in by name.  Playlists (hls, concat, dash, ..) stay out: they make the reader open other files and addresses."""

_PLAYLIST_STARTS = (b"#EXTM3U", b"ffconcat version", b"<?xml", b"<MPD", b"[playlist]")
_BOX_HEADER_LENGTH = 8
_MOST_BOXES = 200_000  # a day in pieces of a second has 173,000
_BOXES = frozenset({"ftyp", "moov", "moof", "mdat", "free", "skip", "wide", "mfra", "sidx", "styp", "uuid", "meta"})
"""Of the top level; anything else behind them is no part of the recording."""
_STARTS = {
    "avi": re.compile(rb"RIFF....AVI LIST", re.DOTALL),
    "flv": re.compile(rb"FLV\x01[\x01\x04\x05]\x00\x00\x00\x09"),
    "matroska,webm": re.compile(rb"\x1a\x45\xdf\xa3.{1,40}\x42\x82", re.DOTALL),
    "asf": re.compile(rb"\x30\x26\xb2\x75\x8e\x66\xcf\x11\xa6\xd9\x00\xaa\x00\x62\xce\x6c"),
    "nut": re.compile(rb"nut/multimedia container\x00"),
    "ivf": re.compile(rb"DKIF\x00\x00\x20\x00"),
    "mxf": re.compile(rb"\x06\x0e\x2b\x34\x02\x05\x01\x01\x0d\x01\x02\x01\x01\x02"),
}
"""How a file of each format begins."""
_LONGEST_START = 64
_LATE_START_S = 0.12  # reordered frames begin two or three frames late
_LAST_YEAR_WITHOUT_CLOCK = 1990
"""Cameras whose clock was never set write 1904 or 1970."""


def open_container(path: Path, max_pixels: int = MAX_PIXELS) -> InputContainer:
    """Open `path` for reading; the caller closes it.

    max_pixels: larger pictures are not decoded while the streams are looked at.
    Raises SourceNotFoundError, or UnreadableSourceError with the likely reason and what to do.
    """
    try:
        # "file:" keeps names like "http:x.mp4" or "concat:a|b" from being taken for addresses.
        return av.open(
            f"file:{path}",
            options={
                "protocol_whitelist": "file",
                "format_whitelist": FORMATS,
                # A transport stream joined from two recorders goes on under other packet numbers.
                "merge_pmt_versions": "1",
                "max_pixels": str(max_pixels),
            },
            metadata_errors="replace",
        )
    except FileNotFoundError:
        raise SourceNotFoundError(f"{path}: no such file") from None
    except (av.FFmpegError, OSError, ValueError) as error:
        raise _why_not(path, error) from None


def video_stream(name: str, container: InputContainer) -> VideoStream:
    """The stream of moving pictures, cover pictures of sound files left aside."""
    moving = moving_streams(container)
    if not moving:
        names = {"a cover picture" if stream.type == "video" else stream.type for stream in container.streams}
        kinds = " and ".join(sorted(names, reverse=True)) or "nothing"
        raise NoVideoError(f"{name}: holds {kinds} but no video; give a file with a video stream")
    best = container.streams.best("video")
    stream = best if isinstance(best, VideoStream) and best in moving else moving[0]
    if stream.codec_context is None:
        raise UnreadableSourceError(f"{name}: its video codec is not known here; convert it to H.264")
    return stream


def moving_streams(container: InputContainer) -> list[VideoStream]:
    """The video streams that are no cover pictures."""
    return [s for s in container.streams.video if not s.disposition & av.stream.Disposition.attached_pic]


def recorded_at(container: InputContainer) -> str | None:
    """When the recording began, as the container says it, or None where it does not or cannot be true."""
    written = container.metadata.get("creation_time", "")
    year = re.match(r"\d{4}", written)
    return written if year and int(year[0]) > _LAST_YEAR_WITHOUT_CLOCK else None


def claimed_end_s(container: InputContainer, stream: VideoStream) -> float | None:
    """Duration of the video as the header states it, in seconds; None where it would only be a guess from the data."""
    stated = re.fullmatch(r"(\d+):(\d+):(\d+(?:\.\d+)?)", stream.metadata.get("DURATION", ""))
    if stated:
        hours, minutes, seconds = stated.groups()
        return int(hours) * 3600 + int(minutes) * 60 + float(seconds)
    header_says = container.format.name in ("matroska,webm", "flv", "avi")
    if header_says and container.duration and len(container.streams) == 1:
        return container.duration / av.time_base
    return None


def browser_suffix(path: Path, container: InputContainer, stream: VideoStream) -> str | None:
    """ ".mp4" or ".webm" for what Chromium, Firefox and Safari play as it is, None for anything else."""
    if stream.codec_context.pix_fmt not in ("yuv420p", "yuvj420p"):
        return None
    codec = stream.codec_context.codec.canonical_name
    if "mp4" in container.format.name.split(","):
        quicktime = container.metadata.get("major_brand", "").startswith("qt")
        return ".mp4" if codec in ("h264", "vp9", "av1") and not quicktime else None
    # The reader calls all of Matroska by one name, of which browsers play WebM only.
    return ".webm" if path.suffix.lower() == ".webm" and codec in ("vp8", "vp9", "av1") else None


def shown_from_s(container: InputContainer, stream: VideoStream) -> float | None:
    """When a browser shows the first picture, in seconds; None where browsers do not agree.

    Chromium counts from the container's zero even where nothing starts there, and then misses the end.
    """
    starts = [
        float(other.start_time * other.time_base)
        for other in (*container.streams.video, *container.streams.audio)
        if other.start_time is not None and other.time_base is not None
    ]
    if stream.start_time is None or stream.time_base is None or min(starts) > _LATE_START_S:
        return None
    return float(stream.start_time * stream.time_base)


def is_cut_mp4(path: Path) -> bool:
    """Whether a box of `path`, an mp4 or mov file, should reach past the end of the file."""
    with path.open("rb") as file:
        return any(name in _BOXES and end > path.stat().st_size for name, end in _boxes(file))


def joined_recordings(path: Path, container: InputContainer, end_byte: int, read: int) -> tuple[str, ...]:
    """A note where recordings were joined to this file of which not all are read, as by every player.

    end_byte: where nearly all that is read ends.  read: how many recordings, as their clocks tell.
    """
    if "mp4" in container.format.name:
        with path.open("rb") as file:
            found = sum(name == "ftyp" for name, _ in _boxes(file))
    else:
        found = read + _beginnings(path, container.format.name, end_byte)
    if found <= read:
        return ()
    kind = "mp4" if "mp4" in container.format.name else container.format.name.split(",")[0]
    which = "only the first is read" if read == 1 else "what follows the first is not read to its end"
    return (f"{found} {kind} files were joined to one; {which}, give them singly",)


def _beginnings(path: Path, format_name: str, from_byte: int) -> int:
    """How many recordings of the format begin behind this byte of the file."""
    start = _STARTS.get(format_name)
    if start is None:
        return 0
    found, held = 0, b""
    with path.open("rb") as file:
        file.seek(max(from_byte, _LONGEST_START))  # some containers do not tell where packets lie
        while piece := file.read(2**20):
            held += piece
            found += len(start.findall(held))
            # Of what is held over only the beginning of a start that is cut in two may be left.
            held = b"" if start.search(held[-_LONGEST_START:]) else held[-_LONGEST_START + 1 :]
    return found


def _why_not(path: Path, error: Exception) -> SourceError:
    if isinstance(error, PermissionError):
        return UnreadableSourceError(f"{path}: may not be read (permission denied); change its permissions")
    try:
        size = path.stat().st_size
        with path.open("rb") as file:
            start = file.read(64)
            boxes = {name for name, _ in _boxes(file)}
    except OSError as trouble:
        return UnreadableSourceError(f"{path}: cannot be read ({trouble.strerror}); use another copy")
    if size == 0:
        return UnreadableSourceError(f"{path.name}: the file is empty (0 bytes); copy or record it again")
    if start.lstrip(b"\xef\xbb\xbf \r\n\t").startswith(_PLAYLIST_STARTS):
        return UnreadableSourceError(f"{path.name}: is a playlist, not footage; give the video files that it names")
    if "ftyp" in boxes and "moov" not in boxes:
        return UnreadableSourceError(
            f"{path.name}: the mp4 has no index (moov), its recording or copying was not finished; "
            "copy it again or repair it with a tool such as untrunc"
        )
    return UnreadableSourceError(f"{path.name}: not a video file that can be read ({size} bytes); give another file")


def _boxes(file: BinaryIO) -> Iterator[tuple[str, int]]:
    """Name and end (byte offset) of each top-level box; stops at the first thing that is no box.

    Source: ISO/IEC 14496-12, 4.2: 32-bit size and four letters; size 1 means that 64 bits follow, 0 "to the end".
    """
    start = 0
    for _ in range(_MOST_BOXES):
        file.seek(start)
        header = file.read(_BOX_HEADER_LENGTH + 8)
        name = header[4:8]
        if len(header) < _BOX_HEADER_LENGTH or not re.fullmatch(rb"[A-Za-z0-9 ]{4}", name):
            return
        size = int.from_bytes(header[:4], "big")
        if size == 1:
            size = int.from_bytes(header[8:16], "big")
        if size < _BOX_HEADER_LENGTH:
            yield name.decode(), start
            return
        start += size
        yield name.decode(), start
