"""From a request to a run that can start: footage opened, its scene known or learned, what scores it loaded."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import numpy.typing as npt

from crowdad.config import Settings
from crowdad.detection.detector import Detector
from crowdad.outputs.folder import RunFolder
from crowdad.scene.model import SceneModel
from crowdad.sources import Source, read_mask
from crowdad.workflows.detect_options import DetectOptions
from crowdad.workflows.fitting import fit_sources
from crowdad.workflows.footage import check_device, learning_sources, one_spec
from crowdad.workflows.grading import is_ranked, ranked_level
from crowdad.workflows.progress import Progress, silent
from crowdad.workflows.resuming import run_identity
from crowdad.workflows.run_records import Run
from crowdad.workflows.runtime_choice import check_runtime, open_runtime

__all__ = ["Opened", "fitted_scene", "prepared", "save_scene", "wanting"]


@dataclass(frozen=True, eq=False)
class Opened:
    """A request whose footage can be read and whose settings hold.

    mask: bool (H, W), True where the footage is scored; None for everywhere.  scene: the given model; None: learn one.
    identity, model_sha256: as in `Run`.
    """

    spec: Any
    options: DetectOptions
    source: Source
    mask: npt.NDArray[np.bool_] | None
    scene: SceneModel | None
    identity: dict[str, Any] | None
    model_sha256: str | None = None

    @classmethod
    def of(cls, spec: Any, options: DetectOptions, progress: Progress = silent) -> Opened:
        """Open one piece of footage, fetched first where it lies elsewhere, as its model is.

        Raises CrowdadError before anything slower is done, and before anything is written.
        """
        check_runtime(options.runtime, options.device)
        options = options.at_hand(progress)
        spec = one_spec(spec)
        source = options.part.open(spec, progress)
        mask = None if options.roi is None else read_mask(options.roi, source.info.size_hw)
        if options.person_height is not None:
            options.person_height.plane(source.info.size_hw)
        scene = options.scene()
        model_sha256 = None if options.model_path is None else SceneModel.sha256(options.model_path)
        identity = run_identity(spec, source, options, scene, mask)
        return cls(spec, options, source, mask, scene, identity, model_sha256)


def fitted_scene(opened: Opened, folder: RunFolder, goes_on: bool, progress: Progress) -> SceneModel:
    """The given scene, or one that is fitted on the footage itself and saved in the folder.

    goes_on: the run was begun before, and may have left its own scene there.
    """
    if opened.scene is not None:
        return opened.scene
    own = folder.file("scene.safetensors")
    if goes_on and own.is_file():
        return SceneModel.load(own)
    scene = _fit_on_itself(opened.spec, opened.options, progress)
    save_scene(scene, folder)
    return scene


def prepared(opened: Opened, fitted: SceneModel, runtime: str | None = None) -> Run:
    """The run, ready to score with the scene.  runtime: what scores; default: the one asked for."""
    options = opened.options
    scene = fitted.fitted_to(opened.source.info.size_hw, opened.source.new_fps)
    ranked = options.model is None and not options.has_level and is_ranked(scene)
    if options.rate is not None:
        scene = wanting(scene, options.rate)
    level = ranked_level(scene, options.sensitivity) if ranked else options.threshold
    ran_by, scorer = open_runtime(scene, runtime or options.runtime, options.device)
    detector = Detector(scene, threshold_raw=level, roi=opened.mask, runtime=scorer)
    return Run(
        opened.spec,
        opened.source,
        options,
        scene,
        detector,
        ran_by,
        opened.identity,
        ranked,
        model_sha256=opened.model_sha256,
    )


def save_scene(scene: SceneModel, folder: RunFolder) -> None:
    """Write scene.safetensors into the run's folder."""
    with folder.part("scene.safetensors") as path:
        scene.save(path)


def _fit_on_itself(spec: Any, options: DetectOptions, progress: Progress) -> SceneModel:
    device = check_device(options.device)
    sources, sampled = learning_sources([spec], options.part)
    settings = options.settings or Settings()
    scene = fit_sources(
        sources, settings, unlabelled=True, heights=options.person_height, device=device, progress=progress
    )
    scene.provenance.update(how="self-fitted", sampled=sampled)
    return scene


def wanting(scene: SceneModel, rate: float) -> SceneModel:
    """The scene calibrated for another rate of false alarms."""
    calibration = scene.settings.calibration.model_copy(update={"false_alarms_per_hour": rate})
    return replace(scene, settings=scene.settings.model_copy(update={"calibration": calibration}))
