"""What a run leaves behind, gathered from its parts."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from crowdad._version import __version__
from crowdad.detection.detector import Detector
from crowdad.outputs.results import (
    CameraRecord,
    CountsRecord,
    ModelRecord,
    RunResults,
    SkipRecord,
    SourceRecord,
    ThresholdRecord,
    TimingRecord,
    event_records,
)
from crowdad.outputs.tables import FrameTable
from crowdad.records import Event
from crowdad.scene.calibration import raw_of
from crowdad.scene.kinds import kinds_off
from crowdad.scene.model import SceneModel
from crowdad.scene.streams import STREAMS
from crowdad.scene.viewpoint import CameraVerdict
from crowdad.sources import ReadReport, Source, named
from crowdad.workflows.detect_options import DetectOptions
from crowdad.workflows.footage import Part
from crowdad.workflows.grading import ranked_note
from crowdad.workflows.people_size import doubts_of

__all__ = ["Run", "Scored", "camera_record", "run_results", "warnings_of"]

_BY_HEART = 0.3  # times that even the most unusual moment stands out; of ordinary clips it does about once
STRANGE_SHARE = 0.7
STRANGE_DRIFT = 3.0
"""From here on the scene is not the model's any more: share of tubes less normal than 95 % of the fitting footage's,
distance of their mean motion in its spreads.  A cart that fills a short clip reaches 0.6 and 2.3, a moved camera 0.96
and 4.9, footage three times as fast 1.0 and 7.5 (all on Ped2)."""

STRANGE_TUBES = 500


@dataclass(frozen=True, eq=False)
class Run:
    """A run before its footage is read: what scores what, by which runtime, as asked for by `options`.

    identity: all that its scores depend on, plain JSON; None where the footage has no name to find it by again.
    model_sha256: of the given model's file as it was read, hexadecimal; None where the scene was not read from a file.
    ranked: the footage is too short for an alarm level; its most unusual moments are told.
    camera: whether the footage is of the model's camera; None where that is not known.
    still: why nothing could be learned and compared, as so little moves; empty otherwise, and `scene` is a real one.
    """

    spec: Any
    source: Source
    options: DetectOptions
    scene: SceneModel
    detector: Detector
    runtime: str
    identity: Mapping[str, Any] | None = None
    ranked: bool = False
    camera: CameraVerdict | None = None
    still: str = ""
    model_sha256: str | None = None

    @property
    def part(self) -> Part:
        """What of the footage is read."""
        return self.options.part


@dataclass(frozen=True, eq=False)
class Scored:
    """What reading and scoring the footage gave.

    report: how reading it went.  sizes: what of it was not scored, being of another size.
    """

    table: FrameTable
    events: Sequence[Event]
    candidates: Sequence[Event]
    report: ReadReport
    sizes: ReadReport
    startup_s: float
    seconds: float


def run_results(run: Run, scored: Scored, model_path: Path) -> RunResults:
    """Everything that results.json holds.  model_path: of the file that scored it."""
    settings = run.scene.settings.model_dump(mode="json")
    roi = run.options.roi
    heights = run.options.person_height
    settings["run"] = {
        **asdict(run.part),
        "roi": None if roi is None else os.fspath(roi),
        "person_height": None if heights is None else str(heights),
        "recorded_at": run.options.recorded_at,
    }
    recorded_at = run.options.recorded_at or run.source.info.recorded_at
    return RunResults(
        crowdad_version=__version__,
        source=_source_record(run, scored, recorded_at),
        model=_model_record(run, model_path),
        settings=settings,
        threshold=_threshold_record(run),
        counts=_counts_record(scored),
        cuts=run.detector.cuts,
        warnings=warnings_of(run, scored),
        events=event_records(scored.events, fps=run.source.fps, recorded_at=recorded_at),
        candidates=event_records(scored.candidates, fps=run.source.fps, recorded_at=recorded_at),
        timing=TimingRecord(
            fps=len(scored.table) / max(scored.seconds, 1e-9),
            seconds=scored.seconds,
            startup_s=scored.startup_s,
            runtime=run.runtime,
        ),
    )


def _source_record(run: Run, scored: Scored, recorded_at: str | None) -> SourceRecord:
    info, time_s = run.source.info, scored.table.time_s
    return SourceRecord(
        name=named(run.spec) or info.name,
        size_bytes=info.size_bytes,
        sha256=run.source.sha256(),
        size_hw=info.size_hw,
        fps=run.source.fps,
        frames=scored.report.frames_read,
        duration_s=float(time_s[-1] - time_s[0]) + 1 / run.source.fps,
        recorded_at=recorded_at,
    )


def _model_record(run: Run, model_path: Path) -> ModelRecord:
    if run.still:
        scale = {} if run.options.person_height is None else run.scene.scale.as_dict()
        return ModelRecord(name="", sha256=None, fitted="nothing", scale=scale)
    provenance = run.scene.provenance
    heard = _heard(run)
    return ModelRecord(
        name=model_path.name,
        sha256=run.model_sha256 or SceneModel.sha256(model_path),
        fitted=provenance["how"],
        fit_sources=provenance.get("sources", []),
        scale=run.scene.scale.as_dict(),
        streams=heard,
        streams_off=[name for name in STREAMS if name not in heard],
        kinds_off=kinds_off(heard),
        camera=camera_record(run.camera),
    )


def _heard(run: Run) -> list[str]:
    """Names of the streams that looked."""
    return [name for name, stream in run.scene.streams.items() if not (run.detector.elsewhere and stream.of_place)]


def camera_record(camera: CameraVerdict | None) -> CameraRecord | None:
    """The verdict on a camera, as it stands in results.json and status.json."""
    if camera is None:
        return None
    return CameraRecord(verdict=camera.verdict, certainty=camera.certainty, detail=camera.detail)


def _threshold_record(run: Run) -> ThresholdRecord:
    calibration = run.scene.calibration
    if run.still:
        return ThresholdRecord(
            raw=run.detector.threshold_raw, grade="none", chosen_by="nothing that was seen", note=run.still
        )
    if run.options.threshold is not None:
        return ThresholdRecord(raw=run.options.threshold, chosen_by="given by the user")
    if run.ranked:
        how = f"stands out {calibration.surprise(run.detector.threshold_raw):.1f} times from the rest of the clip"
        return ThresholdRecord(
            raw=run.detector.threshold_raw, grade="ranked", chosen_by=how, note=ranked_note(run.scene)
        )
    return ThresholdRecord(
        raw=run.detector.threshold_raw,
        chosen_by=f"{calibration.how} of {calibration.basis} of fitting footage",
        false_alarms_per_hour=run.scene.settings.calibration.false_alarms_per_hour,
        note=calibration.promise(run.scene.settings.calibration.false_alarms_per_hour),
    )


def _counts_record(scored: Scored) -> CountsRecord:
    report = scored.report
    return CountsRecord(
        frames_total=report.frames_read + report.frames_skipped,
        scored=report.frames_read - scored.sizes.frames_skipped - report.frames_repeated,
        repeated=report.frames_repeated,
        skipped={**report.skip_counts, **scored.sizes.skip_counts},
        skips=[
            SkipRecord(reason=skip.reason, frames=skip.count, start_s=skip.time_s, end_s=skip.until_s, name=skip.name)
            for skip in (*report.skips, *scored.sizes.skips)
        ],
        bad_packets=report.bad_packets,
        truncated=report.truncated,
    )


def warnings_of(run: Run, scored: Scored) -> list[str]:
    """What a person should know before believing the result, one line each."""
    report, found = scored.report, list(scored.report.notes)
    if run.camera is not None and run.camera.warning is not None:
        found.insert(0, run.camera.warning)
    if report.truncated:
        found.append(
            f"the footage ends before its container says so; all {report.frames_read} frames there are were scored"
        )
    found += [_skipped(reason, number, report) for reason, number in report.skip_counts.items()]
    if report.bad_packets:
        found.append(f"{report.bad_packets} packets of the file could not be decoded")
    if scored.sizes.frames_skipped:
        height, width = run.scene.scale.size_hw
        found.append(
            f"{scored.sizes.frames_skipped} frames are not of the scene's size {width}x{height} and were not scored"
        )
    least_fps = min(run.scene.scale.least_fps, run.scene.scale.fps)
    if run.source.slowest_fps < least_fps:
        found.append(
            f"in parts of the footage there are {run.source.slowest_fps:.2g} new pictures a second, too few to follow "
            f"people who walk; nothing unusual is found there (this scene takes {least_fps:.1f} or more)"
        )
    found += [f"the footage breaks at {item.time_s:.1f} s: {item.reason}" for item in report.breaks[:5]]
    found += [] if run.still else doubts_of(run.scene.scale)
    if run.ranked and _is_known_by_heart(run, scored):
        found.append(
            "so little moves in this clip that it was learned by heart, and nothing in it can stand out; learn from a "
            "longer clip, or from footage in which more people walk"
        )
    asked = () if run.still else run.scene.settings.events.kinds
    if asked and (wanted := [kind for kind in kinds_off(_heard(run)) if kind in asked]):
        found.append(
            f"nothing looks for {', '.join(wanted)}: the model's footage was too short or too empty for it, or shows "
            "another view; fit it on longer footage of this camera"
        )
    detector, own = run.detector, run.scene.provenance["how"] == "self-fitted"
    strange = detector.strangeness > STRANGE_SHARE or detector.drift > STRANGE_DRIFT
    view = None if run.camera is None else run.camera.verdict
    told = view in ("moved", "another camera")
    if strange and detector.tubes_scored >= STRANGE_TUBES and not own and not told:
        cause = (
            "its view is the model's, so what happens in it has changed; fit the model on footage of now, too"
            if view in ("same", "another light")
            else "the camera may have moved, or the model is another scene's; fit one on this camera's footage"
        )
        found.append(
            "what moves is unlike the footage that the model was fitted on "
            f"({detector.strangeness:.0%} of it unseen, 5 % is usual; mean motion off by {detector.drift:.1f} spreads, "
            f"under 1 is usual): {cause}"
        )
    return found


def _is_known_by_heart(run: Run, scored: Scored) -> bool:
    """Whether even the hottest place of a short clip is cooler than places are by what the rest of the clip taught."""
    hottest = raw_of(scored.table.anomaly.max(keepdims=True), run.detector.threshold_raw)
    return run.scene.calibration.surprise(float(hottest[0])) < _BY_HEART


def _skipped(reason: str, number: int, report: ReadReport) -> str:
    """How many frames were skipped for one reason, and where the first of them is."""
    first = next(skip for skip in report.skips if skip.reason == reason)
    place = f"at {first.time_s:.2f} s" if first.time_s is not None else ""
    where = " ".join(part for part in (first.name, place) if part)
    return f"{number} skipped: {reason}, first {where}" if where else f"{number} skipped: {reason}"
