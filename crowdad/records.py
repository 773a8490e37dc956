"""The nouns that travel down the pipeline: frozen, checked once when made."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

import numpy as np
import numpy.typing as npt

__all__ = [
    "MOST_CELLS",
    "Box",
    "Checkpoint",
    "ClosedEvent",
    "Event",
    "Frame",
    "FrameResult",
    "Heatmap",
    "OpenEvent",
    "Region",
    "SourceInfo",
    "Track",
    "Tubes",
]

MOST_CELLS = 2_500_000
"""Of one map of heat; a full HD picture of people 30 px tall has 32,000."""

Box = tuple[float, float, float, float]
"""(x0, y0, x1, y1) in pixels of the displayed picture; x1, y1 exclusive."""


def _check_box(box_xyxy: Box) -> None:
    x0, y0, x1, y1 = box_xyxy
    if not (x1 > x0 and y1 > y0):
        raise ValueError(f"box {box_xyxy} is empty; x1 > x0 and y1 > y0 are needed")


@dataclass(frozen=True, eq=False)
class Frame:
    """One decoded picture.

    index: place in the footage, counted from 0, skipped frames included.
    time_s: seconds since the footage's first frame, from the container's timestamps.
    luma: uint8 (H, W), 0..255.
    bgr: uint8 (H, W, 3), or None where colour was not asked for.
    segment: counts up where the footage itself breaks (size change, gap); nothing is tracked across a break.
    fps: new pictures a second from the segment's beginning on; None where nobody measured it.
    repeated: the picture is the one before once more, as recorders do that see fewer than they write.
    """

    index: int
    time_s: float
    luma: npt.NDArray[np.uint8]
    bgr: npt.NDArray[np.uint8] | None = None
    segment: int = 0
    fps: float | None = None
    repeated: bool = False

    def __post_init__(self) -> None:
        if self.luma.ndim != 2 or self.luma.dtype != np.uint8:
            raise ValueError(f"luma is {self.luma.dtype} {self.luma.shape}; uint8 (H, W) is needed")
        if self.bgr is not None and self.bgr.shape != (*self.luma.shape, 3):
            raise ValueError(f"bgr is {self.bgr.shape}; {(*self.luma.shape, 3)} is needed")


@dataclass(frozen=True)
class SourceInfo:
    """What is known of footage before it is read.

    size_hw: displayed picture (after rotation).  fps: frames a second (average).
    frame_count, duration_s: as the container claims, or None where it does not say.
    size_bytes: None for what is not a file.
    """

    name: str
    kind: str
    size_hw: tuple[int, int]
    fps: float
    frame_count: int | None = None
    duration_s: float | None = None
    size_bytes: int | None = None
    codec: str | None = None
    recorded_at: str | None = None
    audio: bool = False


@dataclass(frozen=True, eq=False)
class Tubes:
    """N patches that end at one step and follow their subjects back through T steps of time.

    features: float32 (N, C, T, rows, columns), direction-free motion in walking speeds, newest step first.
    path_xy: float32 (N, T, 2), centre of each tube at steps t, t-1, ... in pixels of the displayed picture.
    alive: bool (N, T), False from where the path has touched the border.
    person_px: float32 (N,), height of a person at the tube's place, in displayed pixels.
    view: int64 (N,), the view of the scene that each tube was seen in.
    """

    features: npt.NDArray[np.float32]
    path_xy: npt.NDArray[np.float32]
    alive: npt.NDArray[np.bool_]
    person_px: npt.NDArray[np.float32]
    view: npt.NDArray[np.int64]

    def __len__(self) -> int:
        return len(self.features)

    def where(self, kept: npt.NDArray[np.bool_]) -> Tubes:
        """The tubes for which `kept`, bool (N,), is True."""
        return Tubes(**{name: getattr(self, name)[kept] for name in self.__dataclass_fields__})


@dataclass(frozen=True, eq=False)
class Heatmap:
    """Anomaly of every place in one frame, at cell resolution.

    anomaly: float32 (rows, columns) in [0, 1], higher = abnormal, 0.5 at the threshold.
    cell_px: side of a cell in pixels of the displayed picture; cell (r, c) covers
        [c * cell_px, (c + 1) * cell_px) x [r * cell_px, (r + 1) * cell_px).
    size_hw: the displayed picture; the last row and column may reach past it.
    """

    anomaly: npt.NDArray[np.float32]
    cell_px: float
    size_hw: tuple[int, int]

    def __post_init__(self) -> None:
        if self.anomaly.ndim != 2:
            raise ValueError(f"anomaly is {self.anomaly.shape}; (rows, columns) is needed")


@dataclass(frozen=True)
class Region:
    """A connected place above the threshold in one frame."""

    frame_index: int
    time_s: float
    box_xyxy: Box
    peak_anomaly: float

    def __post_init__(self) -> None:
        _check_box(self.box_xyxy)


@dataclass(frozen=True)
class Track:
    """One subject's regions through time, in order of frames."""

    track_id: int
    regions: tuple[Region, ...]


@dataclass(frozen=True)
class Event:
    """What a person is told: from when to when, where and how strongly.

    box_xyxy belongs to the frame of the peak; boxes maps each frame index to the event's box there.
    surprise: how many times the peak stands out from the rest of a short clip, see `Calibration.surprise`; None where
    an alarm level is known.  candidate: one of the most unusual moments of a short clip, but not an event, as it
    is not clear enough or `recurring`: its place is unusual for much of the clip.
    """

    event_id: int
    start_s: float
    end_s: float
    start_frame: int
    end_frame: int
    peak_s: float
    peak_frame: int
    peak_anomaly: float
    box_xyxy: Box
    boxes: Mapping[int, Box] = field(default_factory=dict)
    surprise: float | None = None
    candidate: bool = False
    recurring: bool = False

    def __post_init__(self) -> None:
        _check_box(self.box_xyxy)
        if self.end_frame < self.start_frame:
            raise ValueError(f"event ends at frame {self.end_frame}, before it starts at {self.start_frame}")


@dataclass(frozen=True)
class OpenEvent:
    """What an event is known to be while it lasts.

    keys: its numbers, the oldest first: its own, the same while it lasts, and those of what has joined it.  They are
    given in order of first sight, also to what turns out too short to be an event.
    lasts: it is long enough to be told.  part_of: first key of the older one that it has kept touching up to now, which
    it will be one event with if that goes on.
    peak_s, peak_frame, peak_anomaly, box_xyxy: of its hottest frame so far.  now_xyxy: where it was seen last.
    """

    keys: tuple[int, ...]
    start_s: float
    start_frame: int
    peak_s: float
    peak_frame: int
    peak_anomaly: float
    box_xyxy: Box
    now_xyxy: Box
    lasts: bool
    part_of: int | None = None


@dataclass(frozen=True)
class ClosedEvent:
    """An event that is over; keys: what it was known by while it lasted, the oldest first.  Its `event_id` is 0."""

    keys: tuple[int, ...]
    event: Event


@dataclass(frozen=True)
class Checkpoint:
    """Where a detector stood between two results: with these results and the footage, enough to go on exactly so.

    told: results given so far, one a frame.  from_frame: number of the first frame, counted from 0, whose picture is
    needed again.  exact_step: step of that frame's segment from which on all is as it was before; odd, scored, motion:
    the detector's counts at that step.
    """

    told: int
    from_frame: int
    exact_step: int
    odd: int
    scored: int
    motion: tuple[float, ...]


@dataclass(frozen=True, eq=False)
class FrameResult:
    """What the detector says of one frame.

    anomaly: in [0, 1], the heatmap's largest value, higher = abnormal, 0.5 at the threshold.
    normality: in [-1, 1], largest cosine of the least normal tube that formed that maximum (1.0 where nothing moves).
    flagged: anomaly >= 0.5.
    warm_up: True before a full window exists: the score is that of the first full window.
    n_tubes: tubes that voted at this frame's step.
    """

    index: int
    time_s: float
    normality: float
    anomaly: float
    flagged: bool
    warm_up: bool
    n_tubes: int
    heatmap: Heatmap
    segment: int = 0
