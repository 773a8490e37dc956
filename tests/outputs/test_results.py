from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from pydantic import ValidationError

from crowdad.errors import OutputNotReadableError
from crowdad.outputs.results import (
    CameraRecord,
    CountsRecord,
    ModelRecord,
    RunResults,
    SourceRecord,
    ThresholdRecord,
    TimingRecord,
    event_records,
    read_results,
    results_schema,
    write_results,
)
from crowdad.records import Event

SCHEMA = Path(__file__).parents[2] / "docs" / "results.schema.json"


def event(event_id: int = 1, first: int = 10, count: int = 60) -> Event:
    boxes = {frame: (frame + 0.123, 20.0, frame + 30.456, 60.0) for frame in range(first, first + count)}
    peak = first + min(23, count // 2)
    return Event(
        event_id,
        first / 25,
        (first + count) / 25,
        first,
        first + count - 1,
        peak / 25,
        peak,
        0.87654321,
        boxes[peak],
        boxes,
    )


def run(**changes: Any) -> RunResults:
    parts: dict[str, Any] = {
        "crowdad_version": "0.1.0",
        "source": SourceRecord(name="clip.mp4", size_hw=(240, 360), fps=25, frames=100, duration_s=4.0),
        "model": ModelRecord(name="clip", sha256="0" * 64, fitted="self-fitted", scale={"person_px": [1.5, 2]}),
        "settings": {"motion": {"gap": 3}, "levels": [1, 2, 3]},
        "threshold": ThresholdRecord(raw=0.123456789, chosen_by="tail of normal frames", false_alarms_per_hour=1),
        "counts": CountsRecord(frames_total=100, scored=98, skipped={"undecodable": 2}),
        "cuts": [1.23456],
        "events": event_records([event()], fps=25),
        "timing": TimingRecord(fps=120.0, seconds=0.8),
    }
    return RunResults(**{**parts, **changes})


def test_the_committed_schema_is_the_models() -> None:
    hint = "python -c 'import crowdad.outputs.results as r; print(r.results_schema(), end=\"\")' > " + SCHEMA.name
    assert SCHEMA.read_text(encoding="utf-8") == results_schema(), f"the schema changed; write it anew: {hint}"


def test_a_model_says_what_was_not_looked_for_and_why() -> None:
    model = run().model
    assert model.not_looked_for == ""
    short = model.model_copy(update={"kinds_off": ["stays", "glides"]})
    assert short.not_looked_for == "stays, glides (the model's footage was too short or too empty)"
    camera = CameraRecord(verdict="moved", certainty=1.0, detail="")
    elsewhere = short.model_copy(update={"camera": camera})
    assert elsewhere.not_looked_for == "stays, glides (the camera's view is not the model's)"


def test_results_come_back_equal(tmp_path: Path) -> None:
    write_results(tmp_path / "results.json", run())
    assert read_results(tmp_path / "results.json") == run()


def test_the_same_results_give_the_same_text_in_the_schemas_order(tmp_path: Path) -> None:
    for name in ("a.json", "b.json"):
        write_results(tmp_path / name, run())
    assert (tmp_path / "a.json").read_bytes() == (tmp_path / "b.json").read_bytes()
    found = json.loads((tmp_path / "a.json").read_text())
    assert list(found) == list(RunResults.model_fields)
    assert next(iter(found)) == "schema_version"


def test_numbers_are_rounded_to_what_they_mean() -> None:
    results = run()
    assert results.cuts == [1.235]
    assert results.threshold.raw == 0.123457
    assert results.events[0].peak_anomaly == 0.8765
    assert results.events[0].box_xyxy == (33.1, 20.0, 63.5, 60.0)


def test_rows_of_numbers_stand_on_one_line_and_texts_are_left_alone(tmp_path: Path) -> None:
    tricky = "[\n  1,\n  2\n]"
    write_results(tmp_path / "r.json", run(warnings=[tricky]))
    text = (tmp_path / "r.json").read_text()
    assert '"size_hw": [240, 360],' in text
    assert read_results(tmp_path / "r.json").warnings == [tricky]


@pytest.mark.parametrize("name", ["広場 ü.mp4", 'quo"te\n.mp4', "clip\udc80.mp4"])
def test_any_file_name_can_be_written(tmp_path: Path, name: str) -> None:
    source = SourceRecord(name=name, size_hw=(2, 2), fps=1, frames=1, duration_s=1)
    results = run(source=source, warnings=[name], settings={"input": {"path": name}})
    write_results(tmp_path / "r.json", results)
    found = read_results(tmp_path / "r.json")
    assert found == results
    assert found.source.name == name.replace("\udc80", "\\udc80")
    assert found.settings["input"] == {"path": found.source.name}


def test_boxes_are_thinned_to_about_five_a_second() -> None:
    (record,) = event_records([event(count=250)], fps=25)
    frames = [box[0] for box in record.boxes]
    assert frames == sorted(frames)
    assert 50 <= len(frames) <= 53
    assert {record.start_frame, record.peak_frame, record.end_frame} <= set(frames)


def test_slow_footage_keeps_every_box() -> None:
    (record,) = event_records([event(count=9)], fps=5, boxes_per_s=5)
    assert [box[0] for box in record.boxes] == list(range(10, 19))


def test_an_event_can_be_drawn_again_from_the_results() -> None:
    again = event_records([event()], fps=25)[0].to_event()
    assert (again.event_id, again.start_frame, again.end_frame, again.peak_frame) == (1, 10, 69, 33)
    assert again.boxes[10] == (10.1, 20.0, 40.5, 60.0)


def test_the_wall_clock_is_told_where_it_is_known() -> None:
    (record,) = event_records([event()], fps=25, recorded_at="2024-02-29T23:59:59.900+02:00")
    assert (record.start_at, record.peak_at) == ("2024-03-01T00:00:00.300+02:00", "2024-03-01T00:00:01.220+02:00")
    assert event_records([event()], fps=25)[0].start_at is None
    assert event_records([event()], fps=25, recorded_at="yesterday")[0].start_at is None


def test_unknown_fields_and_impossible_values_are_refused() -> None:
    with pytest.raises(ValidationError):
        CountsRecord(frames_total=1, scored=-1)
    with pytest.raises(ValidationError):
        RunResults(**{**run().model_dump(), "surprise": 1})
    with pytest.raises(ValidationError):
        ThresholdRecord(raw=float("nan"), chosen_by="x")


def test_other_files_are_one_clear_line(tmp_path: Path) -> None:
    path = tmp_path / "results.json"
    with pytest.raises(OutputNotReadableError, match="no such file"):
        read_results(path)
    good = json.loads(run().model_dump_json())
    cases = {
        "{": "not the results",
        "[]": "schema_version is None",
        json.dumps({**good, "schema_version": 2}): "schema_version is 2, .* 1",
        json.dumps({**good, "cuts": ["x"]}): r"cuts\.0: .*crowdad.detect",
    }
    for text, message in cases.items():
        path.write_text(text)
        with pytest.raises(OutputNotReadableError, match=message) as error:
            read_results(path)
        assert "\n" not in str(error.value)


@pytest.mark.parametrize(
    ("surprise", "recurring", "told"),
    [
        (None, False, "anomaly 0.62"),
        (3.14, False, "stands out 3.1 times"),
        (3.14, True, "stands out 3.1 times, at a place that is often unusual"),
        (0.01, False, "does not stand out"),
    ],
)
def test_how_unusual_a_moment_is_in_words(surprise, recurring, told):
    event = Event(1, 0.0, 1.0, 0, 10, 0.5, 5, 0.62, (0, 0, 9, 9), surprise=surprise, recurring=recurring)
    (record,) = event_records([event], fps=10.0)
    assert record.standing == told
