"""People's size and speed in one piece of footage, as `fit` and `detect` would take them, before either is run."""

from __future__ import annotations

import os
from contextlib import closing, suppress
from dataclasses import replace
from pathlib import Path
from typing import Any

from crowdad.config import Settings
from crowdad.errors import SourceError
from crowdad.records import Frame
from crowdad.scene.sampling import measure_people
from crowdad.sources import Source
from crowdad.tubes.scale import GivenHeights, SceneScale
from crowdad.wording import clock_text
from crowdad.workflows.footage import Part, learning_sources
from crowdad.workflows.model_picture import check_is_png, drawn_whole
from crowdad.workflows.people_size import people_of
from crowdad.workflows.progress import Progress, silent, told_by_share

__all__ = ["measured", "picture_people"]


def measured(spec: Any, part: Part, heights: GivenHeights | None = None, progress: Progress = silent) -> SceneScale:
    """Measure people in all of the footage, or in an hour of it that is spread evenly over longer footage.

    heights: of people, where the user knows them.
    Raises FitError (TooLittleMotionError, UnclearSizeError) where their size cannot be told, ConfigError, SourceError.
    """
    sources, _ = learning_sources([spec], part)
    if heights is not None:
        heights.plane(sources[0].info.size_hw)
    return measure_people(sources, Settings(), told_by_share(progress), heights)


def picture_people(spec: Any, part: Part, scale: SceneScale, path: str | os.PathLike[str]) -> Path:
    """Draw outlines of people of that size on a frame from the middle of the footage; returns `path`.

    path: a .png to write, whole or not at all.
    Raises ConfigError for another suffix, OutputNotWritableError, SourceError.
    """
    import cv2

    from crowdad.outputs.people_picture import write_people_picture

    check_is_png(path)
    source = part.open(spec)
    frame = _middle_frame(spec, part, source)
    bgr = cv2.cvtColor(frame.luma, cv2.COLOR_GRAY2BGR) if frame.bgr is None else frame.bgr
    title = f"{source.name}, frame at {clock_text(frame.time_s)}"
    return drawn_whole(path, lambda place: write_people_picture(place, bgr, people_of(scale), title))  # type: ignore[arg-type]


def _middle_frame(spec: Any, part: Part, source: Source) -> Frame:
    """A frame from the middle of the footage, or its first where its length is unknown or the rest is damaged."""
    length_s = source.info.duration_s
    if length_s is not None:
        with suppress(SourceError):
            return _first_frame(replace(part, start_s=length_s / 2).open(spec))
    return _first_frame(source)


def _first_frame(source: Source) -> Frame:
    with closing(source.frames(color=True)) as frames:
        return next(frames)
