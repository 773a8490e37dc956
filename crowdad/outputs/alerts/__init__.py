"""Where a watched camera's events go: a file, a webhook, an MQTT broker.  One file for each kind of sink.

A sink delivers one message or raises; a `Courier` keeps what waits and tries again, in a thread of its own.
A new kind is one file with a subclass of `Sink` and one line in `SINKS`.
"""

from collections.abc import Callable

from crowdad.outputs.alerts._base import RefusedError, Sink
from crowdad.outputs.alerts.courier import Courier
from crowdad.outputs.alerts.events_file import EventsFile
from crowdad.outputs.alerts.messages import EventMessage, Message, StatusMessage, clock_of, message_line, read_messages
from crowdad.outputs.alerts.mqtt import MqttSink
from crowdad.outputs.alerts.outbox import Outbox
from crowdad.outputs.alerts.webhook import WebhookSink

__all__ = [
    "SINKS",
    "Courier",
    "EventMessage",
    "EventsFile",
    "Message",
    "MqttSink",
    "Outbox",
    "RefusedError",
    "Sink",
    "StatusMessage",
    "WebhookSink",
    "clock_of",
    "message_line",
    "read_messages",
]

SINKS: dict[str, Callable[[str], Sink]] = {
    "webhook": WebhookSink,
    "mqtt": MqttSink.at,
}
"""Name -> what makes the sink of an address; raises ConfigError for an address that cannot be one."""
