"""Alerts reach a real broker, also after it was down, and it says when the watch has died."""

from __future__ import annotations

import shutil
import socket
import subprocess
import sys
import threading
import time
from collections import Counter
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

import pytest

from crowdad.errors import ConfigError
from crowdad.outputs.alerts import Courier, MqttSink, Outbox
from crowdad.outputs.alerts.mqtt import _parts
from tests.outputs.alerts.test_courier import until

MOSQUITTO = shutil.which("mosquitto") or shutil.which("mosquitto", path="/usr/sbin:/usr/local/sbin")
needs_broker = pytest.mark.skipif(MOSQUITTO is None, reason="no mosquitto here; Debian's package has it")

EVENT = '{"type": "new", "id": "r-1"}'
STATUS = '{"type": "status", "state": "online"}'


class Broker:
    """mosquitto on a port of its own, to be stopped and started again."""

    def __init__(self, folder: Path) -> None:
        with socket.socket() as free:
            free.bind(("127.0.0.1", 0))
            self.port = free.getsockname()[1]
        self._config = folder / "mosquitto.conf"
        self._config.write_text(f"listener {self.port} 127.0.0.1\nallow_anonymous true\n")
        self._process: subprocess.Popen[bytes] | None = None

    def start(self) -> None:
        command = [str(MOSQUITTO), "-c", str(self._config)]
        self._process = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)

        def answers() -> bool:
            with socket.socket() as probe:
                return probe.connect_ex(("127.0.0.1", self.port)) == 0

        until(answers)

    def stop(self) -> None:
        if self._process is not None:
            self._process.kill()
            self._process.wait()
            self._process = None


class Listener:
    """What everybody can read on the broker."""

    def __init__(self, port: int) -> None:
        from paho.mqtt.client import Client
        from paho.mqtt.enums import CallbackAPIVersion

        self.heard: list[tuple[str, str]] = []
        self._client = Client(CallbackAPIVersion.VERSION2)
        self._client.on_message = lambda _client, _data, message: self.heard.append(
            (message.topic, message.payload.decode())
        )
        self._client.on_connect = lambda client, *_: client.subscribe("#", qos=1)
        self._client.connect("127.0.0.1", port)
        self._client.loop_start()

    def close(self) -> None:
        self._client.disconnect()
        self._client.loop_stop()


@pytest.fixture
def broker(tmp_path: Path) -> Iterator[Broker]:
    broker = Broker(tmp_path)
    broker.start()
    yield broker
    broker.stop()


@needs_broker
def test_events_and_status_have_their_topics_and_the_end_is_told(broker: Broker) -> None:
    listener = Listener(broker.port)
    courier = Courier(MqttSink(f"127.0.0.1:{broker.port}", "crowdad/gate3/"), Outbox(), print, first_wait_s=0.05)
    courier.offer(STATUS)
    courier.offer(EVENT)
    until(lambda: courier.delivered == 2)
    courier.close()
    until(lambda: ("crowdad/gate3/available", "offline") in listener.heard)
    assert ("crowdad/gate3/available", "online") in listener.heard
    assert ("crowdad/gate3/status", STATUS) in listener.heard
    assert ("crowdad/gate3/events", EVENT) in listener.heard
    listener.close()
    late = Listener(broker.port)
    until(lambda: len(late.heard) == 2)
    assert set(late.heard) == {("crowdad/gate3/available", "offline"), ("crowdad/gate3/status", STATUS)}
    late.close()


@needs_broker
def test_a_broker_that_is_down_for_a_while_loses_nothing(broker: Broker) -> None:
    notices: list[str] = []
    sink = MqttSink(f"127.0.0.1:{broker.port}", "t", timeout_s=1.0)
    courier = Courier(sink, Outbox(), notices.append, first_wait_s=0.1, longest_wait_s=0.5)
    courier.offer('{"type": "new", "id": "0"}')
    until(lambda: courier.delivered == 1)
    broker.stop()
    for number in range(1, 4):
        courier.offer(f'{{"type": "new", "id": "{number}"}}')
    until(lambda: bool(notices))
    broker.start()
    listener = Listener(broker.port)
    until(lambda: courier.delivered == 4, 60)
    missed = {("t/events", f'{{"type": "new", "id": "{number}"}}') for number in range(1, 4)}
    until(lambda: missed <= set(listener.heard))
    courier.close()
    listener.close()
    assert notices[0].startswith("mqtt 127.0.0.1: the broker")
    assert notices[-1] == "mqtt 127.0.0.1: works again"


_WATCH = """
import sys, time
from crowdad.outputs.alerts import MqttSink
sink = MqttSink(sys.argv[1], "t")
while True:
    try:
        sink.send('{"type": "new"}')
        break
    except ConnectionError:
        time.sleep(0.05)
print("sent", flush=True)
time.sleep(60)
"""


@needs_broker
def test_the_broker_says_when_the_program_was_killed(broker: Broker) -> None:
    listener = Listener(broker.port)
    with subprocess.Popen(
        [sys.executable, "-c", _WATCH, f"127.0.0.1:{broker.port}"], stdout=subprocess.PIPE
    ) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == b"sent\n"
        process.kill()
    until(lambda: ("t/available", "offline") in listener.heard)
    listener.close()


class SlowBroker:
    """Answers CONNECT with a code after a while, and takes events only once it is told to.  events: how often each."""

    def __init__(self, code: int = 0, after_s: float = 0.0, takes: bool = True) -> None:
        self.events: Counter[bytes] = Counter()
        self.takes = threading.Event()
        if takes:
            self.takes.set()
        self._code, self._after_s = code, after_s
        self._server = socket.create_server(("127.0.0.1", 0))
        self.address = f"127.0.0.1:{self._server.getsockname()[1]}"
        threading.Thread(target=self._work, daemon=True).start()

    def _work(self) -> None:
        with suppress(OSError):
            while True:
                client = self._server.accept()[0]
                threading.Thread(target=self._serve, args=(client,), daemon=True).start()

    def _serve(self, client: socket.socket) -> None:
        with client, client.makefile("rb") as packets:
            while head := packets.read(1):
                length = shift = 0
                while True:
                    byte = packets.read(1)[0]
                    length |= (byte & 127) << shift
                    shift += 7
                    if byte < 128:
                        break
                body = packets.read(length)
                if head[0] == 0x10:
                    time.sleep(self._after_s)
                    client.sendall(bytes((0x20, 2, 0, self._code)))
                elif head[0] & 0xF6 == 0x32:
                    end = 2 + int.from_bytes(body[:2], "big")
                    if body[2:end] == b"t/events":
                        self.events[body[end + 2 :]] += 1
                    self.takes.wait(10)
                    client.sendall(b"\x40\x02" + body[end : end + 2])

    def close(self) -> None:
        self._server.close()


def test_an_alert_that_is_not_taken_for_long_is_sent_once() -> None:
    broker, notices = SlowBroker(takes=False), list[str]()
    sink = MqttSink(broker.address, "t", timeout_s=0.1)
    courier = Courier(sink, Outbox(), notices.append, first_wait_s=0.01, longest_wait_s=0.02)
    courier.offer(EVENT)
    until(lambda: bool(notices))
    time.sleep(0.6)
    broker.takes.set()
    until(lambda: courier.delivered == 1)
    courier.close()
    broker.close()
    assert broker.events == {EVENT.encode(): 1}
    assert notices == [
        "mqtt 127.0.0.1: the broker did not take an alert in time; alerts wait until it works again",
        "mqtt 127.0.0.1: works again",
    ]


def test_a_broker_that_takes_its_time_is_not_said_to_be_out_of_reach() -> None:
    broker, notices = SlowBroker(after_s=0.3), list[str]()
    courier = Courier(MqttSink(broker.address, "t"), Outbox(), notices.append)
    courier.offer(EVENT)
    until(lambda: courier.delivered == 1)
    courier.close()
    broker.close()
    assert notices == []


@pytest.mark.parametrize(
    ("code", "told"),
    [
        (4, "refuses the login (Bad user name or password)"),
        (5, "refuses the login (Not authorized)"),
        (3, "refuses the connection (Server unavailable)"),
    ],
)
def test_a_refusal_is_told_as_what_it_is(code: int, told: str) -> None:
    broker, notices = SlowBroker(code), list[str]()
    courier = Courier(MqttSink(f"mqtt://me:wrong@{broker.address}", "t"), Outbox(), notices.append)
    courier.offer(EVENT)
    until(lambda: bool(notices))
    assert courier.close(0.2) == 1
    broker.close()
    assert notices == [f"mqtt 127.0.0.1: the broker {told}; alerts wait until it works again"]


def test_no_broker_is_no_hindrance(tmp_path: Path) -> None:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    began_s = time.monotonic()
    notices: list[str] = []
    courier = Courier(MqttSink(f"127.0.0.1:{port}", "t"), Outbox(tmp_path / "mqtt.queue"), notices.append)
    courier.offer(EVENT)
    until(lambda: bool(notices))
    assert courier.close(0.5) == 1
    assert time.monotonic() - began_s < 60
    assert notices == ["mqtt 127.0.0.1: the broker cannot be reached; alerts wait until it works again"]


def test_addresses_of_brokers() -> None:
    assert _parts("broker") == ("mqtt", "broker", 1883, None, None)
    assert _parts("broker:99") == ("mqtt", "broker", 99, None, None)
    assert _parts("mqtts://me:p%40ss@broker") == ("mqtts", "broker", 8883, "me", "p@ss")
    for wrong in ("", "http://broker", "broker:port", "mqtt://", "broker:99999", "mqtt://[::1", "a" * 300):
        with pytest.raises(ConfigError, match="broker"):
            _parts(wrong)
    for topic in ("", "a/#", "+/b"):
        with pytest.raises(ConfigError, match="topic"):
            MqttSink("broker", topic)


def test_one_address_names_broker_and_topic(monkeypatch: pytest.MonkeyPatch) -> None:
    made: list[tuple[str, str]] = []
    monkeypatch.setattr(MqttSink, "__init__", lambda _self, broker, topic: made.append((broker, topic)))
    MqttSink.at("broker:99/crowdad/gate3")
    MqttSink.at("mqtts://me:p%2Fss@broker/t")
    assert made == [("broker:99", "crowdad/gate3"), ("mqtts://me:p%2Fss@broker", "t")]
    for wrong in ("broker", "mqtt://broker", "mqtt://broker/"):
        with pytest.raises(ConfigError, match="topic"):
            MqttSink.at(wrong)


def test_without_its_library_one_line_says_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in [name for name in sys.modules if name.startswith("paho")]:
        monkeypatch.delitem(sys.modules, name)
    monkeypatch.setitem(sys.modules, "paho", None)
    with pytest.raises(ConfigError, match=r'mqtt needs paho-mqtt.*pip install "crowdad\[alerts\]"'):
        MqttSink("broker", "t")
