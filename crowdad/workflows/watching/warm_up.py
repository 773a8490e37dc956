"""A scene learned from the first minutes of a camera: they are kept on disk until it is there, and then removed."""

from __future__ import annotations

import threading
import time
from collections import deque
from collections.abc import Callable, Iterator
from contextlib import suppress
from pathlib import Path

from crowdad.config import Settings
from crowdad.errors import OutputNotWritableError, TooLittleMotionError, TooShortError, UnclearSizeError
from crowdad.outputs.folder import RunFolder
from crowdad.outputs.footage import written_along
from crowdad.scene.model import SceneModel
from crowdad.sources import LiveFrame, open_source
from crowdad.workflows.detect_options import DetectOptions
from crowdad.workflows.fitting import fit_sources
from crowdad.workflows.footage import check_device
from crowdad.workflows.progress import Progress, Stage
from crowdad.workflows.watching.watch_options import WatchOptions

__all__ = ["WarmUp"]

_MOST_PIECES = 12
_AGAIN_S = 10.0
_CRF = 17  # compression must not look like motion


class WarmUp:
    """Learns what is normal from a camera that may show anomalies.

    folder: of the watch; holds warm-up-N.mp4.part meanwhile.
    options: of the watch; of its `warm_up_s` footage is gathered before it is learned from; where too little moved in
    it, as much again, and of all that the last hour at most.
    learning: enough was gathered, and is being learned from.
    count: told the reason for each frame that is not scored.  progress: of the gathering and the learning.
    """

    def __init__(
        self,
        folder: RunFolder,
        camera_name: str,
        options: WatchOptions,
        *,
        count: Callable[[str], None],
        progress: Progress,
        notice: Callable[[str], None],
    ) -> None:
        self._folder = folder
        self._camera_name = camera_name
        self._options = options
        self._count = count
        self._progress = progress
        self._notice = notice
        self._pieces: deque[Path] = deque()
        self._number = 0
        self.learning = False
        self._refused = False

    def scene(self, frames: Iterator[LiveFrame | None], fps: Callable[[], float]) -> SceneModel | None:
        """The scene; None where the frames end before it is there.

        frames: of the camera, None now and then where none come.
        Raises FitError where nothing can be learned, whatever else comes, ConfigError for heights that do not fit the
        picture, OutputError where the disk refuses.
        """
        try:
            while self._gather(frames, fps):
                self.learning = True
                fit = _Fit(list(self._pieces), self._options.scoring, self._progress)
                try:
                    learned = self._wait_for(fit, frames)
                finally:
                    fit.stop()
                if not learned:
                    return None
                if isinstance(fit.error, TooLittleMotionError | TooShortError | UnclearSizeError):
                    minutes = len(self._pieces) * self._options.warm_up_s / 60
                    self.learning = False
                    self._notice(f"too little moved in {minutes:.1f} minutes to learn from; as much again is watched")
                    continue
                if fit.error is not None:
                    raise fit.error
                assert fit.scene is not None
                fit.scene.provenance.update(how="self-fitted", sources=[self._camera_name], sampled=False)
                return fit.scene
            return None
        finally:
            self._let_go(0)

    def _gather(self, frames: Iterator[LiveFrame | None], fps: Callable[[], float]) -> bool:
        """Write the next piece; whether it is whole.  One that changes its size is begun anew."""
        while True:
            first = next((frame for frame in frames if frame is not None), None)
            if first is None:
                return False
            heights = self._options.scoring.person_height
            if heights is not None:  # before minutes are spent
                heights.plane(first.luma.shape)
            self._number += 1
            path = self._folder.file(f"warm-up-{self._number}.mp4.part")
            self._pieces.append(path)
            piece = _Piece(first, frames, self._options.warm_up_s)
            if not self._is_written(piece, path, fps()):
                self._let_by(frames, _AGAIN_S)
                continue
            if piece.ended:
                return False
            if piece.resized is None:
                self._let_go(_MOST_PIECES)
                return True
            self._count("warming up")
            self._let_go(0)

    def _is_written(self, piece: _Piece, path: Path, fps: float) -> bool:
        """Write the piece; where the disk refuses, which is told once, all pieces go."""
        counted = 0
        try:
            with self._folder.one_line_errors():
                for _ in written_along(piece.frames(), path, fps, crf=_CRF):
                    self._count("warming up")
                    counted += 1
                    self._progress(Stage("warming up", round(piece.seconds), round(self._options.warm_up_s), "s"))
            return True
        except OutputNotWritableError as error:
            if not self._refused:
                self._refused = True
                self._notice(f"{error}; the warm-up begins anew until it can be")
        for _ in range(counted, piece.given):
            self._count("warming up")
        self._let_go(0)
        return False

    def _let_go(self, kept: int) -> None:
        """Remove the oldest pieces; a disk that refuses even that ends nothing."""
        while len(self._pieces) > kept:
            with suppress(OSError):
                self._pieces.popleft().unlink(missing_ok=True)

    def _let_by(self, frames: Iterator[LiveFrame | None], seconds: float) -> None:
        until_s = time.monotonic() + seconds
        while time.monotonic() < until_s and not isinstance(frame := next(frames, _END), _End):
            if frame is not None:
                self._count("warming up")

    def _wait_for(self, fit: _Fit, frames: Iterator[LiveFrame | None]) -> bool:
        """Let the camera's frames go by until the fit is done; False where they end before."""
        for frame in frames:
            if frame is not None:
                self._count("learning")
            if fit.done.is_set():
                return True
        return fit.done.is_set()


class _Piece:
    """The frames of one size from `first` on, `length_s` of them, pauses not counted."""

    def __init__(self, first: LiveFrame, rest: Iterator[LiveFrame | None], length_s: float) -> None:
        self._first = first
        self._rest = rest
        self._length_s = length_s
        self.seconds = 0.0
        self.given = 0
        self.resized: LiveFrame | None = None
        self.ended = False

    def frames(self) -> Iterator[LiveFrame]:
        last = self._first
        self.given += 1
        yield last
        while self.seconds < self._length_s:
            frame = next(self._rest, _END)
            if isinstance(frame, _End):
                self.ended = True
                return
            if frame is None:
                continue
            self.given += 1
            if frame.luma.shape != last.luma.shape:
                self.resized = frame
                return
            if frame.segment == last.segment:
                self.seconds += frame.time_s - last.time_s
            last = frame
            yield frame


class _End:
    pass


_END = _End()


class _Stopped(Exception):
    pass


class _Fit:
    """A fit in a thread of its own, so that the camera is read on meanwhile."""

    def __init__(self, pieces: list[Path], options: DetectOptions, progress: Progress) -> None:
        self._pieces = pieces
        self._options = options
        self._progress = progress
        self._stop = threading.Event()
        self.done = threading.Event()
        self.scene: SceneModel | None = None
        self.error: BaseException | None = None
        self._thread = threading.Thread(target=self._work, name="crowdad-learning", daemon=True)
        self._thread.start()

    def stop(self) -> None:
        """End it at its next sign of life."""
        self._stop.set()
        self._thread.join()

    def _work(self) -> None:
        try:
            sources = [open_source(piece) for piece in self._pieces]
            self.scene = fit_sources(
                sources,
                self._options.settings or Settings(),
                unlabelled=True,
                heights=self._options.person_height,
                device=check_device(self._options.device),
                progress=self._told,
            )
        except BaseException as error:  # raised again where it is waited for
            self.error = error
        finally:
            self.done.set()

    def _told(self, stage: Stage) -> None:
        if self._stop.is_set():
            raise _Stopped
        self._progress(stage)
