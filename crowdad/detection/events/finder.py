"""Regions -> tracks -> events, frame by frame in bounded memory."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace
from typing import Any

import numpy as np
from scipy.optimize import linear_sum_assignment

from crowdad.config import EventSettings
from crowdad.detection.events.boxes import overlap_sides, union
from crowdad.detection.events.regions import PersonHeight, find_regions
from crowdad.detection.events.tracks import NEVER, Candidate, OpenTrack, link_cost
from crowdad.records import Box, ClosedEvent, Event, FrameResult, OpenEvent, Region

__all__ = ["EventFinder", "find_events"]


_LOW_SHARE = 0.8
_WEAK_S = 2.0  # a track that stays below the level for longer has ended
_TOUCH_SHARE = 0.5  # tracks that touch for at least this share of the shorter one's life are one event


class EventFinder:
    """Follow what is above the threshold from frame to frame and tell when it has ended.

    fps: frames a second, the length of one frame.
    level: anomaly that starts a region and keeps it, 0.5 = threshold.  low: anomaly down to which it grows.
    min_duration_s: time above `level`, gaps not counted, below which nothing is told.
    gap_s: a track that is lost for longer has ended.
    max_duration_s: what lasts longer is told in pieces, so that memory stays bounded.
    person_px: height of a person at pixel (x, y); strips along the border that are thinner than a third of it are then
    no event.

    Events come in order of start, numbered from 1; one that has ended waits until those that began earlier have too.
    closed: those that the last call of `push` or `finish` found to be over, at once; `open_events` those that last.
    """

    def __init__(
        self,
        fps: float,
        *,
        level: float = 0.5,
        low: float = 0.4,
        min_duration_s: float = 0.4,
        gap_s: float = 0.4,
        max_duration_s: float = 600.0,
        person_px: PersonHeight | None = None,
    ) -> None:
        if not fps > 0:
            raise ValueError(f"fps is {fps}; a number above 0 is needed")
        if not 0 < low <= level <= 1:
            raise ValueError(f"low is {low} and level {level}; 0 < low <= level <= 1 is needed")
        if min(min_duration_s, gap_s) < 0 or not max_duration_s > 0:
            raise ValueError("min_duration_s and gap_s of at least 0 s and max_duration_s above 0 s are needed")
        self.fps = fps
        self.level = level
        self.low = low
        self.min_duration_s = min_duration_s
        self.gap_s = gap_s
        self.max_duration_s = max_duration_s
        self.person_px = person_px
        self._candidates: list[Candidate] = []
        self._touches: dict[tuple[OpenTrack, OpenTrack], int] = {}
        self._waiting: list[Event] = []
        self._segment: int | None = None
        self._next_id = 1
        self._next_key = 1
        self.closed: list[ClosedEvent] = []

    @classmethod
    def from_settings(
        cls, settings: EventSettings, fps: float, person_px: PersonHeight | None, level: float | None = None
    ) -> EventFinder:
        """A finder of events as the settings want them; level: another than the threshold, which regions grow from."""
        low = settings.low if level is None else _LOW_SHARE * level
        return cls(
            fps,
            level=0.5 if level is None else level,
            low=low,
            min_duration_s=settings.min_duration_s,
            gap_s=settings.gap_s,
            person_px=person_px,
        )

    def push(self, result: FrameResult) -> list[Event]:
        """Take the next frame; return the events that are now over, in order of start.

        Frames come in order; a change of `segment` ends everything that is open.
        """
        self.closed = []
        told: list[Event] = []
        if self._segment is not None and result.segment != self._segment:
            told = self._finish()
        self._segment = result.segment
        tracks = self._open_tracks()
        # The map of a quiet frame needs no labelling: nothing can start, and what is open has `gap_s` left.
        if not tracks and not np.any(result.heatmap.anomaly >= self.level):
            return told
        regions = find_regions(result, self.low, self.person_px)
        assigned = self._link(tracks, regions, result.time_s)
        self._count_touches(regions, assigned, result.time_s)
        self._end_tracks(result.time_s)
        return told + self._tell()

    def finish(self) -> list[Event]:
        """End everything that is open; return what had not been told yet, in order of start."""
        self.closed = []
        return self._finish()

    def open_events(self) -> list[OpenEvent]:
        """What has begun and not ended, long enough to be told or not yet, in order of key."""
        parts = self._parts()
        return [
            OpenEvent(
                tuple(candidate.keys),
                candidate.start_s,
                candidate.start_frame,
                candidate.peak.time_s,
                candidate.peak.frame_index,
                candidate.peak.peak_anomaly,
                candidate.peak.box_xyxy,
                candidate.now.box_xyxy,
                self._lasts(candidate.strong_frames),
                parts.get(candidate.keys[0]),
                candidate.peak.stream,
                candidate.peak.velocity_px_s,
                candidate.peak.note,
            )
            for candidate in sorted(self._candidates, key=lambda candidate: candidate.keys[0])
        ]

    def _finish(self) -> list[Event]:
        for track in self._open_tracks():
            self._end_track(track)
        return self._tell()

    def _open_tracks(self) -> list[OpenTrack]:
        return [track for candidate in self._candidates for track in candidate.open_tracks]

    def _link(self, tracks: list[OpenTrack], regions: list[Region], time_s: float) -> dict[int, OpenTrack]:
        """Carry tracks on with this frame's regions and start new ones; returns region number -> track."""
        assigned: dict[int, OpenTrack] = {}
        for track in tracks:
            track.frames += 1
        if tracks and regions:
            predicted = np.stack([track.predict(time_s) for track in tracks])
            cost = link_cost(predicted, np.asarray([region.box_xyxy for region in regions]))
            for row, column in zip(*linear_sum_assignment(cost), strict=True):
                if cost[row, column] < NEVER:
                    assigned[int(column)] = tracks[row]
        for number, region in enumerate(regions):
            strong = region.peak_anomaly >= self.level
            if number in assigned:
                assigned[number].follow(region, strong)
            elif strong:
                assigned[number] = self._begin(region)
            else:
                continue
            self._candidate_of(assigned[number]).see(region, strong)
        return assigned

    def _begin(self, region: Region) -> OpenTrack:
        track = OpenTrack(region)
        self._candidates.append(Candidate([track], [self._next_key], region, region))
        self._next_key += 1
        return track

    def _count_touches(self, regions: list[Region], assigned: dict[int, OpenTrack], time_s: float) -> None:
        """Count the frames in which two tracks touch, or one lies where the other was just lost."""
        tracks = self._open_tracks()
        if len(tracks) < 2:
            return
        present = {track: regions[number].box_xyxy for number, track in assigned.items()}
        boxes = np.stack([np.asarray(present[t]) if t in present else t.predict(time_s) for t in tracks])
        touching = np.triu(overlap_sides(boxes, boxes).min(axis=-1) >= 0, k=1)
        for first, second in zip(*np.nonzero(touching), strict=True):
            pair = tracks[first], tracks[second]
            if pair[0] in present or pair[1] in present:
                self._touches[pair] = self._touches.get(pair, 0) + 1

    def _end_tracks(self, time_s: float) -> None:
        slack_s = 0.5 / self.fps  # timestamps are rounded
        ending = [
            track
            for candidate in self._candidates
            for track in candidate.open_tracks
            if time_s - track.last.time_s > self.gap_s + slack_s
            or time_s - track.last_strong_s > _WEAK_S + slack_s
            or time_s - candidate.start_s >= self.max_duration_s - slack_s
        ]
        for track in ending:
            self._end_track(track)

    def _end_track(self, track: OpenTrack) -> None:
        """Close a track and join its candidate with those of the tracks it kept touching."""
        home = self._candidate_of(track)
        for pair in [pair for pair in self._touches if track in pair]:
            together = self._belong_together(pair)
            del self._touches[pair]
            if together:
                home = self._join(home, self._candidate_of(pair[1] if pair[0] is track else pair[0]))
        home.open_tracks.remove(track)
        home.ended += track.seen
        if not home.open_tracks:
            self._candidates.remove(home)
            self._close(home)

    def _belong_together(self, pair: tuple[OpenTrack, OpenTrack]) -> bool:
        return self._touches[pair] >= _TOUCH_SHARE * min(pair[0].frames, pair[1].frames)

    def _parts(self) -> dict[int, int]:
        """Key of a candidate -> key of the oldest one that it would join if all tracks ended now."""
        oldest = {candidate.keys[0]: candidate.keys[0] for candidate in self._candidates}
        for pair in filter(self._belong_together, self._touches):
            first, second = (oldest[self._candidate_of(track).keys[0]] for track in pair)
            for key, root in oldest.items():
                if root == max(first, second):
                    oldest[key] = min(first, second)
        return {key: root for key, root in oldest.items() if key != root}

    def _candidate_of(self, track: OpenTrack) -> Candidate:
        return next(candidate for candidate in self._candidates if track in candidate.open_tracks)

    def _join(self, first: Candidate, second: Candidate) -> Candidate:
        if first is second:
            return first
        self._candidates.remove(second)
        first.open_tracks += second.open_tracks
        first.ended += second.ended
        earlier = min(first, second, key=lambda candidate: (candidate.start_frame, candidate.keys[0]))
        first.start_s, first.start_frame = earlier.start_s, earlier.start_frame
        first.keys = sorted(first.keys + second.keys)
        first.strong_frames = max(first.strong_frames, second.strong_frames)  # in how many both were is not known
        first.peak = max(first.peak, second.peak, key=lambda region: region.peak_anomaly)
        first.now = max(first.now, second.now, key=lambda region: region.frame_index)
        return first

    def _close(self, candidate: Candidate) -> None:
        strong_frames = {r.frame_index for r in candidate.ended if r.peak_anomaly >= self.level}
        if self._lasts(len(strong_frames)):
            event = self._event(candidate.ended)
            self._waiting.append(event)
            self.closed.append(ClosedEvent(tuple(candidate.keys), event))

    def _lasts(self, strong_frames: int) -> bool:
        # A little slack, since 10 frames at 25 fps are 0.4 s only up to rounding.
        return strong_frames / self.fps >= self.min_duration_s - 1e-6

    def _event(self, regions: list[Region]) -> Event:
        by_frame: dict[int, Box] = {}
        for region in sorted(regions, key=lambda r: r.frame_index):
            before = by_frame.get(region.frame_index)
            by_frame[region.frame_index] = region.box_xyxy if before is None else union(before, region.box_xyxy)
        first = min(regions, key=lambda r: r.frame_index)
        last = max(regions, key=lambda r: r.frame_index)
        peak = min(regions, key=lambda r: (-r.peak_anomaly, r.frame_index))
        return Event(
            event_id=0,
            start_s=first.time_s,
            end_s=last.time_s + 1 / self.fps,
            start_frame=first.frame_index,
            end_frame=last.frame_index,
            peak_s=peak.time_s,
            peak_frame=peak.frame_index,
            peak_anomaly=peak.peak_anomaly,
            box_xyxy=by_frame[peak.frame_index],
            boxes=by_frame,
            stream=peak.stream,
            velocity_px_s=peak.velocity_px_s,
            note=peak.note,
        )

    def _tell(self) -> list[Event]:
        """Number and return the waiting events that nothing still open began before."""
        open_since_s = min((candidate.start_s for candidate in self._candidates), default=np.inf)
        self._waiting.sort(key=lambda event: (event.start_s, event.start_frame, event.end_frame, event.box_xyxy))
        told = [event for event in self._waiting if event.start_s <= open_since_s]
        self._waiting = self._waiting[len(told) :]
        numbered = [replace(event, event_id=number) for number, event in enumerate(told, self._next_id)]
        self._next_id += len(told)
        return numbered


def find_events(results: Iterable[FrameResult], fps: float, **settings: Any) -> list[Event]:
    """All events of a whole stream, in order of start; `settings` as for `EventFinder`."""
    finder = EventFinder(fps, **settings)
    events = [event for result in results for event in finder.push(result)]
    return events + finder.finish()
