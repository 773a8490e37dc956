"""The spine: frames in, one result a frame out, in order, in bounded memory."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import numpy.typing as npt

from crowdad.detection.scorer import BATCH_STEPS, StepScorer
from crowdad.detection.segment import Segment, batch_before
from crowdad.records import Checkpoint, Frame, FrameResult
from crowdad.scene.model import SceneModel
from crowdad.scene.runtimes import Runtime
from crowdad.scene.streams import BatchCounts
from crowdad.tubes.cuts import CutFinder

__all__ = ["BatchCounts", "Detector"]


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
        batch_steps: int = BATCH_STEPS,
        lag: int | None = None,
        runtime: Runtime | None = None,
    ) -> None:
        if threshold_raw is None:
            threshold_raw = scene.motion.level(scene.calibration, scene.settings)
        self.cuts: list[float] = []
        self._scorer = StepScorer(scene, threshold_raw, roi, batch_steps, lag, runtime)
        self._segment: Segment | None = None

    @property
    def scene(self) -> SceneModel:
        """What was learned of the camera."""
        return self._scorer.scene

    @property
    def runtime(self) -> Runtime:
        """What computes the codes and the normality of tubes."""
        return self._scorer.motion.runtime

    @property
    def threshold_raw(self) -> float:
        """Raw anomaly that reads 0.5; may be set between two results."""
        return self._scorer.threshold_raw

    @threshold_raw.setter
    def threshold_raw(self, raw: float) -> None:
        self._scorer.threshold_raw = raw

    @property
    def elsewhere(self) -> bool:
        """Whether the footage shows another view, so that nothing is said of the scene's places; may be set."""
        return self._scorer.elsewhere

    @elsewhere.setter
    def elsewhere(self, elsewhere: bool) -> None:
        self._scorer.elsewhere = elsewhere

    @property
    def batches(self) -> list[BatchCounts] | None:
        """What each batch of tubes added to the counts; None until it is set to a list."""
        return self._scorer.motion.batches

    @batches.setter
    def batches(self, collected: list[BatchCounts] | None) -> None:
        self._scorer.motion.batches = collected

    def __repr__(self) -> str:
        return f"Detector({self.scene!r}, threshold_raw={self.threshold_raw:.4g})"

    @property
    def strangeness(self) -> float:
        """Share of the tubes so far that are less normal than the fitting footage's 5 % quantile."""
        return self._scorer.motion.counts.odd / max(self._scorer.motion.counts.scored, 1)

    @property
    def drift(self) -> float:
        """Distance of the tubes' mean motion so far from the fitting footage's, in its spreads; the worst channel's."""
        return float(np.abs(self._scorer.motion.counts.motion).max()) / max(self._scorer.motion.counts.scored, 1)

    @property
    def tubes_scored(self) -> int:
        """Tubes so far."""
        return self._scorer.motion.counts.scored

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
        cuts = new = 0
        run: Segment | None = None
        with ThreadPoolExecutor(1, thread_name_prefix="tubes") as worker:
            for number, frame in enumerate(frames, first):
                if finder.is_cut(frame) and segment is not None and segment[0] == frame.segment:
                    self.cuts.append(frame.time_s)
                    cuts += 1
                if segment != (frame.segment, cuts):
                    if run is not None:
                        yield from run.finish()
                    new = 0 if began is None or number > first else number - began
                    segment, run = (frame.segment, cuts), None
                was_told = checkpoint is not None and number < checkpoint.told
                if was_told and began is None:
                    yield next(told)
                if checkpoint is not None and number < checkpoint.from_frame:
                    new += not frame.repeated
                    continue
                if run is None:
                    self._scorer.reset(frame.fps)
                    resumed = checkpoint if checkpoint is not None and number == checkpoint.from_frame else None
                    run = self._segment = Segment(self._scorer, worker, cuts + frame.segment, new, resumed)
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
        scorer, gap = self._scorer, self.scene.scale.gap
        exact = batch_before(int(max((number - began) / gap, 1.0)) - scorer.voter.reach, scorer.batch_steps)
        first = batch_before(exact - self.scene.settings.tubes.steps - scorer.memory, scorer.batch_steps)
        if first <= 0:
            first = exact = 0
        return Checkpoint(number, began + first * gap, exact, 0, 0, (0.0,) * len(scorer.motion.counts.motion))

    def count(self, counts: BatchCounts) -> None:
        """Add what another detector counted in a batch of this footage."""
        self._scorer.motion.counts.add(counts)
