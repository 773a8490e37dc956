"""Cuts: where the footage jumps to another place or another time, nothing is followed across."""

from __future__ import annotations

from typing import NamedTuple

import cv2
import numpy as np
import numpy.typing as npt

from crowdad.records import Frame

__all__ = ["Change", "CutFinder"]

Array = npt.NDArray[np.float32]

_CELLS = 24  # a side of the thumbnail
_SMALL = 144  # pixels, about: the shorter side of the picture that is looked at
_JUMP, _RATIO = 1.5, 3.5  # grey levels, and times the usual change: more than people's steps make
_RATIO_APART = 2.5  # times what is usual apart from where most changed: more than a lorry's passing makes there
_RISE, _FALL = 0.3, 0.02  # large changes soon are usual, also where most frames come twice
_RISE_AT_CUT = 0.2  # what goes on changing like that is no cut for long
_MOST_GAIN = 0.25  # of a change of light
_MOST_SHIFT = 0.1  # of a jolt, times the side of the picture


class Change(NamedTuple):
    """How much a frame differs from the one before, light and jolts left out: grey levels, mean over its thumbnail.

    whole: everywhere.  apart: without the half of the columns, side by side, that differ most; a lorry right before
    the camera changes little there.
    """

    whole: float
    apart: float


_USUAL_AT_FIRST, _LEAST_USUAL = Change(5.0, 2.5), Change(0.1, 0.03)  # at first only another camera is a cut


class CutFinder:
    """Compares each frame's thumbnail with the one before.

    Another camera is a cut, and so is the same camera at another time, where everybody is elsewhere at once.  A change
    of light or a jolt of the camera alone is none, nor is something large that passes.

    usual: the usual change from frame to frame; what comes next is measured by it.
    """

    def __init__(self, usual: Change = _USUAL_AT_FIRST) -> None:
        self.usual = usual
        self._last: tuple[Array, Array] | None = None  # the last picture and its thumbnail

    def is_cut(self, frame: Frame) -> bool:
        """Whether this frame does not go on from the last one."""
        if frame.repeated:
            return False
        step = max(min(frame.luma.shape) // _SMALL, 1)
        small = frame.luma[::step, ::step].astype(np.float32)
        last, self._last = self._last, (small, _thumbnail(small))
        return last is not None and self.judge(_change(self._last, last))

    def judge(self, change: Change) -> bool:
        """Whether so large a change is a cut."""
        cut = change.whole > max(_JUMP, _RATIO * self.usual.whole) and change.apart > _RATIO_APART * self.usual.apart
        follow = _after_cut if cut else _onward
        self.usual = Change(*map(follow, self.usual, change, _LEAST_USUAL))
        return cut


def _after_cut(usual: float, now: float, _least: float) -> float:
    return usual + min(_RISE_AT_CUT * (now - usual), usual)


def _onward(usual: float, now: float, least: float) -> float:
    more = now - usual
    return max(usual + (_RISE if more > 0 else _FALL) * more, least)


def _change(later: tuple[Array, Array], earlier: tuple[Array, Array]) -> Change:
    """How much two pictures of any size differ, each beside its thumbnail."""
    (later_picture, later_small), (earlier_picture, earlier_small) = later, earlier
    offs = _offs(later_small, earlier_small)
    whole = _least(offs).mean()
    if whole > _JUMP:
        if later_picture.shape != earlier_picture.shape:
            earlier_picture = _resized(earlier_picture, later_picture.shape[::-1])
        moved = _moved_as(later_picture, earlier_picture)
        if moved is not None:
            offs = np.concatenate([offs, _offs(later_small, _thumbnail(moved))])
            whole = _least(offs).mean()
    # The median, as what is large and new moves the mean, and with it all that stayed as it was.
    middle = np.partition(offs.reshape(len(offs), -1), _CELLS * _CELLS // 2)[:, _CELLS * _CELLS // 2]
    columns = _least(offs - middle[:, None, None]).mean(axis=0)
    half = _CELLS // 2
    most = np.convolve(columns, np.ones(half), mode="valid").max()
    return Change(float(whole), float(columns.sum() - most) / _CELLS)


def _moved_as(later: Array, earlier: Array) -> Array | None:
    """`earlier` moved by the jolt after which the camera saw `later`; None where it was no jolt."""
    height, width = later.shape
    window = cv2.createHanningWindow((width, height), cv2.CV_32F)
    (right, down), _ = cv2.phaseCorrelate(earlier * window, later * window)
    if not 0 < max(abs(right) / width, abs(down) / height) < _MOST_SHIFT:
        return None
    shift = np.array([[1, 0, right], [0, 1, down]])
    return np.asarray(cv2.warpAffine(earlier, shift, (width, height), borderMode=cv2.BORDER_REPLICATE), np.float32)


def _resized(picture: Array, size_wh: tuple[int, ...]) -> Array:
    return np.asarray(cv2.resize(picture, size_wh, interpolation=cv2.INTER_AREA), np.float32)


def _thumbnail(picture: Array) -> Array:
    """The picture at a few cells a side, less its mean."""
    small = _resized(picture, (_CELLS, _CELLS))
    return np.asarray(small - small.mean(), np.float32)


def _offs(later: Array, earlier: Array) -> Array:
    """What is left of the thumbnails' difference where the light grew by so much, or by such a factor: (2, H, W)."""
    gain = float((later * earlier).sum() / max((earlier * earlier).sum(), 1.0))
    gain = min(max(gain, 1 - _MOST_GAIN), 1 + _MOST_GAIN)
    return np.stack([later - earlier, later - gain * earlier])


def _least(offs: Array) -> Array:
    """Of the differences (N, H, W) that which explains most, without its signs."""
    sizes = np.abs(offs)
    return np.asarray(sizes[sizes.mean(axis=(1, 2)).argmin()])
