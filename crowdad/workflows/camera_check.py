"""Whether footage is of the camera that its model was fitted on, found out before much of it is scored."""

from __future__ import annotations

import warnings
from collections.abc import Generator, Iterable, Iterator
from contextlib import closing
from itertools import islice

import numpy as np
import numpy.typing as npt

from crowdad.detection.detector import Detector
from crowdad.errors import CrowdadError
from crowdad.records import Frame
from crowdad.scene.model import SceneModel
from crowdad.scene.viewpoint import BackgroundKeeper, CameraVerdict, SightCheck, Verdict, compare
from crowdad.sources import Listing, Source

__all__ = ["CameraWatch", "camera_verdict", "warned"]

_GLANCES = 9
_LEAST_GLANCES = 5
_AGAIN_S = 60.0

Luma = npt.NDArray[np.uint8]


def camera_verdict(source: Source, scene: SceneModel) -> CameraVerdict | None:
    """Compare the footage with the model's view: pictures spread over it where keyframes allow it, else its beginning.

    None where the model keeps no background, being older, or where footage can be read only once or not at all, which
    scoring it will tell.
    """
    info = source.info
    if scene.background is None or (info.kind == "arrays" and info.frame_count is None):
        return None
    try:
        background = _background(source)
    except CrowdadError:
        return None
    return None if background is None else compare(scene.background, background, info.size_hw)


def warned(frames: Iterable[Frame], detector: Detector) -> Iterator[Frame]:
    """The frames, with a `UserWarning` as soon as they turn out to be of another view than the scene's.

    detector: what scores them; it says nothing of the scene's places from there on.
    """
    scene, check = detector.scene, SightCheck()
    looking = scene.background is not None
    for frame in frames:
        if looking and frame.luma.shape == scene.scale.size_hw:
            assert scene.background is not None
            background = check.see(frame.luma, frame.time_s)
            if background is not None:
                looking = False
                camera = compare(scene.background, background, scene.scale.size_hw)
                if camera is not None and camera.warning is not None:
                    detector.elsewhere = camera.is_elsewhere
                    warnings.warn(camera.warning, stacklevel=3)
        yield frame


class CameraWatch:
    """Compares a camera's view with a scene's, first at once, then every minute.

    verdict: the last one that holds: the first, or one that was reached twice in a row.
    """

    def __init__(self, scene: SceneModel) -> None:
        self._background = scene.background
        self._check = SightCheck()
        self._due_s = 0.0
        self._last: Verdict | None = None
        self._size_hw: tuple[int, ...] = ()
        self.verdict: CameraVerdict | None = None

    def see(self, frame: Frame) -> CameraVerdict | None:
        """Look at the next frame; the verdict where it is another one than before."""
        if self._background is None or not self._is_due(frame):
            return None
        seen = self._check.see(frame.luma, frame.time_s)
        if seen is None:
            return None
        self._check, self._due_s = SightCheck(), frame.time_s + _AGAIN_S
        height, width = frame.luma.shape
        found = compare(self._background, seen, (height, width))
        if found is None:
            return None
        before, self._last = self._last, found.verdict
        holds = self.verdict is None or (found.verdict == before and found.verdict != self.verdict.verdict)
        if not holds:
            return None
        self.verdict = found
        return found

    def _is_due(self, frame: Frame) -> bool:
        """Whether it is time for a look, which begins anew where the pictures change their size."""
        if frame.luma.shape != self._size_hw:
            self._check, self._due_s, self._size_hw = SightCheck(), frame.time_s, frame.luma.shape
        return frame.time_s >= self._due_s


def _background(source: Source) -> Luma | None:
    listing = source.listing()
    numbers = [] if listing is None else _cheap_numbers(listing)
    if listing is not None and len(numbers) >= _LEAST_GLANCES:
        keeper = BackgroundKeeper()
        for number in numbers:
            with closing(source.frames(entry=listing.entry(number))) as frames:
                for frame in islice(frames, 1):  # none where all from here on are damaged
                    if frame.luma.shape == source.info.size_hw:
                        keeper.add(frame.luma)
        return keeper.background() if len(keeper) else None
    check = SightCheck()
    with closing(source.frames()) as frames:
        return _first_look(frames, check, source.info.size_hw)


def _first_look(frames: Generator[Frame, None, None], check: SightCheck, size_hw: tuple[int, int]) -> Luma | None:
    """The background of the first seconds, or of all there is of shorter footage."""
    for frame in frames:
        if frame.luma.shape == size_hw:
            background = check.see(frame.luma, frame.time_s)
            if background is not None:
                return background
    return check.so_far()


def _cheap_numbers(listing: Listing) -> list[int]:
    """Numbers of frames spread over the footage, each right at a keyframe where frames do not stand alone."""
    numbers = np.linspace(0, len(listing) - 1, _GLANCES).round().astype(int)
    if len(listing.keys):
        keys = listing.keys[:, 0]
        before = np.searchsorted(keys, listing.index[numbers], side="right") - 1
        numbers = np.searchsorted(listing.index, keys[before])
    return sorted({int(number) for number in numbers})
