"""Frames -> steps: what is followed, and from where on nothing of what came before is."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from crowdad.records import Frame, Tubes
from crowdad.tubes.cuts import CutFinder
from crowdad.tubes.patches.extractor import Extractor

__all__ = ["steps_of", "with_breaks"]


def with_breaks(frames: Iterable[Frame]) -> Iterator[tuple[Frame, bool]]:
    """Each frame and whether nothing may be followed into it: the first, a new segment, a cut."""
    finder, segment = CutFinder(), None
    for frame in frames:
        cut = finder.is_cut(frame)
        yield frame, cut or frame.segment != segment
        segment = frame.segment


def steps_of(frames: Iterable[Frame], extractor: Extractor) -> Iterator[tuple[Frame, Tubes | None]]:
    """Every `gap`-th new picture of each run without a break, with the tubes that end there.

    Tubes are None while the window is not full.  Repeated pictures are no steps; pictures of another size than the
    extractor's are left out.
    """
    place = 0
    for frame, fresh in with_breaks(frames):
        if frame.repeated:
            continue
        if fresh:
            place = 0
            extractor.reset(frame.fps)
        if place % extractor.gap == 0 and frame.luma.shape == extractor.size_hw:
            yield frame, extractor.push(frame.luma, frame.time_s)
        place += 1
