"""The page itself: what is known of a run, put into assets/page.html.j2."""

from __future__ import annotations

import base64
import hashlib
import json
import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from crowdad.outputs.heat import raw_colours
from crowdad.outputs.people import People, svg_path
from crowdad.outputs.report.false_alarms import FALSE_ALARMS_FORMAT, FALSE_ALARMS_VERSION
from crowdad.outputs.report.packing import PackedHeat, pack_scores
from crowdad.outputs.report.parts import asset, template
from crowdad.outputs.report.pictures import data_url, framed, motion_strip, where_picture
from crowdad.outputs.report.saying import (
    clock_note,
    clock_word,
    event_notes,
    facts_of,
    heat_notes,
    hours_of,
    learn_line,
    pooled_notes,
    summary_of,
)
from crowdad.outputs.results import EventRecord, RunResults
from crowdad.outputs.tables import FrameTable
from crowdad.records import Box
from crowdad.wording import clock_text

__all__ = ["Look", "Reason", "write_page"]

Picture = npt.NDArray[np.uint8]
_SCRIPTS = ("kinds.js", "heat.js", "timeline.js", "people.js", "page.js")


@dataclass(frozen=True, eq=False)
class Reason:
    """Why an event was flagged: its least normal patch, and what normal footage has that is most like it.

    normality: in [-1, 1], of that patch.  patch: uint8 (h, w), its subject.  motion: uint8 (T, rows, columns), speed of
    its parts through time, newest first.
    nearest: of each of the nearest centres, the nearest first: similarity in [-1, 1], share of normal motion in [0, 1],
    subject as `patch`, motion as `motion` or None where the model does not know it.
    """

    normality: float
    patch: Picture
    motion: Picture
    nearest: Sequence[tuple[float, float, Picture, Picture | None]]


@dataclass(frozen=True, eq=False)
class Look:
    """What the page shows beside results and scores.

    video: name of the file beside the page; None: the footage was left out.
    offset_s: footage time of the video's first moment.
    heat: see `pack_heat`.  still: uint8 (H, W, 3), blue, green, red, the scene.
    peaks: event id -> picture of its peak, uint8 (h, w, 3), and the box in that picture.  reasons: event id -> why.
    people: their size in the scene.
    """

    video: str | None
    offset_s: float
    heat: PackedHeat
    still: Picture
    peaks: Mapping[int, tuple[Picture, Box]] = field(default_factory=dict)
    reasons: Mapping[int, Reason] = field(default_factory=dict)
    people: People | None = None


def write_page(path: str | os.PathLike[str], results: RunResults, table: FrameTable, look: Look) -> None:
    """Write report.html (UTF-8), a whole page without any link to the outside."""
    height, width = results.source.size_hw
    style = asset("page.css") + f"\n:root {{\n  --ratio: {width} / {height};\n}}\n"
    script = "".join(asset(name) for name in _SCRIPTS)
    scores = pack_scores(table)
    page = template(asset, "page.html.j2").render(
        results=results,
        title=Path(results.source.name).name or results.source.name,
        summary=summary_of(results),
        facts=facts_of(results),
        settings=json.dumps(results.settings, indent=2, ensure_ascii=False),
        video=look.video,
        start_s=float(table.time_s[0]),
        end_s=float(table.time_s[-1]),
        has_heat=look.heat.data is not None,
        notes=[*heat_notes(look.heat), *pooled_notes(scores["pooled"])],
        event_notes=event_notes(results, len(look.peaks), len(look.reasons)),
        events=[_event(event, look) for event in results.events],
        candidates=[_event(moment, look) for moment in results.candidates],
        where=where_picture(look.still, look.heat),
        hours=hours_of(results.events),
        clock_note=clock_note(results),
        clock_word=clock_word(results),
        learn_line=learn_line(results),
        learned_from="this footage" if results.model.fitted == "self-fitted" else "what the model was learned from",
        people=look.people,
        person=svg_path(),
        view_box=f"0 0 {width} {height}",
        data=_data(results, table, look, scores),
        style=style,
        style_hash=_hash(style),
        script=script,
        script_hash=_hash(script),
    )
    Path(path).write_text(page, encoding="utf-8", newline="\n")


def _hash(text: str) -> str:
    """What the page's own policy calls its inline style or script by: nothing else in it may run."""
    return base64.b64encode(hashlib.sha256(text.encode("utf-8")).digest()).decode("ascii")


def _event(event: EventRecord, look: Look) -> dict[str, Any]:
    """One event as its card tells it."""
    peak, reason = look.peaks.get(event.id), look.reasons.get(event.id)
    return {
        "id": event.id,
        "start": clock_text(event.start_s),
        "end": clock_text(event.end_s),
        "length_s": event.end_s - event.start_s,
        "start_at": event.start_at and event.start_at[:19].replace("T", " "),
        "peak": event.peak_anomaly,
        "kind": event.kind,
        "sentence": event.sentence[:1].upper() + event.sentence[1:],
        "standing": event.standing,
        "surprise": event.surprise,
        "peak_at": clock_text(event.peak_s),
        "picture": None if peak is None else framed(*peak),
        "why": None if reason is None else _why(reason),
    }


def _why(reason: Reason) -> dict[str, Any]:
    flagged = {
        "picture": data_url(reason.patch, ".png"),
        "motion": motion_strip(reason.motion),
        "caption": "flagged here",
    }
    nearest = [
        {
            "picture": data_url(patch, ".png"),
            "motion": None if motion is None else motion_strip(motion),
            "caption": f"similarity {similarity:.2f}, {share:.1%} of normal motion",
        }
        for similarity, share, patch, motion in reason.nearest
    ]
    return {
        "text": "First the least normal patch at the peak, whose motion is at most "
        f"{reason.normality:.2f} similar to normal motion (1 is the same); then the normal patches most like it. "
        "Below each: how fast its parts move, from the oldest step to the newest, brighter is faster.",
        "patches": [flagged, *nearest],
    }


def _data(results: RunResults, table: FrameTable, look: Look, scores: dict[str, Any]) -> dict[str, Any]:
    """What the page's script reads; see assets/page.js."""
    source, reading = results.source, results.settings.get("run")
    known = reading if isinstance(reading, dict) else {}
    run = json.dumps([source.name, source.sha256, results.model.sha256, [event.start_s for event in results.events]])
    return {
        "run": hashlib.sha256(run.encode()).hexdigest()[:16],
        "start_s": round(float(table.time_s[0]), 3),
        "end_s": round(float(table.time_s[-1]), 3),
        "video": {"offset_s": round(look.offset_s, 6), "fps": source.fps, "size_hw": source.size_hw},
        "person_px": _typical_px(look.people, source.size_hw),
        "scores": scores,
        "heat": look.heat.data,
        "colours": base64.b64encode(raw_colours("inferno").tobytes()).decode("ascii"),
        "candidates": [_span(moment, table) for moment in results.candidates],
        "events": [_span(event, table) for event in results.events],
        "false_alarms": {
            "format": FALSE_ALARMS_FORMAT,
            "version": FALSE_ALARMS_VERSION,
            "source": {
                "name": source.name,
                "sha256": source.sha256,
                "stride": known.get("stride", 1),
                "fps": known.get("fps"),
            },
        },
    }


def _span(event: EventRecord, table: FrameTable) -> dict[str, Any]:
    return {
        "id": event.id,
        "kind": event.kind,
        "start_s": event.start_s,
        "end_s": event.end_s,
        "peak": event.peak_anomaly,
        "boxes": _boxes(event, table),
    }


def _typical_px(people: People | None, size_hw: tuple[int, int]) -> float:
    """Height of a person who is added to the picture without a mouse."""
    return size_hw[0] / 4 if people is None else round(people.places[len(people.places) // 2][2], 1)


def _boxes(event: EventRecord, table: FrameTable) -> list[list[float]]:
    """Rows of [time in s, x0, y0, x1, y1]."""
    rows = np.asarray(event.boxes or [(event.peak_frame, *event.box_xyxy)])
    place = np.minimum(np.searchsorted(table.frame, rows[:, 0]), len(table) - 1)
    times = table.time_s[place].round(3).tolist()
    return [[time_s, *sides] for time_s, sides in zip(times, rows[:, 1:].astype(int).tolist(), strict=True)]
