"""Alerts reach a web server as JSON; what it answers decides what becomes of them."""

from __future__ import annotations

import socket
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest

from crowdad.errors import ConfigError
from crowdad.outputs.alerts import Courier, Outbox, RefusedError, WebhookSink
from tests.outputs.alerts.test_courier import until


class Hook:
    """What the server was sent, and the answers it gives, the last one from then on."""

    def __init__(self, *answers: int) -> None:
        self.answers = list(answers)
        self.bodies: list[str] = []
        self.kinds: set[str] = set()
        self.url = ""


@contextmanager
def served(hook: Hook, port: int = 0) -> Iterator[Hook]:
    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers["Content-Length"])).decode()
            hook.bodies.append(body)
            hook.kinds.add(self.headers["Content-Type"])
            code = hook.answers.pop(0) if len(hook.answers) > 1 else hook.answers[0]
            self.send_response(code)
            self.send_header("Content-Length", "0")
            self.end_headers()

        def log_message(self, *_: object) -> None:
            pass

    server = ThreadingHTTPServer(("127.0.0.1", port), Handler)
    server.daemon_threads = True
    hook.url = f"http://127.0.0.1:{server.server_address[1]}/hooks/secret-key"
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02})
    thread.start()
    try:
        yield hook
    finally:
        server.shutdown()
        thread.join()
        server.server_close()


def test_a_message_is_the_body_of_a_post() -> None:
    with served(Hook(204)) as hook:
        sink = WebhookSink(hook.url)
        sink.send('{"name": "ü"}')
        sink.close()
    assert hook.bodies == ['{"name": "ü"}']
    assert hook.kinds == {"application/json; charset=utf-8"}
    assert sink.name == "webhook 127.0.0.1"


def test_500_then_200_loses_nothing_and_keeps_the_order(tmp_path: Path) -> None:
    notices: list[str] = []
    with served(Hook(500, 503, 200)) as hook:
        courier = Courier(WebhookSink(hook.url), Outbox(tmp_path / "webhook.queue"), notices.append, first_wait_s=0.01)
        for line in ("one", "two"):
            courier.offer(line)
        until(lambda: courier.delivered == 2)
        courier.close()
    assert hook.bodies == ["one", "one", "one", "two"]
    assert notices == [
        "webhook 127.0.0.1: it answered 500; alerts wait until it works again",
        "webhook 127.0.0.1: works again",
    ]


def test_alerts_survive_an_outage_and_a_restart(tmp_path: Path) -> None:
    notices: list[str] = []
    hook = Hook(200)
    with served(hook):
        port = int(hook.url.rsplit(":", 1)[1].split("/")[0])
    down = Courier(WebhookSink(hook.url, 1.0), Outbox(tmp_path / "webhook.queue"), notices.append, first_wait_s=0.01)
    down.offer('{"n": 1}')
    until(lambda: bool(notices))
    assert down.close(0.1) == 1
    assert "cannot be reached (ConnectError)" in notices[0]
    with served(hook, port):
        again = Courier(WebhookSink(hook.url), Outbox(tmp_path / "webhook.queue"), notices.append)
        assert again.close(60) == 0
    assert hook.bodies == ['{"n": 1}']
    assert "secret" not in "".join(notices)


def test_what_is_refused_for_ever_is_told_from_what_may_work_later() -> None:
    with served(Hook(404, 302, 429, 503)) as hook:
        sink = WebhookSink(hook.url)
        for told in ("404", "302"):
            with pytest.raises(RefusedError, match=told):
                sink.send("{}")
        for code in (429, 503):
            with pytest.raises(ConnectionError, match=str(code)):
                sink.send("{}")
        sink.close()


@pytest.mark.parametrize(
    "url",
    [
        *("ftp://host/x", "host/x", "https://", "/etc/passwd", "http://[::1/x", "http://host:99999/x"),
        *("http://host:0/", "http://host:port/", "http://ho st/", "http://host/\x1b[2J\n"),
    ],
)
def test_other_addresses_are_refused(url: str) -> None:
    with pytest.raises(ConfigError, match="http:// or https://"):
        WebhookSink(url)


@contextmanager
def answering(pieces: Callable[[], Iterator[bytes]]) -> Iterator[tuple[str, list[int]]]:
    """A server that answers each request with these pieces; its address, and how many bytes it could send each time."""
    sent: list[int] = []

    def serve(client: socket.socket) -> None:
        with client, suppress(OSError):
            client.recv(65536)
            sent.append(0)
            for piece in pieces():
                client.sendall(piece)
                sent[-1] += len(piece)

    def accept() -> None:
        with suppress(OSError):
            while True:
                threading.Thread(target=serve, args=(server.accept()[0],), daemon=True).start()

    with socket.create_server(("127.0.0.1", 0)) as server:
        threading.Thread(target=accept, daemon=True).start()
        yield f"http://127.0.0.1:{server.getsockname()[1]}/", sent


@pytest.mark.parametrize("head", [b"", b"Content-Encoding: gzip\r\n"])
def test_of_an_answer_without_end_only_the_status_is_read(head: bytes) -> None:
    def endless() -> Iterator[bytes]:
        yield b"HTTP/1.1 200 OK\r\n" + head + b"Connection: close\r\n\r\n"
        for _ in range(1000):
            yield bytes(2**20)

    with answering(endless) as (url, sent):
        WebhookSink(url).send("{}")
        time.sleep(0.3)
        assert len(sent) == 1
        assert sent[0] < 20 * 2**20  # what the system takes in before the connection is closed


@pytest.mark.parametrize("start", [b"", b"HTTP/1.1 200 OK\r\nX: ", b"HTTP/1.1 100 Continue\r\n\r\n"])
def test_an_answer_that_dribbles_in_has_an_end(start: bytes) -> None:
    def dribbling() -> Iterator[bytes]:
        yield start
        for _ in range(100):
            time.sleep(0.05)
            yield start if b"100" in start else b"x"

    with answering(dribbling) as (url, _):
        began_s = time.monotonic()
        with pytest.raises(ConnectionError, match=r"0\.3 s"):
            WebhookSink(url, timeout_s=0.3).send("{}")
        assert time.monotonic() - began_s < 2


def test_a_body_that_dribbles_in_holds_up_nothing() -> None:
    def dribbling() -> Iterator[bytes]:
        yield b"HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\n"
        for _ in range(100):
            time.sleep(0.1)
            yield b"x"

    with answering(dribbling) as (url, _):
        began_s = time.monotonic()
        WebhookSink(url).send("{}")
        assert time.monotonic() - began_s < 2


def test_proxies_of_the_environment_are_used_as_the_environment_says(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("ALL_PROXY", "HTTP_PROXY", "HTTPS_PROXY", "NO_PROXY"):
        monkeypatch.delenv(name, raising=False)
        monkeypatch.delenv(name.lower(), raising=False)
    with served(Hook(204)) as hook, served(Hook(204)) as proxy:
        proxy_host = proxy.url.removeprefix("http://").partition("/")[0]
        monkeypatch.setenv("HTTP_PROXY", proxy_host)
        WebhookSink(hook.url).send("{}")
        assert (len(hook.bodies), len(proxy.bodies)) == (0, 1)
        monkeypatch.setenv("NO_PROXY", "fe80::/10,::1,127.0.0.0/8,localhost")
        WebhookSink(hook.url).send("{}")
        assert (len(hook.bodies), len(proxy.bodies)) == (1, 1)
        monkeypatch.delenv("NO_PROXY")
        monkeypatch.delenv("HTTP_PROXY")
        monkeypatch.setenv("ALL_PROXY", "socks5://user:secret@127.0.0.1:1080")
        monkeypatch.setitem(sys.modules, "socksio", None)
        with pytest.raises(ConfigError, match=r"proxy \(socks5://\.\.\.,") as told:
            WebhookSink(hook.url)
        assert "secret" not in str(told.value)


def test_without_its_library_one_line_says_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "httpx", None)
    with pytest.raises(ConfigError, match=r'webhook needs httpx.*pip install "crowdad\[alerts\]"'):
        WebhookSink("https://host/x")
