"""results.json: everything that is known of a run, as a checked model whose JSON Schema is docs/results.schema.json."""

from __future__ import annotations

import json
import os
import re
from collections.abc import Iterable, Mapping
from datetime import datetime, timedelta
from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import AfterValidator, BaseModel, BeforeValidator, ConfigDict, Field, JsonValue, ValidationError

from crowdad.errors import OutputNotReadableError
from crowdad.files import MB, parse_json, read_bytes
from crowdad.records import Box, Event
from crowdad.wording import some_of, without_login

__all__ = [
    "SCHEMA_VERSION",
    "CameraRecord",
    "CountsRecord",
    "EventRecord",
    "ModelRecord",
    "RunResults",
    "SkipRecord",
    "SourceRecord",
    "ThresholdRecord",
    "TimingRecord",
    "event_records",
    "parse_results",
    "read_results",
    "results_schema",
    "write_results",
]

MOST_RESULTS_BYTES = 256 * MB
"""Of a results.json that is read; those of a day of crowds have a few."""

SCHEMA_VERSION: Literal[1] = 1
_LEAST_TOLD = 0.05  # times that a moment stands out


def _printable(text: Any) -> Any:
    # File names may hold bytes that are no characters (lone surrogates in Python); JSON cannot.
    if isinstance(text, str):
        return without_login(text).encode("utf-8", "backslashreplace").decode()
    if isinstance(text, dict):
        return {_printable(key): _printable(value) for key, value in text.items()}
    if isinstance(text, list | tuple):
        return [_printable(value) for value in text]
    return text


def _rounded(digits: int) -> AfterValidator:
    return AfterValidator(lambda number: round(number, digits))


Text = Annotated[str, BeforeValidator(_printable)]
Settings = Annotated[dict[str, JsonValue], BeforeValidator(_printable)]
Seconds = Annotated[float, _rounded(3), Field(ge=0, le=1e15, allow_inf_nan=False)]
Pixels = Annotated[float, _rounded(1), Field(allow_inf_nan=False)]
Number = Annotated[float, _rounded(6), Field(allow_inf_nan=False)]
Anomaly = Annotated[float, _rounded(4), Field(ge=0, le=1)]
Count = Annotated[int, Field(ge=0)]
Sha256 = Annotated[str, Field(pattern="^[0-9a-f]{64}$")]


class _Record(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class SourceRecord(_Record):
    """The footage."""

    name: Text = Field(description="file, folder or address as the user named it, without any password")
    size_bytes: Count | None = None
    sha256: Sha256 | None = Field(default=None, description="of the file; null for what is not a single file")
    size_hw: tuple[Count, Count] = Field(description="height and width of the displayed picture, pixels")
    fps: Number = Field(gt=0, le=1e6, description="frames a second, average")
    frames: Count = Field(description="frames of the footage that were decoded")
    duration_s: Seconds
    recorded_at: Text | None = Field(default=None, description="wall clock of the first frame, ISO 8601")


class CameraRecord(_Record):
    """Whether the footage is of the camera that the model was fitted on."""

    verdict: Literal["same", "another light", "moved", "another camera", "unsure"]
    certainty: Anomaly = Field(description="of the verdict; 0.5 is a guess, 1 is sure")
    detail: Text


class ModelRecord(_Record):
    """What scored the footage."""

    name: Text = Field(description="empty where nothing was learned")
    sha256: Sha256 | None = Field(description="of the file; null where nothing was learned")
    fitted: Literal["one-class", "unlabelled", "self-fitted", "nothing"] = Field(
        description="on normal footage, on footage that may hold anomalies, on the scored footage itself, or nothing: "
        "too little moves in it to be learned from"
    )
    fit_sources: list[Text] = Field(default_factory=list)
    scale: Settings = Field(
        default_factory=dict,
        description="measured when fitted: person height, walking speed, perspective; certainty of the height (sure, "
        "unsure, given) and why",
    )
    streams: list[Text] = Field(default_factory=list, description="kinds of evidence that it looks for")
    streams_off: list[Text] = Field(
        default_factory=list,
        description="those that its footage was too short or too empty for, or that know another view",
    )
    kinds_off: list[Text] = Field(
        default_factory=list, description="kinds of events that nothing looked for, as the evidence for them is off"
    )
    camera: CameraRecord | None = Field(
        default=None, description="the footage's view against the model's; null where they could not be compared"
    )

    @property
    def not_looked_for(self) -> str:
        """Some of the kinds of events that could not be told, and why; empty where all could."""
        if not self.kinds_off:
            return ""
        elsewhere = self.camera is not None and self.camera.verdict in ("moved", "another camera")
        why = "the camera's view is not the model's" if elsewhere else "the model's footage was too short or too empty"
        return f"{some_of(self.kinds_off)} ({why})"


class ThresholdRecord(_Record):
    """Where normal ends."""

    raw: Number = Field(description="the threshold before calibration; anomaly 0.5 in every other field")
    grade: Literal["alarms", "ranked", "none"] = Field(
        default="alarms",
        description="alarms: events pass an alarm level; ranked: the clip is too short for one, and events are moments "
        "that stand out clearly from the rest of it; none: so little moves that nothing could be compared",
    )
    chosen_by: Text = Field(description="how the threshold was chosen")
    false_alarms_per_hour: Number | None = Field(
        default=None, description="wanted; null where the user set a threshold"
    )
    note: Text = ""


class SkipRecord(_Record):
    """Frames in a row that were not scored."""

    reason: Text
    frames: Count
    start_s: Seconds | None = Field(default=None, description="time of the first of them, where it is known")
    end_s: Seconds | None = Field(default=None, description="time of the last of them")
    name: Text | None = Field(default=None, description="of the file, where frames are files")


class CountsRecord(_Record):
    """How many frames there were and what became of them."""

    frames_total: Count
    scored: Count
    repeated: Count = Field(default=0, description="frames that repeat the picture before and have its result")
    skipped: dict[str, Count] = Field(default_factory=dict, description="reason -> frames")
    skips: list[SkipRecord] = Field(
        default_factory=list, description="where they are; the first 1000 places, all are counted in `skipped`"
    )
    bad_packets: Count = 0
    truncated: bool = Field(default=False, description="the footage ends before its container says so")


class EventRecord(_Record):
    """Something unusual, from start to end."""

    id: Count
    start_s: Seconds
    end_s: Seconds
    start_frame: Count
    end_frame: Count = Field(description="the last frame that belongs to the event")
    peak_s: Seconds
    peak_frame: Count
    peak_anomaly: Anomaly
    surprise: Number | None = Field(
        default=None,
        description="how many times the peak of a moment of a short clip stands out: its raw heat above the middle of "
        "the clip's places, over how far the most unusual moment of an ordinary clip of this length is expected above "
        "it; null where an alarm level is known",
    )
    kind: Text = Field(default="", description="what such an event is called")
    sentence: Text = Field(default="", description="what is unusual: how fast, and which way")
    recurring: bool = Field(
        default=False,
        description="in a short clip: this place is unusual for much of the clip, so this is not an event",
    )
    box_xyxy: tuple[Pixels, Pixels, Pixels, Pixels] = Field(description="at the peak, pixels of the displayed picture")
    start_at: Text | None = Field(default=None, description="wall clock of start_s, where recorded_at is known")
    peak_at: Text | None = Field(default=None, description="wall clock of peak_s, where recorded_at is known")
    boxes: list[tuple[Count, Pixels, Pixels, Pixels, Pixels]] = Field(
        default_factory=list, description="[frame, x0, y0, x1, y1], thinned; first, peak and last frame always there"
    )

    @property
    def standing(self) -> str:
        """How unusual the peak is, for people."""
        if self.surprise is None:
            return f"anomaly {self.peak_anomaly:.2f}"
        where = ", at a place that is often unusual" if self.recurring else ""
        if self.surprise < _LEAST_TOLD:
            how = "does not stand out"
        elif self.surprise < 1:
            how = f"stands out only {self.surprise:.1f} times"
        else:
            how = f"stands out {self.surprise:.1f} times"
        return f"{how}{where}"

    def to_event(self, *, candidate: bool = False) -> Event:
        """The event as the rest of crowdad knows it, with the boxes that were kept; candidate: as in `Event`."""
        return Event(
            event_id=self.id,
            start_s=self.start_s,
            end_s=self.end_s,
            start_frame=self.start_frame,
            end_frame=self.end_frame,
            peak_s=self.peak_s,
            peak_frame=self.peak_frame,
            peak_anomaly=self.peak_anomaly,
            box_xyxy=self.box_xyxy,
            boxes={frame: (x0, y0, x1, y1) for frame, x0, y0, x1, y1 in self.boxes},
            surprise=self.surprise,
            candidate=candidate,
            recurring=self.recurring,
            kind=self.kind,
            sentence=self.sentence,
        )


class TimingRecord(_Record):
    """The only part that differs between two runs of the same command."""

    fps: Number = Field(ge=0, description="frames scored a second, start-up left out")
    seconds: Seconds = Field(description="from first to last frame")
    startup_s: Seconds = 0.0
    runtime: Text = Field(default="torch", description="what computed the scores")


class RunResults(_Record):
    """What results.json says of a run.

    Attributes
    ----------
    source, model : SourceRecord, ModelRecord
        The footage, and what scored it.
    events, candidates : list of EventRecord
        What is unusual, in order of start; of a short clip also its most unusual moments that are not events.
    threshold : ThresholdRecord
        Where normal ends, and how that was chosen.
    counts : CountsRecord
        How many frames there were, and what became of them.
    warnings : list of str
        What a person should know of the run.
    settings : dict
        What the scene was fitted with, and under "run" how the footage was read.
    cuts : list of float
        Times in seconds at which the footage jumps; nothing was followed across.
    timing : TimingRecord
        The only part that differs between two runs of the same command.
    schema_version, crowdad_version
    """

    model_config = ConfigDict(json_schema_extra={"description": "A run of crowdad detect."})

    schema_version: Literal[1] = SCHEMA_VERSION
    crowdad_version: Text
    source: SourceRecord
    model: ModelRecord
    settings: Settings = Field(default_factory=dict)
    threshold: ThresholdRecord
    counts: CountsRecord
    cuts: list[Seconds] = Field(
        default_factory=list, description="the footage jumps to another place or time; nothing was followed across"
    )
    warnings: list[Text] = Field(default_factory=list)
    events: list[EventRecord] = Field(default_factory=list, description="in order of start")
    candidates: list[EventRecord] = Field(
        default_factory=list,
        description="the most unusual moments of a clip that is too short for an alarm level, which are no event, the "
        "most unusual first; numbered on from the events",
    )
    timing: TimingRecord

    def __repr__(self) -> str:
        found = f"{len(self.events)} events" + (f", {len(self.candidates)} candidates" if self.candidates else "")
        return (
            f"RunResults({self.source.name}: {found} in {self.counts.scored} scored frames, "
            f"threshold {self.threshold.raw:.4g} ({self.threshold.grade}), {len(self.warnings)} warnings)"
        )

    __str__ = __repr__


def event_records(
    events: Iterable[Event], *, fps: float, recorded_at: str | None = None, boxes_per_s: float = 5.0
) -> list[EventRecord]:
    """Events as they stand in results.json.

    fps: frames a second.  recorded_at: ISO 8601 wall clock of the first frame; anything else leaves the clock out.
    boxes_per_s: how many boxes of each second are kept.
    """
    began = _wall_clock(recorded_at)
    stride = max(1, round(fps / boxes_per_s))
    return [_event_record(event, began, stride) for event in events]


def _event_record(event: Event, began: datetime | None, stride: int) -> EventRecord:
    return EventRecord(
        id=event.event_id,
        start_s=event.start_s,
        end_s=event.end_s,
        start_frame=event.start_frame,
        end_frame=event.end_frame,
        peak_s=event.peak_s,
        peak_frame=event.peak_frame,
        peak_anomaly=event.peak_anomaly,
        surprise=event.surprise,
        recurring=event.recurring,
        kind=event.kind,
        sentence=event.sentence,
        box_xyxy=event.box_xyxy,
        start_at=_clock_at(began, event.start_s),
        peak_at=_clock_at(began, event.peak_s),
        boxes=[(frame, *box) for frame, box in _thinned(event, stride).items()],
    )


def _thinned(event: Event, stride: int) -> Mapping[int, Box]:
    """About every `stride`-th frame's box, the first, the last and the peak's always among them."""
    kept: dict[int, Box] = {}
    last_kept = None
    for frame in sorted(event.boxes):
        must = frame in (event.peak_frame, event.end_frame)
        if last_kept is None or frame - last_kept >= stride or must:
            kept[frame] = event.boxes[frame]
            last_kept = frame if not must or last_kept is None else last_kept
    return kept


def _wall_clock(recorded_at: str | None) -> datetime | None:
    try:
        return datetime.fromisoformat(recorded_at) if recorded_at else None
    except ValueError:
        return None


def _clock_at(began: datetime | None, time_s: float) -> str | None:
    try:
        return None if began is None else (began + timedelta(seconds=time_s)).isoformat(timespec="milliseconds")
    except OverflowError:  # recorded in the year 9999
        return None


def results_schema() -> str:
    """The JSON Schema of results.json, as it is committed in docs/results.schema.json."""
    schema = {"$schema": "https://json-schema.org/draft/2020-12/schema", **RunResults.model_json_schema()}
    return json.dumps(schema, indent=2, ensure_ascii=False) + "\n"


def results_json(results: RunResults) -> str:
    """The text of results.json: keys in the schema's order, one line for each row of numbers."""
    text = json.dumps(results.model_dump(mode="json"), indent=2, ensure_ascii=False, allow_nan=False)
    # Inside a JSON string there is no line break, so only lists of plain numbers match.
    return (
        re.sub(
            r"\[\n[-+\d.,eE\s]+\]", lambda row: re.sub(r"\s+", " ", row[0]).replace("[ ", "[").replace(" ]", "]"), text
        )
        + "\n"
    )


def write_results(path: str | os.PathLike[str], results: RunResults) -> None:
    """Write results.json (UTF-8)."""
    Path(path).write_text(results_json(results), encoding="utf-8", newline="\n")


def read_results(path: str | os.PathLike[str]) -> RunResults:
    """Read results.json of a run back.

    Parameters
    ----------
    path : path or str

    Returns
    -------
    RunResults

    Raises
    ------
    OutputError
        For a missing or damaged file, or one of another schema version (OutputNotReadableError).

    Examples
    --------
    >>> results = crowdad.read_results("runs/monday/results.json")
    >>> results.source.frames
    120
    """
    try:
        blob = read_bytes(path, MOST_RESULTS_BYTES)
    except FileNotFoundError as error:
        raise OutputNotReadableError(f"{path}: no such file; is this the folder of a finished run?") from error
    except OSError as error:
        raise OutputNotReadableError(f"{path}: not the results of a run; run crowdad detect again") from error
    return parse_results(blob, os.fspath(path))


def parse_results(blob: bytes, path: str) -> RunResults:
    """What results.json holds.  path: where it was found, for messages.  Raises OutputNotReadableError."""
    try:
        found = parse_json(blob.decode("utf-8"))
    except ValueError as error:
        raise OutputNotReadableError(f"{path}: not the results of a run; run crowdad detect again") from error
    version = found.get("schema_version") if isinstance(found, dict) else None
    if version != SCHEMA_VERSION:
        raise OutputNotReadableError(
            f"{path}: schema_version is {version}, this crowdad reads {SCHEMA_VERSION}; run crowdad detect again"
        )
    try:
        return RunResults.model_validate(found)
    except RecursionError:
        raise OutputNotReadableError(f"{path}: is nested too deep; run crowdad detect again") from None
    except ValidationError as error:
        first = error.errors()[0]
        where = ".".join(str(part) for part in first["loc"])
        raise OutputNotReadableError(f"{path}: {where}: {first['msg']}; run crowdad detect again") from error
