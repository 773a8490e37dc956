"""What a person called normal: from the files that report pages save to the footage to learn from."""

from __future__ import annotations

import os
from collections.abc import Sequence
from pathlib import Path

from crowdad.errors import DataError, SourceNotFoundError
from crowdad.patches import Span
from crowdad.sources import Source
from crowdad.storage import is_stored
from crowdad.workflows.footage import Part

__all__ = ["ticked_spans"]

_LEAD_S = 3.0
"""Footage read before and after each span: a window is shorter at any frame rate."""


def ticked_spans(files: Sequence[str | os.PathLike[str]]) -> list[tuple[Source, Span]]:
    """The ticked events of each file with the footage around them.

    Raises OutputNotReadableError for what no page saved, SourceNotFoundError where the footage is not there, DataError
    where a file of its name is other footage.
    """
    from crowdad.outputs.report.false_alarms import read_false_alarms

    found = []
    for file in files:
        ticks = read_false_alarms(file)
        path = _footage_of(Path(file), ticks.source.name, ticks.source.sha256)
        for tick in ticks.spans:
            part = Part(max(0.0, tick.start_s - _LEAD_S), tick.end_s + _LEAD_S, ticks.source.stride, ticks.source.fps)
            found.append((part.open(path), Span(tick.start_s, tick.end_s, tuple(tick.boxes))))
    return found


def _footage_of(file: Path, name: str, sha256: str | None) -> Path | str:
    """Where the footage of a run is: where it was then, or beside the file; in an object store only at last."""
    places = [Path(name), file.parent / Path(name).name, file.parent / f"footage{Path(name).suffix}"]
    there: list[Path | str] = [place for place in places if place.exists()]
    if is_stored(name):
        there.append(name)
    if not there:
        raise SourceNotFoundError(
            f"{file}: its footage {name} is not here; start where crowdad detect was started, or put the footage "
            "beside the file"
        )
    for place in there:
        if sha256 is None or Part().open(place).sha256() == sha256:
            return place
    raise DataError(f"{file}: {there[0]} is other footage than that of the run (its hash differs); use {name} of then")
