"""What may stand in a message: one line, no login."""

from __future__ import annotations

import time

import pytest

from crowdad.errors import SourceError
from crowdad.wording import one_line, some_of, without_login


@pytest.mark.parametrize(
    ("text", "kept"),
    [
        ("rtsp://admin:secret@10.0.0.7:554/live", "rtsp://10.0.0.7:554"),
        ("http://user:p%40ss@host", "http://host"),
        ("rtsp://u:pa/ss@host/live is gone", "rtsp://host is gone"),
        ("rtsp://u:p@ss/w@host/live is gone", "rtsp://... is gone"),
        ("rtsp://admin:20/X@host/live", "rtsp://..."),
        ("rtsp://10.0.0.7/user=admin_password=X_channel=1", "rtsp://10.0.0.7"),
        ("rtsp://host?access_token=X", "rtsp://host"),
        ("rtsp://host;loginuse=a&loginpas=X", "rtsp://..."),
        ("rtsp://token@host/1", "rtsp://host"),
        ("(rtsp://[fe80::1]:554/1): gone", "(rtsp://[fe80::1]:554): gone"),
        ("rtsp://a:1@b and rtsp://c:2@d", "rtsp://b and rtsp://d"),
        ("rtmp://a:1@b,tcp://c:2@d", "rtmp://d"),
        ("http://camera/v.cgi?user=me&pwd=12&size=4", "http://camera/v.cgi"),
        ("http://camera/user=me_pwd=12", "http://camera/user"),
        ("see https://host/data/page_2.html, please", "see https://host/data/page_2.html, please"),
        ("http://host:8080/a@b.mp4", "http://..."),
        ("s3://key:secret@bucket/a@b=c.mp4?X-Amz-Signature=1", "s3://bucket/a@b=c.mp4"),
        ("me@home: no address", "me@home: no address"),
    ],
)
def test_logins_are_left_out(text: str, kept: str) -> None:
    assert without_login(text) == kept


@pytest.mark.parametrize("part", ["://", "a://", "x:y@", "a", "://@", "rtsp://a:b@c/", "a://b "])
def test_long_texts_take_no_time(part: str) -> None:
    began_s = time.process_time()
    without_login(part * (10**6 // len(part)))
    assert time.process_time() - began_s < 3


def test_one_line_shows_what_would_break_or_turn_it() -> None:
    assert one_line("a\nb\r\x1b[31m\x00") == r"a\nb\r\x1b[31m\x00"
    assert one_line("gate\u202e4pm.exe \u2028 \udcff") == r"gate\u202e4pm.exe \u2028 \udcff"
    assert one_line("広場 (Nacht), ünï \U0001f600") == "広場 (Nacht), ünï \U0001f600"


def test_every_error_is_one_line_without_a_login() -> None:
    assert str(SourceError("rtsp://a:b@c: gone\nfor good")) == r"rtsp://c: gone\nfor good"


@pytest.mark.parametrize(
    ("count", "told"),
    [(0, ""), (1, "a"), (5, "a, b, c, d, e"), (6, "a, b, c, d and 2 more"), (9, "a, b, c, d and 5 more")],
)
def test_of_many_names_some_are_told(count: int, told: str) -> None:
    assert some_of("abcdefghi"[:count]) == told
