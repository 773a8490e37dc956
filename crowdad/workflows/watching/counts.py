"""The running account of a watch: every frame counted once, every delay measured."""

from __future__ import annotations

import time
from collections import Counter, deque
from collections.abc import Sequence
from typing import Literal

from crowdad._version import __version__
from crowdad.detection.live import EventChange, LiveScore
from crowdad.outputs.alerts import Courier, clock_of
from crowdad.outputs.results import CameraRecord
from crowdad.outputs.watch_status import Delays, WatchStatus
from crowdad.sources import StreamStatus
from crowdad.workflows.progress import Stage
from crowdad.workflows.watching.camera import Camera

__all__ = ["WatchCounts"]

_LATELY_S = 5.0
_LEAST_S = 1.0  # the first results come in one go, which tells of no rate

Phase = Literal["warming up", "learning", "scoring", "ended"]


class WatchCounts:
    """What is known of a watch.  Statuses may come from any thread, all else from the watch's own.

    run: names this start of the program.
    """

    def __init__(self, run: str) -> None:
        self.run = run
        self.phase: Phase = "scoring"
        self.stage: Stage | None = None
        self.ended: str | None = None
        self.lag_frames: int | None = None
        self.threshold_raw: float | None = None
        self.status: StreamStatus | None = None
        self.view: CameraRecord | None = None
        self.scored = 0
        self.own_skips: Counter[str] = Counter()
        self.events = 0
        self.open_events = 0
        self.latency_s = 0.0
        self._anomaly = 0.0
        self._size_hw: tuple[int, int] | None = None
        self._began_s = time.time()
        self._lately: deque[float] = deque()  # monotonic times of the results of the last seconds
        self._frame_delays = Delays()
        self._event_delays = Delays()

    def skip(self, reason: str) -> None:
        """A frame was read and is not scored."""
        self.own_skips[reason] += 1

    def add(self, score: LiveScore) -> None:
        """A frame was scored."""
        self.scored += 1
        now_s = time.monotonic()
        self.latency_s = max(0.0, now_s - score.taken_s)
        self._frame_delays.add(self.latency_s)
        self._anomaly = score.result.anomaly
        self._size_hw = score.result.heatmap.size_hw
        self._lately.append(now_s)
        while now_s - self._lately[0] > _LATELY_S:
            self._lately.popleft()

    def change(self, change: EventChange, since_start_s: float) -> None:
        """An event was told of, so long after its first frame."""
        if change.type == "new":
            self.events += 1
            self.open_events += 1
            self._event_delays.add(since_start_s)
        elif change.type == "end":
            self.open_events -= 1

    @property
    def fps(self) -> float:
        """Frames a second that were scored lately."""
        if len(self._lately) < 2:
            return 0.0
        passed_s = time.monotonic() - self._lately[0]
        return 0.0 if passed_s > 2 * _LATELY_S else len(self._lately) / max(passed_s, _LEAST_S)

    def end(self, camera: Camera, why: str) -> None:
        """The watch is over; frames that were read and not scored by now never will be."""
        self.phase = "ended"
        self.ended = why
        left = camera.report.frames_read - self.scored - self.own_skips.total()
        if left > 0:
            self.own_skips["came as the watch ended"] += left

    def _phase_share(self) -> float | None:
        if self.phase not in ("warming up", "learning") or self.stage is None or not self.stage.total:
            return None
        return min(self.stage.done / self.stage.total, 1.0)

    def record(self, camera: Camera, couriers: Sequence[Courier]) -> WatchStatus:
        """How things stand."""
        report, status = camera.report, self.status
        skipped = Counter(report.skip_counts) + self.own_skips
        read = max(report.frames_read, self.scored + self.own_skips.total())
        return WatchStatus(
            crowdad_version=__version__,
            camera=camera.name,
            run=self.run,
            phase=self.phase,
            phase_share=self._phase_share(),
            ended=self.ended,
            state="connecting" if status is None else status.state,
            reason="" if status is None else status.reason,
            started_at=clock_of(self._began_s),
            updated_at=clock_of(time.time()),
            view=self.view,
            size_hw=self._size_hw,
            camera_fps=camera.fps if report.frames_read else None,
            fps=self.fps,
            lag_frames=self.lag_frames,
            threshold_raw=self.threshold_raw,
            anomaly=self._anomaly,
            latency_s=self.latency_s,
            frames_total=read + report.frames_skipped,
            scored=self.scored,
            waiting=read - self.scored - self.own_skips.total(),
            skipped=dict(skipped),
            dropped=camera.tally.dropped,
            reconnects=camera.tally.reconnects,
            events=self.events,
            open_events=self.open_events,
            frame_delays=self._frame_delays.record(),
            event_delays=self._event_delays.record(),
            alerts=[courier.record() for courier in couriers],
        )
