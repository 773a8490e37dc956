"""One run of frames without a break: steps are scored, frames between two steps get the maps between theirs."""

from __future__ import annotations

import math
from collections import deque
from collections.abc import Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass

import numpy as np

from crowdad.detection.scorer import StepScorer
from crowdad.records import Checkpoint, Frame, FrameResult, Heatmap
from crowdad.scene.calibration import readable
from crowdad.scene.heatmap import StepMap
from crowdad.scene.streams import Step

__all__ = ["Segment", "batch_before"]

_MOST_PX_S = 6e4  # what 16 bits hold


@dataclass(frozen=True)
class _Waiting:
    """A frame whose map is not known yet."""

    index: int
    time_s: float
    place: float  # in steps since the start of its segment; a picture that is repeated stays at its place


@dataclass(frozen=True)
class _Batch:
    """The step that a batch begins with, the number of its frame, and the counts before it."""

    step: int
    number: int
    odd: int
    scored: int
    motion: tuple[float, ...]


def batch_before(step: int, batch_steps: int) -> int:
    """The step that the batch of this step begins with."""
    return step // batch_steps * batch_steps


def _last_until(batches: Sequence[_Batch], step: int) -> _Batch:
    """The last batch that begins at `step` or before; the first one where there is none."""
    return next((batch for batch in reversed(batches) if batch.step <= step), batches[0])


class Segment:
    """Scores the frames of one run without a break.

    A worker finds the tubes of the next steps, in order, while this thread scores and votes on those before.
    number: that the results carry.  count: new pictures before the one that comes
    first; a segment that is `resumed` goes on at the start of a batch.
    """

    def __init__(
        self,
        scorer: StepScorer,
        worker: ThreadPoolExecutor,
        number: int,
        count: int,
        resumed: Checkpoint | None,
    ) -> None:
        self._scorer = scorer
        self._worker = worker
        self._number = number
        self._resumed = resumed
        self._gap = scorer.extractor.gap
        self._steps_per_s = np.float32(scorer.scene.scale.fps / scorer.scene.scale.gap)
        self._reach = scorer.voter.reach
        self._first_full = scorer.scene.settings.tubes.steps  # the step at which the first window is full
        self._count = count
        self._steps: deque[Future[Step]] = deque()
        self._frames: deque[_Waiting] = deque()
        self._maps: deque[StepMap] = deque()
        self._maps_from = count // self._gap  # the step of self._maps[0]
        self._voted = self._maps_from  # steps that were voted on
        self._batches: deque[_Batch] = deque()

    def push(self, frame: Frame, number: int, was_told: bool = False) -> Iterator[FrameResult]:
        """Add the next frame; yields the results that are then known.  was_told: its own was given before."""
        scorer = self._scorer
        self._last_number = number
        if not was_told:
            place = (self._count - 1 if frame.repeated else self._count) / self._gap
            self._frames.append(_Waiting(frame.index, frame.time_s, place))
        if not frame.repeated:
            if self._count % self._gap == 0:
                self._steps.append(self._worker.submit(scorer.step, number, frame.time_s, frame.luma))
            self._count += 1
        if len(self._steps) >= scorer.batch_steps + scorer.ahead:
            self._vote(scorer.batch_steps)
        yield from self._told(final=False)

    def finish(self) -> Iterator[FrameResult]:
        """The results of the frames that are left."""
        self._vote(len(self._steps))
        self._maps.extend(self._scorer.finish())
        yield from self._told(final=True)

    def checkpoint(self, told: int) -> Checkpoint:
        """Where to go on after the result number `told`."""
        place = self._frames[0].place if self._frames else self._count / self._gap
        # A map holds the votes of tubes from `reach` steps before it on, a tube looks back over `first_full` steps,
        # streams remember what was before, and codes are the same to the last bit only in the same batches.
        batches = list(self._batches)
        exact = _last_until(batches, int(max(place, 1.0)) - self._reach)
        first = _last_until(batches, exact.step - self._first_full - self._scorer.memory)
        if first.step == 0:
            exact = first
        return Checkpoint(told, first.number, exact.step, exact.odd, exact.scored, exact.motion)

    def _note_batch(self) -> None:
        """Remember the counts before a batch, and forget batches that nothing that is still to be told hangs on."""
        counts = self._scorer.motion.counts
        if self._resumed is not None and self._voted == self._resumed.exact_step:
            counts.odd, counts.scored = self._resumed.odd, self._resumed.scored
            counts.motion = np.array(self._resumed.motion)
        number = self._steps[0].result().number if self._steps else self._last_number
        self._batches.append(_Batch(self._voted, number, counts.odd, counts.scored, tuple(counts.motion.tolist())))
        remembered = self._first_full + self._scorer.memory
        needed = self._maps_from - self._reach - remembered - 2 * self._scorer.batch_steps
        while len(self._batches) > 1 and self._batches[1].step <= needed:
            self._batches.popleft()

    def _vote(self, steps: int) -> None:
        self._note_batch()
        self._voted += steps
        batch = [self._steps.popleft().result() for _ in range(steps)]
        self._maps.extend(self._scorer.maps(batch))

    def _told(self, *, final: bool) -> Iterator[FrameResult]:
        """Results of the frames whose two neighbouring steps, or where none is waited for the last one, are known."""
        while self._frames and self._maps:
            place = max(self._frames[0].place, 1.0)  # the first step has no flow: it takes the second one's map
            last = self._maps_from + len(self._maps) - 1
            known = place if self._scorer.waits else math.floor(place)
            if known > last and not final:
                break
            place = min(place, last)
            while self._maps_from < int(place):
                self._maps.popleft()
                self._maps_from += 1
            yield self._result(self._frames.popleft(), place - self._maps_from)

    def _result(self, frame: _Waiting, share: float) -> FrameResult:
        here = self._maps[0]
        there = self._maps[1] if share > 0 else here
        raw = here.raw if share == 0 else (1 - np.float32(share)) * here.raw + np.float32(share) * there.raw
        scorer = self._scorer
        if scorer.cells is not None:  # votes are smeared: a mask is kept to by the map, not only by the tubes
            raw = raw * scorer.cells
        heat = readable(raw, scorer.threshold_raw)
        anomaly = float(heat.max())
        nearest = here if share < 0.5 else there
        velocity = nearest.velocity
        if velocity is not None:
            velocity = np.clip(velocity * self._steps_per_s, -_MOST_PX_S, _MOST_PX_S)
        return FrameResult(
            index=frame.index,
            time_s=frame.time_s,
            normality=nearest.normality,
            anomaly=anomaly,
            flagged=anomaly >= 0.5,
            warm_up=frame.place < self._first_full,
            n_tubes=nearest.n_tubes,
            heatmap=Heatmap(heat, scorer.voter.cell_px, scorer.scene.scale.size_hw),
            segment=self._number,
            leading=nearest.leading,
            note=nearest.note,
            velocity_px_s=None if velocity is None else velocity.astype(np.float16),
        )
