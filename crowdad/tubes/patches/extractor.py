"""Frames in, tubes out: flow, statistics and sampling over every view of a scene."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable
from dataclasses import replace
from typing import Protocol

import numpy as np
import numpy.typing as npt

from crowdad.config import Settings, TubeSettings
from crowdad.errors import ConfigError
from crowdad.records import Tubes
from crowdad.tubes.flow import BackwardFlow, MotionMaps, motion_maps, steadied
from crowdad.tubes.patches import grid, pixels, tubes
from crowdad.tubes.patches._sampling import sample
from crowdad.tubes.scale import SceneScale, View, check_cost, views

__all__ = ["EXTRACTORS", "Extractor", "Patches", "extractor_kind"]


class Patches(Protocol):
    """What a module of one kind of patches offers."""

    @property
    def propose(self) -> Callable[[MotionMaps, float, TubeSettings], npt.NDArray[np.float32]]:
        """Where patches end in one step, (N, 2)."""

    @property
    def previous_place(self) -> Callable[[MotionMaps, npt.NDArray[np.float32]], npt.NDArray[np.float32]]:
        """Where each was one step earlier."""

    @property
    def channels(self) -> Callable[[MotionMaps, npt.NDArray[np.uint8], float], npt.NDArray[np.float32]]:
        """What is read along a patch's way, (h, w, 4), of a view's picture and its height of a person."""


EXTRACTORS: dict[str, Patches] = {"tubes": tubes, "grid": grid, "pixels": pixels}
"""Every kind by the name that the setting `tubes.kind` takes."""

_SAME_RATE, _CLEARLY_LONGER = 1.1, 1.6
_CHANNELS = 3  # the fourth map channel only decides which tubes are kept


def extractor_kind(settings: TubeSettings) -> Patches:
    """The kind that the settings ask for.  Raises ConfigError for a name that is no key of `EXTRACTORS`."""
    if settings.kind not in EXTRACTORS:
        raise ConfigError(f"setting tubes.kind = {settings.kind!r}: one of {', '.join(EXTRACTORS)} is needed")
    return EXTRACTORS[settings.kind]


class _ViewState:
    """One view's previous picture and latest motion maps."""

    def __init__(self, view: View, scale: SceneScale, settings: Settings) -> None:
        self.view = view
        rows, columns = (np.mgrid[0 : view.size_hw[0] // 2, 0 : view.size_hw[1] // 2] * 2).astype(np.float32)
        places = np.stack([columns, rows], axis=-1)
        self.unit_px = (view.local_person_px(scale, places) * scale.walk * scale.gap).astype(np.float32)
        self.foreshortening = view.local_foreshortening(scale, places)
        self.earlier: npt.NDArray[np.uint8] | None = None
        self.history: deque[MotionMaps] = deque(maxlen=settings.tubes.steps)


class Extractor:
    """Turns the steps of one scene into tubes.

    scale: the scene's geometry.  settings: motion, tubes and scale sections are used.
    gap: frames a step, at the rate of the footage since the last `reset`.  size_hw: of the pictures, pixels.
    Raises ConfigError for an unknown `tubes.kind` and for settings that would take all memory.
    """

    def __init__(self, scale: SceneScale, settings: Settings) -> None:
        check_cost(scale, settings)
        self.views = views(scale, settings.scale)
        self.size_hw = scale.size_hw
        self._scale = scale
        self._settings = settings
        self._kind = extractor_kind(settings.tubes)
        self._flow = BackwardFlow(settings.motion.preset)
        self.reset()

    def reset(self, fps: float | None = None) -> None:
        """Forget the past: nothing is tracked across a cut.

        fps: new pictures a second from here on; None, or hardly another rate than the scene's: as the scene has it.
        """
        scale = self._scale
        if fps is not None and not 1 / _SAME_RATE < fps / scale.fps < _SAME_RATE:
            scale = scale.fitted_to(scale.size_hw, fps)
        self.gap = scale.gap
        self._step_s = scale.gap / scale.fps
        self._last_s: float | None = None
        self._states = [_ViewState(view, scale, self._settings) for view in self.views]

    def push(self, luma: npt.NDArray[np.uint8], time_s: float | None = None) -> Tubes | None:
        """Tubes that end at this step, or None while the window is not full.

        luma: uint8 (H, W), the scene's size.  time_s: of the picture, where steps may be uneven.
        """
        self.look(luma, time_s)
        return self.tubes()

    def look(self, luma: npt.NDArray[np.uint8], time_s: float | None = None) -> None:
        """Take in the next step's picture, as in `push`: the motion of every view since the step before."""
        longer = self._longer(time_s)
        for state in self._states:
            picture = state.view.cut(luma)
            if state.earlier is not None:
                flow = steadied(self._flow(picture, state.earlier), picture)
                unit_px = state.unit_px if longer == 1 else state.unit_px * np.float32(longer)
                maps = motion_maps(flow, unit_px, state.view.person_px, state.foreshortening, self._settings.motion)
                channels = self._kind.channels(maps, picture, state.view.person_px)
                state.history.appendleft(replace(maps, channels=channels))
            state.earlier = picture

    def _longer(self, time_s: float | None) -> float:
        """How many times longer than usual this step takes, where that is clear; else 1.

        Over the time of a picture that is missing people go on walking; that is no reason to call them fast.
        """
        last_s, self._last_s = self._last_s, time_s
        if time_s is None or last_s is None:
            return 1.0
        longer = (time_s - last_s) / self._step_s
        return longer if longer > _CLEARLY_LONGER else 1.0

    def tubes(self) -> Tubes | None:
        """Tubes that end at the last step that was looked at, or None while the window is not full."""
        found = [self._tubes(state, index) for index, state in enumerate(self._states)]
        parts = [tubes for tubes in found if tubes is not None]
        if not parts:
            return None
        return Tubes(
            *(np.concatenate([getattr(part, name) for part in parts]) for name in Tubes.__dataclass_fields__),
        )

    def _tubes(self, state: _ViewState, index: int) -> Tubes | None:
        view, tube = state.view, self._settings.tubes
        if len(state.history) < tube.steps:
            return None
        points = self._kind.propose(state.history[0], view.person_px, tube)
        place = view.to_picture(points)
        points = points[(place[:, 1] >= view.owned[0]) & (place[:, 1] < view.owned[1])]
        person_px = view.local_person_px(self._scale, points)
        features, path, alive, swing = sample(state.history, points, person_px, tube, self._kind.previous_place)
        kept = features[:, _CHANNELS].mean(axis=(1, 2, 3)) > tube.min_fill
        return Tubes(
            np.ascontiguousarray(features[kept, :_CHANNELS]),
            view.to_picture(path[kept]),
            alive[kept],
            person_px[kept] / np.float32(view.zoom_xy[1]),
            np.full(int(kept.sum()), index),
            np.stack([swing, np.square(features[:, _CHANNELS]).mean(axis=(1, 2, 3))], axis=1)[kept],
        )
