"""Scoring footage: frame by frame for a library, or into a run's folder."""

from __future__ import annotations

import math
import os
import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import ExitStack, closing, contextmanager
from dataclasses import replace
from itertools import chain, islice, pairwise
from pathlib import Path
from statistics import fmean
from typing import Any, Unpack

from crowdad.config import Settings
from crowdad.detection.detector import Detector
from crowdad.detection.events import find_events
from crowdad.errors import ConfigError, OutputExistsError, TooLittleMotionError
from crowdad.outputs.folder import JOURNAL, RunFolder, held_files
from crowdad.outputs.remote import RemoteRun
from crowdad.outputs.results import RunResults, write_results
from crowdad.records import Event, FrameResult
from crowdad.scene.model import SceneModel
from crowdad.sources import Footage
from crowdad.workflows.camera_check import camera_verdict, warned
from crowdad.workflows.detect_options import DetectKeywords, DetectOptions, Model
from crowdad.workflows.footage import Part, PartKeywords, chosen_options, one_spec, split_keywords
from crowdad.workflows.output_paths import OutputPaths
from crowdad.workflows.progress import Progress, in_bytes, silent
from crowdad.workflows.reporting import write_report
from crowdad.workflows.resuming import finished_results, whole_there
from crowdad.workflows.run_records import Run, Scored, run_results
from crowdad.workflows.run_start import Opened, fitted_scene, prepared, save_scene
from crowdad.workflows.runtime_choice import check_runtime, open_runtime
from crowdad.workflows.scoring import long_enough, score_into
from crowdad.workflows.second_look import TIMELINE_PICTURES, SecondLook, look_again
from crowdad.workflows.still_footage import still_run

__all__ = ["check_apart", "detect", "detect_with", "events", "maps_path", "score", "sighted", "write_run"]


_MEASURED_FRAMES = 250
"""Results that the frame rate is measured from, where nobody gave it."""


def _nobody(_line: str) -> None:
    pass


class ScoreKeywords(PartKeywords, total=False):
    """What `score` takes beside footage and scene."""

    device: str
    runtime: str


def score(footage: Footage, scene: Model, **keywords: Unpack[ScoreKeywords]) -> Iterator[FrameResult]:
    """Score footage and write nothing: one result for each frame, in order, in bounded memory.

    Parameters
    ----------
    footage : path, str, or numpy frames
        A video file, a folder of pictures, its address in an object store, or frames: an array of shape (T, H, W) or
        (T, H, W, 3), a list of frames, a generator, or a function that returns one; each frame is uint8 (H, W), or
        (H, W, 3) in the order blue, green, red.
    scene : SceneModel, path or str
        The fitted scene, or its file.
    fps : float, optional
        Frames a second of numpy frames (needed), and of folders of pictures and raw streams (default: 10 of folders).
    rgb : bool
        The colours of the numpy frames are red, green, blue.
    start_s, end_s : float, optional
        The part to score, start_s <= time < end_s, in seconds since the first frame.
    stride : int
        Score every n-th frame.
    max_pixels : int
        Footage with larger pictures is refused; default: 25 million.
    device : {"auto", "cpu", "cuda"}
        Where to compute.
    runtime : {"auto", "torch", "onnx"}
        What computes the scores; "auto" is torch on a GPU and ONNX Runtime on a CPU.

    Yields
    ------
    FrameResult
        Anomaly in [0, 1], 0.5 at the threshold, normality in [-1, 1], and the heatmap of one frame.

    Raises
    ------
    SourceError
        The footage cannot be read, or is shorter than one window (TooShortError).
    ModelError
        The file is no scene model, or the footage has another shape than the scene.
    ConfigError
        A keyword has a value that makes no sense.

    Warns
    -----
    UserWarning
        After the first seconds, where the footage does not show the view that the scene was fitted on.

    Examples
    --------
    >>> anomalies = [result.anomaly for result in crowdad.score(frames, scene, fps=10, rgb=True)]
    >>> len(anomalies) == len(frames)
    True
    """
    if scene is None:
        raise ConfigError("no scene was given; give one that fit returned, or the path of its file")
    part, rest = split_keywords(keywords, ScoreKeywords)
    options = DetectOptions(scene, part=Part(**part), **rest)
    check_runtime(options.runtime, options.device)
    source = options.part.open(one_spec(footage))
    options = options.at_hand()
    fitted = options.scene()
    assert fitted is not None, "a model was given"
    own = fitted.fitted_to(source.info.size_hw, source.new_fps)
    _, scorer = open_runtime(own, options.runtime, options.device)
    with closing(long_enough(source, own)) as frames:
        detector = Detector(own, runtime=scorer)
        yield from detector.run(warned(frames, detector))


def events(results: Iterable[FrameResult], scene: Model | None = None, *, fps: float | None = None) -> list[Event]:
    """The events among scored frames: what stands above the threshold, followed from frame to frame.

    Parameters
    ----------
    results : iterable of FrameResult
        In order, such as `score` yields them; each is used once.
    scene : SceneModel, path or str, optional
        What scored them: its `settings.events`, and the size of people, without which a strip at the picture's border
        may be an event.  None: the default settings.
    fps : float, optional
        Frames a second, repeated ones included; None: measured from the times of the first results.

    Returns
    -------
    list of Event
        In order of start, numbered from 1.

    Raises
    ------
    ModelError
        The file is no scene model.
    ConfigError
        `fps` is not above 0.

    Examples
    --------
    >>> found = crowdad.events(crowdad.score("monday.mp4", scene), scene)
    >>> all(event.start_s < event.end_s for event in found)
    True
    """
    fitted = None if scene is None else DetectOptions(scene).at_hand().scene()
    if fps is not None and not (math.isfinite(fps) and fps > 0):
        raise ConfigError(f"fps is {fps}; frames a second must be above 0")
    coming = iter(results)
    first = list(islice(coming, _MEASURED_FRAMES))
    rate = _rate_of(first) if fps is None else fps
    if rate is None:
        return []
    chosen = (Settings() if fitted is None else fitted.settings).events
    found = find_events(
        chain(first, coming),
        rate,
        low=chosen.low,
        min_duration_s=chosen.min_duration_s,
        gap_s=chosen.gap_s,
        person_px=None if fitted is None else fitted.scale.person_px,
    )
    return found if fitted is None else fitted.named(found)


def _rate_of(results: Sequence[FrameResult]) -> float | None:
    """Frames a second; breaks in the footage do not count.  None where fewer than two frames follow each other."""
    steps = [later.time_s - one.time_s for one, later in pairwise(results) if later.segment == one.segment]
    steps = [step for step in steps if step > 0]
    return 1 / fmean(steps) if steps else None


def detect(
    footage: Footage,
    options: DetectOptions | None = None,
    *,
    output: RunFolder | RemoteRun | str | os.PathLike[str] | None = None,
    overwrite: bool = False,
    resume: bool = False,
    progress: Progress = silent,
    notice: Callable[[str], None] = _nobody,
    **keywords: Unpack[DetectKeywords],
) -> RunResults:
    """Find what is unusual in one piece of footage and write all that is known of it into a run's folder.

    Parameters
    ----------
    footage : path, str, or numpy frames
        A video file, a folder of pictures, its address in an object store, or frames that can be read again, see
        `score`.
    options : DetectOptions, optional
        All that follows `notice` here in one record; a keyword beside it replaces the record's.
    output : path or str, optional
        Folder of the run; default: runs/<name>, numbered where that is taken.  Or an address in an object store, where
        the run is put when it is whole.
    overwrite : bool
        Replace the run that is in `output`.
    resume : bool
        Go on with the interrupted run of the same footage and settings in `output` (default: the footage's last one in
        runs/).  What it had scored is not scored again; a whole run is left as it is, and its results are returned.
    progress : callable, optional
        Given a `Stage` each time the work has moved on.
    notice : callable, optional
        Given a line at once that a person should read before the scoring ends; it is among the results' warnings, too.
    model : SceneModel, path or str, optional
        The fitted scene, or its file; None: a scene is first fitted on the footage itself, anomalies inside, and saved
        as scene.safetensors in the folder.
    settings : Settings, optional
        Of the fit; with a model only `events` and the false alarms an hour may differ from the model's.
    person_height : float, str or path, optional
        People's height, head to feet, where the footage is learned from itself: pixels (95), pixels at rows of people's
        middle ("95@110,100@230"), or a file that a report page saved.
    threshold : float, optional
        Raw anomaly that reads 0.5, `threshold.raw` of an earlier results.json.
    false_alarms_per_hour : float, optional
        False alarms an hour to expect on normal footage, which set the threshold; default: the model's, 1.
    sensitivity : {"low", "normal", "high"}, optional
        0.2, 1 or 5 false alarms an hour.  Footage of less than five minutes without a model is too short for a rate:
        its most unusual moments are ranked, and those that stand out clearly (more of them with a higher sensitivity)
        are events, the others candidates.
    roi : path or str, optional
        A mask picture, white where the footage is scored.
    overlay, heatmaps, report : bool
        Write overlay.mp4, heatmaps.npz and report.html.
    footage_beside : {"link", "copy", "none"}
        What lies beside report.html: a second name of the original file (a copy where browsers need one, or on another
        disk), a copy, or nothing.
    recorded_at : str, optional
        Wall clock of the first frame, ISO 8601.
    start_s, end_s, stride, fps, max_pixels, rgb, device, runtime
        As in `score`.

    Returns
    -------
    RunResults
        What results.json holds: events, threshold, counts, warnings.

    Raises
    ------
    SourceError
        The footage cannot be read, or is shorter than one window (TooShortError).
    FitError
        Nothing can be learned from the footage itself.
    ModelError
        The file is no scene model, or the footage has another shape than the scene.
    OutputError
        The folder holds another run, or cannot be written.
    ConfigError
        A keyword has a value that makes no sense.

    Notes
    -----
    An interrupted or failed run leaves what it had under `.part` names; its last few scores may be missing there.

    Examples
    --------
    >>> results = crowdad.detect("monday.mp4", model=scene, output="runs/monday", overlay=False)
    >>> results.counts.scored
    120
    """
    return detect_with(
        footage,
        chosen_options(DetectOptions, options).but(**keywords),
        output=output,
        overwrite=overwrite,
        resume=resume,
        progress=progress,
        notice=notice,
    )


def detect_with(
    footage: Footage,
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
        spec = one_spec(footage)
        results = whole_there(run, spec, overwrite=overwrite, resume=resume)
        if results is None:
            with RunFolder(run.local, overwrite, resume) as folder:
                results = _detect_here(spec, options, folder, overwrite, resume, progress, notice)
                run.put(in_bytes(progress, "putting"))
        return results
    assert not isinstance(output, RemoteRun)
    return _detect_here(footage, options, output, overwrite, resume, progress, notice)


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
    """The run, with a verdict on its camera where the model is not the footage's own.

    Of another view, nothing is said of the places that the model knows.
    """
    camera = None if run.options.model is None else camera_verdict(run.source, run.scene)
    run.detector.elsewhere = camera is not None and camera.is_elsewhere
    return run if camera is None else replace(run, camera=camera)


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
