"""The footage beside the report page, in a form that browsers play."""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterable, Iterator
from itertools import chain
from pathlib import Path

import cv2
import numpy as np
import numpy.typing as npt

from crowdad.outputs.h264 import H264Writer, letterbox
from crowdad.records import Frame

__all__ = ["lay_beside", "written_along"]


def lay_beside(original: Path, path: Path, *, linked: bool = True) -> None:
    """Give the original a second name, which costs nothing, or copy it where the disk does not allow that.

    linked: both names are of one file: deleting the original leaves it here, and a mode that is changed is both's.
    Raises OSError where it cannot be copied either.
    """
    try:
        if linked:
            os.link(original.resolve(), path)
            return
    except OSError:  # another disk, or one that knows no links
        pass
    shutil.copyfile(original, path)


def written_along(frames: Iterable[Frame], path: Path, fps: float, crf: int = 23) -> Iterator[Frame]:
    """Pass the frames on unchanged and write them as H.264, the first one at 0 s, all at the size of the first.

    fps: average.  crf: 0..51, lower = better and larger.

    Raises OSError where the disk refuses.
    """
    source = iter(frames)
    first = next(source, None)
    if first is None:
        return
    size_hw = (first.luma.shape[0], first.luma.shape[1])
    with H264Writer(path, size_hw, fps, crf=crf) as video:
        for frame in chain([first], source):
            picture = _in_colour(frame)
            if picture.shape[:2] != size_hw:
                picture = letterbox(picture, size_hw)
            video.write(picture, frame.time_s - first.time_s)
            yield frame


def _in_colour(frame: Frame) -> npt.NDArray[np.uint8]:
    if frame.bgr is not None:
        return frame.bgr
    return np.asarray(cv2.cvtColor(frame.luma, cv2.COLOR_GRAY2BGR), np.uint8)
