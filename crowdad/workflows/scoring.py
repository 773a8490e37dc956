"""One pass over the footage: scores into the table, the maps and the journal, events found on the way."""

from __future__ import annotations

import time
from collections import deque
from collections.abc import Callable, Generator, Iterable, Iterator, Sequence
from contextlib import ExitStack, closing
from dataclasses import replace
from itertools import chain
from pathlib import Path

from crowdad.detection.detector import Detector
from crowdad.errors import TooShortError
from crowdad.outputs.folder import RunFolder
from crowdad.outputs.heatmaps import HeatmapWriter
from crowdad.outputs.journal import Journal
from crowdad.outputs.tables import FrameLog, FramesCsv, FrameTable
from crowdad.records import Event, Frame, FrameResult
from crowdad.scene.model import SceneModel
from crowdad.sources import Source, Tally, read_ahead
from crowdad.workflows.grading import EventWatch
from crowdad.workflows.progress import Progress, counted
from crowdad.workflows.run_records import Run, Scored

__all__ = ["long_enough", "score_into", "write_down"]


def long_enough(source: Source, scene: SceneModel) -> Generator[Frame, None, None]:
    """The frames, decoded ahead.  Raises TooShortError where they do not fill one window, before any is handed out."""
    window = (scene.settings.tubes.steps + 1) * scene.scale.gap
    frames = read_ahead(source.frames())
    try:
        head: deque[Frame] = deque()
        new = 0
        for frame in frames:
            # However long a picture is repeated, it is held once.
            same = frame.repeated and bool(head)
            head.append(replace(frame, luma=head[-1].luma, bgr=head[-1].bgr) if same else frame)
            new += not frame.repeated
            if new == window:
                break
        if new < window:
            count = "1 frame" if new == 1 else f"{new} frames"
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


def score_into(
    folder: RunFolder, run: Run, maps_path: Path | None, journal: Journal | None, began_s: float, progress: Progress
) -> Scored:
    """Score the footage into frames.csv, the maps and the journal; what the journal holds already is not scored.

    maps_path: None where nobody needs maps.  began_s: when the run began, by `time.perf_counter`.
    """
    started_s = time.perf_counter()
    sizes = _SizeCheck(run.scene.scale.size_hw)
    with ExitStack() as stack:
        frames = stack.enter_context(closing(long_enough(run.source, run.scene)))
        checkpoint = None if journal is None else journal.checkpoint
        results = run.detector.run(sizes.watch(frames), checkpoint, () if journal is None else journal.results())
        first = next(results)  # before any file is begun: this is where footage turns out to be too short
        if journal is None and run.identity is not None:
            journal = stack.enter_context(folder.journal(run.identity))
        results = chain([first], results)
        if journal is not None:
            results = _journaled(results, journal, run.detector)
        counting = counted(results, "scoring", run.source.expected_frames, progress)
        table, events, candidates = write_down(folder, run, counting, sizes.fits, maps_path)
    seconds = time.perf_counter() - started_s
    return Scored(table, events, candidates, run.source.report, sizes.tally.report(()), started_s - began_s, seconds)


def write_down(
    folder: RunFolder, run: Run, results: Iterable[FrameResult], fits: Callable[[int], bool], maps_path: Path | None
) -> tuple[FrameTable, Sequence[Event], Sequence[Event]]:
    """Write frames.csv and the maps as results come; the table, the events and the candidates found in them.

    fits: whether the frame of that index is of the scene's size; the others have no map.
    """
    watch = EventWatch(run.scene, run.source.fps, run.detector.threshold_raw, run.ranked)
    log = FrameLog()
    with ExitStack() as stack:
        table = stack.enter_context(FramesCsv(stack.enter_context(folder.part("frames.csv"))))
        maps = _maps_writer(folder, maps_path, stack)
        for result in results:
            table.write(result)
            log.add(result)
            if fits(result.index) and maps is not None:
                maps.write(result.index, result.heatmap)
            watch.push(result)
    return log.table(), *watch.finish()


def _journaled(results: Iterable[FrameResult], journal: Journal, detector: Detector) -> Iterator[FrameResult]:
    """The results, noted in the journal where it does not hold them yet."""
    told = journal.told
    for number, result in enumerate(results, start=1):
        if number > told and journal.add(result):
            journal.write(detector.checkpoint(number))
        yield result


def _maps_writer(folder: RunFolder, path: Path | None, stack: ExitStack) -> HeatmapWriter | None:
    """Writes the maps into the folder, whole or `.part`; those for the overlay's sake keep that name."""
    if path is None:
        return None
    if path.suffix != ".part":
        path = stack.enter_context(folder.part(path.name))
    stack.enter_context(folder.one_line_errors())
    return stack.enter_context(HeatmapWriter(path))
