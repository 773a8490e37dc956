"""`crowdad watch --page`: what is told of the page, and what is refused before anything is watched."""

from __future__ import annotations

import http.client
import re
import socket
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from crowdad import workflows
from crowdad.cli import main
from tests.page.made_up import change, status, update

CAMERA = "rtsp://admin:s3cret@10.0.0.9/live"


def run(*arguments: object) -> int:
    with pytest.raises(SystemExit) as leaving:
        main([str(argument) for argument in arguments])
    return int(leaving.value.code or 0)


@pytest.fixture
def seen(monkeypatch: pytest.MonkeyPatch) -> list[tuple[int, str]]:
    """Status and text of the page, as a browser without a token gets it while the camera is watched."""
    found: list[tuple[int, str]] = []

    def watch(_camera: str, _options: object, **hooks: Callable[[Any], None]) -> object:
        hooks["on_update"](update(1))
        hooks["on_change"](change("new", 1, 1, 1))
        hooks["on_status"](status())
        connection = http.client.HTTPConnection("127.0.0.1", PORT, timeout=10)
        connection.request("GET", "/")
        answer = connection.getresponse()
        found.append((answer.status, answer.read().decode()))
        connection.close()
        return status()

    monkeypatch.setattr(workflows, "watch", watch)
    return found


def free_port() -> int:
    with socket.socket() as held:
        held.bind(("127.0.0.1", 0))
        return int(held.getsockname()[1])


PORT = free_port()


@pytest.fixture(autouse=True)
def own_port(monkeypatch: pytest.MonkeyPatch) -> None:
    """Other tests that run at the same time may have taken the one that was free when this file was read."""
    monkeypatch.setattr(sys.modules[__name__], "PORT", free_port())


def test_the_page_is_there_while_the_camera_is_watched(
    seen: list[tuple[int, str]], capsys: pytest.CaptureFixture[str]
) -> None:
    assert run("watch", CAMERA, "--page", PORT) == 0
    shown = capsys.readouterr().out
    assert f"live page: http://127.0.0.1:{PORT}/\n" in shown
    assert "event 1 new" in shown
    ((answer, text),) = seen
    assert answer == 200
    assert "rtsp://10.0.0.9" in text
    assert "s3cret" not in text
    with pytest.raises(OSError, match="refused"):
        socket.create_connection(("127.0.0.1", PORT))


def test_a_made_up_token_is_told_also_where_all_else_is_not(
    seen: list[tuple[int, str]], capsys: pytest.CaptureFixture[str]
) -> None:
    assert run("watch", CAMERA, "--page", f"0.0.0.0:{PORT}", "--quiet") == 0
    assert re.fullmatch(rf"live page: http://\S+:{PORT}/\?token=[\w-]{{22}}\n", capsys.readouterr().out)
    assert [answer for answer, _ in seen] == [401]
    assert run("watch", CAMERA, "--page", f"0.0.0.0:{PORT}", "--page-token", "correct-horse", "--quiet") == 0
    assert capsys.readouterr().out == ""


def test_secrets_come_from_files_and_the_environment_and_are_not_told(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    given: list[object] = []

    def watch(camera: str, options: workflows.WatchOptions, **_: object) -> object:
        given.extend((camera, options.alerts.webhook, options.alerts.mqtt))
        return status()

    monkeypatch.setattr(workflows, "watch", watch)
    url, hook, broker = "rtsp://a:hush@camera/1", "https://hook/hush", "mqtts://me:hush@broker"
    for name, secret in (("camera", url), ("broker", broker), ("token", "hush-hush-hush")):
        (tmp_path / name).write_text(f"{secret}\n")
    monkeypatch.setenv("CROWDAD_WEBHOOK", hook)
    alerts = ("--mqtt", f"@{tmp_path}/broker", "--topic", "t")
    page = ("--page", PORT, "--page-token", f"@{tmp_path}/token")
    assert run("watch", f"@{tmp_path}/camera", *alerts, *page) == 0
    for name, secret in (("CAMERA", url), ("MQTT", broker), ("PAGE_TOKEN", "hush-hush-hush")):
        monkeypatch.setenv(f"CROWDAD_{name}", secret)
    assert run("watch", "--topic", "t", "--page", PORT) == 0
    assert given == [url, hook, broker] * 2
    shown = capsys.readouterr()
    assert f"live page: http://127.0.0.1:{PORT}/?token=...\n" in shown.out
    assert "hush" not in shown.out + shown.err
    (tmp_path / "empty").write_text("\n")
    for file, told in (("gone", "No such file"), ("empty", "must hold one line"), ("", "Is a directory")):
        assert run("watch", f"@{tmp_path}/{file}") == 2
        assert told in capsys.readouterr().err


@pytest.mark.parametrize(
    ("options", "code", "told"),
    [
        (("--page", "eighty"), 2, "'eighty' is no address"),
        (("--page-token", "correct-horse"), 2, "--page-token was given without --page"),
        (("--page", "8080", "--page-token", "horse"), 2, "8 signs or more"),
        (("--page", "192.0.2.1:8080"), 1, "not to be had"),
    ],
)
def test_what_cannot_be_served_is_one_line(
    options: tuple[str, ...],
    code: int,
    told: str,
    seen: list[tuple[int, str]],
    capsys: pytest.CaptureFixture[str],
) -> None:
    assert run("watch", CAMERA, *options) == code
    error = capsys.readouterr().err
    assert told in error
    assert error.count("\n") == 1
    assert seen == []


def test_a_port_that_is_taken_is_one_line(seen: list[tuple[int, str]], capsys: pytest.CaptureFixture[str]) -> None:
    with socket.create_server(("127.0.0.1", 0)) as other:
        port = other.getsockname()[1]
        assert run("watch", CAMERA, "--page", port) == 1
    assert f"page 127.0.0.1:{port}: the address is taken by another program" in capsys.readouterr().err
    assert seen == []
