"""Every frame of footage told without decoding it, so that a part of it can be read without what comes before."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

import av
import numpy as np
import numpy.typing as npt
from av.container import InputContainer
from av.video.stream import VideoStream

__all__ = ["Entry", "Listing", "Packets", "read_packets"]


@dataclass(frozen=True)
class Entry:
    """Where a pass begins.

    index: of the first frame to hand out.  key_index, key_pts, key_dts: of the keyframe to decode it from, in units of
    the container's timestamps; None where frames stand alone.
    """

    index: int
    key_index: int | None = None
    key_pts: int | None = None
    key_dts: int | None = None


@dataclass(frozen=True, eq=False)
class Listing:
    """The frames that a pass hands out, in order.

    index: int64 (N,).  time_s: float64 (N,).  gap_s: footage breaks where frames lie further apart.
    keys: int64 (K, 3), index, timestamp and decoding timestamp of each keyframe, in order; (0, 3) where frames stand
    alone.
    """

    index: npt.NDArray[np.int64]
    time_s: npt.NDArray[np.float64]
    gap_s: float
    keys: npt.NDArray[np.int64]

    def __len__(self) -> int:
        return len(self.index)

    @cached_property
    def breaks(self) -> npt.NDArray[np.int64]:
        """int64 (B,): numbers, counted from 0, of the frames before which nothing was recorded for a while."""
        return np.flatnonzero(np.diff(self.time_s) > self.gap_s) + 1

    def entry(self, number: int) -> Entry:
        """Where to begin for the frame of this number, counted from 0, to be the first."""
        index = int(self.index[number])
        if not len(self.keys):
            return Entry(index)
        place = int(np.searchsorted(self.keys[:, 0], index, side="right")) - 1
        return Entry(index, *map(int, self.keys[place]))


@dataclass(frozen=True, eq=False)
class Packets:
    """What the container says of a stream's packets.

    pts: int64 (N,), timestamps in the order of display.  keys: int64 (K, 2), timestamp and decoding timestamp of each
    keyframe, in order.  end_pts: where the last one ends.
    """

    pts: npt.NDArray[np.int64]
    keys: npt.NDArray[np.int64]
    end_pts: int


def read_packets(container: InputContainer, stream: VideoStream) -> Packets | None:
    """The stream's packets, none of them decoded; None where they do not tell for sure which frames there are.

    They do where each carries a timestamp, each another one, where they come in order and none is damaged, and where
    the first one can be decoded by itself.
    """
    pts, dts, keys, end_pts = [], [], [], 0
    try:
        for packet in container.demux(stream):
            if not packet.size or packet.is_discard:
                continue
            if packet.pts is None or packet.is_corrupt:
                return None
            pts.append(packet.pts)
            if packet.dts is not None:  # Matroska keeps none where frames are shown in another order
                dts.append(packet.dts)
            end_pts = max(end_pts, packet.pts + (packet.duration or 0))
            if packet.is_keyframe:
                keys.append((packet.pts, packet.pts if packet.dts is None else packet.dts))
    except (av.FFmpegError, IndexError):
        return None
    shown = np.unique(np.array(pts, np.int64))
    if not keys or keys[0][0] != shown[0] or len(shown) != len(pts) or np.any(np.diff(np.array(dts, np.int64)) <= 0):
        return None
    return Packets(shown, np.array(sorted(keys), np.int64), end_pts)
