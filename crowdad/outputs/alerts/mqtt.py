"""Alerts to an MQTT broker: TOPIC/events, TOPIC/status, and whether the watch itself lives on TOPIC/available."""

from __future__ import annotations

import json
import threading
from collections import deque
from typing import Any, Self
from urllib.parse import unquote, urlsplit

from crowdad.errors import ConfigError
from crowdad.outputs.alerts._base import Sink, not_installed

__all__ = ["MqttSink"]

_PORTS = {"mqtt": 1883, "mqtts": 8883}
_TIMEOUT_S = 10.0
_KEEP_ALIVE_S = 30
_LOGIN_REFUSED = ("Bad user name or password", "Not authorized")


class MqttSink(Sink):
    """Publishes with QoS 1: the broker has said that it took the message.

    broker: HOST, HOST:PORT, or mqtt(s)://user:password@HOST:PORT.  topic: under which everything is published.
    The last status and `available` are retained; `available` turns to `offline` by itself when the program dies.
    One message is under way at a time, and it is the client alone that sends it again, after a lost connection.
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
        self._news = threading.Condition()
        self._trouble: str | None = f"the broker did not answer within {timeout_s:g} s"
        self._tried = False
        self._under_way: tuple[str, int] | None = None  # line and number of a message that was not taken yet
        self._taken: deque[int] = deque(maxlen=8)
        self._client = Client(CallbackAPIVersion.VERSION2)
        if user is not None:
            self._client.username_pw_set(user, password)
        if scheme == "mqtts":
            self._client.tls_set()
        self._client.will_set(f"{self._topic}/available", "offline", qos=1, retain=True)
        self._client.on_connect = self._connected
        self._client.on_connect_fail = lambda *_: self._tell("the broker cannot be reached")
        self._client.on_disconnect = lambda *_: self._tell(self._trouble or "the broker closed the connection")
        self._client.on_publish = self._published
        self._client.reconnect_delay_set(1, 30)
        self._client.connect_async(host, port, _KEEP_ALIVE_S)
        self._client.loop_start()

    @classmethod
    def at(cls, address: str) -> Self:
        """The sink of one address: the broker's, a slash, and the topic.  Raises ConfigError."""
        scheme, mark, place = address.rpartition("://")
        host, _, topic = place.partition("/")
        if not topic:
            raise ConfigError("the broker's address names no topic; write HOST/crowdad/gate3")
        return cls(f"{scheme}{mark}{host}", topic)

    def send(self, line: str) -> None:
        if self._under_way is None or self._under_way[0] != line:
            with self._news:
                self._news.wait_for(lambda: self._tried, self._timeout_s)
                if self._trouble is not None:
                    raise ConnectionError(self._trouble)
            status = json.loads(line)["type"] == "status"
            self._under_way = line, self._publish("status" if status else "events", line, retain=status)
        self._wait_for(self._under_way[1])
        self._under_way = None

    def close(self) -> None:
        if self._trouble is None:
            self._wait_for(self._publish("available", "offline", retain=True))
        self._client.disconnect()
        self._client.loop_stop()

    def _publish(self, place: str, text: str, *, retain: bool) -> int:
        return self._client.publish(f"{self._topic}/{place}", text, qos=1, retain=retain).mid

    def _wait_for(self, number: int) -> None:
        with self._news:
            if not self._news.wait_for(lambda: number in self._taken, self._timeout_s):
                raise ConnectionError(self._trouble or "the broker did not take an alert in time")

    def _connected(self, client: Any, _data: Any, _flags: Any, reason: Any, _properties: Any) -> None:
        if reason.is_failure:
            what = "login" if str(reason) in _LOGIN_REFUSED else "connection"
            self._tell(f"the broker refuses the {what} ({reason})")
        else:
            # Not QoS 1: those that a broker never takes would gather, one for each connection.
            client.publish(f"{self._topic}/available", "online", qos=0, retain=True)
            self._tell(None)

    def _published(self, _client: Any, _data: Any, number: int, *_: Any) -> None:
        with self._news:
            self._taken.append(number)
            self._news.notify_all()

    def _tell(self, trouble: str | None) -> None:
        with self._news:
            self._trouble = trouble
            self._tried = True
            self._news.notify_all()


def _parts(broker: str) -> tuple[str, str, int, str | None, str | None]:
    """Scheme, host, port, user and password.  Raises ConfigError."""
    try:
        parts = urlsplit(broker if "://" in broker else f"mqtt://{broker}")
        port = parts.port
        (parts.hostname or "").encode("idna")
    except ValueError:
        port, parts = None, urlsplit("")
    if parts.scheme not in _PORTS or not parts.hostname:
        raise ConfigError("the broker is no address; write --mqtt HOST, HOST:PORT or mqtts://user:password@HOST")
    user = None if parts.username is None else unquote(parts.username)
    password = None if parts.password is None else unquote(parts.password)
    return parts.scheme, parts.hostname, port or _PORTS[parts.scheme], user, password
