"""Scoring footage: frame by frame for a library, or into a run's folder."""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, closing, contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

from crowdad.config import Settings
from crowdad.detection.detector import Detector
from crowdad.errors import ConfigError, OutputExistsError, TooLittleMotionError
from crowdad.outputs.folder import JOURNAL, RunFolder, held_files
from crowdad.outputs.remote import RemoteRun
from crowdad.outputs.results import RunResults, write_results
from crowdad.records import FrameResult
from crowdad.scene.model import SceneModel
from crowdad.sources import MAX_PIXELS
from crowdad.tubes.scale import GivenHeights
from crowdad.workflows.camera_check import camera_verdict, warned
from crowdad.workflows.detect_options import DetectOptions, FootageBeside, Model
from crowdad.workflows.footage import Part, one_spec
from crowdad.workflows.grading import Sensitivity
from crowdad.workflows.output_paths import OutputPaths
from crowdad.workflows.progress import Progress, silent
from crowdad.workflows.reporting import write_report
from crowdad.workflows.resuming import finished_results
from crowdad.workflows.run_records import Run, Scored, run_results
from crowdad.workflows.run_start import Opened, fitted_scene, prepared, save_scene
from crowdad.workflows.runtime_choice import check_runtime, open_runtime
from crowdad.workflows.scoring import long_enough, score_into
from crowdad.workflows.second_look import TIMELINE_PICTURES, SecondLook, look_again
from crowdad.workflows.still_footage import still_run
from crowdad.workflows.upload import put_when_whole

__all__ = ["check_apart", "detect", "detect_with", "maps_path", "score", "sighted", "write_run"]


def _nobody(_line: str) -> None:
    pass


def score(
    spec: Any,
    model: Model,
    *,
    start_s: float | None = None,
    end_s: float | None = None,
    stride: int = 1,
    fps: float | None = None,
    max_pixels: int = MAX_PIXELS,
    device: str = "auto",
    runtime: str = "auto",
) -> Iterator[FrameResult]:
    """Score footage and write nothing: one `FrameResult` for every frame, in order, in bounded memory.

    spec: a video file, a folder of pictures, or numpy frames (an array, a generator or a function that returns one;
        each uint8 (H, W) or (H, W, 3) BGR) with their `fps`.  model: a fitted scene or its file.
    runtime: "auto" (torch on a GPU, ONNX Runtime on a CPU), "torch" or "onnx".
    Warns (`UserWarning`) after the first seconds where they are not the view that the model was fitted on.
    Raises SourceError, ModelError, ConfigError.
    """
    check_runtime(runtime, device)
    source = Part(start_s, end_s, stride, fps, max_pixels).open(one_spec(spec))
    options = DetectOptions(model).at_hand()
    fitted = options.scene()
    assert fitted is not None, "a model was given"
    scene = fitted.fitted_to(source.info.size_hw, source.new_fps)
    _, scorer = open_runtime(scene, runtime, device)
    with closing(long_enough(source, scene)) as frames:
        yield from Detector(scene, runtime=scorer).run(warned(frames, scene))


def detect(
    spec: Any,
    *,
    model: Model | None = None,
    output: RunFolder | RemoteRun | str | os.PathLike[str] | None = None,
    settings: Settings | None = None,
    person_height: GivenHeights | float | str | os.PathLike[str] | None = None,
    threshold: float | None = None,
    false_alarms_per_hour: float | None = None,
    sensitivity: Sensitivity | None = None,
    roi: str | os.PathLike[str] | None = None,
    overlay: bool = True,
    heatmaps: bool = True,
    report: bool = True,
    footage: FootageBeside = "link",
    start_s: float | None = None,
    end_s: float | None = None,
    stride: int = 1,
    fps: float | None = None,
    max_pixels: int | None = None,
    recorded_at: str | None = None,
    device: str = "auto",
    runtime: str = "auto",
    overwrite: bool = False,
    resume: bool = False,
    progress: Progress = silent,
    notice: Callable[[str], None] = _nobody,
) -> RunResults:
    """Find what is unusual in one piece of footage and write all that is known of it into a run's folder.

    spec: a video file, a folder of pictures, also by its address in an object store (`s3://..`), or numpy frames that
        can be read again, with their `fps`.
    model: a fitted scene or its file; None: a scene is first fitted on the footage itself, anomalies inside, and saved
        as scene.safetensors in the folder.
    output: the folder, by default runs/<name>, with `overwrite` whatever it holds, else the next free runs/<name>-2,
        ..; or an address in an object store, where the run is put when it is whole.
    resume: go on with the run of the same footage and settings that was interrupted in the folder, by default the
        footage's last one in runs/; what it had scored is not scored again, and the results are those of a run that
        was never interrupted.  A whole run is left as it is and its results are returned.
    settings: of the fit; with a model only its `events` section and false alarms an hour may differ from the model's.
    person_height: of people, head to feet, where the footage is learned from itself: as in `fit`.
    threshold: raw anomaly that reads 0.5, as `threshold.raw` in results.json; or false_alarms_per_hour wanted on normal
        footage, from which it is then chosen; or sensitivity "low", "normal", "high": 0.2, 1, 5 false alarms an hour.
        Footage of less than five minutes without a model is too short for a rate: its most unusual moments are ranked,
        those that stand out clearly (more with a higher sensitivity) are events, the others candidates.
    roi: a mask picture, white where the footage is scored.  overlay, heatmaps, report: write overlay.mp4, heatmaps.npz,
        report.html.
    footage: what lies beside the page: "link", a second name of the original file (a copy where browsers need one, or
        on another disk), "copy", or "none".
    recorded_at: wall clock of the first frame, ISO 8601.
    runtime: what scores: "auto" (torch on a GPU, ONNX Runtime on a CPU), "torch" or "onnx".

    max_pixels: footage with larger pictures is refused; None: 25 million.
    notice: told at once of what a person should read before the scoring ends; it is among the results' warnings too.

    An interrupted or failed run leaves what it had under `.part` names; its last few scores may be missing there.
    Raises CrowdadError: SourceError (TooShortError for less than one window), FitError, ModelError, OutputError,
    ConfigError.
    """
    options = DetectOptions(
        model=model,
        settings=settings,
        person_height=GivenHeights.of(person_height),
        threshold=threshold,
        false_alarms_per_hour=false_alarms_per_hour,
        sensitivity=sensitivity,
        roi=roi,
        overlay=overlay,
        heatmaps=heatmaps,
        report=report,
        footage=footage,
        part=Part(start_s, end_s, stride, fps, MAX_PIXELS if max_pixels is None else max_pixels),
        recorded_at=recorded_at,
        device=device,
        runtime=runtime,
    )
    return detect_with(
        spec, options, output=output, overwrite=overwrite, resume=resume, progress=progress, notice=notice
    )


def detect_with(
    spec: Any,
    options: DetectOptions,
    *,
    output: RunFolder | RemoteRun | str | os.PathLike[str] | None = None,
    overwrite: bool = False,
    resume: bool = False,
    progress: Progress = silent,
    notice: Callable[[str], None] = _nobody,
) -> RunResults:
    """`detect` with its options in one record."""
    if overwrite and resume:
        raise ConfigError("both overwrite and resume were given; give one of them")
    if (run := RemoteRun.of(output)) is not None:
        spec = one_spec(spec)

        def score_here(folder: RunFolder) -> RunResults:
            return _detect_here(spec, options, folder, overwrite, resume, progress, notice)

        return put_when_whole(run, spec, score_here, overwrite=overwrite, resume=resume, progress=progress)
    assert not isinstance(output, RemoteRun)
    return _detect_here(spec, options, output, overwrite, resume, progress, notice)


def _detect_here(
    spec: Any,
    options: DetectOptions,
    output: RunFolder | str | os.PathLike[str] | None,
    overwrite: bool,
    resume: bool,
    progress: Progress,
    notice: Callable[[str], None],
) -> RunResults:
    began_s = time.perf_counter()
    opened = Opened.of(spec, options, progress)
    with ExitStack() as stack:
        if not isinstance(output, RunFolder):
            output = OutputPaths(output, overwrite=overwrite, resume=resume).folder(opened.spec, opened.source.name)
        folder = stack.enter_context(output)
        check_apart(opened.spec, folder)
        if folder.resume and folder.finished():
            return finished_results(opened.spec, folder)
        goes_on = folder.resume and opened.identity is not None and folder.file(JOURNAL).is_file()
        journal = None
        if goes_on and opened.identity is not None:
            journal = stack.enter_context(folder.journal(opened.identity))
        try:
            run = sighted(prepared(opened, fitted_scene(opened, folder, goes_on, progress)))
        except TooLittleMotionError as error:
            run = still_run(opened, error)
        if run.camera is not None and run.camera.warning is not None:
            notice(run.camera.warning)
        with maps_path(folder, options) as maps:
            scored = score_into(folder, run, maps, journal, began_s, progress)
            return write_run(folder, run, scored, maps, progress)


def sighted(run: Run) -> Run:
    """The run, with a verdict on its camera where the model is not the footage's own."""
    return run if run.options.model is None else replace(run, camera=camera_verdict(run.source, run.scene))


@contextmanager
def maps_path(folder: RunFolder, options: DetectOptions) -> Iterator[Path | None]:
    """Where the maps go: kept in the run's folder, or there until the run is whole; None where nobody needs them."""
    if options.heatmaps:
        yield folder.file("heatmaps.npz")
    elif options.overlay or options.report:
        # In the run's folder, not in the system's own for temporary files: that may be small, and others look into it.
        spare = folder.file("heatmaps.npz.part")
        yield spare
        with folder.one_line_errors():
            spare.unlink(missing_ok=True)
    else:
        yield None


def write_run(folder: RunFolder, run: Run, scored: Scored, maps: Path | None, progress: Progress) -> RunResults:
    """All that a run leaves but the table and the maps, results.json last; what it could go on from goes then."""
    options = run.options
    seen = look_again(folder, run, scored, maps, overlay=options.overlay, report=options.report, progress=progress)
    _write_timeline(folder, run, scored, seen)
    if isinstance(options.model, SceneModel):
        save_scene(options.model, folder)
    model_file = options.model_path or folder.file("scene.safetensors")
    results = run_results(run, scored, model_file)
    if options.report:
        assert maps is not None
        write_report(folder, run, scored, results, maps, seen)
    with folder.part("results.json") as path:
        write_results(path, results)
    folder.forget_how_to_go_on()
    return results


def check_apart(spec: Any, folder: RunFolder) -> None:
    """Raise OutputExistsError where the footage is itself a file of the run that is to be replaced."""
    if isinstance(spec, str | os.PathLike):
        held = [path.resolve() for path in held_files(folder.path)]
        if Path(spec).resolve() in held:
            raise OutputExistsError(
                f"{os.fspath(spec)}: belongs to the run that would be replaced; choose another folder with -o"
            )


def _write_timeline(folder: RunFolder, run: Run, scored: Scored, seen: SecondLook) -> None:
    from crowdad.outputs.timeline import write_timeline

    events = {event.event_id for event in scored.events}
    pictures = {place: peak for place, peak in seen.peaks.of_strongest(TIMELINE_PICTURES).items() if place in events}
    with folder.part("timeline.png") as path:
        table = scored.table
        write_timeline(
            path,
            table.time_s,
            table.anomaly,
            scored.events,
            pictures,
            cuts=run.detector.cuts,
            title=run.source.name,
            compared=not run.still,
        )
