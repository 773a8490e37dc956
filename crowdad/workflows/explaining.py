"""Why an event was flagged: its least normal patch, and the normal ones that are most like it."""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import closing
from dataclasses import replace
from typing import TYPE_CHECKING

import numpy as np

from crowdad.errors import SourceError
from crowdad.records import Event
from crowdad.tubes.patches import Span, motion_of, subject_of, tubes_through
from crowdad.workflows.run_records import Run

if TYPE_CHECKING:
    from crowdad.outputs.report import Reason

__all__ = ["reasons_for"]

MOST_REASONS = 40
"""Strongest events that are explained; each takes a second look at its peak."""

_NEAREST = 3
_ALIKE = 0.1  # of normality: what lies so near to the least normal patch is about as odd


def reasons_for(run: Run, events: Sequence[Event]) -> dict[int, Reason]:
    """Event id -> why, for the strongest events; told by what scored them, so that torch is not loaded for it."""
    strongest = sorted(events, key=lambda event: (-event.peak_anomaly, event.event_id))[:MOST_REASONS]
    found = {}
    for event in strongest:
        try:
            reason = _reason(run, event)
        except SourceError:
            continue  # Damage near the peak: the page does without this one.
        if reason is not None:
            found[event.event_id] = reason
    return found


def _reason(run: Run, event: Event) -> Reason | None:
    """One of the least normal patches that pass through the event's box at its peak; None where there is none.

    Flow reaches a little beyond what moves, where it looks oddest: of patches about as odd the one in the middle is
    shown, on which there is most to see.
    """
    from crowdad.outputs.report import Reason

    scene = run.scene
    step_s = scene.scale.gap / scene.scale.fps
    window_s = (scene.settings.tubes.steps + 1) * step_s
    span = Span(event.peak_s - step_s / 2, event.peak_s + step_s / 2, ((event.peak_s, *event.box_xyxy),))
    part = replace(run.part, start_s=max(0.0, event.peak_s - window_s), end_s=event.peak_s + window_s)
    x0, y0, x1, y1 = event.box_xyxy
    least, codes = None, None
    with closing(part.open(run.spec).frames()) as frames:
        for frame, tubes in tubes_through(frames, span, scene.scale, scene.settings):
            if len(tubes):
                found = run.detector.runtime.codes(tubes.features)
                normality = (found @ scene.motion.centres.T).max(axis=1)
                off = np.hypot(*(tubes.path_xy[:, 0] - ((x0 + x1) / 2, (y0 + y1) / 2)).T)
                index = int(np.where(normality <= normality.min() + _ALIKE, off, np.inf).argmin())
                if least is None or normality[index] < least[0]:
                    picture = subject_of(frame.luma, tubes, index)
                    least = float(normality[index]), picture, motion_of(tubes.features[index : index + 1])[0]
                    codes = found[index]
    if least is None or codes is None:
        return None
    similarity = scene.motion.centres @ codes
    nearest = [
        (
            float(similarity[centre]),
            float(scene.motion.shares[centre]),
            scene.motion.thumbnails[centre],
            None if scene.motion.motions is None else scene.motion.motions[centre],
        )
        for centre in np.argsort(-similarity, kind="stable")[:_NEAREST]
    ]
    return Reason(*least, nearest)
