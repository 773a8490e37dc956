"""Alerts reach a web server as JSON; what it answers decides what becomes of them."""

from __future__ import annotations

import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
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
    down.offer("one")
    until(lambda: bool(notices))
    assert down.close(0.1) == 1
    assert "cannot be reached (ConnectError)" in notices[0]
    with served(hook, port):
        again = Courier(WebhookSink(hook.url), Outbox(tmp_path / "webhook.queue"), notices.append)
        assert again.close(60) == 0
    assert hook.bodies == ["one"]
    assert "secret" not in "".join(notices)


def test_what_is_refused_for_ever_is_told_from_what_may_work_later() -> None:
    with served(Hook(404, 429, 302)) as hook:
        sink = WebhookSink(hook.url)
        with pytest.raises(RefusedError, match="it answered 404"):
            sink.send("{}")
        for code in (429, 302):
            with pytest.raises(ConnectionError, match=f"it answered {code}"):
                sink.send("{}")
        sink.close()


@pytest.mark.parametrize("url", ["ftp://host/x", "host/x", "https://", "/etc/passwd"])
def test_other_addresses_are_refused(url: str) -> None:
    with pytest.raises(ConfigError, match="no http:// or https:// address"):
        WebhookSink(url)


def test_without_its_library_one_line_says_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "httpx", None)
    with pytest.raises(ConfigError, match=r'--webhook needs httpx.*pip install "crowdad\[alerts\]"'):
        WebhookSink("https://host/x")
