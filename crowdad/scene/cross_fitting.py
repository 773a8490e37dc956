"""Where normal ends, cross-fitted to all that a scene was learned from; what is usual in a short clip."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import replace
from itertools import islice

import numpy as np
import numpy.typing as npt

from crowdad.config import Settings
from crowdad.records import Tubes
from crowdad.scene.calibration import Calibration, fit_tail, usual_heat
from crowdad.scene.heatmap import StepMap, voter_of
from crowdad.scene.lower_peaks import fit_lower_peaks
from crowdad.scene.normality import UnitKMeans, keep_by_mass, normality
from crowdad.scene.peaks import VotedPeaks
from crowdad.scene.sampling import Gathered
from crowdad.scene.streams import Gait, Motion
from crowdad.tubes.scale import SceneScale

__all__ = ["FEWEST_TUBES", "calibrate", "common_centres"]

Array = npt.NDArray[np.float32]

FEWEST_TUBES = 8
"""Tubes that footage must show to be learned from, and that there must be for each centre."""

_APART_S = 1.0
_MAPS_OF_TAILS = 400
_WELL_VOTED = 0.5  # of a cell's votes, the normal ones that every cell starts with among them


def common_centres(
    codes: Array, clusters: int, settings: Settings, unlabelled: bool
) -> tuple[Array, npt.NDArray[np.float64]]:
    """Centres of what is common, and their shares of the codes; fewer than `clusters` where there are few codes."""
    chosen = settings.normality
    clusters = max(1, min(clusters, len(codes) // FEWEST_TUBES))
    kmeans = UnitKMeans(clusters, max_iter=chosen.iterations, seed=settings.seed).fit(codes)
    kept = keep_by_mass(kmeans.shares_, chosen.keep_mass) if unlabelled else kmeans.shares_ > 0
    return kmeans.centres_[kept], kmeans.shares_[kept]


def calibrate(
    motion: Motion,
    gait: Gait | None,
    scale: SceneScale,
    gathered: Gathered,
    codes: Array,
    clusters: int,
    unlabelled: bool,
) -> tuple[Calibration, Gait | None]:
    """Where normal ends; the percentiles of normal tubes' normality are set too, and the weight of gait beside motion.

    codes: of the sample, of all the footage; the encoder is shared, the centres are learned anew for each fold.

    Each of about 1 / `calibration.held_out` successive folds of the footage is scored with centres that neither the
    fold nor the seconds beside it had a part in; the maps of all folds give the peaks of which the tail is fitted.
    """
    settings = motion.settings
    step_s = scale.gap / scale.fps
    folds = _Folds(settings, step_s, gathered, codes, clusters, unlabelled)
    scores = [
        normality(_codes(motion, tubes, codes.shape[1]), folds.centres_for(step))
        for step, tubes in gathered.kept.items()
    ]
    if gait is not None:
        gait = gait.weighted(_maps(gait, scale, settings, gathered, scores))
    step_hours = step_s / 3600
    hours = len(gathered.kept) * step_hours
    peaks, well_voted = _peaks(gait, scale, settings, gathered, scores)
    tail = fit_lower_peaks(well_voted, hours, settings.calibration) if unlabelled else None
    if tail is None:
        trusted = settings.calibration.trusted if unlabelled else 1.0
        tail = fit_tail(peaks, hours, tail=settings.calibration.tail, trusted=trusted)
    usual, spread = usual_heat(peaks)
    motion.tube_normality = np.percentile(np.concatenate(scores), range(101)).astype(np.float32)
    return replace(tail, usual=usual, spread=spread, learned_hours=max(gathered.steps * step_hours, hours)), gait


def _maps(
    gait: Gait, scale: SceneScale, settings: Settings, gathered: Gathered, scores: Sequence[Array]
) -> Iterator[StepMap]:
    """Of motion, and of gait beside it: some of the kept steps', spread over all."""
    every = max(1, round(len(scores) / _MAPS_OF_TAILS))
    yield from islice(_all_maps(gait, scale, settings, gathered, scores), 0, None, every)


def _all_maps(
    gait: Gait, scale: SceneScale, settings: Settings, gathered: Gathered, scores: Sequence[Array]
) -> Iterator[StepMap]:
    """A map of every kept step; nothing votes across a gap between them."""
    voter = voter_of(scale, settings, beside=1)
    last = -1
    for (number, tubes), score in zip(gathered.kept.items(), scores, strict=True):
        if number != last + 1:
            yield from voter.finish()
        last = number
        yield from voter.push(tubes, score, gait.anomaly(tubes)[:, None])
    yield from voter.finish()


def _peaks(
    gait: Gait | None, scale: SceneScale, settings: Settings, gathered: Gathered, scores: Sequence[Array]
) -> tuple[Array, Array]:
    """Of motion with what gait adds to it: all peaks, (N,), and those of cells with votes enough, by time and place."""

    def raw(step: StepMap) -> Array:
        assert step.beside is not None
        return step.raw if gait is None else step.raw + gait.added(step.beside[1])

    def well_voted(step: StepMap) -> Array:
        assert step.beside is not None
        return raw(step) * (step.beside[0] >= _WELL_VOTED)

    peaks = VotedPeaks(scale, settings, (raw, well_voted), beside=1 if gait is None else 2)
    for (number, tubes), score in zip(gathered.kept.items(), scores, strict=True):
        beside = [np.ones(len(tubes), np.float32)]  # a map of what the votes weigh
        if gait is not None:
            beside.append(gait.anomaly(tubes))
        peaks.add(number, tubes, score, np.stack(beside, axis=1))
    everywhere, sure = peaks.by_place()
    return everywhere[everywhere > 0], sure


def _codes(motion: Motion, tubes: Tubes, width: int) -> Array:
    if not len(tubes):
        return np.zeros((0, width), np.float32)
    return motion.codes(tubes.features.astype(np.float32))


class _Folds:
    """Centres for each fold of the footage, learned from the other folds."""

    def __init__(
        self, settings: Settings, step_s: float, gathered: Gathered, codes: Array, clusters: int, unlabelled: bool
    ) -> None:
        count = max(2, round(1 / settings.calibration.held_out))
        length = (gathered.steps + 1) / count
        # Of footage of a few seconds too little would be left to learn from.
        apart = min(settings.tubes.steps + _APART_S / step_s, length / 2)
        self._length = length
        self._centres = []
        for place in range(count):
            first, until = place * length - apart, (place + 1) * length + apart
            others = codes[(gathered.at_step < first) | (gathered.at_step >= until)]
            if len(others) < FEWEST_TUBES:
                others = codes
            self._centres.append(common_centres(others, clusters, settings, unlabelled)[0])

    def centres_for(self, step: int) -> Array:
        """Those that the step had no part in."""
        return self._centres[min(int(step / self._length), len(self._centres) - 1)]
