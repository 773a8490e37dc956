"""Kinds of evidence that something is unusual, one a file."""

from crowdad.scene.streams._base import Learner, Runtime, Step, Stream, StreamRun, Told
from crowdad.scene.streams.motion import BatchCounts, Counts, Motion, MotionRun
from crowdad.scene.streams.stays import Stays

__all__ = [
    "STREAMS",
    "BatchCounts",
    "Counts",
    "Learner",
    "Motion",
    "MotionRun",
    "Runtime",
    "Stays",
    "Step",
    "Stream",
    "StreamRun",
    "Told",
]

STREAMS: dict[str, type[Stream]] = {stream.name: stream for stream in (Motion, Stays)}
"""Name -> stream, in the order in which they are told of.  The first is always there: what is said to be the largest
raw anomaly is in its units."""
