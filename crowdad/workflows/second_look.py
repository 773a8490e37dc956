"""The second look at the footage, once it is known where to look: overlay, pictures of peaks, a copy for browsers."""

from __future__ import annotations

from contextlib import ExitStack, closing
from dataclasses import dataclass, replace
from functools import partial
from itertools import islice
from pathlib import Path
from typing import TYPE_CHECKING

from crowdad.errors import SourceError
from crowdad.outputs.folder import RunFolder
from crowdad.workflows.overlaying import Watcher, draw_overlay, passing
from crowdad.workflows.progress import Progress
from crowdad.workflows.run_records import Run, Scored

if TYPE_CHECKING:
    from crowdad.outputs.thumbnails import PeakThumbnails

__all__ = ["TIMELINE_PICTURES", "SecondLook", "look_again"]

MOST_PICTURES = 100
"""Strongest peaks with a picture in the report page."""

TIMELINE_PICTURES = 8


@dataclass(frozen=True, eq=False)
class SecondLook:
    """What the second look gave.

    peaks: pictures of the strongest events.  video: name of the file for browsers in the run's folder, None without a
    page.  offset_s: footage time of that video's first moment.
    """

    peaks: PeakThumbnails
    video: str | None = None
    offset_s: float = 0.0


def look_again(
    folder: RunFolder,
    run: Run,
    scored: Scored,
    maps: Path | None,
    *,
    overlay: bool,
    report: bool,
    progress: Progress,
) -> SecondLook:
    """Write what needs the pictures once more, in one pass over the footage, or none where a few places will do.

    overlay: write overlay.mp4.  report: lay the footage beside the page, as it is where browsers play
    it, unless it is to be left out.
    """
    from crowdad.outputs.footage import lay_beside, written_along
    from crowdad.outputs.overlay import OverlaySettings
    from crowdad.outputs.thumbnails import PeakThumbnails

    told = [*scored.events, *scored.candidates]
    peaks = PeakThumbnails(told, MOST_PICTURES if report else TIMELINE_PICTURES)
    beside = run.options.footage_beside if report else "none"
    playable = run.source.playable() if beside != "none" and _is_whole(scored) else None
    with ExitStack() as stack:
        watchers: list[Watcher] = [peaks.watch]
        if playable is not None:
            video, offset_s = f"footage{playable.suffix}", -playable.starts_s
            lay_beside(playable.path, stack.enter_context(folder.part(video)), linked=beside == "link")
        elif beside != "none":
            video, offset_s = "footage.mp4", float(scored.table.time_s[0])
            copy = stack.enter_context(folder.part(video))
            watchers.append(partial(written_along, path=copy, fps=run.source.fps))
        else:
            video, offset_s = None, 0.0
        if overlay:
            path = stack.enter_context(folder.part("overlay.mp4"))
            look = OverlaySettings()
            assert maps is not None
            draw_overlay(run.source, maps, scored.table, told, path, look, progress, watchers)
        elif len(watchers) > 1:
            with passing(run.source, progress, watchers) as frames:
                for _ in frames:
                    pass
        else:
            _seek_peaks(run, peaks)
    return SecondLook(peaks, video, offset_s)


def _is_whole(scored: Scored) -> bool:
    """Whether a browser shows the same frames at the same times: damage and breaks are bridged in ways of its own."""
    report = scored.report
    return not (
        report.truncated or report.frames_skipped or report.bad_packets or report.breaks or scored.sizes.frames_skipped
    )


def _seek_peaks(run: Run, peaks: PeakThumbnails) -> None:
    """Seek each of the wanted peaks in the footage."""
    for event in peaks.events:
        try:
            source = replace(run.part, start_s=event.peak_s, end_s=None).open(run.spec)
            with closing(source.frames(color=True)) as frames:
                found = (replace(frame, index=event.peak_frame) for frame in islice(frames, 1))
                list(peaks.watch(found))
        except SourceError:
            continue  # Damage near the peak: what is shown does without this picture.
