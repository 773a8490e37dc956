"""From a decoded picture to arrays: brightness as the codec keeps it where it does, turned upright once."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache

import av
import numpy as np
import numpy.typing as npt
from av.video.format import VideoFormat
from av.video.reformatter import VideoReformatter

from crowdad.sources._base import Pixels

__all__ = ["Orientation", "PixelReader"]


@dataclass(frozen=True)
class Orientation:
    """How a stored picture is turned to be seen upright: rows and columns swapped first, then each axis flipped."""

    transpose: bool = False
    flip_rows: bool = False
    flip_columns: bool = False

    @classmethod
    def of(cls, frame: av.VideoFrame, clockwise_deg: int = 0) -> Orientation:
        """From the frame's display matrix, or `clockwise_deg` (a rotate tag) where it carries none.

        The matrix is nine int32 (a b u, c d v, x y w): column p, row q is shown at column a p + c q, row b p + d q.
        """
        side = frame.side_data.get("DISPLAYMATRIX")
        if side is None:
            return _TURNED[clockwise_deg // 90 % 4]
        a, b, _, c, d, *_ = np.frombuffer(bytes(side), np.int32).tolist()  # type: ignore[call-overload]
        if abs(b) + abs(c) > abs(a) + abs(d):
            return cls(True, flip_rows=b < 0, flip_columns=c < 0)
        return cls(False, flip_rows=d < 0, flip_columns=a < 0)

    def size_hw(self, height: int, width: int) -> tuple[int, int]:
        return (width, height) if self.transpose else (height, width)

    def upright(self, stored: npt.NDArray[np.uint8]) -> npt.NDArray[np.uint8]:
        """A copy of uint8 (H, W) or (H, W, 3), turned, contiguous, owning its memory."""
        if self.transpose:
            stored = stored.swapaxes(0, 1)
        rows = slice(None, None, -1 if self.flip_rows else 1)
        columns = slice(None, None, -1 if self.flip_columns else 1)
        return stored[rows, columns].copy(order="C")


_TURNED = (
    Orientation(),
    Orientation(True, flip_columns=True),
    Orientation(False, flip_rows=True, flip_columns=True),
    Orientation(True, flip_rows=True),
)
"""Quarter turns clockwise."""


class PixelReader:
    """Turns decoded frames of one stream into arrays; keeps its converters, which are costly to make for each frame.

    clockwise_deg: of a rotate tag, for frames without a display matrix.
    """

    def __init__(self, clockwise_deg: int = 0) -> None:
        self._clockwise_deg = clockwise_deg
        self._to_eight_bits = VideoReformatter()
        self._to_bgr = VideoReformatter()
        self._turn: int | None = None
        self._orientation = Orientation()

    def read(self, frame: av.VideoFrame, color: bool) -> Pixels:
        """(luma, bgr) of a frame, upright.

        The Y plane is taken as it is: in video range (16..235) it stays so, motion does not care and nothing is lost.
        Of more bits the upper eight are taken, so that footage of 8, 10 and 12 bits has the same brightness.
        """
        orientation = self._orientation_of(frame)
        converted = _eight_bits(frame.format.name)
        if converted is None and frame.planes[0].line_size <= 0:
            converted = "gray"
        # One thread: with several, swscale leaves seams between the slices of a 10-bit picture now and then.
        plain = frame if converted is None else self._to_eight_bits.reformat(frame, format=converted, threads=1)
        luma = orientation.upright(_first_plane(plain, 1)[..., 0])
        if not color:
            return luma, None
        return luma, orientation.upright(_first_plane(self._to_bgr.reformat(frame, format="bgr24"), 3))

    def _orientation_of(self, frame: av.VideoFrame) -> Orientation:
        """That of the last frame, unless it is turned otherwise.

        A frame whose side data was looked at holds itself (PyAV 18), and its memory until Python looks for circles.
        """
        if frame.rotation != self._turn:
            self._turn = frame.rotation
            self._orientation = Orientation.of(frame, self._clockwise_deg)
        return self._orientation


def _first_plane(frame: av.VideoFrame, channels: int) -> npt.NDArray[np.uint8]:
    """uint8 (H, W, channels), a view into the frame's own memory."""
    plane = frame.planes[0]
    rows = np.frombuffer(plane, np.uint8).reshape(-1, plane.line_size)  # type: ignore[call-overload]
    return rows[: frame.height, : frame.width * channels].reshape(frame.height, frame.width, channels)


@cache
def _eight_bits(format_name: str) -> str | None:
    """The format to convert to whose first plane is 8-bit brightness and nothing else; None: it is of that kind itself.

    yuv420p, yuvj422p, nv12, gray, yuva420p, .. are.  Other YUV keeps its range (16..235 or all) only within YUV.
    """
    fmt = VideoFormat(format_name)
    in_first_plane = [component for component in fmt.components if component.plane == 0]
    if fmt.is_rgb or fmt.has_palette or fmt.is_bit_stream or not in_first_plane[0].is_luma:
        return "gray"
    if len(in_first_plane) == 1 and in_first_plane[0].bits == 8:
        return None
    return "yuv420p" if len(fmt.components) > 2 else "gray"
