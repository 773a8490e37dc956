"""Going on with a run that was killed: which folder is its, and what its results depend on."""

from __future__ import annotations

import hashlib
import json
import os
from dataclasses import asdict
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from crowdad._version import __version__
from crowdad.errors import ConfigError, CrowdadError, OutputExistsError
from crowdad.outputs.folder import JOURNAL, RunFolder
from crowdad.outputs.journal import journaled_run
from crowdad.outputs.remote import RemoteRun
from crowdad.outputs.results import RunResults, read_results
from crowdad.scene.digests import digest_of
from crowdad.scene.model import SceneModel
from crowdad.scene.runtimes import fingerprint
from crowdad.scene.streams import Motion
from crowdad.sources import Source, named
from crowdad.sources.storage import is_stored
from crowdad.wording import without_login
from crowdad.workflows.detect_options import DetectOptions

__all__ = ["can_be_resumed", "finished_results", "is_of", "run_identity", "whole_there"]


def run_identity(
    spec: Any, source: Source, options: DetectOptions, scene: SceneModel | None, mask: npt.NDArray[np.bool_] | None
) -> dict[str, Any] | None:
    """All that a run's scores depend on, as plain JSON; None for footage that cannot be named, such as numpy frames.

    scene: the given model; None where the footage is learned from itself.  mask: what the roi shows now.
    """
    whereabouts = _whereabouts(named(spec))
    if whereabouts is None:
        return None
    settings, heights = options.settings, options.person_height
    known = {
        "version": __version__,
        "source": {**asdict(source.info), "name": whereabouts},
        "part": asdict(options.part),
        "model": None if scene is None else _scene_identity(scene),
        "settings": None if settings is None else settings.model_dump(mode="json"),
        "person_height": None if heights is None else heights.as_dict(),
        "threshold": options.threshold,
        "false_alarms_per_hour": options.false_alarms_per_hour,
        "sensitivity": options.sensitivity,
        "roi": None if mask is None else hashlib.sha256(mask.tobytes()).hexdigest(),
        "runtime": options.runtime,
    }
    # As it is when it comes back from a file.
    return dict(json.loads(json.dumps(known)))


def _scene_identity(scene: SceneModel) -> dict[str, Any]:
    beside = [(name, digest_of(stream.arrays())) for name, stream in scene.streams.items() if name != Motion.name]
    parts = {"settings": scene.settings.model_dump(mode="json"), "scale": scene.scale.as_dict(), "streams": beside}
    return {"arrays": fingerprint(scene.motion), "calibration": scene.calibration.as_dict(), **parts}


def can_be_resumed(place: Path | RemoteRun, spec: Any) -> bool:
    """Whether the place is free for a run of this footage, or holds one, whole or not.

    Raises ConfigError for footage without a name.
    """
    if isinstance(place, Path):
        return _can_be_resumed(place, spec)
    if place.local.is_dir() and any(place.local.iterdir()):
        return _can_be_resumed(place.local, spec)
    results = place.results()
    return place.is_free() if results is None else is_of(results, spec)


def _can_be_resumed(path: Path, spec: Any) -> bool:
    return not path.exists() or not any(path.iterdir()) or _footage_of(path) == _whereabouts(_name_of(spec))


def is_of(results: RunResults, spec: Any) -> bool:
    """Whether the results are of this footage.  Raises ConfigError for footage without a name."""
    return _whereabouts(results.source.name) == _whereabouts(_name_of(spec))


def _name_of(spec: Any) -> str:
    name = named(spec)
    if name is None:
        raise ConfigError("only footage that has a name can be resumed: a file or a folder of pictures")
    return name


def finished_results(spec: Any, folder: RunFolder) -> RunResults:
    """The results of the whole run in the folder.  Raises OutputExistsError where it is of other footage."""
    results = read_results(folder.file("results.json"))
    if not is_of(results, spec):
        raise OutputExistsError(
            f"{folder.path}: holds a whole run of {results.source.name}; choose another folder, or --overwrite to "
            "replace it"
        )
    return results


def whole_there(run: RemoteRun, spec: Any, *, overwrite: bool, resume: bool) -> RunResults | None:
    """Results of the whole run of this footage at a place in a store; None where it is yet to be scored, or put there.

    overwrite, resume: as in `detect`.
    Raises OutputExistsError where the place holds another run, OutputNotReadableError, OutputNotWritableError,
    StorageError.
    """
    results = run.results() if resume else None
    if results is not None and not is_of(results, spec):
        raise OutputExistsError(
            f"{run}: holds a whole run of {results.source.name}; choose another place, or --overwrite to replace it"
        )
    if results is not None and not run.waits():
        return results
    run.check(overwrite=overwrite, resume=resume)
    return None


def _footage_of(path: Path) -> str | None:
    """Absolute path of the footage whose run is in the folder; None where that cannot be told."""
    run = journaled_run(path / JOURNAL)
    if run is not None:
        source = run.get("source")
        return str(source.get("name")) if isinstance(source, dict) else None
    try:
        return _whereabouts(read_results(path / "results.json").source.name)
    except CrowdadError:
        return None


def _whereabouts(name: str | None) -> str | None:
    """The name of footage, the same from wherever it is given."""
    if name is None:
        return None
    return without_login(name) if is_stored(name) else os.path.abspath(name)
