"""The spine: frames in, one result a frame out, in order, in bounded memory."""

from __future__ import annotations

import math
from collections import deque
from collections.abc import Iterable, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from crowdad.errors import ConfigError
from crowdad.records import Checkpoint, Frame, FrameResult, Heatmap, Tubes
from crowdad.scene.calibration import readable
from crowdad.scene.heatmap import StepMap
from crowdad.scene.model import SceneModel
from crowdad.scene.runtimes import Runtime
from crowdad.tubes.cuts import CutFinder
from crowdad.tubes.patches import Extractor
from crowdad.tubes.scale import most_tubes

__all__ = ["BatchCounts", "Detector"]

_BATCH_STEPS = 8
_MOST_IN_BATCH = 200_000.0  # tubes of a batch where everything moves, so that memory is bounded also with tiny people


@dataclass(frozen=True)
class BatchCounts:
    """What the tubes of one batch add to a detector's counts.

    number: of the frame that the batch's first step belongs to.  odd, scored: strange tubes, and all.  motion: sum of
    their mean motions, by channel.
    """

    number: int
    odd: int
    scored: int
    motion: tuple[float, ...]


@dataclass(frozen=True)
class _Waiting:
    """A frame whose map is not known yet."""

    index: int
    time_s: float
    place: float  # in steps since the start of its segment; a picture that is repeated stays at its place


class Detector:
    """Scores footage of one scene: frames in, one result for each out, in order and in bounded memory.

    Parameters
    ----------
    scene : SceneModel
        Already of the footage's size and frame rate (`SceneModel.fitted_to`).
    threshold_raw : float, optional
        Raw anomaly that reads 0.5; default: the calibration's, for the wanted false alarms an hour.
    roi : bool array of shape (H, W), optional
        Of the scene's size, True where footage is scored; None: everywhere.
    batch_steps : int
        Steps encoded at once at most; more is faster, fewer is prompter.
    lag : int, optional
        Frames after which a result is given at the latest, with the votes that are in by then; 0: at once, so that
        nothing later than a frame has a say in its result.  Default: once all votes are in, whenever that is.  Steps
        are then encoded one by one, as they come.
    runtime : Runtime, optional
        What scores the scene's tubes; default: the scene itself, by torch.

    Attributes
    ----------
    cuts : list of float
        Times of cuts so far, in seconds.
    strangeness : float, in [0, 1]
        Share of tubes so far that are less normal than all but 5 % of the fitting footage's: about 0.05 on the scene
        that it was fitted on.
    drift : float
        Distance of the tubes' mean motion from the fitting footage's, in its spreads: well under 1 on that scene.
    batches : list of BatchCounts, optional
        Where set to a list, collects what each batch adds to these counts.

    Raises
    ------
    ConfigError
        For a negative lag, and a `roi` of another size than the scene.

    Examples
    --------
    >>> detector = crowdad.Detector(scene)
    >>> results = list(detector.run(crowdad.Frame(i, i / 10, picture) for i, picture in enumerate(grey_frames)))
    >>> len(results) == len(grey_frames)
    True
    """

    def __init__(
        self,
        scene: SceneModel,
        *,
        threshold_raw: float | None = None,
        roi: npt.NDArray[np.bool_] | None = None,
        batch_steps: int = _BATCH_STEPS,
        lag: int | None = None,
        runtime: Runtime | None = None,
    ) -> None:
        if lag is not None and lag < 0:
            raise ConfigError(f"the lag is {lag} frames; 0 or more is needed")
        if roi is not None and roi.shape != scene.scale.size_hw:
            raise ConfigError(
                f"the mask is {roi.shape}, the scene's picture {scene.scale.size_hw}; both must be of one size"
            )
        calibration, wanted = scene.calibration, scene.settings.calibration.false_alarms_per_hour
        self.scene = scene
        self.threshold_raw = calibration.threshold(wanted) if threshold_raw is None else threshold_raw
        self.cuts: list[float] = []
        self._roi = roi
        self._extractor = Extractor(scene.scale, scene.settings)
        batch_steps = max(1, min(batch_steps, int(_MOST_IN_BATCH / most_tubes(self._extractor.views, scene.settings))))
        self._batch_steps = batch_steps if lag is None else 1
        self._ahead = batch_steps if lag is None else 0
        self.runtime: Runtime = scene if runtime is None else runtime
        gap = scene.scale.gap
        # A frame between two steps lies between their maps, and the later of them comes up to gap - 1 frames after it.
        self._voter = scene.voter(None if lag is None else max(0, (lag + 1) // gap - 1))
        self._waits_for_next_step = lag is None or lag >= gap - 1
        self._cells = None if roi is None else _cells_of(roi, self._voter.shape, self._voter.cell_px)
        self._odd = 0
        self._scored = 0
        self._motion = np.zeros(scene.mean.shape[0])
        self._segment: _Segment | None = None
        self.batches: list[BatchCounts] | None = None

    def __repr__(self) -> str:
        return f"Detector({self.scene!r}, threshold_raw={self.threshold_raw:.4g})"

    @property
    def strangeness(self) -> float:
        """Share of the tubes so far that are less normal than the fitting footage's 5 % quantile."""
        return self._odd / max(self._scored, 1)

    @property
    def drift(self) -> float:
        """Distance of the tubes' mean motion so far from the fitting footage's, in its spreads; the worst channel's."""
        return float(np.abs(self._motion).max()) / max(self._scored, 1)

    @property
    def tubes_scored(self) -> int:
        """Tubes so far."""
        return self._scored

    def run(
        self,
        frames: Iterable[Frame],
        checkpoint: Checkpoint | None = None,
        told: Iterable[FrameResult] = (),
        *,
        began: int | None = None,
        finder: CutFinder | None = None,
    ) -> Iterator[FrameResult]:
        """Score frames.

        Frames of a size unlike the scene's are scored as still.  A repeated picture is not scored again: its frame has
        the result of the one that it repeats.

        Parameters
        ----------
        frames : iterable of Frame
            In order.
        checkpoint : Checkpoint, optional
            Of an earlier run of such a detector over the same frames, which are given again from the first.
        told : iterable of FrameResult
            What the earlier run gave; it is given again as it was, and not computed.
        began : int, optional
            With a checkpoint of `entrance`: frames are given from its `from_frame` on, of footage that is unbroken
            since the frame of that number, and results from the frame `told` on.
        finder : CutFinder, optional
            Of cuts; default: one that knows none of what comes before.

        Yields
        ------
        FrameResult
            One for each frame, in order.
        """
        told = iter(told)
        finder = CutFinder() if finder is None else finder
        first = 0 if began is None or checkpoint is None else checkpoint.from_frame
        segment: tuple[int, int] | None = None
        cuts = since = new = 0
        run: _Segment | None = None
        with ThreadPoolExecutor(1, thread_name_prefix="tubes") as worker:
            for number, frame in enumerate(frames, first):
                if finder.is_cut(frame) and segment is not None and segment[0] == frame.segment:
                    self.cuts.append(frame.time_s)
                    cuts += 1
                if segment != (frame.segment, cuts):
                    if run is not None:
                        yield from run.finish()
                    since = number if began is None or number > first else began
                    segment, run, new = (frame.segment, cuts), None, number - since
                was_told = checkpoint is not None and number < checkpoint.told
                if was_told and began is None:
                    yield next(told)
                if checkpoint is not None and number < checkpoint.from_frame:
                    new += not frame.repeated
                    continue
                if run is None:
                    self._extractor.reset(frame.fps)
                    self._voter.reset()
                    resumed = checkpoint if checkpoint is not None and number == checkpoint.from_frame else None
                    run = self._segment = _Segment(self, worker, cuts + frame.segment, since, new, resumed)
                yield from run.push(frame, number, was_told)
            if run is not None:
                yield from run.finish()

    def checkpoint(self, told: int) -> Checkpoint:
        """Where `run` stands after the result number `told`, counted from 1, was taken from it and no other."""
        assert self._segment is not None, "taken between two results"
        return self._segment.checkpoint(told)

    def entrance(self, number: int, began: int) -> Checkpoint:
        """Where to begin for the results from the frame `number` on to be as if `run` had begun at the start.

        began: number of the first frame since which the footage is unbroken, at most `number`.
        """
        settings, gap = self.scene.settings, self.scene.scale.gap
        exact = _batch_before(int(max((number - began) / gap, 1.0)) - self._voter.reach, self._batch_steps)
        first = _batch_before(exact - settings.tubes.steps, self._batch_steps)
        if first <= 0:
            first = exact = 0
        return Checkpoint(number, began + first * gap, exact, 0, 0, (0.0,) * len(self._motion))

    def count(self, counts: BatchCounts) -> None:
        """Add what another detector counted in a batch of this footage."""
        self._odd += counts.odd
        self._scored += counts.scored
        self._motion += np.array(counts.motion)

    def _tubes(self, luma: npt.NDArray[np.uint8], time_s: float) -> Tubes | None:
        if luma.shape != self.scene.scale.size_hw:
            return None
        tubes = self._extractor.push(luma, time_s)
        if tubes is None or self._roi is None:
            return tubes
        height, width = self._roi.shape
        column = np.clip(tubes.path_xy[:, 0, 0].astype(int), 0, width - 1)
        row = np.clip(tubes.path_xy[:, 0, 1].astype(int), 0, height - 1)
        return tubes.where(self._roi[row, column])

    def _score(self, batch: list[Tubes | None], number: int) -> list[npt.NDArray[np.float32] | None]:
        """Normality of the tubes of several steps, encoded together.  number: of the first one's frame."""
        full = [tubes for tubes in batch if tubes is not None]
        if not full:
            return [None] * len(batch)
        features = np.concatenate([tubes.features for tubes in full])
        scores = self.runtime.normality(features)
        lasting = features.mean(axis=(2, 4), keepdims=True)
        motion = ((lasting - self.scene.mean) / self.scene.spread).mean(axis=(2, 3, 4)).sum(axis=0)
        odd = int((scores < self.scene.tube_normality[5]).sum())
        counts = BatchCounts(number, odd, len(scores), tuple(motion.tolist()))
        self.count(counts)
        if self.batches is not None:
            self.batches.append(counts)
        parts = iter(np.split(scores, np.cumsum([len(tubes) for tubes in full])[:-1]))
        return [None if tubes is None else next(parts) for tubes in batch]


def _cells_of(roi: npt.NDArray[np.bool_], shape: tuple[int, int], cell_px: float) -> npt.NDArray[np.bool_]:
    """Cells that hold a pixel of the mask: bool `shape`."""
    cells = np.zeros(shape, bool)
    rows, columns = np.nonzero(roi)
    cells[(rows / cell_px).astype(int), (columns / cell_px).astype(int)] = True
    return cells


@dataclass(frozen=True)
class _Batch:
    """The step that a batch begins with, the number of its frame, and the detector's counts before it."""

    step: int
    number: int
    odd: int
    scored: int
    motion: tuple[float, ...]


def _batch_before(step: int, batch_steps: int) -> int:
    """The step that the batch of this step begins with."""
    return step // batch_steps * batch_steps


def _last_until(batches: Sequence[_Batch], step: int) -> _Batch:
    """The last batch that begins at `step` or before; the first one where there is none."""
    return next((batch for batch in reversed(batches) if batch.step <= step), batches[0])


class _Segment:
    """One run of frames without a break: steps are scored, frames between two steps get the maps between theirs.

    A worker finds the tubes of the next steps, in order, while this thread scores and votes on those before.
    """

    def __init__(
        self,
        detector: Detector,
        worker: ThreadPoolExecutor,
        number: int,
        began: int,
        count: int,
        resumed: Checkpoint | None,
    ) -> None:
        self._detector = detector
        self._worker = worker
        self._number = number
        self._began = began  # number of its first frame
        self._resumed = resumed
        self._gap = detector._extractor.gap
        self._reach = detector._voter.reach
        self._first_full = detector.scene.settings.tubes.steps  # the step at which the first window is full
        self._count = count  # new pictures so far; a resumed segment goes on at the start of a batch
        self._steps: deque[Future[Tubes | None]] = deque()
        self._numbers: deque[int] = deque()  # of the steps' frames
        self._frames: deque[_Waiting] = deque()
        self._maps: deque[StepMap] = deque()
        self._maps_from = count // self._gap  # the step of self._maps[0]
        self._voted = self._maps_from  # steps that were voted on
        self._batches: deque[_Batch] = deque()

    def push(self, frame: Frame, number: int, was_told: bool = False) -> Iterator[FrameResult]:
        detector = self._detector
        self._last_number = number
        if not was_told:
            place = (self._count - 1 if frame.repeated else self._count) / self._gap
            self._frames.append(_Waiting(frame.index, frame.time_s, place))
        if not frame.repeated:
            if self._count % self._gap == 0:
                self._steps.append(self._worker.submit(detector._tubes, frame.luma, frame.time_s))
                self._numbers.append(number)
            self._count += 1
        if len(self._steps) >= detector._batch_steps + detector._ahead:
            self._vote(detector._batch_steps)
        yield from self._told(final=False)

    def finish(self) -> Iterator[FrameResult]:
        self._vote(len(self._steps))
        self._maps.extend(self._detector._voter.finish())
        yield from self._told(final=True)

    def checkpoint(self, told: int) -> Checkpoint:
        place = self._frames[0].place if self._frames else self._count / self._gap
        # A map holds the votes of tubes from `reach` steps before it on, a tube looks back over `first_full` steps,
        # and codes are the same to the last bit only where they are computed in the same batches.
        batches = list(self._batches)
        exact = _last_until(batches, int(max(place, 1.0)) - self._reach)
        first = _last_until(batches, exact.step - self._first_full)
        if first.step == 0:
            exact = first
        return Checkpoint(told, first.number, exact.step, exact.odd, exact.scored, exact.motion)

    def _note_batch(self) -> None:
        """Remember the counts before a batch, and forget batches that nothing that is still to be told hangs on."""
        detector = self._detector
        if self._resumed is not None and self._voted == self._resumed.exact_step:
            detector._odd, detector._scored = self._resumed.odd, self._resumed.scored
            detector._motion = np.array(self._resumed.motion)
        motion = tuple(detector._motion.tolist())
        number = self._numbers[0] if self._numbers else self._last_number
        self._batches.append(_Batch(self._voted, number, detector._odd, detector._scored, motion))
        needed = self._maps_from - self._reach - self._first_full - 2 * detector._batch_steps
        while len(self._batches) > 1 and self._batches[1].step <= needed:
            self._batches.popleft()

    def _vote(self, steps: int) -> None:
        self._note_batch()
        self._voted += steps
        batch = [self._steps.popleft().result() for _ in range(steps)]
        number = self._batches[-1].number
        for _ in range(steps):
            self._numbers.popleft()
        for tubes, normality in zip(batch, self._detector._score(batch, number), strict=True):
            self._maps.extend(self._detector._voter.push(tubes, normality))

    def _told(self, *, final: bool) -> Iterator[FrameResult]:
        """Results of the frames whose two neighbouring steps, or where none is waited for the last one, are known."""
        while self._frames and self._maps:
            place = max(self._frames[0].place, 1.0)  # the first step has no flow: it takes the second one's map
            last = self._maps_from + len(self._maps) - 1
            known = place if self._detector._waits_for_next_step else math.floor(place)
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
        detector = self._detector
        if detector._cells is not None:  # votes are smeared: a mask is kept to by the map, not only by the tubes
            raw = raw * detector._cells
        heat = readable(raw, detector.threshold_raw)
        anomaly = float(heat.max())
        nearest = here if share < 0.5 else there
        voter = detector._voter
        return FrameResult(
            index=frame.index,
            time_s=frame.time_s,
            normality=nearest.normality,
            anomaly=anomaly,
            flagged=anomaly >= 0.5,
            warm_up=frame.place < self._first_full,
            n_tubes=nearest.n_tubes,
            heatmap=Heatmap(heat, voter.cell_px, detector.scene.scale.size_hw),
            segment=self._number,
        )
