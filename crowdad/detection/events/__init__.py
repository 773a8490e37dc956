"""Heatmap -> regions -> tracks -> events: what a person is told, found frame by frame in bounded memory.

Two hystereses keep events whole.  In space a region needs one cell at the threshold and then grows over its neighbours
down to a lower level.  In time a place at the lower level may carry a track on from one frame above the threshold to
the next, but neither starts it nor ends it.
"""

from crowdad.detection.events.finder import EventFinder, find_events
from crowdad.detection.events.moments import MOST_MOMENTS, MomentFinder

__all__ = ["MOST_MOMENTS", "EventFinder", "MomentFinder", "find_events"]
