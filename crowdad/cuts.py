"""Hard cuts: where the camera switched, nothing is followed across."""

from __future__ import annotations

import cv2
import numpy as np
import numpy.typing as npt

from crowdad.records import Frame

__all__ = ["CutFinder"]

_THUMBNAIL = (24, 24)
_JUMP = 18.0  # grey levels: mean change of a thumbnail that only another picture makes
_RATIO = 6.0  # times the usual change from frame to frame


class CutFinder:
    """Compares each frame's thumbnail with the one before; a change of light alone is no cut.

    usual: the usual change from frame to frame, grey levels; what comes next is measured by it.
    """

    def __init__(self, usual: float = 1.0) -> None:
        self.usual = usual
        self._last: npt.NDArray[np.float32] | None = None

    def is_cut(self, frame: Frame) -> bool:
        """Whether this frame starts another picture than the last one showed."""
        thumbnail = cv2.resize(frame.luma, _THUMBNAIL, interpolation=cv2.INTER_AREA).astype(np.float32)
        last, self._last = self._last, thumbnail
        if last is None:
            return False
        return self.judge(float(np.abs((thumbnail - thumbnail.mean()) - (last - last.mean())).mean()))

    def judge(self, change: float) -> bool:
        """Whether a change of so many grey levels, mean over the thumbnail, is a cut."""
        cut = change > max(_JUMP, _RATIO * self.usual)
        if not cut:
            self.usual += 0.05 * (change - self.usual)
        return cut
