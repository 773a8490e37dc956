"""What `watch` can be asked for."""

from __future__ import annotations

import os
from dataclasses import dataclass, field, replace
from typing import TypedDict, Unpack

from crowdad.config import Settings
from crowdad.errors import ConfigError
from crowdad.workflows.detect_options import DetectOptions, Heights, Model
from crowdad.workflows.footage import check_keywords
from crowdad.workflows.grading import Sensitivity
from crowdad.workflows.watching.notify import AlertOptions

__all__ = ["WatchKeywords", "WatchOptions"]


class WatchKeywords(TypedDict, total=False):
    """The fields of `WatchOptions`, and those of its `scoring` that apply, as keywords."""

    model: Model | None
    settings: Settings | None
    person_height: Heights | None
    threshold: float | None
    false_alarms_per_hour: float | None
    sensitivity: Sensitivity | None
    roi: str | os.PathLike[str] | None
    fps: float | None
    max_pixels: int
    device: str
    runtime: str
    warm_up_s: float
    lag: int | None
    alerts: AlertOptions
    duration_s: float | None
    realtime: bool
    name: str | None


@dataclass(frozen=True, eq=False)
class WatchOptions:
    """How a camera is watched; each field as `watch` describes it.

    Parameters
    ----------
    scoring : DetectOptions
        Model, settings, people's height, threshold, mask, device and runtime, and of its `part` fps and max_pixels;
        the rest does not apply.
    warm_up_s : float
        Seconds that are learned from first, where there is no model.
    lag : int, optional
        Frames by which results come late.
    alerts : AlertOptions
        Where events go beside events.jsonl.
    duration_s : float, optional
        Seconds after which the watch ends by itself.
    realtime : bool
        A file is played at its own pace.
    name : str, optional
        What the camera is called.

    Raises
    ------
    ConfigError
        For values that make no sense.

    Examples
    --------
    >>> crowdad.WatchOptions(crowdad.DetectOptions(model="gate3.safetensors"), duration_s=60).lag is None
    True
    """

    scoring: DetectOptions = field(default_factory=DetectOptions)
    warm_up_s: float = 300.0
    lag: int | None = None
    alerts: AlertOptions = field(default_factory=AlertOptions)
    duration_s: float | None = None
    realtime: bool = False
    name: str | None = None

    def __post_init__(self) -> None:
        if self.name is not None and not self.name.strip():
            raise ConfigError("the camera's name is empty; leave out --name, or give one")
        for name, value in (("warm-up", self.warm_up_s), ("duration", self.duration_s)):
            if value is not None and not 0 < value < float("inf"):
                raise ConfigError(f"the {name} is {value} s; more than 0 is needed")
        if self.lag is not None and self.lag < 0:
            raise ConfigError(f"the lag is {self.lag} frames; 0 or more is needed")

    def but(self, **keywords: Unpack[WatchKeywords]) -> WatchOptions:
        """The same with some fields set, those of `scoring` by their own names.  Raises ConfigError."""
        check_keywords(keywords, WatchKeywords)
        own = {name: value for name, value in keywords.items() if name in self.__dataclass_fields__}
        of_scoring = {name: value for name, value in keywords.items() if name not in own}
        return replace(self, scoring=self.scoring.but(**of_scoring), **own)  # type: ignore[arg-type]
