"""Who is told what of a watch: events.jsonl and status.json always, other sinks and clips where asked for."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from contextlib import ExitStack
from dataclasses import dataclass, field
from functools import partial
from types import TracebackType

from crowdad.detection.live import EventChange, LiveScore
from crowdad.errors import ConfigError
from crowdad.outputs.alerts import (
    SINKS,
    Courier,
    EventMessage,
    EventsFile,
    MqttSink,
    Outbox,
    Sink,
    StatusMessage,
    WebhookSink,
    clock_of,
    message_line,
)
from crowdad.outputs.clips import ClipRecorder
from crowdad.outputs.folder import RunFolder
from crowdad.outputs.watch_status import WatchStatus, write_status
from crowdad.sources import StreamStatus
from crowdad.workflows.watching.camera import Camera
from crowdad.workflows.watching.counts import WatchCounts

__all__ = ["AlertOptions", "Teller"]


_CLIPS = "clips"
_MOST_GB = 1e6


@dataclass(frozen=True)
class AlertOptions:
    """Where alerts go beside events.jsonl.

    Parameters
    ----------
    webhook : str, optional
        http(s) address that each message is POSTed to.
    mqtt : str, optional
        Broker: HOST, HOST:PORT or mqtts://user:password@HOST.
    topic : str, optional
        What the broker gets them under.
    sinks : dict of str to str
        Further ones, key of SINKS -> address.
    save_clips : bool
        Keep a few seconds around each event as mp4.
    keep_gb : float
        The oldest clips are removed where all take more gigabytes.

    Raises
    ------
    ConfigError
        For a broker without a topic, and sizes that make no sense.

    Examples
    --------
    >>> crowdad.AlertOptions(webhook="https://host/path", save_clips=True).keep_gb
    5.0
    """

    webhook: str | None = None
    mqtt: str | None = None
    topic: str | None = None
    save_clips: bool = False
    keep_gb: float = 5.0
    sinks: Mapping[str, str] = field(default_factory=dict)

    def __post_init__(self) -> None:
        if (self.mqtt is None) != (self.topic is None):
            raise ConfigError("a broker and a topic go together; give both --mqtt HOST and --topic crowdad/gate3")
        if not 0 < self.keep_gb <= _MOST_GB:
            raise ConfigError(f"the clips may take {self.keep_gb} GB; more than 0 and at most {_MOST_GB:g} is needed")
        for name in self.sinks:
            if name not in SINKS:
                raise ConfigError(f"no sink of alerts is called {name!r}; choose among {', '.join(SINKS)}")
        twice = [name for name in ("webhook", "mqtt") if name in self.sinks and getattr(self, name) is not None]
        if twice:
            raise ConfigError(f"the sink {twice[0]!r} is given twice; give its address once")

    def makers(self) -> dict[str, Callable[[], Sink]]:
        """What makes each sink that is asked for, by its kind."""
        made: dict[str, Callable[[], Sink]] = {}
        if self.webhook is not None:
            made["webhook"] = partial(WebhookSink, self.webhook)
        if self.mqtt is not None and self.topic is not None:
            made["mqtt"] = partial(MqttSink, self.mqtt, self.topic)
        return made | {name: partial(SINKS[name], address) for name, address in self.sinks.items()}


class Teller:
    """Passes on what a watch finds; as a context manager, says in the end that the watch is over.

    final: how the watch went, once it is over.
    Raises ConfigError and OutputError for sinks that cannot work, before the watch begins.
    """

    def __init__(
        self,
        folder: RunFolder,
        camera: Camera,
        counts: WatchCounts,
        options: AlertOptions,
        notice: Callable[[str], None],
    ) -> None:
        self._folder = folder
        self._camera = camera
        self._counts = counts
        self._notice = notice
        self._cannot_write = False
        self.final: WatchStatus | None = None
        self._began: dict[int, tuple[float, float]] = {}  # key of an open event -> its first frame's unix and own time
        self.wants_pictures = options.save_clips
        self._couriers: list[Courier] = []
        self._recorder: ClipRecorder | None = None
        self._clips: dict[int, tuple[str, float]] = {}  # key of an open event -> file of its clip and seconds into it
        with ExitStack() as stack:
            stack.callback(self._close_couriers, 0.0)
            # Those that refuse their address first: then nothing is left behind.
            for kind, make in options.makers().items():
                sink = make()
                self._couriers.append(Courier(sink, Outbox(folder.file(f"{kind}.queue"), notice=notice), notice))
            with folder.one_line_errors():
                # A disk that hangs or is full for a while must not stop the watch either.
                self._couriers.insert(0, Courier(EventsFile(folder.file("events.jsonl")), Outbox(), notice))
            if options.save_clips:
                self._recorder = ClipRecorder(folder.file(_CLIPS), int(options.keep_gb * 1e9), notice)
            stack.pop_all()

    def __enter__(self) -> Teller:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        last = self._counts.status
        if last is not None and last.state == "online":
            self._tell_status(StreamStatus("offline", time.time(), "the watch has ended"))
        try:
            if self._recorder is not None:
                self._recorder.close()
        finally:
            self._close_couriers(5.0)
            self.final = self.record()
            self.write(self.final)

    def camera_status(self, status: StreamStatus) -> None:
        """The camera was found or lost; from any thread."""
        if status.state == "offline":
            self._notice(f"{self._camera.name}: offline, {status.reason}")
        elif self._counts.status is not None:
            self._notice(f"{self._camera.name}: online again")
        self._tell_status(status)

    def _tell_status(self, status: StreamStatus) -> None:
        self._counts.status = status
        self._offer(
            StatusMessage(
                run=self._counts.run,
                camera=self._camera.name,
                state=status.state,
                wall_clock=clock_of(status.at_s),
                reason=status.reason,
            )
        )

    def frame(self, score: LiveScore) -> None:
        """A frame was scored; told before the changes of events at it."""
        if self._recorder is not None and score.jpeg is not None:
            self._recorder.add(score.result, score.captured_s, score.jpeg, score.open_events)

    def event(self, change: EventChange) -> None:
        """An event began, went on or ended."""
        # The clocks of camera and machine waver against each other: an event keeps the start it was announced with.
        lasted_s = change.time_s - change.start_s
        began = self._began.setdefault(change.key, (change.captured_s - lasted_s, change.taken_s - lasted_s))
        now_s = time.monotonic()
        latency_s, since_start_s = (max(0.0, now_s - then_s) for then_s in (change.taken_s, began[1]))
        clip, clip_at_s = self._clip_of(change)
        if change.type == "end":
            del self._began[change.key]
            self._clips.pop(change.key, None)
        self._counts.change(change, since_start_s)
        self._offer(
            EventMessage(
                type=change.type,
                id=self._id(change.key),
                run=self._counts.run,
                camera=self._camera.name,
                start_s=change.start_s,
                time_s=change.time_s,
                end_s=change.end_s,
                start_at=clock_of(began[0]),
                wall_clock=clock_of(change.captured_s),
                peak_s=change.peak_s,
                peak_anomaly=change.peak_anomaly,
                box_xyxy=change.box_xyxy,
                now_xyxy=change.now_xyxy,
                kind=change.kind,
                sentence=change.sentence,
                latency_s=latency_s,
                since_start_s=since_start_s,
                merged_into=None if change.merged_into is None else self._id(change.merged_into),
                clip=clip,
                clip_at_s=clip_at_s,
            )
        )

    def record(self) -> WatchStatus:
        """How the watch stands."""
        return self._counts.record(self._camera, self._couriers)

    def write(self, status: WatchStatus) -> None:
        """Write status.json; a disk that refuses is told once and does not stop the watch."""
        try:
            write_status(self._folder.file("status.json"), status)
            self._cannot_write = False
        except OSError as error:
            if not self._cannot_write:
                self._notice(f"status.json cannot be written ({error.strerror})")
            self._cannot_write = True

    def _clip_of(self, change: EventChange) -> tuple[str | None, float | None]:
        """The event's clip, and the seconds into it at which the event begins."""
        recorder = self._recorder
        if change.type == "new" and recorder is not None and recorder.name is not None and recorder.first_s is not None:
            at_s = max(0.0, round(change.start_s - recorder.first_s, 3))
            self._clips[change.key] = (f"{_CLIPS}/{recorder.name}", at_s)
        return self._clips.get(change.key, (None, None))

    def _id(self, key: int) -> str:
        return f"{self._counts.run}-{key}"

    def _offer(self, message: EventMessage | StatusMessage) -> None:
        line = message_line(message)
        for courier in self._couriers:
            courier.offer(line)

    def _close_couriers(self, patience_s: float) -> None:
        """Deliver what waits; all sinks share the time."""
        until_s = time.monotonic() + patience_s
        for courier in self._couriers:
            left = courier.close(max(0.0, until_s - time.monotonic()))
            if left:
                self._notice(f"{courier.name}: {left} alerts were not delivered{courier.kept_where}")
