"""What the page says in words and bars."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from datetime import datetime
from typing import Any

from crowdad.outputs.report.packing import PackedHeat
from crowdad.outputs.results import EventRecord, RunResults
from crowdad.wording import clock_text

__all__ = [
    "clock_note",
    "clock_word",
    "event_notes",
    "facts_of",
    "heat_notes",
    "hours_of",
    "learn_line",
    "pooled_notes",
    "summary_of",
]

_BAR_PITCH, _BAR_FOOT, _BAR_MOST = 25, 168, 140


def summary_of(results: RunResults) -> str:
    """How much was found in how much, one line."""
    events, source = results.events, results.source
    found = "No event" if not events else "1 event" if len(events) == 1 else f"{len(events)} events"
    if results.threshold.grade == "none":
        found = "Nothing to compare"
    what = "recorded" if _is_given(results) else "file date"
    clock = f", {what} {source.recorded_at[:19].replace('T', ' ')}" if source.recorded_at else ""
    line = f"{found} in {clock_text(source.duration_s)}{clock}"
    if events or not results.candidates:
        return line
    most = results.candidates[0]
    return f"{line}; the most unusual moment is {clock_text(most.peak_s)} ({most.standing})"


def learn_line(results: RunResults) -> str:
    """The command that learns what was ticked, with all that it needs.

    A run that learned from itself holds anomalies: not all of it may be declared normal with what was ticked.
    """
    own = results.model.fitted != "one-class"
    new = "camera.safetensors" if results.model.fitted == "self-fitted" else f"new-{results.model.name}"
    return f"crowdad fit FOOTAGE{' --unlabelled' * own} --also-normal false-alarms.json -o {new}"


def clock_note(results: RunResults) -> str:
    """What to know of the wall clock of events."""
    return "" if _is_given(results) else " By the file's date, which may be that of an export; --recorded-at sets it."


def clock_word(results: RunResults) -> str:
    """What stands before the wall clock of an event."""
    return "recorded at" if _is_given(results) else "by the file's date:"


def _is_given(results: RunResults) -> bool:
    """Whether a person said when the footage was recorded: a container's date may be that of a copy."""
    run = results.settings.get("run")
    return isinstance(run, dict) and run.get("recorded_at") is not None


def facts_of(results: RunResults) -> list[tuple[str, str]]:
    """What was run, as (name, value), in the order of reading."""
    source, model, threshold, counts = results.source, results.model, results.threshold, results.counts
    height, width = source.size_hw
    wanted = threshold.false_alarms_per_hour
    facts = [
        ("crowdad", results.crowdad_version),
        ("footage", f"{source.name}, {width}×{height}, {source.fps:g} frames a second"),
        ("frames", f"{counts.frames_total}, of which {counts.scored} scored at {results.timing.fps:.0f} a second"),
        *([("repeated pictures", str(counts.repeated))] if counts.repeated else []),
        *((f"skipped: {reason}", str(count)) for reason, count in counts.skipped.items()),
        *([("packets lost", str(counts.bad_packets))] if counts.bad_packets else []),
        ("model", f"{model.name}, {model.fitted}, SHA-256 {model.sha256[:12]}…" if model.sha256 else "none"),
        *([("learned from", ", ".join(model.fit_sources[:20]))] if model.fit_sources else []),
        ("threshold", f"{threshold.raw:.4g} raw, {threshold.chosen_by}"),
        *([("false alarms wanted", f"{wanted:g} an hour")] if wanted is not None else []),
        *([("cuts", ", ".join(clock_text(at_s) for at_s in results.cuts[:20]))] if results.cuts else []),
        *([("not looked for", model.not_looked_for)] if model.not_looked_for else []),
        *([("warnings", "; ".join(results.warnings))] if results.warnings else []),
    ]
    if source.sha256:
        facts.append(("footage SHA-256", source.sha256))
    return facts


def heat_notes(heat: PackedHeat) -> list[str]:
    """What to know of the heat in the page."""
    if heat.data is None:
        return ["This run kept no heat."]
    if not heat.only_events:
        return []
    return [f"Heat is shown around events only, {heat.per_s:g} maps a second: all of it would not fit into this page."]


def pooled_notes(pooled: int) -> list[str]:
    """What to know of the curve."""
    return [] if pooled == 1 else [f"Each point of the curve is the largest score of {pooled} frames."]


def event_notes(results: RunResults, pictures: int, reasons: int) -> list[str]:
    """What to know of the events' pictures and reasons, empty where all have them."""
    events, notes = len(results.events), []
    if pictures < events:
        notes.append(f"Pictures are there for {pictures} of the {events} events, the strongest.")
    if 0 < reasons < events:
        notes.append(f"What is normal there is shown for {reasons} of the {events} events, the strongest.")
    return notes


def hours_of(events: Sequence[EventRecord]) -> dict[str, Any] | None:
    """Bars of the events by hour of the day they began in; None where no wall clock is known."""
    starts = [datetime.fromisoformat(event.start_at) for event in events if event.start_at]
    if not starts:
        return None
    counts = Counter(start.hour for start in starts)
    most = max(counts.values())
    bars = [
        {
            "hour": hour,
            "count": counts[hour],
            "x": hour * _BAR_PITCH,
            "height": round(_BAR_MOST * counts[hour] / most, 1),
            "y": round(_BAR_FOOT - _BAR_MOST * counts[hour] / most, 1),
            "title": f"{hour}:00 to {hour + 1}:00: {counts[hour]}",
        }
        for hour in range(24)
    ]
    told = ", ".join(f"{counts[hour]} from {hour}:00" for hour in sorted(counts))
    return {"bars": bars, "text": f"Events by hour of the day: {told}"}
