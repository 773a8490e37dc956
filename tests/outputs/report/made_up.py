"""A run that never was: scores, events and heat whose every value is known, and a page of it."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import numpy.typing as npt

from crowdad.outputs.heatmaps import MapChunk
from crowdad.outputs.people import People
from crowdad.outputs.report import Look, PackedHeat, pack_heat, write_page
from crowdad.outputs.results import (
    CountsRecord,
    ModelRecord,
    RunResults,
    SourceRecord,
    ThresholdRecord,
    TimingRecord,
    event_records,
)
from crowdad.outputs.tables import FrameTable
from crowdad.records import Event

SIZE_HW = (96, 128)
CELL_PX = 8.0
GRID = (12, 16)
PEOPLE = People(
    "20 px far to 40 px near: unsure (few people)", [(32.0, 20.0, 20.0), (64.0, 40.0, 30.0), (96.0, 70.0, 40.0)]
)


@dataclass(frozen=True, eq=False)
class MadeUp:
    """A run of `count` frames at `fps`, unusual in `spans` (first, last frame), where a hot place walks right.

    kinds: that of each event; none: they have no kind.
    """

    count: int
    fps: float
    spans: Sequence[tuple[int, int]]
    start_s: float = 0.0
    kinds: Sequence[str] = ()

    @property
    def table(self) -> FrameTable:
        frame = np.arange(self.count)
        anomaly = 0.1 + 0.05 * np.sin(frame / 7)
        for number, (first, last) in enumerate(self.spans):
            anomaly[first : last + 1] = self.peak(number)
        nothing = np.zeros(self.count, bool)
        times_s = self.start_s + frame / self.fps
        return FrameTable(frame, times_s, 1 - anomaly, anomaly, anomaly >= 0.5, nothing, frame)

    def peak(self, number: int) -> float:
        """Anomaly all through the event of this number, counted from 0."""
        return 0.6 + 0.1 * (number % 4)

    @property
    def events(self) -> list[Event]:
        return [self._event(number, first, last) for number, (first, last) in enumerate(self.spans)]

    def _event(self, number: int, first: int, last: int) -> Event:
        boxes = {frame: (float(frame % 64), 20.0, float(frame % 64) + 40, 80.0) for frame in range(first, last + 1)}
        start_s, end_s = self.start_s + first / self.fps, self.start_s + (last + 1) / self.fps
        event = Event(number + 1, start_s, end_s, first, last, start_s, first, self.peak(number), boxes[first], boxes)
        return replace(event, kind=self.kinds[number], sentence="goes on") if self.kinds else event

    def maps(self, every: int = 1) -> Iterator[MapChunk]:
        """Levels 0, but those of two rows of cells at the event's column in its frames."""
        frames = np.arange(0, self.count, every)
        for part in np.array_split(frames, max(1, len(frames) // 256)):
            levels = np.zeros((len(part), *GRID), np.uint8)
            for number, (first, last) in enumerate(self.spans):
                for place in np.flatnonzero((part >= first) & (part <= last)):
                    levels[place, 4:6, int(part[place]) % GRID[1]] = round(255 * self.peak(number))
            yield MapChunk(part, levels, CELL_PX, SIZE_HW)

    def results(
        self, name: str = "clip.mp4", recorded_at: str | None = None, warnings: Sequence[str] = ()
    ) -> RunResults:
        return RunResults(
            crowdad_version="0.1.0",
            source=SourceRecord(
                name=name,
                sha256="5" * 64,
                size_hw=SIZE_HW,
                fps=self.fps,
                frames=self.count,
                duration_s=self.count / self.fps,
                recorded_at=recorded_at,
            ),
            model=ModelRecord(name="gate3.safetensors", sha256="0" * 64, fitted="one-class", fit_sources=["a.mp4"]),
            settings={"run": {"stride": 1, "fps": None}},
            threshold=ThresholdRecord(raw=0.2, chosen_by="tail", false_alarms_per_hour=1),
            counts=CountsRecord(frames_total=self.count, scored=self.count - 2, skipped={"undecodable": 2}),
            warnings=list(warnings),
            events=event_records(self.events, fps=self.fps, recorded_at=recorded_at),
            timing=TimingRecord(fps=120.0, seconds=0.8),
        )

    def heat(self, every: int = 1) -> PackedHeat:
        return pack_heat(self.maps(every), self.table, self.events)

    def look(self, video: str = "footage.mp4", offset_s: float = 0.0, every: int = 1) -> Look:
        still = np.full((*SIZE_HW, 3), 90, np.uint8)
        peak: npt.NDArray[np.uint8] = np.full((240, 320, 3), 120, np.uint8)
        peaks = {event.event_id: (peak, (100.0, 60.0, 180.0, 200.0)) for event in self.events}
        return Look(video, offset_s, self.heat(every), still, peaks, people=PEOPLE)

    def write(self, folder: Path, name: str = "clip.mp4", look: Look | None = None, **more: object) -> Path:
        """report.html in the folder; returns where it is."""
        path = folder / "report.html"
        write_page(path, self.results(name, **more), self.table, look or self.look())  # type: ignore[arg-type]
        return path


SHORT = MadeUp(100, 10.0, [(20, 29), (50, 79), (90, 93)])
"""Ten seconds with three events, of 1 s, 3 s and 0.4 s."""


OF_KINDS = replace(SHORT, kinds=("fast", "against the stream", "fast"))
"""The same with kinds and sentences."""


def without_pictures(look: Look) -> Look:
    """The look without peaks."""
    return replace(look, peaks={})
