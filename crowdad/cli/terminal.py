"""What a person sees while and after a verb runs."""

from __future__ import annotations

import sys
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

from tqdm import tqdm

from crowdad.wording import one_line, without_login

if TYPE_CHECKING:
    from collections.abc import Mapping

    from crowdad.outputs.results import EventRecord, RunResults
    from crowdad.sources import Spec
    from crowdad.workflows import Stage
    from crowdad.workflows.batch.spread import Failure
    from crowdad.workflows.output_paths import RunPlace

__all__ = ["Bars", "describe_run", "describe_runs", "notice"]

_MOST_EVENTS = 12
_MOST_CUTS = 8


def notice(line: str) -> None:
    """One line on the error stream, as every refusal and warning of this program looks."""
    tqdm.write(f"crowdad: {one_line(without_login(line))}", file=sys.stderr)


class Bars:
    """One bar a stage on the error stream, with rate and time left; silent where that is no terminal or `quiet`.

    Entered before anything heavy is imported, it says at once that there is something to wait for.
    label: goes before what a stage is called.
    """

    def __init__(self, quiet: bool = False, label: str = "") -> None:
        self._silent = quiet or not sys.stderr.isatty()
        self.label = label
        self._name = ""
        self._bar: tqdm | None = None

    def __call__(self, stage: Stage) -> None:
        if self._silent:
            return
        name, title = stage.what.partition(",")[0], f"{self.label}{stage.what}"
        if self._bar is None or name != self._name:
            self.close()
            self._name = name
            self._bar = _bar(stage, title)
        self._bar.set_description_str(title, refresh=False)
        self._bar.update(stage.done - self._bar.n)

    def close(self) -> None:
        """End the running bar."""
        if self._bar is not None:
            self._bar.close()
            self._bar = None

    def __enter__(self) -> Bars:
        if not self._silent:
            self._bar = tqdm(desc=f"{self.label}starting", bar_format="{desc} ...", leave=False)
        return self

    def __exit__(self, *_: object) -> None:
        self.close()


def _bar(stage: Stage, title: str) -> tqdm:
    bar = partial(tqdm, desc=title, total=stage.total, leave=False, dynamic_ncols=True)
    if stage.unit == "%":
        layout = "{desc}: {percentage:3.0f}%|{bar}| {elapsed}<{remaining}"
        return bar(bar_format=layout)
    # A few are counted one by one; thousands are rounded.
    return bar(unit=stage.unit, unit_scale=stage.total is None or stage.total >= 1000)


def describe_run(results: RunResults, place: RunPlace) -> str:
    """What was found and where to look, a few lines."""
    from crowdad.wording import clock_text

    events, counts = results.events, results.counts
    found = "no event" if not events else "1 event" if len(events) == 1 else f"{len(events)} events"
    if results.threshold.grade == "none":
        found = "nothing to compare"
    if results.candidates and not events:
        most = results.candidates[0]
        found += f"; the most unusual moment is {clock_text(most.peak_s)} ({most.standing})"
    lines = [
        f"{results.source.name} ({clock_text(results.source.duration_s)}): {found} "
        f"({counts.scored} frames, scored at {results.timing.fps:.0f} a second)"
    ]
    lines += [_event_line(event) for event in events[:_MOST_EVENTS]]
    if len(events) > _MOST_EVENTS:
        lines.append(f"  ... {len(events) - _MOST_EVENTS} more in results.json")
    if results.candidates:
        lines.append("  candidates, the most unusual moments that are no event:")
        lines += [_event_line(moment) for moment in results.candidates]
    if results.cuts:
        places = [clock_text(at_s) for at_s in results.cuts[:_MOST_CUTS]]
        more = f" and {len(results.cuts) - _MOST_CUTS} more" if len(results.cuts) > _MOST_CUTS else ""
        lines.append(f"  cuts, followed across by nobody: {', '.join(places)}{more}")
    if results.threshold.note:
        lines.append(f"  note: {results.threshold.note}")
    if results.model.not_looked_for:
        lines.append(f"  not looked for: {results.model.not_looked_for}")
    names = ("report.html", "overlay.mp4", "timeline.png")
    looks = [place / name for name in names if (place / name).is_file()] if isinstance(place, Path) else []
    look = f"look at {' or '.join(map(str, looks[:2]))}; " if looks else ""
    lines.append(f"  {look}all that was found is in {place}")
    return "\n".join(map(one_line, lines))


def _event_line(event: EventRecord) -> str:
    from crowdad.wording import clock_text

    box = ", ".join(f"{side:.0f}" for side in event.box_xyxy)
    unusual = f"{event.kind}: {event.sentence}; " if event.sentence else ""
    return (
        f"  {event.id:3d}  {clock_text(event.start_s)} to {clock_text(event.end_s)}  "
        f"peak at {clock_text(event.peak_s)}, {event.standing}; {unusual}box {box}"
    )


def describe_runs(ends: Mapping[Spec, RunResults | Failure], places: Mapping[Spec, RunPlace]) -> str:
    """A row for each piece of footage: how much was scored, how many events there are and where; or that it failed."""
    from crowdad.outputs.results import RunResults
    from crowdad.wording import clock_text

    rows = [("footage", "length", "frames", "events", "folder")]
    for spec, ended in ends.items():
        if isinstance(ended, RunResults):
            length, counts = clock_text(ended.source.duration_s), ended.counts
            found = "-" if ended.threshold.grade == "none" else str(len(ended.events))
            rows.append((spec.name, length, str(counts.scored), found, str(places[spec])))
        else:
            rows.append((spec.name, "-", "-", "-", "failed"))
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    lines = []
    for name, *numbers, folder in rows:
        aligned = [cell.rjust(width) for cell, width in zip(numbers, widths[1:-1], strict=True)]
        lines.append("  ".join([name.ljust(widths[0]), *aligned, folder]))
    return "\n".join(map(one_line, lines))
