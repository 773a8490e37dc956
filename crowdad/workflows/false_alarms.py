"""What a person called normal: from the files that report pages save to the footage to learn from."""

from __future__ import annotations

import os
from collections.abc import Sequence
from pathlib import Path

from crowdad.errors import DataError, SourceNotFoundError
from crowdad.sources import ImageFolder, Source, VideoFile
from crowdad.sources.storage import is_stored
from crowdad.tubes.patches import Span
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
    """Where the footage of a run is: where it was then, or beside the file; in an object store only at last.

    What the file names is read as footage only where it has the run's hash, or lies beside the file: whoever wrote the
    file could name anything.
    """
    beside = [file.parent / Path(name).name, file.parent / f"footage{Path(name).suffix}"]
    places: list[Path | str] = [place for place in beside if _is_there(place)]
    if sha256 is not None and _is_there(Path(name)):
        places.insert(0, Path(name))
    if sha256 is not None and is_stored(name):
        places.append(name)
    if not places:
        raise SourceNotFoundError(
            f"{file}: its footage {name} is not here; start where crowdad detect was started, or put the footage "
            "beside the file"
        )
    for place in places:
        if sha256 is None or _hash_of(place) == sha256:
            return place
    raise DataError(f"{file}: {places[0]} is other footage than that of the run (its hash differs); use {name} of then")


def _is_there(place: Path) -> bool:
    return os.path.isfile(place) or os.path.isdir(place)


def _hash_of(place: Path | str) -> str | None:
    """SHA-256 of footage, none of it decoded yet where it is here."""
    if not isinstance(place, Path):
        return Part().open(place).sha256()
    return ImageFolder(place).sha256() if place.is_dir() else VideoFile(place).sha256()
