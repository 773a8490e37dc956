"""Scoring footage: frame by frame for a library, or into a run's folder."""

from __future__ import annotations

import math
import os
import tempfile
import time
from collections import deque
from collections.abc import Generator, Iterable, Iterator
from contextlib import ExitStack, closing
from dataclasses import replace
from datetime import datetime
from itertools import chain, islice
from pathlib import Path
from typing import Any

from crowdad.config import Settings
from crowdad.detector import Detector
from crowdad.errors import ConfigError, OutputExistsError, TooShortError
from crowdad.events import EventFinder
from crowdad.outputs.folder import JOURNAL, RunFolder, held_files
from crowdad.outputs.heatmaps import HeatmapWriter
from crowdad.outputs.journal import Journal
from crowdad.outputs.results import RunResults, write_results
from crowdad.outputs.tables import FramesCsv
from crowdad.records import Event, Frame, FrameResult
from crowdad.scene import SceneModel
from crowdad.sources import MAX_PIXELS, Source, Tally, read_ahead, read_mask
from crowdad.workflows.footage import Part, check_device, learning_sources, one_spec
from crowdad.workflows.learning import fit_sources
from crowdad.workflows.picturing import TIMELINE_PICTURES, Seen, look_again
from crowdad.workflows.progress import Progress, counted, silent
from crowdad.workflows.records import FrameLog, Run, Scored, run_results
from crowdad.workflows.reporting import write_report
from crowdad.workflows.resuming import finished_results, folder_to_resume, run_identity
from crowdad.workflows.running import check_runtime, open_runtime

__all__ = ["detect", "score"]

Model = SceneModel | str | os.PathLike[str]


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
    runtime: str = "torch",
) -> Iterator[FrameResult]:
    """Score footage and write nothing: one `FrameResult` for every frame, in order, in bounded memory.

    spec: a video file, a folder of pictures, or numpy frames (an array, a generator or a function that returns one;
        each uint8 (H, W) or (H, W, 3) BGR) with their `fps`.  model: a fitted scene or its file.
    runtime: "torch", "onnx", "openvino", or "auto" for what measured fastest on this machine.
    Raises SourceError, ModelError, ConfigError.
    """
    check_runtime(runtime, device)
    source = Part(start_s, end_s, stride, fps, max_pixels).open(one_spec(spec))
    scene = _loaded(model).fitted_to(source.info.size_hw, source.fps)
    _, scorer = open_runtime(scene, _path_of(model), runtime, device, silent)
    with closing(_long_enough(source, scene)) as frames:
        yield from Detector(scene, runtime=scorer).run(frames)


def detect(
    spec: Any,
    *,
    model: Model | None = None,
    output: RunFolder | str | os.PathLike[str] | None = None,
    settings: Settings | None = None,
    threshold: float | None = None,
    false_alarms_per_hour: float | None = None,
    roi: str | os.PathLike[str] | None = None,
    overlay: bool = True,
    heatmaps: bool = True,
    report: bool = True,
    start_s: float | None = None,
    end_s: float | None = None,
    stride: int = 1,
    fps: float | None = None,
    max_pixels: int = MAX_PIXELS,
    recorded_at: str | None = None,
    device: str = "auto",
    runtime: str = "torch",
    overwrite: bool = False,
    resume: bool = False,
    progress: Progress = silent,
) -> RunResults:
    """Find what is unusual in one piece of footage and write all that is known of it into a run's folder.

    spec: a video file, a folder of pictures, or numpy frames that can be read again, with their `fps`.
    model: a fitted scene or its file; None: a scene is first fitted on the footage itself, anomalies inside, and saved
        as scene.safetensors in the folder.
    output: the folder, by default runs/<name>, never another run's unless `overwrite`.
    resume: go on with the run of the same footage and settings that was interrupted in the folder, by default the
        footage's last one in runs/; what it had scored is not scored again, and the results are those of a run that
        was never interrupted.  A whole run is left as it is and its results are returned.
    settings: of the fit; with a model only its `events` section and false alarms an hour may differ from the model's.
    threshold: raw anomaly that reads 0.5, as `threshold.raw` in results.json; or false_alarms_per_hour wanted on normal
        footage, from which it is then chosen.
    roi: a mask picture, white where the footage is scored.  overlay, heatmaps, report: write overlay.mp4, heatmaps.npz,
        report.html with the footage beside it.
    recorded_at: wall clock of the first frame, ISO 8601.
    runtime: what scores: "torch", "onnx", "openvino", or "auto" for what measured fastest on this machine; a scene that
        was just fitted is scored by torch then, as a graph does not pay for one piece of footage.

    max_pixels: footage with larger pictures is refused.

    An interrupted or failed run leaves what it had under `.part` names; its last few scores may be missing there.
    Raises CrowdadError: SourceError (TooShortError for less than one window), FitError, ModelError, OutputError,
    ConfigError.
    """
    began_s = time.perf_counter()
    _check(threshold, false_alarms_per_hour, recorded_at)
    check_runtime(runtime, device)
    part = Part(start_s, end_s, stride, fps, max_pixels)
    spec = one_spec(spec)
    source = part.open(spec)
    mask = None if roi is None else read_mask(roi, source.info.size_hw)
    fitted = None if model is None else _with_settings(_loaded(model), settings)
    identity = run_identity(
        spec,
        source,
        part,
        model=fitted,
        settings=settings,
        threshold=threshold,
        false_alarms_per_hour=false_alarms_per_hour,
        roi=roi,
        runtime=runtime,
    )
    with ExitStack() as stack:
        folder = stack.enter_context(_folder(spec, source, output, overwrite, resume))
        _check_apart(spec, folder)
        if folder.resume and folder.finished():
            return finished_results(spec, folder)
        goes_on = folder.resume and identity is not None and folder.file(JOURNAL).is_file()
        journal = stack.enter_context(folder.journal(identity)) if goes_on and identity is not None else None
        if fitted is None:
            fitted = _own_scene(folder, goes_on, spec, part, settings or Settings(), device, progress)
            runtime = "torch" if runtime == "auto" else runtime
        scene = fitted.fitted_to(source.info.size_hw, source.fps)
        if false_alarms_per_hour is not None:
            scene = _wanting(scene, false_alarms_per_hour)
        ran_by, scorer = open_runtime(scene, _path_of(model), runtime, device, progress)
        detector = Detector(scene, threshold_raw=threshold, roi=mask, runtime=scorer)
        run = Run(spec, source, part, scene, detector, threshold, roi, recorded_at, ran_by, identity)
        with tempfile.TemporaryDirectory(prefix="crowdad-") as spare:
            maps = folder.file("heatmaps.npz") if heatmaps else Path(spare) / "heatmaps.npz"
            needed = heatmaps or overlay or report
            scored = _score_into(folder, run, maps if needed else None, journal, began_s, progress)
            seen = look_again(folder, run, scored, maps, overlay=overlay, report=report, progress=progress)
            _write_timeline(folder, run, scored, seen)
            if isinstance(model, SceneModel):
                _save_scene(model, folder)
            results = run_results(run, scored, _model_file(model, folder))
            if report:
                write_report(folder, run, scored, results, maps, seen)
        with folder.part("results.json") as path:
            write_results(path, results)
        folder.file(JOURNAL).unlink(missing_ok=True)
    return results


def _own_scene(
    folder: RunFolder, goes_on: bool, spec: Any, part: Part, settings: Settings, device: str, progress: Progress
) -> SceneModel:
    """A scene fitted on the footage itself, saved in the folder; the one that is there where its run goes on."""
    own = folder.file("scene.safetensors")
    if goes_on and own.is_file():
        return SceneModel.load(own)
    scene = _fit_on_itself(spec, part, settings, check_device(device), progress)
    _save_scene(scene, folder)
    return scene


def _save_scene(scene: SceneModel, folder: RunFolder) -> None:
    with folder.part("scene.safetensors") as path:
        scene.save(path)


def _model_file(model: Model | None, folder: RunFolder) -> Path:
    """The file that holds what scored: the user's, or the one saved in the run's folder."""
    if model is None or isinstance(model, SceneModel):
        return folder.file("scene.safetensors")
    return Path(model)


def _check(threshold: float | None, false_alarms_per_hour: float | None, recorded_at: str | None) -> None:
    if threshold is not None and false_alarms_per_hour is not None:
        raise ConfigError("both a threshold and false alarms an hour were given; give one of them")
    for name, value in (("threshold", threshold), ("false alarms an hour", false_alarms_per_hour)):
        if value is not None and not (math.isfinite(value) and value > 0):
            raise ConfigError(f"{name} is {value}; a number above 0 is needed")
    if recorded_at is not None:
        try:
            datetime.fromisoformat(recorded_at)
        except ValueError:
            raise ConfigError(
                f"recorded at {recorded_at!r} is no date and time; write it as 2024-05-17T08:30:00"
            ) from None


def _path_of(model: Model | None) -> Path | None:
    return None if model is None or isinstance(model, SceneModel) else Path(model)


def _loaded(model: Model) -> SceneModel:
    return model if isinstance(model, SceneModel) else SceneModel.load(model)


def _with_settings(scene: SceneModel, settings: Settings | None) -> SceneModel:
    """The scene with another `events` section or rate of false alarms.  Raises ConfigError for anything else."""
    if settings is None:
        return scene
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


def _wanting(scene: SceneModel, rate: float) -> SceneModel:
    """The scene calibrated for another rate of false alarms."""
    calibration = scene.settings.calibration.model_copy(update={"false_alarms_per_hour": rate})
    return replace(scene, settings=scene.settings.model_copy(update={"calibration": calibration}))


def _folder(
    spec: Any, source: Source, output: RunFolder | str | os.PathLike[str] | None, overwrite: bool, resume: bool
) -> RunFolder:
    if isinstance(output, RunFolder):
        return output
    if overwrite and resume:
        raise ConfigError("both overwrite and resume were given; give one of them")
    if output is not None:
        return RunFolder(output, overwrite, resume)
    return folder_to_resume(Path(spec)) if resume else RunFolder.numbered(source.name)


def _check_apart(spec: Any, folder: RunFolder) -> None:
    """Raise OutputExistsError where the footage is itself a file of the run that is to be replaced."""
    if isinstance(spec, str | os.PathLike):
        held = [path.resolve() for path in held_files(folder.path)]
        if Path(spec).resolve() in held:
            raise OutputExistsError(
                f"{os.fspath(spec)}: belongs to the run that would be replaced; choose another folder with -o"
            )


def _fit_on_itself(spec: Any, part: Part, settings: Settings, device: str, progress: Progress) -> SceneModel:
    sources, sampled = learning_sources([spec], part)
    scene = fit_sources(sources, settings, unlabelled=True, device=device, progress=progress)
    scene.provenance.update(how="self-fitted", sampled=sampled)
    return scene


def _long_enough(source: Source, scene: SceneModel) -> Generator[Frame, None, None]:
    """The frames, decoded ahead.  Raises TooShortError where they do not fill one window, before any is handed out."""
    window = (scene.settings.tubes.steps + 1) * scene.scale.gap
    frames = read_ahead(source.frames())
    try:
        head = deque(islice(frames, window))
        if len(head) < window:
            count = "1 frame" if len(head) == 1 else f"{len(head)} frames"
            raise TooShortError(f"{source.name}: {count}, one window of this scene takes {window}; use longer footage")
        while head:
            yield head.popleft()
        yield from frames
    finally:
        frames.close()


class _SizeCheck:
    """Passes frames on and remembers those that are not of the scene's size, until their results come."""

    def __init__(self, size_hw: tuple[int, int]) -> None:
        self._size_hw = size_hw
        self._waiting: deque[int] = deque()
        self.tally = Tally()

    def watch(self, frames: Iterable[Frame]) -> Iterator[Frame]:
        for frame in frames:
            if frame.luma.shape != self._size_hw:
                self.tally.skip("picture of another size", frame.time_s)
                self._waiting.append(frame.index)
            else:
                self.tally.frames_read += 1
            yield frame

    def fits(self, index: int) -> bool:
        """Whether the frame was of the scene's size; asked once a frame, in order."""
        if not self._waiting or self._waiting[0] != index:
            return True
        self._waiting.popleft()
        return False


def _score_into(
    folder: RunFolder, run: Run, maps_path: Path | None, journal: Journal | None, began_s: float, progress: Progress
) -> Scored:
    """Score the footage into frames.csv, the maps and the journal; what the journal holds already is not scored."""
    started_s = time.perf_counter()
    events_set = run.scene.settings.events
    finder = EventFinder(
        run.source.fps, low=events_set.low, min_duration_s=events_set.min_duration_s, gap_s=events_set.gap_s
    )
    sizes, log, events = _SizeCheck(run.scene.scale.size_hw), FrameLog(), list[Event]()
    with ExitStack() as stack:
        frames = stack.enter_context(closing(_long_enough(run.source, run.scene)))
        checkpoint, told = (None, 0) if journal is None else (journal.checkpoint, journal.told)
        results = run.detector.run(sizes.watch(frames), checkpoint, () if journal is None else journal.results())
        first = next(results)  # before any file is begun: this is where footage turns out to be too short
        if journal is None and run.identity is not None:
            journal = stack.enter_context(folder.journal(run.identity))
        table = stack.enter_context(FramesCsv(stack.enter_context(folder.part("frames.csv"))))
        maps = _maps_writer(folder, maps_path, stack)
        counting = counted(chain([first], results), "scoring", run.source.expected_frames, progress)
        for number, result in enumerate(counting, start=1):
            if journal is not None and number > told and journal.add(result):
                journal.write(run.detector.checkpoint(number))
            table.write(result)
            log.add(result)
            if sizes.fits(result.index) and maps is not None:
                maps.write(result.index, result.heatmap)
            events += finder.push(result)
        events += finder.finish()
    seconds = time.perf_counter() - started_s
    return Scored(log.table(), events, sizes.tally.report(()), started_s - began_s, seconds)


def _maps_writer(folder: RunFolder, path: Path | None, stack: ExitStack) -> HeatmapWriter | None:
    """Writes the maps into the folder (whole or `.part`), or for the overlay's sake to a place that is cleared away."""
    if path is None:
        return None
    if path == folder.file(path.name):
        path = stack.enter_context(folder.part(path.name))
    return stack.enter_context(HeatmapWriter(path))


def _write_timeline(folder: RunFolder, run: Run, scored: Scored, seen: Seen) -> None:
    from crowdad.outputs.timeline import write_timeline

    pictures = seen.peaks.of_strongest(TIMELINE_PICTURES)
    with folder.part("timeline.png") as path:
        write_timeline(path, scored.table.time_s, scored.table.anomaly, scored.events, pictures, title=run.source.name)
