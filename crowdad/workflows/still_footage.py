"""Footage in which so little moves that there is nothing to learn from: a whole run that says so."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import numpy.typing as npt

from crowdad.config import Settings
from crowdad.detection.detector import Detector
from crowdad.errors import TooLittleMotionError
from crowdad.scene.calibration import Calibration
from crowdad.scene.model import SceneModel
from crowdad.scene.streams import Motion
from crowdad.tubes.scale import GivenHeights, ScaleProbe, SceneScale
from crowdad.tubes.scale.scene_scale import MIN_PERSON_PX
from crowdad.workflows.detect_options import DetectOptions
from crowdad.workflows.run_records import Run
from crowdad.workflows.run_start import Opened

__all__ = ["still_run"]

Array = npt.NDArray[np.float32]

_ASSUMED_SHARE = 0.25  # of the picture's height, for a person: it only sets how fine the map without any heat is


class _Uncompared:
    """Takes whatever moves for normal, as there is nothing to compare it with."""

    def codes(self, features: Array) -> Array:
        return np.zeros((len(features), 1), np.float32)

    def normality(self, features: Array) -> Array:
        return np.ones(len(features), np.float32)


def still_run(opened: Opened, why: TooLittleMotionError) -> Run:
    """A run that can be written like any other, without heat and events.  why: as the fit refused."""
    options = opened.options
    settings = options.settings or Settings()
    scene = _empty_scene(settings, _scale(opened, settings))
    threshold = options.threshold or 1.0
    detector = Detector(scene, threshold_raw=threshold, roi=opened.mask, runtime=_Uncompared())
    return Run(opened.spec, opened.source, options, scene, detector, "none", opened.identity, still=_said(why, options))


def _said(why: TooLittleMotionError, options: DetectOptions) -> str:
    if why.contradicted:
        return (
            "nothing can be compared with people's size as it is given: the footage contradicts it, more than twofold "
            f"({why.contradicted}); give another --person-height, or leave it out"
        )
    if why.nothing:
        return "no movement was found in this footage, so there is nothing to compare"
    line = "too few people are seen to move in this footage, so there is nothing to compare; give longer footage"
    if options.person_height is not None:
        return line
    return (
        f"{line}, or people's height, so that whatever moves can be compared (--person-height 95, pixels from head to "
        "feet, or people drawn on the report page)"
    )


def _scale(opened: Opened, settings: Settings) -> SceneScale:
    """People's height as it is given, or an assumed one that nobody is told."""
    info, fps = opened.source.info, opened.source.fps
    assumed_px = max(_ASSUMED_SHARE * info.size_hw[0], MIN_PERSON_PX)
    heights = opened.options.person_height or GivenHeights(((assumed_px, None),))
    probe = ScaleProbe(1, fps, settings.scale)
    probe.push(np.zeros(info.size_hw, np.uint8))
    return replace(probe.measure(heights), gap=1)


def _empty_scene(settings: Settings, scale: SceneScale) -> SceneModel:
    """A scene that knows nothing; `_Uncompared` scores in its place, and it is never saved."""
    rows = settings.tubes.rows
    none = np.zeros(0, np.float32)
    motion = Motion(
        settings=settings,
        weights={},
        centres=none[None],
        shares=none,
        mean=np.zeros((3, 1, rows, 1), np.float32),
        spread=np.ones((3, 1, rows, 1), np.float32),
        tube_normality=np.zeros(101, np.float32),
        thumbnails=np.zeros((0, 1, 1), np.uint8),
    )
    calibration = Calibration(0, 0, 0, 1, 0, "none")
    return SceneModel(settings, scale, calibration, {motion.name: motion}, {"how": "self-fitted"})
