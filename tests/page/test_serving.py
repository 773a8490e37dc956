"""The server: who gets in, what is answered, and that nobody slows scoring."""

from __future__ import annotations

import http.client
import json
import re
import socket
import time
from collections.abc import Iterator
from urllib.parse import urlsplit

import cv2
import numpy as np
import pytest

from crowdad.errors import ConfigError, PageAddressError, PageNotInstalledError
from crowdad.page import LivePage, serving
from crowdad.page.board import PICTURE_S
from tests.page.made_up import change, open_event, update

NAME = 'rtsp://admin:s3cret@10.0.0.9/live <script>alert("1")</script>'


@pytest.fixture(scope="module")
def page() -> Iterator[LivePage]:
    """A page on loopback with a wide picture and an event.  Shared: read it, don't change it."""
    with LivePage("0", name=NAME) as page:
        wide = update(25, 0.8, (open_event(7, 20, 25),), size_hw=(1080, 1920))
        page.board.update(wide)
        page.board.change(change("new", 7, 25, 20))
        time.sleep(1.1 * PICTURE_S)
        page.board.update(wide)
        yield page


@pytest.fixture(scope="module")
def guarded() -> Iterator[LivePage]:
    """A page that others can reach."""
    with LivePage("0.0.0.0:0", name="gate") as page:
        page.board.update(update(0))
        yield page


def asked(page: LivePage, path: str = "/", **headers: str) -> tuple[int, dict[str, str], bytes]:
    """Status, headers (names in lower case) and content of an answer."""
    port = urlsplit(page.url).port
    connection = http.client.HTTPConnection("127.0.0.1", port or 0, timeout=10)
    connection.request("GET", path, headers={name.replace("_", "-"): value for name, value in headers.items()})
    answer = connection.getresponse()
    content = answer.read()
    connection.close()
    return answer.status, {name.lower(): value for name, value in answer.getheaders()}, content


def test_the_page_is_whole_without_logins_and_names_stay_text(page: LivePage) -> None:
    status, headers, content = asked(page)
    text = content.decode()
    assert status == 200
    assert "rtsp://10.0.0.9 &lt;script&gt;alert(" in text
    assert "s3cret" not in text
    assert "admin" not in text
    policy = headers["content-security-policy"]
    assert "default-src 'none'" in policy
    assert "unsafe" not in policy
    assert "http" not in policy
    assert headers["x-content-type-options"] == "nosniff"
    assert headers["cache-control"] == "no-store"
    assert "server" not in headers
    linked = re.findall(r'(?:src|href)="([^"]+)"', text)
    assert linked == ["data:,", "/style.css", "/script.js"]
    for path, kind in (("/style.css", "text/css"), ("/script.js", "text/javascript")):
        status, headers, content = asked(page, path)
        assert (status, headers["content-type"].split(";")[0]) == (200, kind)
        assert len(content) > 5000
    assert b"class Timeline" in content
    assert b"class HeatPainter" in content


@pytest.mark.parametrize(
    "path",
    [
        "/events/",
        "/events/8.jpg",
        "/events/-1.jpg",
        "/events/7.png",
        "/events/..%2f..%2fetc%2fpasswd.jpg",
        "/events/7.jpg/../../README.md",
        "/../../../../etc/passwd",
        "/%2e%2e/%2e%2e/etc/passwd",
        "//etc/passwd",
        "/docs",
        "/openapi.json",
        "/assets/live.js",
        "/static/",
    ],
)
def test_nothing_else_is_there(page: LivePage, path: str) -> None:
    status, _, content = asked(page, path)
    assert status == 404
    assert b"root:" not in content


def test_pictures_are_made_small_and_come_once(page: LivePage) -> None:
    status, headers, content = asked(page, "/picture?after=0")
    assert (status, headers["content-type"]) == (200, "application/octet-stream")
    length = int.from_bytes(content[:4], "big")
    head = json.loads(content[4 : 4 + length])
    assert head["size_hw"] == [1080, 1920]
    assert head["boxes"] == [[7, 40.0, 20.0, 60.0, 80.0]]
    jpeg = content[4 + length + head["rows"] * head["columns"] :]
    picture = cv2.imdecode(np.frombuffer(jpeg, np.uint8), cv2.IMREAD_COLOR)
    assert picture is not None
    assert picture.shape == (720, 1280, 3)


def test_where_no_picture_comes_the_browser_asks_again(page: LivePage, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("crowdad.page.app.LONGEST_WAIT_S", 0.1)
    assert asked(page, "/picture?after=2")[0] == 204
    assert asked(page, "/picture?after=x")[0] == 422


def test_events_have_pictures(page: LivePage) -> None:
    status, headers, content = asked(page, "/events/7.jpg?look=1")
    assert (status, headers["content-type"]) == (200, "image/jpeg")
    picture = cv2.imdecode(np.frombuffer(content, np.uint8), cv2.IMREAD_COLOR)
    assert picture is not None
    assert picture.shape == (120, 160, 3)


def news_of(page: LivePage, count: int, **headers: str) -> list[dict[str, object]]:
    """The first messages of the stream of news."""
    port = urlsplit(page.url).port
    connection = http.client.HTTPConnection("127.0.0.1", port or 0, timeout=10)
    connection.request("GET", "/updates", headers=headers)
    answer = connection.getresponse()
    assert answer.getheader("content-type", "").startswith("text/event-stream")
    found = []
    while len(found) < count:
        line = answer.readline()
        assert line, "the stream has ended"
        if line.startswith(b"data: "):
            found.append(json.loads(line[6:]))
    answer.close()
    connection.close()
    return found


def test_news_begin_with_all_that_is_known(page: LivePage) -> None:
    (first,) = news_of(page, 1)
    assert first["fresh"] is True
    assert [event["id"] for event in first["events"]] == [7]  # type: ignore[attr-defined]


@pytest.mark.parametrize("host", ["evil.example", "evil.example:80", "", "127.0.0.1.evil.example"])
def test_other_names_are_refused(page: LivePage, host: str) -> None:
    status, _, content = asked(page, "/", Host=host)
    assert status in (400, 421)
    assert b"10.0.0.9" not in content


def test_others_need_the_token_once(guarded: LivePage) -> None:
    token = urlsplit(guarded.url).query.removeprefix("token=")
    assert len(token) >= 20
    for path in ("/", "/updates", "/picture?after=0", "/script.js", "/?token=", "/?token=wrong", f"/?token={token}x"):
        status, headers, content = asked(guarded, path)
        assert status == 401, path
        assert token.encode() not in content
        assert "set-cookie" not in headers
    status, headers, _ = asked(guarded, f"//evil.example/?token={token}")
    assert (status, headers["location"]) == (303, "/")
    cookie = headers["set-cookie"]
    assert "HttpOnly" in cookie
    assert "samesite=lax" in cookie.lower()
    kept = cookie.split(";")[0]
    assert asked(guarded, "/", Cookie=kept)[0] == 200
    assert asked(guarded, "/", Cookie=f"other=1; {kept}")[0] == 200
    assert asked(guarded, "/", Cookie=kept + "x")[0] == 401
    assert asked(guarded, "/", Cookie='"\\')[0] == 401
    assert news_of(guarded, 1, Cookie=kept)


def test_a_token_can_be_chosen_also_on_loopback() -> None:
    with LivePage("0", name="gate", token="open sesame".replace(" ", "&")) as page:
        assert page.url.endswith("?token=open%26sesame")
        assert asked(page, "/")[0] == 401
        assert asked(page, "/?" + urlsplit(page.url).query)[0] == 303
    for token in ("short", "with a blank", "", "müßiggang"):
        with pytest.raises(ConfigError, match="8 "):
            LivePage("0", name="gate", token=token)


def test_an_address_that_is_taken_or_nobodys_is_one_line(page: LivePage) -> None:
    port = urlsplit(page.url).port
    with pytest.raises(PageAddressError, match=rf"127\.0\.0\.1:{port}: .*taken"):
        LivePage(str(port), name="gate")
    with pytest.raises(PageAddressError, match="not to be had"):
        LivePage("192.0.2.1:8080", name="gate")
    with pytest.raises(PageAddressError, match="no such address"):
        LivePage("no-such-host.invalid:8080", name="gate")


def test_without_the_extra_its_name_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(serving, "find_spec", lambda module: None)
    with pytest.raises(PageNotInstalledError, match=r"pip install 'crowdad\[page\]'"):
        LivePage("0", name="gate")


def test_browsers_that_read_nothing_slow_nothing_and_are_left_at_the_end() -> None:
    busy = update(3, 0.4, size_hw=(480, 640))
    with LivePage("0", name="gate") as page:
        port = urlsplit(page.url).port or 0
        dead = []
        for path in ("/updates", "/picture?after=0") * 10:
            held = socket.create_connection(("127.0.0.1", port))
            held.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 2048)
            held.sendall(f"GET {path} HTTP/1.1\r\nHost: localhost\r\n\r\n".encode())
            dead.append(held)
        longest_s, spent_s = 0.0, time.thread_time()
        for _ in range(200):
            began_s = time.thread_time()
            page.board.update(busy)
            longest_s = max(longest_s, time.thread_time() - began_s)
            time.sleep(0.002)
        assert longest_s < 0.02
        assert time.thread_time() - spent_s < 0.2
        began_s = time.monotonic()
    assert time.monotonic() - began_s < 5
    for held in dead:
        held.close()
    with pytest.raises(OSError, match="refused"):
        socket.create_connection(("127.0.0.1", port))
