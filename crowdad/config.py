"""Every setting: unit, range, default.

Lengths are in person heights (ph) and speeds in walking speeds, never in pixels and frames: scale/ turns them into
pixels for the footage at hand.  "step" is one processed frame; a walking person moves about `walk_px` in one.

The ends of the ranges lie far beyond what makes sense: they are there so that neither a slip of the keyboard nor a
forged model file takes all memory or time.
"""

from __future__ import annotations

import difflib
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Annotated, Any, Literal, TypeVar

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, ValidationError

from crowdad.errors import ConfigError, UnknownSettingError
from crowdad.files import MB, parse_toml, read_text

__all__ = [
    "CalibrationSettings",
    "EncoderSettings",
    "EventSettings",
    "HeatmapSettings",
    "MotionSettings",
    "NormalitySettings",
    "ScaleSettings",
    "Settings",
    "TubeSettings",
    "load_settings",
    "read_settings",
]


AnySettings = TypeVar("AnySettings", bound=BaseModel)


def _odd(number: int) -> int:
    if number % 2 == 0:
        raise ValueError("an odd number is needed")
    return number


class _Section(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True, allow_inf_nan=False)


class ScaleSettings(_Section):
    """Working resolution and step, from what the footage shows."""

    person_px: float = Field(30, gt=8, le=1000, description="height a person is resized to, in pixels")
    walk_px: float = Field(
        2.2, gt=0.5, le=1000, description="how far a walking person moves in one step, in resized pixels"
    )
    max_upscale: float = Field(2.5, ge=1, le=100, description="small figures are enlarged by at most this")
    view_ratio: float = Field(
        2.2, ge=1.05, le=1000, description="range of person heights that one view of the scene may hold"
    )
    margin: float = Field(1.85, gt=0, le=1000, description="what a view sees beyond the rows it scores, in ph")
    bursts: int = Field(240, ge=1, le=10_000, description="moments in the footage where size and speed are measured")


class MotionSettings(_Section):
    """Optical flow and the local statistics of moving pixels."""

    preset: Literal["ultrafast", "fast", "medium"] = Field("medium", description="DIS flow preset")
    moving: float = Field(
        0.36, gt=0, le=1000, description="speed from which a pixel counts as moving, in walking speeds"
    )
    local_sigma: float = Field(0.133, ge=0.001, le=10, description="radius of the local statistics, in ph")
    limb_sigma: float = Field(0.075, ge=0.001, le=10, description="radius of a blur that leaves legs apart, in ph")
    body_sigma_x: float = Field(0.2, ge=0.001, le=10, description="half-width of the body's velocity average, in ph")
    body_sigma_y: float = Field(0.333, ge=0.001, le=10, description="half-height of the body's velocity average, in ph")


class TubeSettings(_Section):
    """Patches that follow their subject back through time."""

    kind: str = Field(
        "tubes",
        max_length=100,
        description="a key of EXTRACTORS: tubes follow their subject, grid patches stay, pixels follow and see looks",
    )
    steps: int = Field(5, ge=1, le=100, description="samples in time, one a step")
    rows: int = Field(5, ge=1, le=100, description="samples down the body")
    columns: int = Field(3, ge=1, le=100, description="samples across the body")
    half_height: float = Field(0.4, gt=0, le=10, description="from the centre to the last row, in ph")
    half_width: float = Field(0.2, gt=0, le=10, description="from the centre to the last column, in ph")
    spacing: float = Field(0.266, ge=0.01, le=10, description="distance between seeds, in ph")
    min_density: float = Field(0.12, ge=0, le=1, description="share of moving pixels around a seed")
    min_fill: float = Field(0.65, ge=0, le=1, description="mean square root of the share of moving pixels along a tube")
    mean_shifts: int = Field(4, ge=0, le=100, description="steps from a seed to the centre of the motion around it")


class EncoderSettings(_Section):
    """The auto-encoder over tubes."""

    kind: str = Field("conv3d", max_length=100, description="a key of ENCODERS")
    code_dim: int = Field(
        8, ge=2, le=1024, description="free coordinates of the code; one constant coordinate is added"
    )
    temporal_kernel: Annotated[int, AfterValidator(_odd)] = Field(
        3, ge=1, le=99, description="length of the kernels in time, odd, in steps"
    )
    code_norm: Literal["l2", "none", "batch", "layer"] = Field("l2", description="what normalises the code")
    epochs: int = Field(8, ge=1, le=100_000, description="passes over the tubes")
    batch: int = Field(256, ge=8, le=1_000_000, description="tubes in a batch")
    learning_rate: float = Field(3e-3, gt=0, le=10, description="peak of the one-cycle schedule")
    max_tubes: int = Field(40_000, ge=256, le=100_000_000, description="tubes the encoder and the centres learn from")


class NormalitySettings(_Section):
    """k-means over the codes of normal tubes."""

    clusters: int = Field(256, ge=1, le=100_000, description="centres learnt from normal footage")
    clusters_unlabelled: int = Field(
        64, ge=1, le=100_000, description="centres learnt from footage that may hold anomalies"
    )
    keep_mass: float = Field(
        0.85, gt=0, le=1, description="share of unlabelled tubes whose (largest) clusters are kept"
    )
    iterations: int = Field(25, ge=1, le=100_000, description="k-means iterations")


class HeatmapSettings(_Section):
    """Voting of tube scores along their paths."""

    cell: float = Field(0.266, ge=0.01, le=10, description="side of a cell, in ph")
    sigma_cells: float = Field(1.2, ge=0.01, le=100, description="spatial smoothing of the votes, in cells")
    sigma_steps: float = Field(1.33, ge=0.01, le=1000, description="temporal smoothing of the votes, in steps")
    prior_votes: float = Field(
        1.0, gt=0, le=1_000_000, description="normal votes every cell starts with; few tubes prove little"
    )
    vote: bool = Field(True, description="votes along the whole path; off: only where the tube ends")


class CalibrationSettings(_Section):
    """From raw anomaly to [0, 1] and the threshold."""

    false_alarms_per_hour: float = Field(
        1.0, gt=0, le=1_000_000, description="false alarms an hour wanted on normal footage"
    )
    held_out: float = Field(
        0.2, gt=0, lt=1, description="share of the fitting footage that each fold of the calibration leaves out"
    )
    block_steps: int = Field(
        10, ge=1, le=1_000_000, description="block whose largest anomaly counts as one peak, in steps"
    )
    block_cells: int = Field(10, ge=1, le=1_000_000, description="side of that block, in cells")
    trusted: float = Field(
        0.7, gt=0.3, le=1, description="share of unlabelled footage's peaks taken as surely normal, from below"
    )
    tail: float = Field(0.9, gt=0, lt=1, description="quantile above which the tail is fitted")


class EventSettings(_Section):
    """From heatmaps to events."""

    low: float = Field(0.4, gt=0, le=0.5, description="heat down to which a region grows")
    min_duration_s: float = Field(0.4, ge=0, le=1_000_000, description="shorter tracks are no event, in seconds")
    gap_s: float = Field(0.6, ge=0, le=1_000_000, description="gap that a track survives, in seconds")
    kinds: tuple[str, ...] = Field((), max_length=100, description="kinds of events that are told; empty: all")
    not_kinds: tuple[str, ...] = Field((), max_length=100, description="kinds of events that are not told")

    def wants(self, kind: str) -> bool:
        """Whether events of this kind are told."""
        return (not self.kinds or kind in self.kinds) and kind not in self.not_kinds


class Settings(_Section):
    """All settings of one scene, in sections; each field has its range, and its unit in its description.

    Attributes
    ----------
    seed : int
        Of every random choice.
    scale : ScaleSettings
        Working resolution and step.
    motion : MotionSettings
        Optical flow.
    tubes : TubeSettings
        Patches that follow their subject.
    encoder : EncoderSettings
        The auto-encoder over tubes.
    normality : NormalitySettings
        k-means over the codes.
    heatmap : HeatmapSettings
        Voting along the tubes' paths.
    calibration : CalibrationSettings
        From raw anomaly to [0, 1].
    events : EventSettings
        From heatmaps to events.

    Examples
    --------
    >>> settings = crowdad.Settings(seed=3, events={"gap_s": 1.0})
    >>> settings.events.gap_s
    1.0
    """

    seed: int = Field(0, ge=0, lt=2**32, description="seed of every random choice")
    scale: ScaleSettings = ScaleSettings()
    motion: MotionSettings = MotionSettings()
    tubes: TubeSettings = TubeSettings()
    encoder: EncoderSettings = EncoderSettings()
    normality: NormalitySettings = NormalitySettings()
    heatmap: HeatmapSettings = HeatmapSettings()
    calibration: CalibrationSettings = CalibrationSettings()
    events: EventSettings = EventSettings()


def _flat(model: BaseModel, prefix: str = "") -> dict[str, Any]:
    flat: dict[str, Any] = {}
    for name, value in model:
        if isinstance(value, BaseModel):
            flat.update(_flat(value, f"{prefix}{name}."))
        else:
            flat[f"{prefix}{name}"] = value
    return flat


def _set(tree: dict[str, Any], key: str, value: Any) -> None:
    *sections, name = key.split(".")
    for section in sections:
        tree = tree.setdefault(section, {})
    tree[name] = value


def _leaves(tree: Mapping[str, Any], prefix: str = "") -> Iterable[tuple[str, Any]]:
    for name, value in tree.items():
        if isinstance(value, Mapping):
            yield from _leaves(value, f"{prefix}{name}.")
        else:
            yield f"{prefix}{name}", value


def _parse(text: str) -> Any:
    try:
        return parse_toml(f"value = {text}")["value"]
    except ValueError:
        return text


def load_settings(path: Path | None = None, overrides: Iterable[str] = (), base: Settings | None = None) -> Settings:
    """Settings from a TOML file and `section.key=value` overrides, the later winning.

    Raises UnknownSettingError (which names the nearest setting) and ConfigError (which names value and range).
    """
    return read_settings(path, overrides, base or Settings())


def read_settings(path: Path | None, overrides: Iterable[str], base: AnySettings) -> AnySettings:
    """`load_settings` for any tree of settings: `base` gives its type and the value of all that is not set."""
    known = _flat(base)
    given: dict[str, Any] = {}
    if path is not None:
        try:
            given.update(_leaves(parse_toml(read_text(path, MB))))
        except OSError as error:
            raise ConfigError(
                f"{path}: cannot be read ({error.strerror}); a TOML file of settings is needed"
            ) from error
        except (ValueError, RecursionError) as error:
            raise ConfigError(f"{path}: not TOML ({error}); see configs/camera.toml for an example") from error
    for item in overrides:
        key, equals, value = item.partition("=")
        if not equals:
            raise ConfigError(f"--set {item}: no '=' found; write --set section.key=value")
        given[key.strip()] = _parse(value.strip())
    for key in given:
        if key not in known:
            near = difflib.get_close_matches(key, known, n=1, cutoff=0.0)
            raise UnknownSettingError(f"unknown setting {key!r}; the nearest one is {near[0]!r}")
    tree: dict[str, Any] = {}
    for key, value in {**known, **given}.items():
        _set(tree, key, value)
    try:
        return type(base).model_validate(tree)
    except ValidationError as error:
        first = error.errors()[0]
        key = ".".join(str(part) for part in first["loc"])
        raise ConfigError(f"setting {key} = {first['input']!r}: {first['msg'].lower()}") from error
