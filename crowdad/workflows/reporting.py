"""report.html: gathered from what a run left."""

from __future__ import annotations

from contextlib import closing
from pathlib import Path
from typing import TYPE_CHECKING

from crowdad.outputs.folder import RunFolder
from crowdad.outputs.heatmaps import HeatmapReader
from crowdad.outputs.results import RunResults
from crowdad.workflows.explaining import reasons_for
from crowdad.workflows.people_size import people_of
from crowdad.workflows.run_records import Run, Scored
from crowdad.workflows.second_look import SecondLook

if TYPE_CHECKING:
    import numpy as np
    import numpy.typing as npt

__all__ = ["write_report"]


def write_report(
    folder: RunFolder, run: Run, scored: Scored, results: RunResults, maps: Path, seen: SecondLook
) -> None:
    """Write the page of a run beside the video that `seen` names, if there is one."""
    from crowdad.outputs.report import Look, pack_heat, write_page

    with HeatmapReader(maps) as reader:
        heat = pack_heat(reader.chunks(), scored.table, [*scored.events, *scored.candidates])
    peaks = {event: (picture, seen.peaks.boxes[event]) for event, picture in seen.peaks.pictures.items()}
    reasons = reasons_for(run, scored.events)
    people = None if run.still and run.options.person_height is None else people_of(run.scene.scale)
    look = Look(seen.video, seen.offset_s, heat, _first_picture(run), peaks, reasons, people)
    with folder.part("report.html") as path:
        write_page(path, results, scored.table, look)


def _first_picture(run: Run) -> npt.NDArray[np.uint8]:
    """The scene as the run's first frame shows it, uint8 (H, W, 3)."""
    import cv2

    with closing(run.part.open(run.spec).frames(color=True)) as frames:
        frame = next(frames)
    return cv2.cvtColor(frame.luma, cv2.COLOR_GRAY2BGR) if frame.bgr is None else frame.bgr  # type: ignore[return-value]
