"""Metrics under named protocols; every function says its level, what it pools over and what it leaves out.

frames: frame-level AUC (micro, macro, micro with per-clip min-max), EER, average precision.
pixels: pixel-level AUC (40 % rule).
tracks: true regions and tracks derived from ground-truth masks.
regions: RBDC and TBDC.
alarms: true intervals told by events, false events, seconds to the alarm, frames flagged.
kinds: results by kind of anomaly.
clustering: clustering accuracy, NMI, ARI.
bootstrap: intervals by resampling clips.
registry: those that every benchmark of clips measures; `@metric` above a function adds it.
"""

from crowdad.evaluation.metrics.alarms import (
    Alarm,
    AlarmScores,
    alarm_delay_s,
    anomalous_frames_flagged,
    events_told,
    false_events_per_hour,
    find_alarms,
    intervals,
    normal_frames_flagged,
    seconds_to_alarm,
)
from crowdad.evaluation.metrics.bootstrap import Interval, bootstrap_over_clips
from crowdad.evaluation.metrics.clustering import (
    adjusted_rand_index,
    clustering_accuracy,
    normalised_mutual_information,
)
from crowdad.evaluation.metrics.frames import (
    AveragePrecision,
    FrameScores,
    MacroAuc,
    average_precision,
    equal_error_rate,
    frame_auc_macro,
    frame_auc_micro,
    frame_auc_micro_clip_minmax,
)
from crowdad.evaluation.metrics.kinds import KIND_PROTOCOL, KindScores, score_kinds
from crowdad.evaluation.metrics.pixels import ClipMaps, PixelScores, pixel_auc, pixel_scores
from crowdad.evaluation.metrics.regions import RegionCounts, count_regions, rbdc, region_thresholds, tbdc
from crowdad.evaluation.metrics.registry import METRICS, ClipMetric, metric
from crowdad.evaluation.metrics.tracks import TrueRegion, TrueTrack, derive_tracks

__all__ = [
    "KIND_PROTOCOL",
    "METRICS",
    "Alarm",
    "AlarmScores",
    "AveragePrecision",
    "ClipMaps",
    "ClipMetric",
    "FrameScores",
    "Interval",
    "KindScores",
    "MacroAuc",
    "PixelScores",
    "RegionCounts",
    "TrueRegion",
    "TrueTrack",
    "adjusted_rand_index",
    "alarm_delay_s",
    "anomalous_frames_flagged",
    "average_precision",
    "bootstrap_over_clips",
    "clustering_accuracy",
    "count_regions",
    "derive_tracks",
    "equal_error_rate",
    "events_told",
    "false_events_per_hour",
    "find_alarms",
    "frame_auc_macro",
    "frame_auc_micro",
    "frame_auc_micro_clip_minmax",
    "intervals",
    "metric",
    "normal_frames_flagged",
    "normalised_mutual_information",
    "pixel_auc",
    "pixel_scores",
    "rbdc",
    "region_thresholds",
    "score_kinds",
    "seconds_to_alarm",
    "tbdc",
]
