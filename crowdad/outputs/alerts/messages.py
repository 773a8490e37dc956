"""What is told of a watched camera, as checked models; docs/watching.md describes each field."""

from __future__ import annotations

import json
import os
from collections.abc import Iterator
from datetime import UTC, datetime
from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field, TypeAdapter, ValidationError

from crowdad.errors import OutputNotReadableError
from crowdad.files import MB, text_lines
from crowdad.outputs.results import Anomaly, Pixels, Seconds, Text

__all__ = ["EventMessage", "Message", "StatusMessage", "clock_of", "message_line", "messages_schema", "read_messages"]

_MOST_BYTES = 4096 * MB

Clock = Annotated[str, Field(description="ISO 8601 in UTC, milliseconds")]
BoxPx = tuple[Pixels, Pixels, Pixels, Pixels]


class _Message(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)

    run: Text = Field(description="of the program's start that wrote it")
    camera: Text = Field(description="address without its login")


class EventMessage(_Message):
    """Something unusual begins, goes on or has ended."""

    type: Literal["new", "update", "end"]
    id: Text = Field(description="the same in all messages of one event")
    start_s: Seconds = Field(description="first frame of the event, seconds since the first frame of the run")
    time_s: Seconds = Field(description="the frame at which this is told")
    end_s: Seconds | None = Field(default=None, description="end of its last frame; null while it lasts")
    start_at: Clock
    wall_clock: Clock = Field(description="when the frame of time_s was taken")
    peak_s: Seconds
    peak_anomaly: Anomaly = Field(description="largest so far; 0.5 is the threshold")
    box_xyxy: BoxPx = Field(description="at the peak, pixels of the displayed picture")
    now_xyxy: BoxPx = Field(description="where it was last seen")
    kind: Text = Field(default="", description="what such an event is called, as far as is known")
    sentence: Text = Field(default="", description="what is unusual: how fast, and which way")
    latency_s: Seconds = Field(description="from taking the frame of time_s to telling")
    since_start_s: Seconds = Field(description="from taking the event's first frame to telling")
    merged_into: Text | None = Field(default=None, description="id of the event that it turned out to be a part of")
    clip: Text | None = Field(default=None, description="file of the clip in the run's folder, where clips are saved")
    clip_at_s: Seconds | None = Field(default=None, description="seconds into the clip at which the event begins")


class StatusMessage(_Message):
    """The camera is found or lost, or its watch begins or ends."""

    type: Literal["status"] = "status"
    state: Literal["online", "offline"]
    wall_clock: Clock
    reason: Text = ""


Message = Annotated[EventMessage | StatusMessage, Field(discriminator="type")]
_MESSAGE: TypeAdapter[EventMessage | StatusMessage] = TypeAdapter(Message)


def clock_of(unix_s: float) -> str:
    """Unix time as ISO 8601 in UTC."""
    return datetime.fromtimestamp(unix_s, UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")


def message_line(message: EventMessage | StatusMessage) -> str:
    """The message as one line of JSON, `type` first, without a line break at its end."""
    known = message.model_dump(mode="json")
    return json.dumps({"type": known.pop("type"), **known}, ensure_ascii=False, allow_nan=False)


def read_messages(path: str | os.PathLike[str]) -> Iterator[EventMessage | StatusMessage]:
    """The messages of an events.jsonl, also of one that is being written: a line counts once its line break is there.

    Raises OutputNotReadableError for what is none.
    """
    number = 0
    try:
        for line in text_lines(path, _MOST_BYTES, MB):
            number += 1
            yield _MESSAGE.validate_json(line)
    except ValidationError as error:
        what = error.errors()[0]["msg"]
        raise OutputNotReadableError(f"{path}: line {number} is no message of crowdad watch ({what})") from error
    except ValueError as error:
        raise OutputNotReadableError(f"{path}: line {number + 1} is none of crowdad watch ({error})") from error
    except OSError as error:
        raise OutputNotReadableError(f"{path}: cannot be read ({error}); give the folder of a watch") from error


def messages_schema() -> str:
    """The JSON Schema of a line of events.jsonl, as it is committed in docs/events.schema.json."""
    schema = {"$schema": "https://json-schema.org/draft/2020-12/schema", **_MESSAGE.json_schema()}
    return json.dumps(schema, indent=2, ensure_ascii=False) + "\n"
