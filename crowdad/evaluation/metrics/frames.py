"""Frame-level metrics: one anomaly score per frame against one true label per frame.

Pooling is part of the name: micro = all frames of all clips in one curve, macro = one curve per clip, averaged.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
from sklearn.metrics import average_precision_score, roc_auc_score, roc_curve

from crowdad.errors import UndefinedMetricError
from crowdad.evaluation.metrics.registry import metric

__all__ = [
    "AveragePrecision",
    "FrameScores",
    "MacroAuc",
    "average_precision",
    "equal_error_rate",
    "frame_auc_macro",
    "frame_auc_micro",
    "frame_auc_micro_clip_minmax",
]


@dataclass(frozen=True, eq=False)
class FrameScores:
    """One clip's scores beside its ground truth.

    anomaly: float (T,), any finite range, higher = abnormal.
    anomalous: bool (T,), True where the frame holds an anomaly.
    Raises ValueError for other shapes, for no frame and for NaN or infinity.
    """

    name: str
    anomaly: npt.NDArray[np.floating]
    anomalous: npt.NDArray[np.bool_]

    def __post_init__(self) -> None:
        if self.anomaly.ndim != 1 or self.anomaly.shape != self.anomalous.shape or not len(self.anomaly):
            raise ValueError(
                f"{self.name}: anomaly {self.anomaly.shape} and anomalous {self.anomalous.shape}; "
                "two arrays of one shape (T,), T >= 1, are needed"
            )
        if self.anomalous.dtype != np.bool_:
            raise ValueError(f"{self.name}: anomalous is {self.anomalous.dtype}; bool is needed")
        if not np.isfinite(self.anomaly).all():
            bad = int((~np.isfinite(self.anomaly)).sum())
            raise ValueError(f"{self.name}: {bad} of {len(self.anomaly)} scores are NaN or infinite; score every frame")


@dataclass(frozen=True)
class MacroAuc:
    """auc: mean over the used clips, in [0, 1].  left_out: names of clips with one class only."""

    auc: float
    clips_used: int
    left_out: tuple[str, ...]

    def __float__(self) -> float:
        return self.auc

    @property
    def note(self) -> str:
        """What belongs beside the number."""
        return f"{self.clips_used} clips; left out, all of one class: {', '.join(self.left_out) or 'none'}"


@dataclass(frozen=True)
class AveragePrecision:
    """average_precision beside base_rate, the share of anomalous frames, which is what chance reaches."""

    average_precision: float
    base_rate: float

    def __float__(self) -> float:
        return self.average_precision

    @property
    def note(self) -> str:
        """What belongs beside the number."""
        return f"chance reaches {self.base_rate:.3f}"


@metric("frame AUC, micro", "all frames of all clips in one ROC; no smoothing, no scaling", over=FrameScores)
def frame_auc_micro(clips: Sequence[FrameScores]) -> float:
    """Area under one ROC over all frames of all clips, in [0, 1]; scores are taken as they are.

    Level: frame.  Pooling: micro.  No smoothing, no scaling; ties count half.
    Raises UndefinedMetricError where all frames are of one class.
    """
    anomaly, anomalous = _pool(clips)
    return float(roc_auc_score(anomalous, anomaly))


@metric("frame AUC, macro", "one ROC a clip, averaged", over=FrameScores, resampled=False)
def frame_auc_macro(clips: Sequence[FrameScores]) -> MacroAuc:
    """Mean of the clips' own ROC areas; clips with one class have none, are left out and named.

    Level: frame.  Pooling: macro.  No clip is padded with artificial frames.
    Raises UndefinedMetricError where no clip has both classes.
    """
    aucs = [roc_auc_score(c.anomalous, c.anomaly) for c in clips if _two_classes(c.anomalous)]
    left_out = tuple(c.name for c in clips if not _two_classes(c.anomalous))
    if not aucs:
        raise UndefinedMetricError(f"none of {len(clips)} clips has normal and anomalous frames; macro AUC needs one")
    return MacroAuc(float(np.mean(aucs)), len(aucs), left_out)


@metric(
    "frame AUC, micro, clip min-max",
    "each clip stretched to its own minimum and maximum: looks into the future; no headline",
    over=FrameScores,
)
def frame_auc_micro_clip_minmax(clips: Sequence[FrameScores]) -> float:
    """Micro AUC after each clip's scores were stretched to [0, 1] by the clip's own minimum and maximum.

    Level: frame.  Pooling: micro.  Scaling: per clip, from all of its frames: it looks into the future and assumes
    that every clip holds an anomaly, so this is no headline number.  A clip of one value becomes all 0.
    Raises UndefinedMetricError where all frames are of one class.
    """
    return frame_auc_micro([FrameScores(c.name, _stretch(c.anomaly), c.anomalous) for c in clips])


@metric("EER", "of the micro ROC, lower = better", over=FrameScores)
def equal_error_rate(clips: Sequence[FrameScores]) -> float:
    """The rate at which false positives and false negatives are equal, in [0, 1], lower = better.

    Level and pooling as in the scores given (frame, micro).  Between two thresholds the ROC is a straight line.
    Raises UndefinedMetricError where all frames are of one class.
    """
    anomaly, anomalous = _pool(clips)
    false_positive, true_positive, _ = roc_curve(anomalous, anomaly, drop_intermediate=False)
    gap = false_positive - (1.0 - true_positive)
    after = int(np.argmax(gap >= 0))  # gap climbs from -1 to 1, so after >= 1
    share = -gap[after - 1] / (gap[after] - gap[after - 1])
    return float(false_positive[after - 1] + share * (false_positive[after] - false_positive[after - 1]))


@metric("average precision", "micro", over=FrameScores, resampled=False)
def average_precision(clips: Sequence[FrameScores]) -> AveragePrecision:
    """Average precision (step sum, no interpolation) of the anomalous class, beside its base rate.

    Level: frame.  Pooling: micro.  Raises UndefinedMetricError where all frames are of one class.
    """
    anomaly, anomalous = _pool(clips)
    return AveragePrecision(float(average_precision_score(anomalous, anomaly)), float(anomalous.mean()))


def _pool(clips: Sequence[FrameScores]) -> tuple[npt.NDArray[np.floating], npt.NDArray[np.bool_]]:
    if not clips:
        raise ValueError("no clips; at least one is needed")
    anomalous = np.concatenate([c.anomalous for c in clips])
    if not _two_classes(anomalous):
        kind = "anomalous" if anomalous[0] else "normal"
        raise UndefinedMetricError(f"all {len(anomalous)} frames are {kind}; normal and anomalous ones are needed")
    return np.concatenate([c.anomaly for c in clips]), anomalous


def _two_classes(anomalous: npt.NDArray[np.bool_]) -> bool:
    return bool(anomalous.any() and not anomalous.all())


def _stretch(anomaly: npt.NDArray[np.floating]) -> npt.NDArray[np.floating]:
    # In float64, so that close float32 scores do not fall together.
    wide = anomaly.astype(np.float64)
    low, high = wide.min(), wide.max()
    return (wide - low) / (high - low) if high > low else np.zeros_like(wide)
