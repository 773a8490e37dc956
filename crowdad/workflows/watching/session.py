"""Watching a camera: what is unusual is told while it happens, for as long as the watch lasts."""

from __future__ import annotations

import os
import secrets
import time
from collections.abc import Callable, Iterable, Iterator
from contextlib import ExitStack, suppress
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Unpack

import numpy as np

from crowdad.detection.live import EventChange, LiveScore, LiveScorer, LiveUpdate
from crowdad.errors import ConfigError, OutputError, OutputExistsError
from crowdad.files import MB, read_bytes
from crowdad.outputs.folder import RunFolder, run_name
from crowdad.outputs.watch_status import WatchStatus
from crowdad.scene.calibration import RunningCalibration
from crowdad.scene.model import SceneModel
from crowdad.sources import LiveFrame, Stream, StreamLimits, StreamStatus, read_ahead, read_mask
from crowdad.wording import without_login
from crowdad.workflows.camera_check import CameraWatch
from crowdad.workflows.footage import chosen_options
from crowdad.workflows.people_size import doubts_of
from crowdad.workflows.progress import Stage
from crowdad.workflows.run_records import camera_record
from crowdad.workflows.run_start import save_scene, wanting
from crowdad.workflows.runtime_choice import check_runtime, open_runtime
from crowdad.workflows.watching.camera import Camera, OpenCamera
from crowdad.workflows.watching.counts import WatchCounts
from crowdad.workflows.watching.notify import Teller
from crowdad.workflows.watching.thinning import Breaks, Thinning
from crowdad.workflows.watching.warm_up import WarmUp
from crowdad.workflows.watching.watch_options import WatchKeywords, WatchOptions

__all__ = ["WatchOptions", "watch"]

_STATUS_EVERY_S = 5.0
_TICK_S = _IDLE_S = 0.2
_HANGS_S = 5.0
_SAVE_EVERY_S = 3600.0
_PAUSE_S = 2.0
_PAUSE_FRAMES = 10
"""What waits for its lag is told where no frame came for longer than both; `sources` calls that a break, too."""


def _nobody(*_: object) -> None:
    pass


def watch(
    camera: str | OpenCamera,
    options: WatchOptions | None = None,
    *,
    output: str | os.PathLike[str] | None = None,
    on_update: Callable[[LiveUpdate], None] | None = None,
    on_change: Callable[[EventChange], None] = _nobody,
    on_status: Callable[[WatchStatus], None] = _nobody,
    notice: Callable[[str], None] = _nobody,
    **keywords: Unpack[WatchKeywords],
) -> WatchStatus:
    """Score a camera as its frames come and tell of every event while it lasts.

    Writes events.jsonl and status.json, scene.safetensors where it learns its own, and what `alerts` asks for.

    Parameters
    ----------
    camera : str or callable
        An address (rtsp://, http://, tcp://, udp://), the number of a webcam ("0"), a file with `realtime`, or a
        function that opens a camera, given what is to be told when it is found or lost.
    options : WatchOptions, optional
        All that follows `notice` here in one record; a keyword beside it replaces the record's.
    output : path or str, optional
        Folder; default: runs/<name>.  A watch that was there before is gone on with: its scene is used where no model
        is given, and events.jsonl is appended to.
    on_update : callable, optional
        Given a `LiveUpdate` for each scored frame, its picture included.
    on_change : callable, optional
        Given an `EventChange` when an event begins, goes on, joins another or ends.
    on_status : callable, optional
        Given a `WatchStatus` a few times a second, also where no frame comes.
    notice : callable, optional
        Given a line that a person should read, from any thread.  What it raises is ignored; what the other three raise
        ends the watch.
    warm_up_s : float
        Without a model, so many seconds of footage are learned from first, anomalies inside; default: 300.
    lag : int, optional
        Frames by which results come late; None: one tube; 0: nothing later than a frame has a say in its result.
    alerts : AlertOptions, optional
        Where events go beside events.jsonl: a webhook, an MQTT broker, clips.
    duration_s : float, optional
        The watch ends by itself after so long; None: never.
    realtime : bool
        A file is played at its own pace.
    name : str, optional
        What the camera is called wherever it is told of; default: scheme and host of its address.
    model, settings, person_height, threshold, false_alarms_per_hour, sensitivity, roi, fps, max_pixels, device, runtime
        As in `detect`.

    Returns
    -------
    WatchStatus
        How it went, once the camera is at its end (a file) or `duration_s` is over.

    Raises
    ------
    SourceError
        The camera cannot be reached at the start.
    FitError
        Nothing can be learned from its first minutes.
    ModelError
        The file is no scene model.
    OutputError
        The folder holds something else, or cannot be written.
    ConfigError
        A keyword has a value that makes no sense.

    Notes
    -----
    An interrupt or an error ends open events and closes what was opened, and is raised.

    Examples
    --------
    >>> status = crowdad.watch("monday.mp4", model=scene, realtime=True, duration_s=1, output="watches/gate3")
    >>> status.ended
    'its time was up'
    """
    options = chosen_options(WatchOptions, options).but(**keywords)
    notice = _unfailing(notice)
    check_runtime(options.scoring.runtime, options.scoring.device)
    scene = options.scoring.scene()
    with ExitStack() as stack:
        opened = _Opened(camera, options)
        stack.callback(opened.camera.close)
        folder = stack.enter_context(_folder(opened.camera, output))
        run = f"{time.strftime('%Y%m%dT%H%M%SZ', time.gmtime())}-{secrets.token_hex(2)}"
        counts = WatchCounts(run)
        teller = stack.enter_context(Teller(folder, opened.camera, counts, options.alerts, notice))
        opened.on_status = teller.camera_status
        listeners = _Listeners(on_update, on_change, on_status, notice)
        running = _Watch(opened.camera, options, folder, counts, teller, listeners)
        running.run(scene)
    assert teller.final is not None
    return teller.final


def _unfailing(notice: Callable[[str], None]) -> Callable[[str], None]:
    """Notices come from handlers and threads that must go on, also where nobody can be told any more."""

    def told(line: str) -> None:
        with suppress(Exception):
            notice(line)

    return told


class _Opened:
    """The camera; its statuses come from another thread, and go nowhere until somebody wants them."""

    def __init__(self, camera: str | OpenCamera, options: WatchOptions) -> None:
        self.on_status: Callable[[StreamStatus], None] = _nobody
        part = options.scoring.part
        if isinstance(camera, str):
            self.camera: Camera = Stream(
                camera,
                fps=part.fps,
                realtime=options.realtime,
                limits=StreamLimits(part.max_pixels),
                name=options.name,
                on_status=self._tell,
            )
        else:
            self.camera = camera(self._tell)

    def _tell(self, status: StreamStatus) -> None:
        self.on_status(status)


def _folder(camera: Camera, output: str | os.PathLike[str] | None) -> RunFolder:
    """The watch's folder, new or of an earlier watch of the same camera.  Raises OutputError, ConfigError."""
    if isinstance(output, str) and "://" in output:
        raise ConfigError(f"{output}: a watch is written on this machine; give a folder with -o")
    folder = RunFolder(Path("runs") / run_name(camera.name) if output is None else output, resume=True)
    try:
        folder.clear_leftovers()
        if any(folder.file(name).exists() for name in ("results.json", "frames.csv", "frames.csv.part")):
            raise OutputExistsError(f"{folder.path}: holds a run of crowdad detect; choose another folder with -o")
        known = folder.file("status.json")
        if known.is_file():
            before = _camera_of(known)
            if before is not None and before != without_login(camera.name):
                raise OutputExistsError(
                    f"{folder.path}: holds the watch of {before}; choose another folder with -o, or a --name"
                )
    except BaseException:
        folder.close()
        raise
    return folder


def _camera_of(status: Path) -> str | None:
    """The camera of a status.json; None where it cannot be read, which is no reason to leave a camera unwatched."""
    try:
        return WatchStatus.model_validate_json(read_bytes(status, MB)).camera
    except (OSError, ValueError):
        return None


@dataclass(frozen=True)
class _Listeners:
    """Who is told of a watch, as `watch` describes them."""

    on_update: Callable[[LiveUpdate], None] | None
    on_change: Callable[[EventChange], None]
    on_status: Callable[[WatchStatus], None]
    notice: Callable[[str], None]


class _Watch:
    """One watch from its first frame to its last."""

    def __init__(
        self,
        camera: Camera,
        options: WatchOptions,
        folder: RunFolder,
        counts: WatchCounts,
        teller: Teller,
        listeners: _Listeners,
    ) -> None:
        self._camera = camera
        self._options = options
        self._folder = folder
        self._counts = counts
        self._teller = teller
        self._listeners = listeners
        self._began_s = time.monotonic()
        self._ticked_s = 0.0
        self._wrote_s = 0.0
        self._saved_s = time.monotonic()
        self._scored_from_s = 0.0  # monotonic; frames that were taken before came while the scene was learned
        self._thinning = Thinning(lambda: camera.tally.dropped, counts.skip, listeners.notice)
        self._calibration: RunningCalibration | None = None
        self._scorer: LiveScorer | None = None
        self._sight: CameraWatch | None = None

    def run(self, scene: SceneModel | None) -> None:
        """Watch to the end."""
        own = self._folder.file("scene.safetensors")
        if scene is None and own.is_file():
            self._listeners.notice(f"goes on with what was learned before ({own}); remove that file to learn anew")
            scene = replace(self._options.scoring, model=own).scene()
        # Before the camera is read: frames that come while libraries are loaded would be late from the start.
        scorer = None if scene is None else self._ready(scene)
        self._began_s = time.monotonic()
        frames = self._camera.frames(self._wants_pictures())
        # A watch must not sleep with its camera, nor wait for one that hangs.
        arrivals = read_ahead(frames, 1, idle_s=_IDLE_S, stop=self._camera.close, join_s=_HANGS_S)
        ended = "an error"
        try:
            coming = self._coming(arrivals)
            if scorer is None:
                scorer = self._learned(coming)
            if scorer is not None:
                self._score(scorer, coming)
            ended = "its time was up" if self._is_over() else "the camera was at its end"
        except KeyboardInterrupt:
            ended = "interrupted"
            raise
        finally:
            arrivals.close()
            self._close(ended)

    def _close(self, ended: str) -> None:
        """End what is open and leave everything in order, whatever else went wrong."""
        try:
            if self._scorer is not None:
                for change in self._scorer.finish():
                    self._tell(change)
            if self._calibration is not None:
                self._save_calibrated()
        finally:
            self._counts.end(self._camera, ended)

    def _is_over(self) -> bool:
        limit_s = self._options.duration_s
        return limit_s is not None and time.monotonic() - self._began_s >= limit_s

    def _coming(self, arrivals: Iterable[LiveFrame | None]) -> Iterator[LiveFrame | None]:
        """The frames until the watch's time is over; None once where the camera pauses or many frames are missing."""
        last_s: float | None = None  # of the last frame, where no pause has been passed on since
        breaks = Breaks()
        for frame in arrivals:
            self._tick()
            if self._is_over():
                return
            if frame is not None and frame.taken_s < self._scored_from_s:
                self._counts.skip("learning")
            elif frame is not None:
                if self._counts.phase == "scoring" and not self._thinning.scores(frame):
                    continue
                if breaks.before(frame.index, self._thinning.stride):
                    yield None
                last_s = time.monotonic()
                self._look(frame)
                yield frame
            elif self._counts.phase != "scoring" or (last_s is not None and self._pauses(last_s)):
                last_s = None
                yield None

    def _look(self, frame: LiveFrame) -> None:
        """Tell where the camera does not show the scene's view any more, or shows it again."""
        camera = None if self._sight is None else self._sight.see(frame)
        if camera is None:
            return
        if camera.warning is not None:
            self._listeners.notice(camera.warning)
        elif self._counts.view is not None:
            self._listeners.notice("the camera shows the model's view again")
        self._counts.view = camera_record(camera)
        if self._scorer is not None:
            self._scorer.see_elsewhere(camera.is_elsewhere)

    def _pauses(self, last_s: float) -> bool:
        status = self._counts.status
        longest_s = max(_PAUSE_S, _PAUSE_FRAMES / self._camera.fps)
        return (status is not None and status.state == "offline") or time.monotonic() - last_s > longest_s

    def _tick(self) -> None:
        """Tell how things stand, not more often than anybody reads it."""
        now_s = time.monotonic()
        if now_s - self._ticked_s < _TICK_S:
            return
        self._ticked_s = now_s
        status = self._teller.record()
        self._listeners.on_status(status)
        if now_s - self._wrote_s >= _STATUS_EVERY_S:
            self._wrote_s = now_s
            self._teller.write(status)
        if self._calibration is not None and now_s - self._saved_s >= _SAVE_EVERY_S:
            self._saved_s = now_s
            self._save_calibrated()

    def _learned(self, coming: Iterator[LiveFrame | None]) -> LiveScorer | None:
        """What scores with a scene learned from the camera's first minutes; None where the watch ends before."""
        self._counts.phase = "warming up"
        warm_up = WarmUp(
            self._folder,
            self._camera.name,
            self._options,
            count=self._counts.skip,
            progress=self._note_stage,
            notice=self._listeners.notice,
        )
        scene = warm_up.scene(coming, lambda: self._camera.fps)
        if scene is None:
            early = "before there was enough to learn from"
            ended = "while it was still learning" if warm_up.learning else early
            self._listeners.notice(f"the watch ended {ended}; nothing was scored")
            return None
        self._save(scene)
        for doubt in doubts_of(scene.scale):
            self._listeners.notice(doubt)
        scorer = self._ready(scene)
        self._scored_from_s = time.monotonic()
        return scorer

    def _note_stage(self, stage: Stage) -> None:
        self._counts.phase = "warming up" if stage.unit == "s" else "learning"
        self._counts.stage = stage

    def _ready(self, scene: SceneModel) -> LiveScorer:
        options, own = self._options.scoring, self._options.scoring.model is None
        if options.rate is not None:
            scene = wanting(scene, options.rate)
        if own and options.threshold is None:
            self._calibration = RunningCalibration(scene.calibration, scene.settings.calibration, scene.calibrated)
        _, runtime = open_runtime(scene, options.runtime, options.device)
        tubes, channels = scene.settings.tubes, len(scene.motion.mean)
        runtime.normality(np.zeros((1, channels, tubes.steps, tubes.rows, tubes.columns), np.float32))  # loads
        self._sight = CameraWatch(scene)
        self._scorer = LiveScorer(
            scene,
            lag=self._options.lag,
            threshold_raw=options.threshold,
            roi=None if options.roi is None else read_mask(options.roi, scene.scale.size_hw),
            runtime=runtime,
            calibration=self._calibration,
            pictures=self._wants_pictures(),
        )
        return self._scorer

    def _wants_pictures(self) -> bool:
        return self._listeners.on_update is not None or self._teller.wants_pictures

    def _score(self, scorer: LiveScorer, coming: Iterator[LiveFrame | None]) -> None:
        self._counts.phase = "scoring"
        refused = ""
        for item in scorer.run(coming, lambda: self._camera.fps / self._thinning.stride):
            if isinstance(item, LiveScore):
                self._add(item, scorer)
            elif isinstance(item, EventChange):
                self._tell(item)
            else:
                self._counts.skip("does not suit the model")  # its shape, its rate, or what it would cost
                if item.reason != refused:
                    refused = item.reason
                    self._listeners.notice(refused)

    def _add(self, score: LiveScore, scorer: LiveScorer) -> None:
        counts = self._counts
        counts.add(score)
        counts.lag_frames, counts.threshold_raw = scorer.lag, scorer.threshold_raw
        self._teller.frame(score)
        if self._listeners.on_update is not None:
            status = counts.status or StreamStatus("online", score.captured_s)
            self._listeners.on_update(LiveUpdate(score, status, counts.fps, counts.latency_s))

    def _tell(self, change: EventChange) -> None:
        self._teller.event(change)
        self._listeners.on_change(change)

    def _save_calibrated(self) -> None:
        assert self._scorer is not None
        assert self._calibration is not None
        self._save(replace(self._scorer.scene, calibration=self._calibration.calibration))

    def _save(self, scene: SceneModel) -> None:
        """Keep the scene for the next start; a disk that refuses does not stop this one."""
        try:
            save_scene(scene, self._folder)
        except OutputError as error:
            self._listeners.notice(f"{error}; what was learned is lost at the end unless it can be written by then")
