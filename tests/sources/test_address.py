"""Which addresses are streams, what each may open, and that no login is ever shown."""

from __future__ import annotations

from pathlib import Path

import pytest

from crowdad.errors import ConfigError, CrowdadError, SourceNotFoundError, UnreadableSourceError
from crowdad.sources._address import address_of, live_file


@pytest.mark.parametrize(
    ("spec", "name"),
    [
        ("rtsp://admin:s3cret@10.0.0.7:554/live", "rtsp://10.0.0.7:554"),
        ("RTSP://admin:s3cret@camera/live", "RTSP://camera"),
        ("rtsps://admin:s3:cr@t@camera/1", "rtsps://camera"),
        ("rtsp://10.0.0.7/user=admin_password=s3cret_channel=1", "rtsp://10.0.0.7"),
        ("http://camera/s3cret/video?loginuse=admin&loginpas=s3cret", "http://camera"),
        ("https://camera/video.m3u8?token=s3cret&size=2", "https://camera"),
        ("tcp://10.0.0.7:9000", "tcp://10.0.0.7:9000"),
        ("udp://@239.0.0.1:9000", "udp://239.0.0.1:9000"),
    ],
)
def test_a_stream_is_named_without_its_login(spec: str, name: str) -> None:
    address = address_of(spec)
    assert address.name == name
    assert address.target == spec
    assert "s3cret" not in repr(address)
    assert live_file(spec, realtime=False) is None


@pytest.mark.parametrize(
    "spec", ["rtsp://camera/1", "rtsps://camera/1", "http://camera", "https://camera", "tcp://camera:1", "udp://:1"]
)
def test_nothing_from_the_network_may_open_a_file(spec: str) -> None:
    options = address_of(spec).options
    allowed = set(options["protocol_whitelist"].split(","))
    assert allowed
    assert not allowed & {"file", "concat", "subfile", "pipe", "fd", "cache", "async", "concatf"}
    formats = set(options.get("format_whitelist", "").split(","))
    assert not formats & {"concat", "dash", "sdp", "image2", "lavfi"}


BAD = {
    "ftp://me:s3cret@host/film.mp4": "ftp://host: streams over ftp cannot be read",
    "file:///etc/passwd": "streams over file cannot be read",
    "concat://a": "streams over concat cannot be read",
    "rtsp://me:s3 cret@host/1": "the address holds a space",
}


@pytest.mark.parametrize("spec", BAD)
def test_what_cannot_be_a_stream_is_one_clear_line(spec: str) -> None:
    with pytest.raises(UnreadableSourceError) as caught:
        address_of(spec)
    assert BAD[spec] in str(caught.value)
    assert "s3" not in str(caught.value)


@pytest.mark.parametrize("spec", ["91", "/dev/video91"])
def test_a_webcam_that_is_not_there(spec: str) -> None:
    assert live_file(spec, realtime=False) is None
    with pytest.raises(SourceNotFoundError, match="/dev/video91"):
        address_of(spec)


def test_a_webcam(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(Path, "exists", lambda _: True)
    address = address_of("2")
    assert (address.name, address.target) == ("2", "/dev/video2")
    assert "v4l2" in str(address.format)
    monkeypatch.setattr("sys.platform", "darwin")
    with pytest.raises(UnreadableSourceError, match="Linux"):
        address_of("2")


def test_files_are_played_only_when_asked_for(tiny_video: Path, tmp_path: Path) -> None:
    assert live_file(str(tiny_video), realtime=True) == tiny_video
    with pytest.raises(UnreadableSourceError, match="realtime=True"):
        live_file(str(tiny_video), realtime=False)
    for spec, words in ((tmp_path / "missing.mp4", "no such file"), (tmp_path, "is no stream and no video file")):
        with pytest.raises(CrowdadError, match=words):
            live_file(str(spec), realtime=True)
    with pytest.raises(ConfigError, match="realtime=True"):
        live_file("rtsp://camera/1", realtime=True)
    with pytest.raises(ConfigError) as told:
        live_file("rtsp://camera/user=admin_password=s3cret", realtime=True)
    assert "s3cret" not in str(told.value)
