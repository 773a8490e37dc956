"""What may stand in a message: one line, no login."""

from __future__ import annotations

import pytest

from crowdad.errors import SourceError
from crowdad.wording import one_line, without_login


@pytest.mark.parametrize(
    ("text", "kept"),
    [
        ("rtsp://admin:secret@10.0.0.7:554/live", "rtsp://10.0.0.7:554/live"),
        ("http://user:p%40ss@host", "http://host"),
        ("rtsp://u:p@ss/w@host/live is gone", "rtsp://host/live is gone"),
        ("rtsp://token@host/1", "rtsp://host/1"),
        ("rtsp://a:1@b and rtsp://c:2@d", "rtsp://b and rtsp://d"),
        ("http://camera/v.cgi?user=me&pwd=12&size=4", "http://camera/v.cgi?user=...&pwd=...&size=4"),
        ("http://host:8080/a@b.mp4", "http://host:8080/a@b.mp4"),
        ("http://host/video@2x.mp4", "http://host/video@2x.mp4"),
        ("me@home: no address", "me@home: no address"),
    ],
)
def test_logins_are_left_out(text: str, kept: str) -> None:
    assert without_login(text) == kept


def test_one_line_shows_what_would_break_or_turn_it() -> None:
    assert one_line("a\nb\r\x1b[31m\x00") == r"a\nb\r\x1b[31m\x00"
    assert one_line("gate\u202e4pm.exe \u2028 \udcff") == r"gate\u202e4pm.exe \u2028 \udcff"
    assert one_line("広場 (Nacht), ünï \U0001f600") == "広場 (Nacht), ünï \U0001f600"


def test_every_error_is_one_line_without_a_login() -> None:
    assert str(SourceError("rtsp://a:b@c: gone\nfor good")) == r"rtsp://c: gone\nfor good"
