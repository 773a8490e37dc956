"""What `detect` can be asked for, in one record that travels to other processes."""

from __future__ import annotations

import math
import os
from dataclasses import dataclass, field, replace
from datetime import datetime
from functools import lru_cache
from pathlib import Path
from typing import Literal, Unpack, get_args

from crowdad.config import Settings
from crowdad.errors import ConfigError
from crowdad.scene.kinds import check_kinds
from crowdad.scene.model import SceneModel
from crowdad.sources import RemoteFootage, at_hand
from crowdad.tubes.scale import GivenHeights
from crowdad.workflows.footage import Part, PartKeywords, split_keywords
from crowdad.workflows.grading import RATES, Sensitivity, check_sensitivity
from crowdad.workflows.progress import Progress, in_bytes, silent

__all__ = ["DetectKeywords", "DetectOptions", "FootageBeside", "Heights", "Model", "load_scene"]

_LEAST_RAW, _MOST_RAW = 1e-9, 1e6

FootageBeside = Literal["link", "copy", "none"]
"""What lies beside the report page: a second name of the original (a copy where a browser needs one, or the disk knows
no links), a copy of its own, or nothing."""

Model = SceneModel | RemoteFootage | str | os.PathLike[str]
"""A fitted scene or its file, which may lie in an object store."""

_MODELS = SceneModel, RemoteFootage, str, os.PathLike

Heights = GivenHeights | float | str | os.PathLike[str]
"""People's height, head to feet: pixels (`95`), pixels at rows of people's middle (`"95@110,100@230"`), or the file
that "Set people's size" of a report page saves."""


class DetectKeywords(PartKeywords, total=False):
    """The fields of `DetectOptions`, as keywords."""

    model: Model | None
    settings: Settings | None
    person_height: Heights | None
    threshold: float | None
    false_alarms_per_hour: float | None
    sensitivity: Sensitivity | None
    roi: str | os.PathLike[str] | None
    overlay: bool
    heatmaps: bool
    report: bool
    footage_beside: FootageBeside
    recorded_at: str | None
    device: str
    runtime: str


@dataclass(frozen=True, eq=False)
class DetectOptions:
    """How footage is scored and what is written of it; each field as `detect` describes it.

    Parameters
    ----------
    model : SceneModel, path or str, optional
    settings : Settings, optional
    person_height : GivenHeights, optional
    threshold, false_alarms_per_hour : float, optional
    sensitivity : {"low", "normal", "high"}, optional
    roi : path or str, optional
    overlay, heatmaps, report : bool
    footage_beside : {"link", "copy", "none"}
    part : Part
        What of the footage is read: start_s, end_s, stride, fps, max_pixels, rgb.
    recorded_at : str, optional
    device, runtime : str

    Raises
    ------
    ConfigError
        For values that make no sense; whether device and runtime are there is seen when a run starts.

    Examples
    --------
    >>> options = crowdad.DetectOptions(model="gate3.safetensors", sensitivity="low")
    >>> options.but(start_s=60.0, overlay=False).part.start_s
    60.0
    """

    model: Model | None = None
    settings: Settings | None = None
    person_height: GivenHeights | None = None
    threshold: float | None = None
    false_alarms_per_hour: float | None = None
    sensitivity: Sensitivity | None = None
    roi: str | os.PathLike[str] | None = None
    overlay: bool = True
    heatmaps: bool = True
    report: bool = True
    footage_beside: FootageBeside = "link"
    part: Part = field(default_factory=Part)
    recorded_at: str | None = None
    device: str = "auto"
    runtime: str = "auto"

    def __post_init__(self) -> None:
        if self.model is not None and not isinstance(self.model, _MODELS):
            raise ConfigError(
                f"the model is {type(self.model).__name__}; a SceneModel or the path of its file is needed"
            )
        if self.model is not None and self.person_height is not None:
            raise ConfigError(
                "both a model and people's height were given; their size is part of the model: leave the "
                "height out, or fit again with it"
            )
        if self.threshold is not None and self.false_alarms_per_hour is not None:
            raise ConfigError("both a threshold and false alarms an hour were given; give one of them")
        check_sensitivity(self.sensitivity)
        if self.sensitivity is not None and self.has_level:
            raise ConfigError("a sensitivity was given beside a threshold or false alarms an hour; give one of them")
        wanted = (("threshold", self.threshold), ("false alarms an hour", self.false_alarms_per_hour))
        for name, value in wanted:
            if value is not None and not (math.isfinite(value) and value > 0):
                raise ConfigError(f"{name} is {value}; a number above 0 is needed")
        if self.threshold is not None and not _LEAST_RAW <= self.threshold <= _MOST_RAW:
            raise ConfigError(f"threshold is {self.threshold:g}; raw anomaly is {_LEAST_RAW:g} to {_MOST_RAW:g}")
        if self.footage_beside not in get_args(FootageBeside):
            raise ConfigError(
                f"footage {self.footage_beside!r} is unknown; choose {', '.join(get_args(FootageBeside))}"
            )
        if self.recorded_at is not None:
            try:
                datetime.fromisoformat(self.recorded_at)
            except ValueError:
                raise ConfigError(
                    f"recorded at {self.recorded_at!r} is no date and time; write it as 2024-05-17T08:30:00"
                ) from None

    def but(self, **keywords: Unpack[DetectKeywords]) -> DetectOptions:
        """The same with some fields set, those of its part and people's height as users give them.

        Raises ConfigError.
        """
        part, rest = split_keywords(keywords, DetectKeywords)
        if "person_height" in rest:
            rest["person_height"] = GivenHeights.of(rest["person_height"])
        return replace(self, part=replace(self.part, **part), **rest)

    @property
    def has_level(self) -> bool:
        """Whether the user chose from where on footage is unusual, by a threshold or a rate."""
        return self.threshold is not None or self.false_alarms_per_hour is not None

    @property
    def rate(self) -> float | None:
        """False alarms an hour asked for, by number or by sensitivity; None for the model's own."""
        return self.false_alarms_per_hour if self.sensitivity is None else RATES[self.sensitivity]

    @property
    def model_path(self) -> Path | None:
        """The model's file; None without a model, or with one that was handed in from memory."""
        if self.model is None or isinstance(self.model, SceneModel):
            return None
        return Path(_file(self.model))

    def at_hand(self, progress: Progress = silent) -> DetectOptions:
        """The same with a model that lies in an object store fetched; it stays here while these options live.

        Raises StorageError.
        """
        if self.model is None or isinstance(self.model, SceneModel):
            return self
        return replace(self, model=at_hand(self.model, in_bytes(progress, "fetching the model")))

    def scene(self) -> SceneModel | None:
        """The given model with the settings asked for; None where the footage is learned from itself.

        Raises ModelError, and ConfigError for settings that are part of a model and differ from its own.
        """
        if self.model is None:
            return None
        scene = self.model if isinstance(self.model, SceneModel) else load_scene(_file(self.model))
        return _with_settings(scene, self.settings)


def load_scene(path: str | os.PathLike[str]) -> SceneModel:
    """The scene of a model file, read once for many videos as long as the file stays as it is.  Raises ModelError."""
    try:
        known = os.stat(path)
    except (OSError, ValueError):  # ValueError: a name that no file can have
        return SceneModel.load(path)
    return _load(os.path.abspath(path), known.st_ino, known.st_mtime_ns, known.st_size)


@lru_cache(maxsize=1)
def _load(path: str, *_as_it_is: int) -> SceneModel:
    return SceneModel.load(path)


def _file(model: RemoteFootage | str | os.PathLike[str]) -> str | os.PathLike[str]:
    assert not isinstance(model, RemoteFootage), "options are brought to hand before their model is read"
    return model


def _with_settings(scene: SceneModel, settings: Settings | None) -> SceneModel:
    """The scene with another `events` section or rate of false alarms.  Raises ConfigError for anything else."""
    if settings is None:
        return scene
    check_kinds(settings)
    own = scene.settings
    rate = settings.calibration.false_alarms_per_hour
    changed = own.model_copy(
        update={
            "seed": settings.seed,
            "events": settings.events,
            "calibration": own.calibration.model_copy(update={"false_alarms_per_hour": rate}),
        }
    )
    if changed != settings:
        sections = [name for name in type(own).model_fields if getattr(changed, name) != getattr(settings, name)]
        raise ConfigError(
            f"settings of {', '.join(sections)} differ from the model's, which are part of it; fit again with them, or "
            "leave them out (with a model only events.* and calibration.false_alarms_per_hour can be set)"
        )
    return replace(scene, settings=changed.model_copy(update={"seed": own.seed}))
