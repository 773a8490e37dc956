"""Results by kind of anomaly, where it is known what is unusual in a frame and not only that something is."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from crowdad.errors import UndefinedMetricError
from crowdad.evaluation.metrics.alarms import AlarmScores, alarm_delay_s, intervals
from crowdad.evaluation.metrics.frames import FrameScores, frame_auc_micro

__all__ = ["KIND_PROTOCOL", "KindScores", "score_kinds"]

KIND_PROTOCOL = (
    "frame AUC of the frames with the kind against all normal frames, micro; told: runs of frames with the kind that "
    "an event overlaps in time, whatever raised it"
)


@dataclass(frozen=True)
class KindScores:
    """One kind in one run over the clips.

    auc: see KIND_PROTOCOL; None where there is no normal frame.  frames: frames with the kind.
    told, intervals: of the runs of such frames.
    """

    kind: str
    auc: float | None
    frames: int
    told: int
    intervals: int


def score_kinds(clips: Sequence[tuple[npt.NDArray[np.floating], AlarmScores]]) -> list[KindScores]:
    """Every kind that is seen in the clips, in order of names.

    clips: anomaly, float (T,), higher = abnormal, beside what was told of the clip and the kinds seen in it.
    """
    kinds = sorted({kind for _, clip in clips for kind, seen in clip.kinds.items() if seen.any()})
    return [_score(kind, clips) for kind in kinds]


def _score(kind: str, clips: Sequence[tuple[npt.NDArray[np.floating], AlarmScores]]) -> KindScores:
    used, delays, count = [], [], 0
    for anomaly, clip in clips:
        seen = clip.kinds.get(kind, np.zeros(len(anomaly), np.bool_))
        kept = seen | ~clip.anomalous
        if kept.any():
            used.append(FrameScores(clip.name, anomaly[kept], seen[kept]))
        delays += [alarm_delay_s(clip, *interval) for interval in intervals(seen)]
        count += int(np.count_nonzero(seen))
    try:
        auc = frame_auc_micro(used)
    except UndefinedMetricError:
        auc = None
    return KindScores(kind, auc, count, sum(delay is not None for delay in delays), len(delays))
