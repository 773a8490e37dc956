"""Drawing a run's overlay, also again and in other colours, without scoring again."""

from __future__ import annotations

import os
from collections.abc import Callable, Generator, Iterable, Iterator, Mapping, Sequence
from contextlib import closing, contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

from pydantic import TypeAdapter, ValidationError

from crowdad.config import EventSettings
from crowdad.detection.events import EventFinder
from crowdad.errors import ConfigError, OutputNotReadableError
from crowdad.files import written_whole
from crowdad.outputs.heatmaps import HeatmapReader
from crowdad.outputs.results import RunResults, read_results
from crowdad.outputs.tables import COLUMNS, FrameTable, read_frames_csv
from crowdad.records import Event, Frame, FrameResult, Heatmap
from crowdad.sources import Footage, Source, read_ahead
from crowdad.tubes.scale import SceneScale
from crowdad.workflows.footage import Part, one_spec
from crowdad.workflows.progress import Progress, counted, silent

if TYPE_CHECKING:
    from crowdad.outputs.overlay import OverlaySettings

__all__ = ["Watcher", "draw_overlay", "overlay", "passing"]

Watcher = Callable[[Iterable[Frame]], Iterator[Frame]]
"""Passes frames on unchanged and takes from them what it needs."""

Checked = TypeVar("Checked")


def overlay(
    footage: Footage,
    run_folder: str | os.PathLike[str],
    *,
    output: str | os.PathLike[str] | None = None,
    colour_map: str = "inferno",
    level: float | None = None,
    strength: float = 0.65,
    progress: Progress = silent,
) -> Path:
    """Draw a run's overlay again from its maps, without scoring again.

    Parameters
    ----------
    footage : path, str, or numpy frames
        The footage that the run was made from, as it was given to `detect`.
    run_folder : path or str
        Folder of that run.
    output : path or str, optional
        Video to write; default: overlay.mp4 of the run.
    colour_map : {"inferno", "magma", "plasma", "turbo", "viridis"}
    level : float, in (0, 1), optional
        Anomaly from which heat is shown and events are found anew; None keeps the run's events (0.5).
    strength : float, in [0, 1]
        Opacity of full heat.
    progress : callable, optional
        Given a `Stage` each time the work has moved on.

    Returns
    -------
    Path
        Where the video is.

    Raises
    ------
    OutputError
        The run is unfinished or was made with `heatmaps=False` (OutputNotReadableError), or the video cannot be written
        (OutputNotWritableError).
    SourceError
        The footage cannot be read.
    ConfigError
        A keyword has a value that makes no sense.

    Examples
    --------
    >>> crowdad.overlay("monday.mp4", "runs/monday", output="warm.mp4", colour_map="turbo", level=0.4).name
    'warm.mp4'
    """
    from crowdad.outputs.overlay import OverlaySettings

    if level is not None and not 0 < level < 1:
        raise ConfigError(f"level is {level}; an anomaly above 0 and below 1 is needed (0.5 is the run's threshold)")
    folder = Path(run_folder)
    results = read_results(folder / "results.json")
    source = _footage_of(results, footage, progress)
    table = read_frames_csv(folder / "frames.csv")
    look = OverlaySettings(colour_map, 0.5 if level is None else level, strength)
    if level is None:
        events: Sequence[Event] = [
            *(record.to_event() for record in results.events),
            *(record.to_event(candidate=True) for record in results.candidates),
        ]
    else:
        events = _found_anew(folder, results, table, level)
    path = folder / "overlay.mp4" if output is None else Path(output)
    with written_whole(path, private=True, advice="choose another place") as part:
        draw_overlay(source, folder / "heatmaps.npz", table, events, part, look, progress)
    return path


def draw_overlay(
    source: Source,
    heatmaps: Path,
    table: FrameTable,
    events: Sequence[Event],
    path: Path,
    look: OverlaySettings,
    progress: Progress,
    watchers: Sequence[Watcher] = (),
) -> None:
    """Read the footage once more, past the watchers, and write its overlay."""
    from crowdad.outputs.overlay import write_overlay

    with HeatmapReader(heatmaps) as maps, passing(source, progress, watchers) as frames:
        write_overlay(frames, maps, table, events, path, fps=source.fps, settings=look)


@contextmanager
def passing(source: Source, progress: Progress, watchers: Sequence[Watcher]) -> Generator[Iterator[Frame], None, None]:
    """All frames of the footage in colour, read ahead, counted, and past each of the watchers."""
    with (
        closing(read_ahead(source.frames(color=True), depth=8)) as ahead,
        closing(counted(ahead, "drawing", source.expected_frames, progress)) as frames,
    ):
        watched: Iterator[Frame] = frames
        for watcher in watchers:
            watched = watcher(watched)
        yield watched


def _footage_of(results: RunResults, footage: Footage, progress: Progress) -> Source:
    """The footage of a run, read as the run read it.  Raises OutputNotReadableError where it is another."""
    chosen = results.settings.get("run")
    known = chosen if isinstance(chosen, dict) else {}
    read = {name: value for name, value in known.items() if name in Part.__dataclass_fields__}
    part = _checked(Part, read, results)
    source = part.open(one_spec(footage), progress)
    own, given = results.source.sha256, source.sha256()
    if own is not None and given is not None and own != given:
        raise OutputNotReadableError(
            f"{source.name}: is not the footage of this run (its hash differs); use {results.source.name} of then"
        )
    return source


def _found_anew(folder: Path, results: RunResults, table: FrameTable, level: float) -> list[Event]:
    """The run's events at another level of anomaly."""
    chosen = results.settings.get("events")
    wanted = chosen if isinstance(chosen, dict) else {}
    given = {name: value for name, value in wanted.items() if name in ("min_duration_s", "gap_s")}
    times = _checked(EventSettings, given, results)
    try:
        person_px = SceneScale.from_dict(results.model.scale).person_px
    except ValueError as error:
        raise _damaged(results) from error
    finder = EventFinder.from_settings(times, results.source.fps, person_px, level)
    events: list[Event] = []
    with HeatmapReader(folder / "heatmaps.npz") as maps:
        row_of = {int(index): row for row, index in enumerate(table.frame)}
        for row, heatmap in ((row_of[index], heatmap) for index, heatmap in maps if index in row_of):
            events += finder.push(_result(table, row, heatmap, level, results.cuts))
    return events + finder.finish()


def _checked(kind: type[Checked], values: Mapping[str, Any], results: RunResults) -> Checked:
    """What results.json says of settings, as the record it comes from.  Raises OutputNotReadableError."""
    try:
        return TypeAdapter(kind).validate_python(values)
    except ValidationError as error:
        raise _damaged(results) from error


def _damaged(results: RunResults) -> OutputNotReadableError:
    return OutputNotReadableError(
        f"{results.source.name}: the settings in its results.json are damaged; run crowdad detect again"
    )


def _result(table: FrameTable, row: int, heatmap: Heatmap, level: float, cuts: Sequence[float]) -> FrameResult:
    known = {column.of: getattr(table, column.name)[row].item() for column in COLUMNS}
    known["flagged"] = known["anomaly"] >= level
    segment = sum(known["time_s"] >= cut for cut in cuts)
    return FrameResult(**known, heatmap=heatmap, segment=segment)
