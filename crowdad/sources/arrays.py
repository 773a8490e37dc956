"""Frames that a program already holds, or makes one at a time."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from functools import cached_property, partial
from itertools import chain
from typing import Any

import cv2
import numpy as np
import numpy.typing as npt

from crowdad.errors import ConfigError, UnreadableSourceError
from crowdad.records import SourceInfo
from crowdad.sources._base import Cut, Picture, Pixels, Source, check_fps
from crowdad.sources._report import Tally

__all__ = ["ArraySource"]

Array = npt.NDArray[np.uint8]


class ArraySource(Source):
    """numpy frames, each uint8 (H, W) grey or uint8 (H, W, 3) in BGR order, in RGB order with `rgb`.

    frames: an array (T, H, W) or (T, H, W, 3), a sequence of frames, or a function without arguments that returns a
        fresh iterator.  A generator works for a single pass; a second one raises UnreadableSourceError.
    fps: frames a second.
    start_s, end_s, stride: the part to read.

    Frames are copied, so the caller may reuse its buffers.

    >>> clip = ArraySource(np.zeros((3, 48, 64), np.uint8), fps=10)
    >>> [frame.time_s for frame in clip.frames()]
    [0.0, 0.1, 0.2]
    """

    def __init__(
        self,
        frames: Array | Iterable[Array] | Callable[[], Iterable[Array]],
        fps: float,
        name: str = "array",
        *,
        start_s: float | None = None,
        end_s: float | None = None,
        stride: int = 1,
        rgb: bool = False,
    ) -> None:
        if fps is None:
            raise ConfigError("arrays carry no frame rate; give fps, the number of frames a second")
        check_fps(fps)
        super().__init__(name, Cut(start_s, end_s, stride))
        self._fps = float(fps)
        self._frames = frames
        self._rgb = rgb
        self._peeked: list[Array] = []
        self._used_up = False

    @classmethod
    def accepts(cls, spec: Any) -> bool:
        return isinstance(spec, np.ndarray | Iterator) or callable(spec) or _is_frame_sequence(spec)

    @cached_property
    def info(self) -> SourceInfo:
        iterator = iter(self._opened())
        first = next(iterator, None)
        if isinstance(self._frames, Iterator):
            self._peeked = [] if first is None else [first]
        elif callable(self._frames) and hasattr(iterator, "close"):
            iterator.close()
        if first is None:
            raise UnreadableSourceError(f"{self.name}: no frames; give at least one")
        self._check(0, first)
        count = len(self._frames) if isinstance(self._frames, Sequence | np.ndarray) else None
        return SourceInfo(
            name=self.name,
            kind="arrays",
            size_hw=(first.shape[0], first.shape[1]),
            fps=self._fps,
            frame_count=count,
            duration_s=None if count is None else count / self._fps,
        )

    def pictures(self, tally: Tally) -> Iterator[Picture]:
        one_shot = isinstance(self._frames, Iterator)
        if one_shot and self._used_up:
            raise UnreadableSourceError(
                f"{self.name}: its generator was used up by an earlier pass; "
                "give a list, or a function that returns a fresh generator"
            )
        self._used_up = one_shot
        opened = iter(self._opened())
        try:
            for index, array in enumerate(chain(self._peeked, opened)):
                self._check(index, array)
                yield Picture(index, index / self._fps, partial(_load, array, self._rgb))
        finally:
            if callable(self._frames) and hasattr(opened, "close"):
                opened.close()

    def _opened(self) -> Iterable[Array]:
        if isinstance(self._frames, Iterator | np.ndarray):
            return self._frames
        return self._frames() if callable(self._frames) else self._frames

    def _check(self, index: int, array: Any) -> None:
        if not (
            isinstance(array, np.ndarray)
            and array.dtype == np.uint8
            and (array.ndim == 2 or (array.ndim == 3 and array.shape[2] == 3))
            and array.size
        ):
            found = f"{array.dtype} {array.shape}" if isinstance(array, np.ndarray) else type(array).__name__
            raise UnreadableSourceError(
                f"{self.name}: frame {index} is {found}; uint8 (H, W) grey or uint8 (H, W, 3) "
                f"{'RGB' if self._rgb else 'BGR'} is needed"
            )


def _is_frame_sequence(spec: Any) -> bool:
    return isinstance(spec, Sequence) and bool(spec) and isinstance(spec[0], np.ndarray)


def _load(array: Array, rgb: bool, color: bool) -> Pixels:
    if array.ndim == 2:
        luma = array.copy(order="C")
        return luma, cv2.cvtColor(luma, cv2.COLOR_GRAY2BGR) if color else None  # type: ignore[return-value]
    bgr = np.ascontiguousarray(array[..., ::-1] if rgb else array)
    luma = cv2.cvtColor(bgr, cv2.COLOR_BGR2GRAY)  # type: ignore[assignment]
    return luma, array[..., :: -1 if rgb else 1].copy(order="C") if color else None
