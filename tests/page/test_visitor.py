"""Connections from outside are bounded in number and in time: nobody keeps the owner out."""

from __future__ import annotations

import http.client
import resource
import socket
import subprocess
import sys
import time
from contextlib import ExitStack
from urllib.parse import urlsplit

import pytest

from crowdad.page import LivePage
from crowdad.page.guard import MOST_GUESSES
from tests.page.test_serving import asked

_SERVER = """
import sys, time
from crowdad.page import LivePage
with LivePage("0", name="gate") as page:
    print(page.url, flush=True)
    for line in sys.stdin:
        with open("/dev/null"):
            print("files can be opened", flush=True)
"""


def idle(port: int, text: bytes = b"") -> socket.socket:
    held = socket.create_connection(("127.0.0.1", port), timeout=10)
    held.sendall(text)
    return held


def port_of(page: LivePage) -> int:
    return urlsplit(page.url).port or 0


def is_closed(held: socket.socket, within_s: float = 5.0) -> bool:
    held.settimeout(within_s)
    try:
        while held.recv(65536):
            pass
    except TimeoutError:
        return False
    except OSError:
        pass
    return True


def test_idle_connections_take_neither_the_page_nor_the_files_of_the_watch() -> None:
    few = f"import resource; resource.setrlimit(resource.RLIMIT_NOFILE, (256, 256)){_SERVER}"
    process = subprocess.Popen(
        [sys.executable, "-c", few], stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    )
    with process, ExitStack() as stack:
        assert process.stdin is not None
        assert process.stdout is not None
        assert process.stderr is not None
        stack.callback(process.kill)
        port = urlsplit(process.stdout.readline()).port or 0
        for number in range(300):
            stack.enter_context(idle(port, b"GET / HTT" if number % 2 else b""))
        began_s = time.monotonic()
        owner = http.client.HTTPConnection("127.0.0.1", port, timeout=10)
        owner.request("GET", "/")
        assert owner.getresponse().status == 200
        assert time.monotonic() - began_s < 5
        owner.close()
        process.stdin.write("\n")
        process.stdin.flush()
        assert process.stdout.readline() == "files can be opened\n"
        process.stdin.close()
        assert process.wait(20) == 0
        assert process.stderr.read() == ""


def test_who_asks_too_slowly_is_closed_also_between_two_requests(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("crowdad.page.visitor.ASK_WITHIN_S", 0.4)
    with LivePage("0", name="gate") as page:
        for text in (b"", b"GET / HTTP/1.1\r\n", b"GET / HTTP/1.1\r\nHost: localhost\r\n\r\nGET"):
            with idle(port_of(page), text) as held:
                began_s = time.monotonic()
                for _ in range(20):
                    time.sleep(0.05)
                    try:
                        held.sendall(b"x")
                    except OSError:
                        break
                assert is_closed(held)
                assert time.monotonic() - began_s < 5
        with idle(port_of(page), b"GET /updates HTTP/1.1\r\nHost: localhost\r\n\r\n") as reader:
            reader.settimeout(5)
            assert reader.recv(4096)
            assert not is_closed(reader, 1.0)


def test_readers_who_stay_give_way_to_who_comes_last(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("crowdad.page.visitor.MOST_CONNECTIONS", 8)
    with LivePage("0", name="gate") as page, ExitStack() as stack:
        readers = []
        for _ in range(12):
            reader = stack.enter_context(idle(port_of(page), b"GET /updates HTTP/1.1\r\nHost: localhost\r\n\r\n"))
            assert b"200 OK" in reader.recv(4096)
            readers.append(reader)
        assert asked(page)[0] == 200
        assert all(is_closed(reader) for reader in readers[:5])
        assert not is_closed(readers[-1], 0.3)
        for _ in range(20):  # strangers go before those who were let in
            stack.enter_context(idle(port_of(page)))
        assert asked(page)[0] == 200
        assert not is_closed(readers[-1], 0.3)


def test_a_page_raises_the_limit_of_open_files(monkeypatch: pytest.MonkeyPatch) -> None:
    limits = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (min(512, limits[1]), limits[1]))
    try:
        with LivePage("0", name="gate"):
            assert resource.getrlimit(resource.RLIMIT_NOFILE) == (min(1024, limits[1]), limits[1])
    finally:
        resource.setrlimit(resource.RLIMIT_NOFILE, limits)


def let_in(page: LivePage) -> str:
    """The cookie that a browser gets for the right token."""
    status, headers, _ = asked(page, "/?" + urlsplit(page.url).query)
    assert status == 303
    return headers["set-cookie"].split(";")[0]


def test_cookies_of_other_programs_lock_nobody_out() -> None:
    with LivePage("0", name="gate", token="correct-horse") as page:
        own = let_in(page)
        name = own.partition("=")[0]
        for foreign in ('prefs={"a": 1}; ', 'x="; ', "ü=1; ", f"{name}=old; ", "; ;=; a b c; ", f'{name}="'):
            assert asked(page, "/", Cookie=f"{foreign};{own}".encode().decode("latin-1"))[0] == 200, foreign
            assert asked(page, "/", Cookie=f"{own}; {foreign}".encode().decode("latin-1"))[0] == 200, foreign
        assert asked(page, "/", Cookie=f"{name}=correct-horse")[0] == 401


def test_guesses_of_the_token_are_limited_and_who_was_let_in_stays() -> None:
    with LivePage("0", name="gate", token="correct-horse") as page:
        own = let_in(page)
        answers = [asked(page, f"/?token=guess-{number}")[0] for number in range(MOST_GUESSES + 2)]
        assert answers == [401] * MOST_GUESSES + [429] * 2
        assert asked(page, "/?token=correct-horse")[0] == 429
        assert asked(page, "/", Cookie=own)[0] == 200
        assert asked(page, "/")[0] == 401
