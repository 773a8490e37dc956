"""Alerts to an MQTT broker: TOPIC/events, TOPIC/status, and whether the watch itself lives on TOPIC/available."""

from __future__ import annotations

import json
from typing import Any
from urllib.parse import unquote, urlsplit

from crowdad.errors import ConfigError
from crowdad.outputs.alerts._base import Sink, not_installed

__all__ = ["MqttSink"]

_PORTS = {"mqtt": 1883, "mqtts": 8883}
_TIMEOUT_S = 10.0
_KEEP_ALIVE_S = 30


class MqttSink(Sink):
    """Publishes with QoS 1: the broker has said that it took the message.

    broker: HOST, HOST:PORT, or mqtt(s)://user:password@HOST:PORT.  topic: under which everything is published.
    The last status and `available` are retained; `available` turns to `offline` by itself when the program dies.
    Raises ConfigError for another kind of address or a topic that cannot be published to, or where paho-mqtt is not
    installed.
    """

    def __init__(self, broker: str, topic: str, timeout_s: float = _TIMEOUT_S) -> None:
        try:
            from paho.mqtt.client import Client
            from paho.mqtt.enums import CallbackAPIVersion
        except ImportError:
            raise not_installed("paho-mqtt", "--mqtt") from None
        if not topic or set("+#\0") & set(topic):
            raise ConfigError(f"{topic!r} is no topic to publish to; write --topic crowdad/gate3, without + and #")
        scheme, host, port, user, password = _parts(broker)
        self.name = f"mqtt {host}"
        self._topic = topic.rstrip("/")
        self._timeout_s = timeout_s
        self._client = Client(CallbackAPIVersion.VERSION2)
        if user is not None:
            self._client.username_pw_set(user, password)
        if scheme == "mqtts":
            self._client.tls_set()
        self._client.will_set(f"{self._topic}/available", "offline", qos=1, retain=True)
        self._client.on_connect = self._greet
        self._client.reconnect_delay_set(1, 30)
        self._client.connect_async(host, port, _KEEP_ALIVE_S)
        self._client.loop_start()

    def send(self, line: str) -> None:
        if not self._client.is_connected():
            raise ConnectionError("the broker cannot be reached")
        status = json.loads(line)["type"] == "status"
        self._publish("status" if status else "events", line, retain=status)

    def close(self) -> None:
        if self._client.is_connected():
            self._publish("available", "offline", retain=True)
        self._client.disconnect()
        self._client.loop_stop()

    def _publish(self, place: str, text: str, *, retain: bool) -> None:
        sent = self._client.publish(f"{self._topic}/{place}", text, qos=1, retain=retain)
        sent.wait_for_publish(self._timeout_s)
        if not sent.is_published():
            raise ConnectionError("the broker did not take an alert in time")

    def _greet(self, client: Any, _data: Any, _flags: Any, reason: Any, _properties: Any) -> None:
        if not reason.is_failure:
            client.publish(f"{self._topic}/available", "online", qos=1, retain=True)


def _parts(broker: str) -> tuple[str, str, int, str | None, str | None]:
    """Scheme, host, port, user and password.  Raises ConfigError."""
    try:
        parts = urlsplit(broker if "://" in broker else f"mqtt://{broker}")
        port = parts.port
    except ValueError:
        port, parts = None, urlsplit("")
    if parts.scheme not in _PORTS or not parts.hostname:
        raise ConfigError("the broker is no address; write --mqtt HOST, HOST:PORT or mqtts://user:password@HOST")
    user = None if parts.username is None else unquote(parts.username)
    password = None if parts.password is None else unquote(parts.password)
    return parts.scheme, parts.hostname, port or _PORTS[parts.scheme], user, password
