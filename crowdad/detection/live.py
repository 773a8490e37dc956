"""Live scoring: frames in as they come, results and what becomes of events out, each a fixed lag later."""

from __future__ import annotations

import time
from collections import deque
from collections.abc import Callable, Iterable, Iterator
from dataclasses import asdict, dataclass, field, replace
from itertools import chain, groupby
from typing import Literal, NamedTuple

import numpy as np
import numpy.typing as npt

from crowdad.detection.detector import Detector
from crowdad.detection.events import EventFinder
from crowdad.errors import ConfigError, ModelError
from crowdad.records import Box, ClosedEvent, Event, FrameResult, OpenEvent
from crowdad.scene.calibration import RunningCalibration
from crowdad.scene.model import SceneModel
from crowdad.scene.runtimes import Runtime
from crowdad.scene.streams import Told
from crowdad.sources import LiveFrame, StreamStatus
from crowdad.sources.jpeg import packed, unpacked

__all__ = ["EventChange", "LiveScore", "LiveScorer", "LiveUpdate", "Unscored", "tube_lag"]

_UPDATE_S = 1.0
_RISE = 0.05
_REMIND_S = 10.0
_SAME_FPS = 0.02


def tube_lag(scene: SceneModel) -> int:
    """The lag of one tube, in frames: all tubes through a frame have voted, only smoothing in time is cut short."""
    return scene.settings.tubes.steps * scene.scale.gap - 1


@dataclass(frozen=True, eq=False)
class LiveScore:
    """What is known of one frame once its lag is over.

    captured_s: unix time at which it was taken.  jpeg: its picture, None where none was asked for.
    open_events: what lasts at this frame and was announced, in order of key.
    taken_s: as in `sources.LiveFrame`.
    """

    result: FrameResult
    captured_s: float
    jpeg: bytes | None
    open_events: tuple[OpenEvent, ...]
    taken_s: float = field(default_factory=time.monotonic, kw_only=True)

    def picture(self) -> npt.NDArray[np.uint8] | None:
        """uint8 (H, W, 3) BGR, decoded anew at each call; None where no pictures were asked for."""
        return None if self.jpeg is None else unpacked(self.jpeg)


@dataclass(frozen=True, eq=False)
class LiveUpdate:
    """What a watch knows at one scored frame; what a live view shows.

    score: the frame, its picture and the open events.  status: of the camera, now.  fps: frames a second that were
    scored lately.  latency_s: from taking the frame to its result.
    """

    score: LiveScore
    status: StreamStatus
    fps: float
    latency_s: float

    @property
    def result(self) -> FrameResult:
        """Of the frame."""
        return self.score.result

    @property
    def open_events(self) -> tuple[OpenEvent, ...]:
        """What lasts at the frame and was announced."""
        return self.score.open_events


@dataclass(frozen=True)
class Unscored:
    """A frame that the scene cannot score, and why."""

    time_s: float
    reason: str


@dataclass(frozen=True)
class EventChange:
    """An event begins, goes on or ends.

    kind, sentence: as in `Event`, as far as is known.
    key: the event's number in this run.  time_s, captured_s, taken_s: of the frame at which this is told, in seconds of
    the footage, as unix time, and by `time.monotonic`, to measure delays by.  end_s: None while it lasts.
    merged_into: key of the event that it turned out to be a part of.  The rest as in OpenEvent.
    """

    type: Literal["new", "update", "end"]
    key: int
    time_s: float
    captured_s: float
    start_s: float
    start_frame: int
    peak_s: float
    peak_frame: int
    peak_anomaly: float
    box_xyxy: Box
    now_xyxy: Box
    end_s: float | None = None
    merged_into: int | None = None
    kind: str = ""
    sentence: str = ""
    taken_s: float = field(default_factory=time.monotonic, kw_only=True)


class _When(NamedTuple):
    """A frame's time_s, captured_s and taken_s."""

    time_s: float = 0.0
    captured_s: float = 0.0
    taken_s: float = 0.0


class LiveScorer:
    """Scores a camera's frames.

    scene: the fitted model; it is fitted to the camera's size and frame rate whenever these change.
    lag: frames after which a result is given, see `Detector`; default: one tube.
    threshold_raw: raw anomaly that reads 0.5; default: the calibration's.
    roi: bool (H, W), True where footage is scored, or None for everywhere.
    runtime: what scores the scene's tubes; default: the scene itself.
    calibration: keeps the threshold current; None: it stays as it is.
    pictures: keep each frame's picture, packed, until its result is there.

        for item in LiveScorer(scene).run(camera.frames(), lambda: camera.fps):
            ...
    """

    def __init__(
        self,
        scene: SceneModel,
        *,
        lag: int | None = None,
        threshold_raw: float | None = None,
        roi: npt.NDArray[np.bool_] | None = None,
        runtime: Runtime | None = None,
        calibration: RunningCalibration | None = None,
        pictures: bool = False,
    ) -> None:
        self.scene = scene
        self._lag = lag
        self._threshold_raw = threshold_raw
        self._roi = roi
        self._runtime = runtime
        self._calibration = calibration
        self._pictures = pictures
        self._finder = EventFinder.from_settings(scene.settings.events, scene.scale.fps, self._person_px)
        self._announcer = _Announcer(lambda event: self._fitted.told(event), scene.settings.events.wants)
        self._detector: Detector | None = None
        self._elsewhere = False
        # captured_s, taken_s, picture, repeated
        self._waiting: deque[tuple[float, float, bytes | None, bool]] = deque()
        self._repeats = 1.0  # frames for each new picture
        self._untold: deque[EventChange] = deque()  # a run may be left between a result and what it changes
        self._last = _When()

    @property
    def _fitted(self) -> SceneModel:
        """The scene, for the camera's pictures as they are now."""
        return self.scene if self._detector is None else self._detector.scene

    def _person_px(self, x: npt.ArrayLike, y: npt.ArrayLike) -> npt.NDArray[np.float64]:
        """Height of a person at pixel (x, y) of the camera's pictures as they are now."""
        return self._fitted.scale.person_px(x, y)

    def see_elsewhere(self, elsewhere: bool) -> None:
        """Whether the camera shows another view than the scene's from here on; nothing is said of its places then."""
        self._elsewhere = elsewhere
        if self._detector is not None:
            self._detector.elsewhere = elsewhere

    @property
    def lag(self) -> int:
        """Frames by which results come late, at the camera's frame rate."""
        return round(self._repeats * tube_lag(self._fitted)) if self._lag is None else self._lag

    @property
    def threshold_raw(self) -> float:
        """Raw anomaly that reads 0.5 at present."""
        if self._calibration is not None:
            return self._calibration.threshold_raw
        wanted = self.scene.settings.calibration.false_alarms_per_hour
        return self.scene.calibration.threshold(wanted) if self._threshold_raw is None else self._threshold_raw

    def run(
        self, arrivals: Iterable[LiveFrame | None], fps: Callable[[], float]
    ) -> Iterator[LiveScore | EventChange | Unscored]:
        """Results in order of frames, each followed by what it changes of events.

        arrivals: None among the frames says that the camera pauses: all that waits is told, and open events end.
        fps: asked for the camera's frame rate, repeats included, whenever footage begins or goes on after a break.
        """
        for _, frames in groupby(arrivals, _Stretch()):
            coming = (frame for frame in frames if frame is not None)
            first = next(coming, None)
            if first is None:
                continue
            run = chain([first], coming)
            try:
                detector = self._detector_for(first, fps())
            except (ModelError, ConfigError) as error:
                yield from (Unscored(frame.time_s, str(error)) for frame in run)
                continue
            for result in detector.run(self._remembered(run)):
                yield from self._told(result, detector)
            yield from self.finish()

    def finish(self) -> Iterator[EventChange]:
        """End what is open: by itself at each break, by the caller where a run was left early."""
        self._finder.finish()
        self._waiting.clear()
        self._untold.extend(self._announcer.changes(self._finder, self._last))
        while self._untold:
            yield self._untold.popleft()

    def _detector_for(self, frame: LiveFrame, fps: float) -> Detector:
        """The last detector where it suits the frame, or a new one.  Raises ModelError where the shape is another's."""
        height, width = frame.luma.shape
        last = None if self._detector is None else self._detector.scene.scale
        new_fps = fps if frame.fps is None else min(frame.fps, fps)
        self._finder.fps, self._repeats = fps, fps / new_fps
        if last is None or last.size_hw != (height, width) or abs(new_fps / last.fps - 1) > _SAME_FPS:
            scene = self.scene.fitted_to((height, width), new_fps)
            self._detector = Detector(
                scene,
                threshold_raw=self.threshold_raw,
                roi=None if self._roi is None else _resized(self._roi, (height, width)),
                lag=tube_lag(scene) if self._lag is None else round(self._lag / self._repeats),
                runtime=self._runtime,
            )
            self._detector.elsewhere = self._elsewhere
        assert self._detector is not None
        return self._detector

    def _remembered(self, frames: Iterable[LiveFrame]) -> Iterator[LiveFrame]:
        """The frames without their colours, which wait packed for their results."""
        for frame in frames:
            jpeg = packed(frame.luma if frame.bgr is None else frame.bgr) if self._pictures else None
            self._waiting.append((frame.captured_s, frame.taken_s, jpeg, frame.repeated))
            # The detector is fitted to the camera's rate already, and to how many frames are left out.
            yield replace(frame, bgr=None, fps=None)

    def _told(self, result: FrameResult, detector: Detector) -> Iterator[LiveScore | EventChange]:
        captured_s, taken_s, jpeg, repeated = self._waiting.popleft()
        self._last = _When(result.time_s, captured_s, taken_s)
        self._finder.push(result)
        self._untold.extend(self._announcer.changes(self._finder, self._last))
        yield LiveScore(result, captured_s, jpeg, self._announcer.announced(self._finder), taken_s=taken_s)
        while self._untold:
            yield self._untold.popleft()
        if self._calibration is not None and not repeated:
            scale = detector.scene.scale
            self._calibration.see(result, scale.gap, scale.fps)
            detector.threshold_raw = self._calibration.threshold_raw


class _Stretch:
    """Key of the run that a frame belongs to: pauses, breaks and changes of size begin another."""

    def __init__(self) -> None:
        self._pauses = 0
        self._last: tuple[int, tuple[int, ...]] = (0, ())

    def __call__(self, frame: LiveFrame | None) -> tuple[int, tuple[int, tuple[int, ...]]]:
        if frame is None:
            self._pauses += 1
        else:
            self._last = (frame.segment, frame.luma.shape)
        return self._pauses, self._last


def _resized(mask: npt.NDArray[np.bool_], size_hw: tuple[int, int]) -> npt.NDArray[np.bool_]:
    """The mask for pictures of another size, each pixel as the nearest one was."""
    rows, columns = (np.arange(new) * old // new for new, old in zip(size_hw, mask.shape, strict=True))
    return mask[np.ix_(rows, columns)]


class _Announcer:
    """Turns what an `EventFinder` knows after each frame into changes; what touches is told as one event.

    told: what an event is called.  wants: whether a kind is told; what was told once is followed to its end.
    """

    def __init__(self, told: Callable[[Event | OpenEvent], Told], wants: Callable[[str], bool]) -> None:
        self._name = told
        self._wants = wants
        self._told: dict[int, EventChange] = {}
        self._numbers: dict[int, int] = {}  # finder's key -> number that is told, counted without gaps
        self._last_number = 0

    def announced(self, finder: EventFinder) -> tuple[OpenEvent, ...]:
        """What lasts and was announced, under the numbers it was announced with."""
        numbered = (
            (event, tuple(self._numbers[key] for key in event.keys if key in self._numbers))
            for event in finder.open_events()
        )
        return tuple(replace(event, keys=numbers) for event, numbers in numbered if numbers)

    def changes(self, finder: EventFinder, when: _When) -> Iterator[EventChange]:
        """What became new, changed or ended at the frame of this time."""
        for change in self._changes(finder, when):
            if change.key not in self._numbers:
                self._last_number += 1
                self._numbers[change.key] = self._last_number
            merged = None if change.merged_into is None else self._numbers[change.merged_into]
            yield replace(change, key=self._numbers[change.key], merged_into=merged)
            if change.type == "end":
                del self._numbers[change.key]

    def _changes(self, finder: EventFinder, when: _When) -> Iterator[EventChange]:
        for closed in finder.closed:
            yield from self._closed(closed, when)
        groups: dict[int, list[OpenEvent]] = {}
        for event in finder.open_events():
            groups.setdefault(event.keys[0] if event.part_of is None else event.part_of, []).append(event)
        for group in groups.values():
            yield from self._open(group, when)
        alive = {key for group in groups.values() for event in group for key in event.keys}
        for key in sorted(self._told.keys() - alive):  # was told for others' sake that have left it
            yield self._end(key, when, self._told[key].time_s)

    def _end(self, key: int, when: _When, end_s: float, merged_into: int | None = None) -> EventChange:
        return replace(self._told.pop(key), type="end", end_s=end_s, merged_into=merged_into, **when._asdict())

    def _open(self, group: list[OpenEvent], when: _When) -> Iterator[EventChange]:
        told = [key for event in group for key in event.keys if key in self._told]
        if not told and not any(event.lasts for event in group):
            return
        key = min(told, default=group[0].keys[0])
        for joined in sorted(set(told) - {key}):
            if any({key, joined} <= set(event.keys) for event in group):
                yield self._end(joined, when, when.time_s, key)
        hottest = max(group, key=lambda event: event.peak_anomaly)
        name = self._name(hottest)
        if not told and not self._wants(name.kind):
            return
        change = EventChange(
            "update" if told else "new",
            key,
            when.time_s,
            when.captured_s,
            min(event.start_s for event in group),
            min(event.start_frame for event in group),
            hottest.peak_s,
            hottest.peak_frame,
            hottest.peak_anomaly,
            hottest.box_xyxy,
            hottest.now_xyxy,
            **asdict(name),
            taken_s=when.taken_s,
        )
        if not told or _worth_telling(self._told[key], change):
            self._told[key] = change
            yield change

    def _closed(self, closed: ClosedEvent, when: _When) -> Iterator[EventChange]:
        told = [key for key in closed.keys if key in self._told]
        key, event = told[0] if told else closed.keys[0], closed.event
        name = self._name(event)
        if not told and not self._wants(name.kind):
            return
        whole = EventChange(
            "new",
            key,
            when.time_s,
            when.captured_s,
            event.start_s,
            event.start_frame,
            event.peak_s,
            event.peak_frame,
            event.peak_anomaly,
            event.box_xyxy,
            event.boxes[event.end_frame],
            **asdict(name),
            taken_s=when.taken_s,
        )
        if not told:
            yield whole
        for joined in told[1:]:
            yield self._end(joined, when, event.end_s, key)
        self._told[key] = whole
        yield self._end(key, when, event.end_s)


def _worth_telling(last: EventChange, now: EventChange) -> bool:
    """Whether enough has changed, or so long nothing was told that silence could be taken for the end."""
    passed_s = now.time_s - last.time_s
    return passed_s >= _REMIND_S or (passed_s >= _UPDATE_S and now.peak_anomaly >= last.peak_anomaly + _RISE)
