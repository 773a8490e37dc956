"""What is told of a camera can be read back, says no secret, and is described in docs/."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from pydantic import ValidationError

from crowdad.errors import OutputNotReadableError
from crowdad.outputs.alerts import EventMessage, StatusMessage, clock_of, message_line, read_messages
from crowdad.outputs.alerts.messages import messages_schema

ROOT = Path(__file__).parents[3]
STATUS = StatusMessage(run="r", camera="rtsp://host/live", state="online", wall_clock=clock_of(0))
EVENT = EventMessage(
    type="new",
    id="r-1",
    run="r",
    camera="rtsp://host/live",
    start_s=1.0,
    time_s=1.5,
    start_at=clock_of(1.0),
    wall_clock=clock_of(1.5),
    peak_s=1.25,
    peak_anomaly=0.75,
    box_xyxy=(0, 1, 2.04, 3),
    now_xyxy=(0, 1, 2, 3),
    latency_s=0.25,
    since_start_s=0.75,
)


def test_a_line_is_one_line_and_reads_back(tmp_path: Path) -> None:
    path = tmp_path / "events.jsonl"
    path.write_text("".join(message_line(message) + "\n" for message in (STATUS, EVENT)), encoding="utf-8")
    assert list(read_messages(path)) == [STATUS, EVENT.model_copy(update={"box_xyxy": (0, 1, 2.0, 3)})]
    first = json.loads(path.read_text().splitlines()[1])
    assert list(first)[:3] == ["type", "run", "camera"]
    assert first["box_xyxy"] == [0, 1, 2.0, 3]
    assert "\n" not in message_line(STATUS.model_copy(update={"reason": "a\nb"}))


def test_the_login_of_a_camera_is_not_told() -> None:
    told = StatusMessage(
        run="r",
        camera="rtsp://user:secret@host/live",
        state="offline",
        wall_clock=clock_of(0),
        reason="rtsp://user:secret@host/live?token=secret: timed out",
    )
    assert "secret" not in message_line(told)
    assert "rtsp://host" in message_line(told)


def test_times_are_iso_8601_in_utc() -> None:
    assert clock_of(1_700_000_000.1239) == "2023-11-14T22:13:20.123Z"


def test_impossible_messages_are_refused() -> None:
    for wrong in ({"type": "status"}, {"peak_anomaly": 2.0}, {"start_s": -1.0}, {"colour": "red"}):
        with pytest.raises(ValidationError):
            EventMessage.model_validate({**EVENT.model_dump(), **wrong})


@pytest.mark.parametrize("text", ["{}\n", "no json\n", '{"type": "new"}\n'])
def test_what_is_no_message_is_told_with_its_line(text: str, tmp_path: Path) -> None:
    path = tmp_path / "events.jsonl"
    path.write_text(message_line(STATUS) + "\n" + text)
    with pytest.raises(OutputNotReadableError, match="line 2 "):
        list(read_messages(path))
    with pytest.raises(OutputNotReadableError, match="cannot be read"):
        list(read_messages(tmp_path / "nothing.jsonl"))


def test_a_line_that_is_being_written_does_not_count_yet(tmp_path: Path) -> None:
    path = tmp_path / "events.jsonl"
    lost = StatusMessage(run="r", camera="rtsp://host/live", state="offline", wall_clock=clock_of(0), reason="ü")
    content = f"{message_line(STATUS)}\n{message_line(lost)}\n".encode()
    for written in range(len(message_line(STATUS)) + 1, len(content)):
        path.write_bytes(content[:written])
        assert list(read_messages(path)) == [STATUS]
    path.write_bytes(content)
    assert list(read_messages(path)) == [STATUS, lost]


def test_the_schema_in_docs_is_current() -> None:
    assert (ROOT / "docs" / "events.schema.json").read_text(encoding="utf-8") == messages_schema()
