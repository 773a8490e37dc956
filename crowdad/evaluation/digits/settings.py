"""Settings of the digit experiments (MNIST, USPS); a TOML file in configs/ may set any of them."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path
from typing import Annotated, Literal

from pydantic import AfterValidator, BaseModel, ConfigDict, Field

from crowdad.config import read_settings
from crowdad.evaluation.datasets.digits import DIGIT_SETS

__all__ = [
    "AnomalySettings",
    "BeyondSettings",
    "ClusteringSettings",
    "DigitSettings",
    "DuadSettings",
    "LearningSettings",
    "load_digit_settings",
]


def _known(name: str) -> str:
    if name not in DIGIT_SETS:
        raise ValueError(f"one of {', '.join(DIGIT_SETS)} is needed")
    return name


class _Section(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class LearningSettings(_Section):
    """How every auto-encoder here learns."""

    batch_size: int = Field(default=256, ge=1, description="pictures in a batch")
    learning_rate: float = Field(default=1e-3, gt=0, description="highest rate of Adam")
    decay: Literal["constant", "cosine", "one-cycle"] = Field(default="constant", description="course of the rate")
    bf16: bool = Field(default=True, description="compute in bfloat16 where that is safe")


class ClusteringSettings(_Section):
    """Tables I to III: all pictures, k-means on the codes, accuracy by the best one-to-one map."""

    dense_epochs: int = Field(default=100, ge=1, description="passes of the dense auto-encoders")
    conv_epochs: int = Field(default=200, ge=1, description="passes of the convolutional auto-encoders")
    clusters: int = Field(default=10, ge=2, description="k of k-means")
    restarts: int = Field(default=20, ge=1, description="of k-means; the one of least inertia is kept")
    looks: int = Field(default=10, ge=1, description="times that the accuracy is measured along the way")


class AnomalySettings(_Section):
    """Table IV: each digit in turn the anomaly."""

    digits: tuple[int, ...] = Field(default=tuple(range(10)), description="each in turn the anomaly")
    epochs: int = Field(default=60, ge=1, description="passes over the nine other digits of the training split")
    contaminated_epochs: int = Field(default=30, ge=1, description="passes where the anomalous digit is among them")
    clusters: int = Field(default=9, ge=2, description="k of k-means")
    restarts: int = Field(default=20, ge=1, description="of k-means")
    contaminations: tuple[float, ...] = Field(
        default=(0.0, 0.01, 0.02, 0.05), description="shares of the training pictures that are the anomalous digit"
    )

    def epochs_at(self, contamination: float) -> int:
        """Passes where this share, in [0, 1), of the training pictures is the anomalous digit."""
        return self.contaminated_epochs if contamination else self.epochs


class DuadSettings(_Section):
    """DUAD beside its own auto-encoder without selection, and beside the unit code."""

    digits: tuple[int, ...] = Field(default=tuple(range(10)), description="each in turn the normal class")
    contaminations: tuple[float, ...] = Field(
        default=(0.01, 0.05, 0.1), description="shares of anomalies among all samples"
    )
    max_samples: int = Field(default=1000, ge=50, description="normal samples taken at most")
    batch_size: int = Field(default=64, ge=1, description="samples in a batch")
    epochs_per_round: int = Field(default=10, ge=1, description="passes between two selections")
    max_rounds: int = Field(default=10, ge=1, description="selections at most")
    clusters: int = Field(default=20, ge=2, description="of the Gaussian mixture")
    first_drop_percent: float = Field(
        default=35, ge=0, lt=100, description="clusters left out of the first selection, in %"
    )
    drop_percent: float = Field(default=30, ge=0, lt=100, description="clusters left out of later selections, in %")
    threshold: float = Field(default=0.07, gt=0, description="reach of a group in distribution clustering")


class BeyondSettings(_Section):
    """Past the paper: the same encoder and unit code, with augmentation and then self-labelled clusters."""

    epochs_augmented: int = Field(default=200, ge=1, description="passes of reconstruction under augmentation")
    epochs_clustered: int = Field(default=60, ge=1, description="passes that pull augmented pictures to their cluster")
    rotation_deg: float = Field(default=10, ge=0, description="largest turn")
    shift: float = Field(default=0.1, ge=0, le=0.5, description="largest shift, as a share of the side")
    temperature: float = Field(default=0.1, gt=0, description="of the softmax over cosines to the centres")
    confident: float = Field(
        default=0.6, gt=0, le=1, description="share of the pictures, the surest, that label at first"
    )


class DigitSettings(_Section):
    """All settings of the digit experiments on one data set."""

    dataset: Annotated[str, AfterValidator(_known)] = Field(default="mnist", description="a key of DIGIT_SETS")
    seeds: int = Field(default=3, ge=1, description="runs of each row, with seeds 0, 1, ...")
    learning: LearningSettings = LearningSettings()
    clustering: ClusteringSettings = ClusteringSettings()
    anomaly: AnomalySettings = AnomalySettings()
    duad: DuadSettings = DuadSettings()
    beyond: BeyondSettings = BeyondSettings()


def load_digit_settings(path: Path | None = None, overrides: Iterable[str] = ()) -> DigitSettings:
    """Digit settings from a TOML file and `section.key=value` overrides, the later winning; errors as load_settings."""
    return read_settings(path, overrides, DigitSettings())
