"""People's size and speed in one piece of footage, as `fit` and `detect` would take them, before either is run."""

from __future__ import annotations

import os
from contextlib import closing, suppress
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np

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

_LOOKS, _LOOK_WH = 9, (160, 120)
_DIFFERS = 20  # grey values


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
    """Draw outlines of people of that size on a frame that shows many, of some spread over the footage; returns `path`.

    path: a .png to write, whole or not at all.
    Raises ConfigError for another suffix, OutputNotWritableError, SourceError.
    """
    import cv2

    from crowdad.outputs.people_picture import write_people_picture

    check_is_png(path)
    source = part.open(spec)
    frame = _fullest_frame(spec, part, source)
    bgr = cv2.cvtColor(frame.luma, cv2.COLOR_GRAY2BGR) if frame.bgr is None else frame.bgr
    title = f"{source.name}, frame at {clock_text(frame.time_s)}"
    return drawn_whole(path, lambda place: write_people_picture(place, bgr, people_of(scale), title))  # type: ignore[arg-type]


def _fullest_frame(spec: Any, part: Part, source: Source) -> Frame:
    """Of frames spread over the footage the one that differs most from what they have in common: people are there.

    The first one where the footage's length is unknown or the rest is damaged.
    """
    import cv2

    length_s = source.info.duration_s
    found = []
    for share in () if length_s is None else (np.arange(_LOOKS) + 0.5) / _LOOKS:
        with suppress(SourceError):
            found.append(_first_frame(replace(part, start_s=length_s * share).open(spec)))
    if not found:
        return _first_frame(source)
    shown = np.stack([cv2.resize(frame.luma, _LOOK_WH, interpolation=cv2.INTER_AREA) for frame in found]).astype(int)
    differs = np.abs(shown - np.median(shown, axis=0)) > _DIFFERS
    return found[int(differs.mean(axis=(1, 2)).argmax())]


def _first_frame(source: Source) -> Frame:
    with closing(source.frames(color=True)) as frames:
        return next(frames)
