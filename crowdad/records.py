"""The nouns that travel down the pipeline: frozen, checked once when made."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import numpy.typing as npt

__all__ = [
    "HEAT_RISE",
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
    "Velocity",
    "glow",
]

MOST_CELLS = 2_500_000
"""Of one map of heat; a full HD picture of people 30 px tall has 32,000."""

HEAT_RISE = 0.2
"""Anomaly around the threshold over which heat appears in a picture."""

_DARKEST, _BRIGHTEST = 0.35, 0.86  # of a colour map: darker reads as shade, paler as light; between them heat glows

Box = tuple[float, float, float, float]
"""(x0, y0, x1, y1) in pixels of the displayed picture; x1, y1 exclusive."""

Velocity = tuple[float, float]
"""(x, y) in pixels of the displayed picture a second; y points down."""


def _check_box(box_xyxy: Box) -> None:
    x0, y0, x1, y1 = box_xyxy
    if not (x1 > x0 and y1 > y0):
        raise ValueError(f"box {box_xyxy} is empty; x1 > x0 and y1 > y0 are needed")


@dataclass(frozen=True, eq=False)
class Frame:
    """One decoded picture.

    Parameters
    ----------
    index : int
        Place in the footage, counted from 0, skipped frames included.
    time_s : float
        Seconds since the footage's first frame, from the container's timestamps.
    luma : uint8 array of shape (H, W)
        Brightness, 0..255.
    bgr : uint8 array of shape (H, W, 3), optional
        The colours, blue first; None where nobody asked for them.
    segment : int
        Counts up where the footage itself breaks (size change, gap); nothing is tracked across a break.
    fps : float, optional
        New pictures a second from the segment's beginning on; None where nobody measured it.
    repeated : bool
        The picture is the one before once more, as recorders write that see fewer pictures than they store.

    Raises
    ------
    ValueError
        For arrays of another shape or type.

    Examples
    --------
    >>> import numpy as np
    >>> crowdad.Frame(3, 0.12, np.zeros((240, 360), np.uint8))
    Frame(3 at 0.120 s, 360x240, grey)
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

    def __repr__(self) -> str:
        colour = "grey" if self.bgr is None else "colour"
        again = ", repeated" if self.repeated else ""
        return f"Frame({self.index} at {self.time_s:.3f} s, {_size_text(self.luma.shape)}, {colour}{again})"


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
    gait: float32 (N, 2): how much the legs swing, see `patches`, and the share of moving pixels; None: not known.
    """

    features: npt.NDArray[np.float32]
    path_xy: npt.NDArray[np.float32]
    alive: npt.NDArray[np.bool_]
    person_px: npt.NDArray[np.float32]
    view: npt.NDArray[np.int64]
    gait: npt.NDArray[np.float32] | None = None

    def __len__(self) -> int:
        return len(self.features)

    def where(self, kept: npt.NDArray[np.bool_]) -> Tubes:
        """The tubes for which `kept`, bool (N,), is True."""
        fields = {name: getattr(self, name) for name in self.__dataclass_fields__}
        chosen: dict[str, Any] = {name: None if array is None else array[kept] for name, array in fields.items()}
        return Tubes(**chosen)


@dataclass(frozen=True, eq=False)
class Heatmap:
    """Anomaly of every place in one frame, at cell resolution.

    Parameters
    ----------
    anomaly : float32 array of shape (rows, columns), in [0, 1]
        Higher = abnormal, 0.5 at the threshold.
    cell_px : float
        Side of a cell in pixels of the displayed picture; cell (r, c) covers
        [c * cell_px, (c + 1) * cell_px) x [r * cell_px, (r + 1) * cell_px).
    size_hw : tuple of int
        Height and width of the displayed picture in pixels; the last row and column may reach past it.

    Raises
    ------
    ValueError
        For an array without rows and columns.

    Examples
    --------
    >>> import numpy as np
    >>> heatmap = crowdad.Heatmap(np.array([[0.0, 0.2], [0.1, 0.9]], np.float32), 4.0, (8, 8))
    >>> heatmap
    Heatmap(2x2 cells of 4.0 px over 8x8, anomaly 0.00 to 0.90)
    """

    anomaly: npt.NDArray[np.float32]
    cell_px: float
    size_hw: tuple[int, int]

    def __post_init__(self) -> None:
        if self.anomaly.ndim != 2:
            raise ValueError(f"anomaly is {self.anomaly.shape}; (rows, columns) is needed")

    def __repr__(self) -> str:
        rows, columns = self.anomaly.shape
        span = f", anomaly {self.anomaly.min():.2f} to {self.anomaly.max():.2f}" if self.anomaly.size else ""
        return f"Heatmap({rows}x{columns} cells of {self.cell_px:.1f} px over {_size_text(self.size_hw)}{span})"

    def resized(self, size_hw: tuple[int, int] | None = None) -> npt.NDArray[np.float32]:
        """Anomaly of every pixel, linear between the middles of cells.

        Parameters
        ----------
        size_hw : tuple of int, optional
            Height and width of the result in pixels; default: those of the displayed picture.

        Returns
        -------
        float32 array of shape (H, W), in [0, 1], higher = abnormal

        Raises
        ------
        ValueError
            For a size without pixels.

        Examples
        --------
        >>> import numpy as np
        >>> heatmap = crowdad.Heatmap(np.array([[0.0, 1.0]], np.float32), 2.0, (2, 4))
        >>> heatmap.resized()
        array([[0.  , 0.25, 0.75, 1.  ],
               [0.  , 0.25, 0.75, 1.  ]], dtype=float32)
        """
        wanted = self.size_hw if size_hw is None else size_hw
        if min(wanted) < 1:
            raise ValueError(f"size_hw is {wanted}; at least one pixel each way is needed")
        (upper, lower, down), (left, right, across) = (
            _between(pixels, side / self.cell_px, cells)
            for pixels, side, cells in zip(wanted, self.size_hw, self.anomaly.shape, strict=True)
        )
        rows = self.anomaly[upper] * (1 - down)[:, None] + self.anomaly[lower] * down[:, None]
        return np.asarray(rows[:, left] * (1 - across) + rows[:, right] * across, np.float32)

    def overlay(
        self, frame: Frame | npt.NDArray[np.uint8], *, strength: float = 0.65, rgb: bool = False
    ) -> npt.NDArray[np.uint8]:
        """A copy of the frame with the heat over it, in the colours of overlay.mp4.

        Parameters
        ----------
        frame : Frame, or uint8 array of shape (H, W) or (H, W, 3)
            The picture that the heatmap belongs to, of any size.
        strength : float, in [0, 1]
            Opacity of full heat.
        rgb : bool
            The array's colours are red, green, blue, not blue, green, red; so are the result's.

        Returns
        -------
        uint8 array of shape (H, W, 3), blue, green, red unless `rgb`

        Raises
        ------
        ValueError
            For an array that is no picture.

        Examples
        --------
        >>> import numpy as np
        >>> heatmap = crowdad.Heatmap(np.array([[0.0, 0.9]], np.float32), 2.0, (2, 4))
        >>> heatmap.overlay(np.zeros((2, 4), np.uint8)).max(axis=2)
        array([[  0,   0, 146, 164],
               [  0,   0, 146, 164]], dtype=uint8)
        """
        import cv2  # only who draws needs it

        if isinstance(frame, Frame):
            picture = frame.luma if frame.bgr is None else frame.bgr[..., :: -1 if rgb else 1]
        else:
            picture = frame
        if picture.dtype != np.uint8 or picture.ndim not in (2, 3) or picture.shape[2:] not in ((), (3,)):
            raise ValueError(f"frame is {picture.dtype} {picture.shape}; uint8 (H, W) or (H, W, 3) is needed")
        under = np.atleast_3d(picture).astype(np.float32)
        height, width = picture.shape[:2]
        place, opacity = glow(self.resized((height, width)))
        colours = cv2.applyColorMap(np.rint(255 * place).astype(np.uint8), cv2.COLORMAP_INFERNO)
        over = colours[..., :: -1 if rgb else 1]
        return np.asarray(np.rint(under + strength * opacity[..., None] * (over - under)), np.uint8)


def glow(
    anomaly: npt.NDArray[np.floating], threshold: float = 0.5
) -> tuple[npt.NDArray[np.floating], npt.NDArray[np.floating]]:
    """How anomaly looks: its place on a colour map and its opacity, both of the anomaly's shape, in [0, 1].

    It is transparent up to `HEAT_RISE` below the threshold and in full from `HEAT_RISE` above.
    """
    first_visible = threshold - HEAT_RISE
    rise = np.clip((anomaly - first_visible) / (2 * HEAT_RISE), 0, 1)
    reach = np.clip((anomaly - first_visible) / max(1 - first_visible, 0.01), 0, 1)
    return _DARKEST + (_BRIGHTEST - _DARKEST) * reach, rise**2 * (3 - 2 * rise)


def _between(
    pixels: int, cells_seen: float, cells: int
) -> tuple[npt.NDArray[np.intp], npt.NDArray[np.intp], npt.NDArray[np.float32]]:
    """For each pixel along one side: the cells before and after its middle, and the share of the second."""
    places = np.clip((np.arange(pixels) + 0.5) * (cells_seen / pixels) - 0.5, 0, cells - 1)
    before = places.astype(np.intp)
    return before, np.minimum(before + 1, cells - 1), np.asarray(places - before, np.float32)


def _size_text(shape: tuple[int, ...]) -> str:
    return f"{shape[1]}x{shape[0]}"


@dataclass(frozen=True)
class Region:
    """A connected place above the threshold in one frame.

    stream, velocity_px_s, note: whose evidence its hottest cell is, how what is there moves and what the stream has to
    say of it, as in `FrameResult`.
    """

    frame_index: int
    time_s: float
    box_xyxy: Box
    peak_anomaly: float
    stream: int = 0
    velocity_px_s: Velocity | None = None
    note: int = 0

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

    Parameters
    ----------
    event_id : int
        Counted from 1, in order of start.
    start_s, end_s, peak_s : float
        Seconds since the footage's first frame; `end_s` is the end of the last frame.
    start_frame, end_frame, peak_frame : int
        Frames counted from 0; the last one belongs to the event.
    peak_anomaly : float, in [0, 1]
        Higher = abnormal, 0.5 at the threshold.
    box_xyxy : tuple of float
        (x0, y0, x1, y1) at the peak, in pixels of the displayed picture; x1, y1 exclusive.
    boxes : mapping of int to tuple of float
        The event's box in each of its frames.
    surprise : float, optional
        How many times the peak stands out from the rest of a short clip; None where an alarm level is known.
    candidate : bool
        One of the most unusual moments of a short clip, but not clear enough to be an event, or `recurring`.
    recurring : bool
        The place is unusual for much of the short clip.
    stream : int
        Place in the scene's streams of the one that raised it: whose evidence the peak is.
    velocity_px_s : tuple of float, optional
        (x, y) of what is unusual at the peak, in pixels a second; y points down.  None where it is not known.
    note : int
        What its stream has to say of the peak, in numbers of its own; 0: nothing.
    kind, sentence : str
        What such an event is called, and what is unusual in it; empty where no scene was at hand to tell.

    Raises
    ------
    ValueError
        For an empty box, and for an end before the start.

    Examples
    --------
    >>> crowdad.Event(1, 2.0, 3.5, 20, 34, 2.4, 24, 0.8, (10.0, 20.0, 30.0, 60.0)).end_s
    3.5
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
    boxes: Mapping[int, Box] = field(default_factory=dict, repr=False)
    surprise: float | None = None
    candidate: bool = False
    recurring: bool = False
    stream: int = 0
    velocity_px_s: Velocity | None = None
    note: int = 0
    kind: str = ""
    sentence: str = ""

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
    peak_s, peak_frame, peak_anomaly, box_xyxy, stream, velocity_px_s, note: of its hottest frame so far.
    now_xyxy: where it was seen last.
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
    stream: int = 0
    velocity_px_s: Velocity | None = None
    note: int = 0


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

    Parameters
    ----------
    index : int
        Place in the footage, counted from 0, skipped frames included.
    time_s : float
        Seconds since the footage's first frame.
    normality : float, in [-1, 1]
        Largest cosine of the least normal tube that formed the heatmap's maximum, higher = normal; 1.0 where nothing
        moves.
    anomaly : float, in [0, 1]
        The heatmap's largest value, higher = abnormal, 0.5 at the threshold.
    flagged : bool
        Whether `anomaly` is at least 0.5.
    warm_up : bool
        True before a full window exists: the score is that of the first full window.
    n_tubes : int
        Tubes that voted at this frame's step.
    heatmap : Heatmap
        Where the anomaly is.
    segment : int
        Counts up where the footage itself breaks.
    leading : uint8 array of shape (rows, columns), optional
        Place in the scene's streams of the one whose evidence a cell's anomaly is; None: the first one everywhere.
    note : uint8 array of shape (rows, columns), optional
        What that stream has to say of a cell, in numbers of its own, 0 where it says nothing; None: nowhere.
    velocity_px_s : float16 array of shape (rows, columns, 2), optional
        (x, y) of what moves unusually at a cell, in pixels a second; 0 where nothing does.
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
    leading: npt.NDArray[np.uint8] | None = None
    note: npt.NDArray[np.uint8] | None = None
    velocity_px_s: npt.NDArray[np.float16] | None = None

    def __repr__(self) -> str:
        flagged = " (flagged)" if self.flagged else ""
        return (
            f"FrameResult({self.index} at {self.time_s:.3f} s: anomaly {self.anomaly:.2f}{flagged}, "
            f"normality {self.normality:.2f}, {self.n_tubes} tubes)"
        )
