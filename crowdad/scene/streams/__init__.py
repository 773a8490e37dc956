"""Kinds of evidence that something is unusual, one a file."""

from crowdad.scene.streams._base import Learner, Runtime, Step, Stream, StreamRun, Told
from crowdad.scene.streams.crowd import Crowd
from crowdad.scene.streams.motion import BatchCounts, Counts, Motion, MotionRun

__all__ = [
    "STREAMS",
    "BatchCounts",
    "Counts",
    "Crowd",
    "Learner",
    "Motion",
    "MotionRun",
    "Runtime",
    "Step",
    "Stream",
    "StreamRun",
    "Told",
]

STREAMS: dict[str, type[Stream]] = {Motion.name: Motion, Crowd.name: Crowd}
"""Name -> stream, in the order in which they are told of.  The first is always there: what is said to be the largest
raw anomaly is in its units."""
