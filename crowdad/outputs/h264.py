"""An mp4 that browsers play and that can be read even where writing stopped half-way."""

from __future__ import annotations

import os
from fractions import Fraction
from pathlib import Path
from types import TracebackType

import av
import cv2
import numpy as np
import numpy.typing as npt
from av.video.reformatter import ColorRange, Colorspace
from av.video.stream import VideoStream

from crowdad.files import written_whole

__all__ = ["H264Writer", "letterbox"]

_TICKS_PER_S = 90_000
_KEY_FRAME_S = 2.0
# Each key frame begins a piece that can be played without what follows it.
_IN_PIECES = {"movflags": "frag_keyframe+empty_moov+default_base_moof"}
_FAST_START = {"movflags": "faststart"}


class H264Writer:
    """Writes H.264 (yuv420p, no sound) with the presentation times it is given.

    path: the file, of whatever suffix.  size_hw: of the pictures; odd sizes get one more row or column.
    fps: average, for rate control and the length of the last frame.  crf: 0..51, lower = better.

    While open the file consists of fragments; `finish` copies the packets once more into one with its index in front.
    Leaving the context after an exception keeps the fragments, which play up to the last key frame.
    """

    def __init__(
        self,
        path: str | os.PathLike[str],
        size_hw: tuple[int, int],
        fps: float,
        *,
        crf: int = 23,
        preset: str = "veryfast",
    ) -> None:
        self._path = Path(path)
        self._size_hw = size_hw
        self._frame_ticks = max(1, round(_TICKS_PER_S / fps))
        self._last_pts = -1
        self._file = _PatientFile(self._path)
        try:
            self._container = av.open(self._file, "w", format="mp4", options=_IN_PIECES)
        except BaseException:
            self._file.close()
            raise
        self._stream = self._add_stream(fps, crf, preset)

    def _add_stream(self, fps: float, crf: int, preset: str) -> VideoStream:
        rate = Fraction(fps).limit_denominator(1001)
        # No B-frames: decoding order is display order, so the first frame is at 0 without an edit list.
        options = {"crf": str(crf), "preset": preset, "bf": "0", "g": str(max(1, round(fps * _KEY_FRAME_S)))}
        stream = self._container.add_stream("libx264", rate=rate, options=options)
        height, width = self._size_hw
        stream.height, stream.width = height + height % 2, width + width % 2
        stream.pix_fmt = "yuv420p"
        stream.time_base = Fraction(1, _TICKS_PER_S)
        stream.codec_context.time_base = Fraction(1, _TICKS_PER_S)
        stream.codec_context.thread_type = "AUTO"
        stream.codec_context.color_range = ColorRange.MPEG
        stream.codec_context.colorspace = Colorspace.SMPTE170M
        return stream

    def write(self, bgr: npt.NDArray[np.uint8], time_s: float) -> None:
        """Append a picture, uint8 (H, W, 3), shown from `time_s` on; times that do not rise are moved up by a tick.

        Raises OSError when the disk refuses.
        """
        height, width = bgr.shape[:2]
        if height % 2 or width % 2:
            bgr = cv2.copyMakeBorder(bgr, 0, height % 2, 0, width % 2, cv2.BORDER_REPLICATE)  # type: ignore[assignment]
        planes = np.asarray(cv2.cvtColor(bgr, cv2.COLOR_BGR2YUV_I420), dtype=np.uint8)
        frame = av.VideoFrame.from_ndarray(planes, format="yuv420p")
        self._last_pts = max(self._last_pts + 1, round(time_s * _TICKS_PER_S))
        frame.pts = self._last_pts
        frame.time_base = Fraction(1, _TICKS_PER_S)
        frame.duration = self._frame_ticks
        self._container.mux(self._stream.encode(frame))
        self._file.complain()

    def finish(self) -> None:
        """Write what the encoder still holds and put the index in front."""
        self._close()
        self._file.complain()
        if self._last_pts >= 0:
            _put_index_in_front(self._path)

    def __enter__(self) -> H264Writer:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        if kind is None:
            self.finish()
        else:
            self._close()

    def _close(self) -> None:
        try:
            self._container.mux(self._stream.encode(None))
        finally:
            self._container.close()
            self._file.close()


def letterbox(picture: npt.NDArray[np.uint8], size_hw: tuple[int, int]) -> npt.NDArray[np.uint8]:
    """The picture at the size of the first one: as large as fits, centred on black."""
    scale = min(size_hw[0] / picture.shape[0], size_hw[1] / picture.shape[1])
    height, width = max(1, round(picture.shape[0] * scale)), max(1, round(picture.shape[1] * scale))
    y, x = (size_hw[0] - height) // 2, (size_hw[1] - width) // 2
    sheet = np.zeros((*size_hw, 3), dtype=np.uint8)
    sheet[y : y + height, x : x + width] = cv2.resize(picture, (width, height), interpolation=cv2.INTER_AREA)
    return sheet


class _PatientFile:
    """A file that keeps its first error for later: FFmpeg's mp4 writer crashes when a write fails while it closes."""

    def __init__(self, path: Path) -> None:
        self.name = str(path)
        self._file = open(path, "wb", buffering=0)  # noqa: SIM115
        self._error: OSError | None = None

    def write(self, content: bytes) -> int:
        view = memoryview(content)
        while view and self._error is None:
            try:
                view = view[self._file.write(view) :]
            except OSError as error:
                self._error = error
        return len(content)

    def seekable(self) -> bool:
        return False

    def complain(self) -> None:
        if self._error is not None:
            raise self._error

    def close(self) -> None:
        self._file.close()


def _put_index_in_front(path: Path) -> None:
    """Copy the packets into an mp4 whose index comes first; nothing is encoded again."""
    with (
        written_whole(path, ending=".whole") as whole,
        av.open(str(path)) as pieces,
        av.open(str(whole), "w", format="mp4", options=_FAST_START) as container,
    ):
        read = pieces.streams.video[0]
        written = container.add_stream_from_template(read)
        for packet in pieces.demux(read):
            if packet.dts is not None:
                packet.stream = written
                container.mux(packet)
