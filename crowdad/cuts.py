"""Cuts: where the footage jumps to another place or another time, nothing is followed across."""

from __future__ import annotations

import cv2
import numpy as np
import numpy.typing as npt

from crowdad.records import Frame

__all__ = ["CutFinder"]

Array = npt.NDArray[np.float32]

_CELLS = 24  # a side of the thumbnail
_SMALL = 144  # pixels, about: the shorter side of the picture that is looked at
_JUMP, _RATIO = 1.5, 3.5  # grey levels, and times the usual change: more than people's steps make
_RISE, _FALL = 0.3, 0.02  # large changes soon are usual, also where most frames come twice
_RISE_AT_CUT = 0.2  # what goes on changing like that is no cut for long
_USUAL_AT_FIRST, _LEAST_USUAL = 5.0, 0.1  # at first only another camera is a cut
_MOST_GAIN = 0.25  # of a change of light
_MOST_SHIFT = 0.1  # of a jolt, times the side of the picture


class CutFinder:
    """Compares each frame's thumbnail with the one before.

    Another camera is a cut, and so is the same camera at another time, where everybody is elsewhere at once.  A change
    of light or a jolt of the camera alone is none.

    usual: the usual change from frame to frame, grey levels; what comes next is measured by it.
    """

    def __init__(self, usual: float = _USUAL_AT_FIRST) -> None:
        self.usual = usual
        self._last: Array | None = None

    def is_cut(self, frame: Frame) -> bool:
        """Whether this frame does not go on from the last one."""
        step = max(min(frame.luma.shape) // _SMALL, 1)
        small = frame.luma[::step, ::step].astype(np.float32)
        last, self._last = self._last, small
        return last is not None and self.judge(_change(small, last))

    def judge(self, change: float) -> bool:
        """Whether a change of so many grey levels, mean over the thumbnail, is a cut."""
        cut = change > max(_JUMP, _RATIO * self.usual)
        more = change - self.usual
        if cut:
            self.usual += min(_RISE_AT_CUT * more, self.usual)
        else:
            self.usual = max(self.usual + (_RISE if more > 0 else _FALL) * more, _LEAST_USUAL)
        return cut


def _change(later: Array, earlier: Array) -> float:
    """How much two pictures differ, apart from light and a jolt of the camera: grey levels, mean over a thumbnail."""
    if later.shape != earlier.shape:
        earlier = _resized(earlier, later.shape[::-1])
    change = _unlike(later, earlier)
    if change <= _JUMP:
        return change
    height, width = later.shape
    window = cv2.createHanningWindow((width, height), cv2.CV_32F)
    (right, down), _ = cv2.phaseCorrelate(earlier * window, later * window)
    if not 0 < max(abs(right) / width, abs(down) / height) < _MOST_SHIFT:
        return change
    shift = np.array([[1, 0, right], [0, 1, down]])
    moved = cv2.warpAffine(earlier, shift, (width, height), borderMode=cv2.BORDER_REPLICATE)
    return min(change, _unlike(later, np.asarray(moved, np.float32)))


def _resized(picture: Array, size_wh: tuple[int, ...]) -> Array:
    return np.asarray(cv2.resize(picture, size_wh, interpolation=cv2.INTER_AREA), np.float32)


def _unlike(later: Array, earlier: Array) -> float:
    """Mean absolute difference of their thumbnails that no change of light explains."""
    later, earlier = (_resized(picture, (_CELLS, _CELLS)) for picture in (later, earlier))
    later, earlier = later - later.mean(), earlier - earlier.mean()
    gain = float((later * earlier).sum() / max((earlier * earlier).sum(), 1.0))
    gain = min(max(gain, 1 - _MOST_GAIN), 1 + _MOST_GAIN)
    return float(min(np.abs(later - earlier).mean(), np.abs(later - gain * earlier).mean()))
