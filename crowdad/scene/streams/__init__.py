"""Kinds of evidence that something is unusual, one a file."""

from crowdad.scene.streams._base import (
    Learner,
    Lesson,
    MapRun,
    MapStream,
    Runtime,
    Step,
    Stream,
    Told,
    TubeRun,
    TubeStream,
)
from crowdad.scene.streams.crowd import Crowd
from crowdad.scene.streams.gait import Gait
from crowdad.scene.streams.motion import BatchCounts, Counts, Motion, MotionRun
from crowdad.scene.streams.nowhere import Nowhere
from crowdad.scene.streams.place import Place
from crowdad.scene.streams.stays import Stays

__all__ = [
    "KINDS",
    "STREAMS",
    "BatchCounts",
    "Counts",
    "Crowd",
    "Gait",
    "Learner",
    "Lesson",
    "MapRun",
    "MapStream",
    "Motion",
    "MotionRun",
    "Nowhere",
    "Place",
    "Runtime",
    "Stays",
    "Step",
    "Stream",
    "Told",
    "TubeRun",
    "TubeStream",
]

STREAMS: dict[str, type[Stream]] = {stream.name: stream for stream in (Motion, Gait, Place, Nowhere, Stays, Crowd)}
"""Name -> stream, in the order in which they are told of.  The first is always there: what is said to be the largest
raw anomaly is in its units."""

KINDS: tuple[str, ...] = tuple(dict.fromkeys(kind for stream in STREAMS.values() for kind in stream.kinds))
"""What events can be called."""
