"""The ablation table on UCSD Ped2: same footage, protocol and voting, one part of the detector exchanged at a time.

What a setting can say is a setting; the rest are scenes that score their tubes in another way.
"""

from __future__ import annotations

import warnings
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, fields, replace
from functools import cached_property
from pathlib import Path
from typing import Any, ClassVar, Self

import numpy as np
import numpy.typing as npt
import torch
from sklearn.cluster import KMeans
from sklearn.exceptions import ConvergenceWarning
from sklearn.metrics import pairwise_distances
from sklearn.mixture import GaussianMixture
from sklearn.neighbors import NearestNeighbors
from threadpoolctl import threadpool_limits
from torch import Tensor

from crowdad.config import Settings, load_settings
from crowdad.errors import ConfigError
from crowdad.evaluation.datasets.ucsd import find_clips
from crowdad.evaluation.datasets.variants import vary
from crowdad.evaluation.protocols import ClipScores, Metric, mapped, measure, score_clip
from crowdad.records import Tubes
from crowdad.scene.encoders import encoder_kind
from crowdad.scene.encoders.autoencoder import AutoEncoder
from crowdad.scene.heatmap import StepMap, Voter, anomaly_of, voter_of
from crowdad.scene.model import SceneModel
from crowdad.scene.normality import UnitKMeans, normality
from crowdad.scene.streams import Motion
from crowdad.sources import Source
from crowdad.tubes.patches import Extractor, steps_of
from crowdad.tubes.scale import SceneScale
from crowdad.workflows import Progress, Stage, fit
from crowdad.workflows.progress import silent

__all__ = ["ABLATIONS", "Ablation", "AblationOutcome", "ablation_table", "ablations"]

Array = npt.NDArray[np.float32]

_BATCH = 256  # tubes through the network at once, always as many: a kernel is kept for every shape that comes along
_NEIGHBOURS, _MAX_NEIGHBOURS = 5, 10_000
_COMPONENTS = 32
_RANKED = ("frame AUC, micro", "frame AUC, macro", "pixel AUC, 40 % rule", "RBDC", "TBDC")


@dataclass(eq=False)
class _Exchanged(Motion):
    """Motion as it was fitted, scored in another way.

    learnt: whatever `_learn` made of the fitting tubes.  slope, offset: of the line from the exchanged score to
    normality.  A score that is no cosine is laid onto the scale of the default's cosines, so that votes and the normal
    votes that every cell starts with keep their meaning: the median and the 1st percentile of the fitting tubes' scores
    become those of their cosines.  What falls outside [-1, 1] then is cut off.
    The scene's calibration stays as fitted: no metric of the table looks at the threshold.
    """

    learnt: Any = None
    slope: float = 1.0
    offset: float = 0.0

    is_cosine: ClassVar[bool] = False

    @classmethod
    def learned(cls, motion: Motion, features: Array) -> Self:
        """`motion` with its score exchanged; features: float32 (N, C, T, rows, columns) of its fitting tubes."""
        own = cls(**{field.name: getattr(motion, field.name) for field in fields(Motion)})
        own.learnt = own._learn(features)
        if not cls.is_cosine:
            low, middle = np.percentile(own._score(features), (1, 50))
            low_cosine, middle_cosine = np.percentile(motion.normality(features), (1, 50))
            own.slope = float((middle_cosine - low_cosine) / max(middle - low, 1e-12))
            own.offset = float(middle_cosine - own.slope * middle)
        return own

    def normality(self, features: Array) -> Array:
        """Normality of tubes by the exchanged score: float32 (N,) in [-1, 1], higher = normal."""
        if not len(features):
            return np.zeros(0, np.float32)
        return np.clip(self.slope * self._score(features) + self.offset, -1, 1).astype(np.float32)

    def _learn(self, features: Array) -> Any:
        """What the score needs beside the fitted scene."""
        return None

    def _score(self, features: Array) -> npt.NDArray[Any]:
        """(N,), any scale, higher = normal."""
        raise NotImplementedError

    def _standardised(self, features: Array) -> Array:
        return np.asarray((features - self.mean) / self.spread, np.float32)

    @cached_property
    def _network(self) -> AutoEncoder:
        network = encoder_kind(self.settings.encoder).make(self.settings.encoder, self.settings.tubes)
        network.load_state_dict({name: torch.as_tensor(array) for name, array in self.weights.items()})
        return network.eval()


class _Reconstruction(_Exchanged):
    """Mean squared error of what the auto-encoder gives back."""

    def _score(self, features: Array) -> Array:
        def negative_error(tubes: Tensor) -> Tensor:
            return -((self._network(tubes) - self._network.target(tubes)) ** 2).flatten(1).mean(dim=1)

        return _in_batches(negative_error, self._standardised(features))


class _Neighbours(_Exchanged):
    """Mean cosine to the 5 nearest of at most 10,000 codes of fitting tubes."""

    is_cosine = True

    def _learn(self, features: Array) -> NearestNeighbors:
        codes = self.codes(_drawn(features, _MAX_NEIGHBOURS, self.settings.seed))
        return NearestNeighbors(n_neighbors=min(_NEIGHBOURS, len(codes))).fit(codes)

    def _score(self, features: Array) -> npt.NDArray[Any]:
        distances, _ = self.learnt.kneighbors(self.codes(features))
        return 1 - (distances**2).mean(axis=1) / 2  # of unit codes


class _Mixture(_Exchanged):
    """Log-likelihood under a Gaussian mixture over the codes.

    32 components of full covariance: with 9 coordinates about 1,800 numbers, over a thousand tubes for each component.
    """

    def _learn(self, features: Array) -> GaussianMixture:
        mixture = GaussianMixture(_COMPONENTS, reg_covar=1e-5, random_state=self.settings.seed)
        with threadpool_limits(1), warnings.catch_warnings():
            warnings.simplefilter("ignore", ConvergenceWarning)  # its hundred iterations are near enough
            return mixture.fit(self.codes(features).astype(np.float64))

    def _score(self, features: Array) -> npt.NDArray[Any]:
        return self.learnt.score_samples(self.codes(features).astype(np.float64))


class _NoAutoEncoder(_Exchanged):
    """Cosine to k-means centres of the tubes themselves: standardised, flattened, of length 1."""

    is_cosine = True

    def _learn(self, features: Array) -> Array:
        chosen = self.settings.normality
        kmeans = UnitKMeans(chosen.clusters, max_iter=chosen.iterations, seed=self.settings.seed)
        return kmeans.fit(self._flat(features)).centres_

    def _score(self, features: Array) -> Array:
        return normality(self._flat(features), self.learnt)

    def _flat(self, features: Array) -> Array:
        rows = self._standardised(features).reshape(len(features), -1)
        return rows / np.maximum(np.linalg.norm(rows, axis=1, keepdims=True), 1e-12)


class _Distance(_Exchanged):
    """Distance to the nearest k-means centre, of what is nowhere brought to length 1."""

    def _learn(self, features: Array) -> Array:
        chosen = self.settings.normality
        kmeans = KMeans(chosen.clusters, n_init=1, max_iter=chosen.iterations, random_state=self.settings.seed)
        with threadpool_limits(1), warnings.catch_warnings():
            warnings.simplefilter("ignore", ConvergenceWarning)  # fewer distinct rows than clusters
            return kmeans.fit(self._rows(features)).cluster_centers_

    def _score(self, features: Array) -> npt.NDArray[Any]:
        return -pairwise_distances(self._rows(features), self.learnt).min(axis=1)

    def _rows(self, features: Array) -> Array:
        raise NotImplementedError


class _CodeDistance(_Distance):
    """Between raw codes."""

    def _rows(self, features: Array) -> Array:
        return _in_batches(self._network.encode, self._standardised(features))


class _TubeDistance(_Distance):
    """Between standardised tubes: without the auto-encoder, and without what length 1 takes from it."""

    def _rows(self, features: Array) -> Array:
        return self._standardised(features).reshape(len(features), -1)


class _WorstTube(_Exchanged):
    """The default's score without any vote: a frame is as odd as the oddest tube that ends there."""

    is_cosine = True

    def _score(self, features: Array) -> Array:
        return Motion.normality(self, features)

    def voter(self, scale: SceneScale, settings: Settings, lag: int | None, beside: int) -> Voter:
        voter = voter_of(scale, settings, lag)
        return _NoVotes(voter.shape, voter.cell_px, beside)


class _NoVotes(Voter):
    """Gives each step's oddest tube as soon as it comes, over the whole picture."""

    def __init__(self, shape: tuple[int, int], cell_px: float, beside: int) -> None:
        self.shape = shape
        self.cell_px = cell_px
        self._nothing = np.zeros((beside, *shape), np.float32)
        self.lag = self.reach = 0

    def reset(self) -> None:
        """Nothing is remembered."""

    def push(self, tubes: Tubes | None, normality: Array | None, beside: Array | None = None) -> Iterator[StepMap]:
        """The map of this step; other scores are not looked at."""
        least = float(normality.min()) if normality is not None and len(normality) else 1.0
        anomaly = anomaly_of(np.full(self.shape, least, np.float32))
        yield StepMap(anomaly, least, 0 if tubes is None else len(tubes), beside=self._nothing)

    def finish(self) -> Iterator[StepMap]:
        """Nothing is owed."""
        return iter(())


@dataclass(frozen=True)
class Ablation:
    """What is exchanged: settings, the tube's score, or both.  places: whether its maps tell where."""

    what: str
    overrides: tuple[str, ...] = ()
    scored_by: type[_Exchanged] | None = None
    places: bool = True


_PLAIN = ("encoder.code_norm=none",)

ABLATIONS: dict[str, Ablation] = {
    "default": Ablation("tubes, code of length 1 during training, k-means, votes along the tubes"),
    "grid patches": Ablation("patches stay where they are", ("tubes.kind=grid",)),
    "pixels": Ablation("outlines and foreground along the tubes in place of motion", ("tubes.kind=pixels",)),
    "reconstruction error": Ablation("of the same auto-encoder", scored_by=_Reconstruction),
    "reconstruction error of a plain code": Ablation("of one whose code is free", _PLAIN, _Reconstruction),
    "nearest neighbours": Ablation("mean cosine to the 5 nearest of 10,000 codes", scored_by=_Neighbours),
    "Gaussian mixture": Ablation("log-likelihood of the code, 32 full components", scored_by=_Mixture),
    "no auto-encoder": Ablation("k-means over the standardised tubes, of length 1", scored_by=_NoAutoEncoder),
    "no auto-encoder but distance": Ablation("of standardised tubes to k-means centres", scored_by=_TubeDistance),
    "normalised after training": Ablation("code free during training, length 1 before k-means", _PLAIN),
    "never normalised": Ablation("code free, distance to k-means centres", _PLAIN, _CodeDistance),
    "votes at the end only": Ablation("a tube votes where it ends, smoothed as ever", ("heatmap.vote=false",)),
    "no votes": Ablation("a frame is as odd as its oddest tube", scored_by=_WorstTube, places=False),
}
"""Every row by name."""


@dataclass(frozen=True, eq=False)
class AblationOutcome:
    """One row measured.  fps: frames scored a second, decoding included, one a seed."""

    name: str
    metrics: tuple[Metric, ...]
    fps: tuple[float, ...]

    def as_dict(self) -> dict[str, Any]:
        """Plain values for a report."""
        row = ABLATIONS[self.name]
        return {
            "name": self.name,
            "what": row.what,
            "overrides": list(row.overrides),
            "metrics": mapped(self.metrics),
            "fps": self.fps,
        }


def ablations(
    root: Path | None = None,
    *,
    rows: Sequence[str] = tuple(ABLATIONS),
    seeds: Sequence[int] = (0, 1, 2),
    settings: Settings | None = None,
    device: str = "auto",
    resamples: int = 1000,
    progress: Progress = silent,
) -> Iterator[AblationOutcome]:
    """Measure rows on Ped2, one-class: each as soon as it is done.

    root: data folder.  rows: keys of ABLATIONS.  seeds: one fit each.  settings: of the default row.
    Raises ConfigError for an unknown row, DatasetNotFoundError.
    """
    unknown = [name for name in rows if name not in ABLATIONS]
    if unknown:
        raise ConfigError(f"no ablation called {unknown[0]!r}; choose among {', '.join(ABLATIONS)}")
    dataset = find_clips("ped2", root)
    bench = _Bench([vary(clip).source for clip in dataset.train], device)
    tests = [_Test(clip.source, clip.labels, clip.masks) for clip in map(vary, dataset.test)]
    for name in rows:
        row, runs = ABLATIONS[name], []
        for seed in seeds:
            chosen = load_settings(overrides=(*row.overrides, f"seed={seed}"), base=settings)
            scene = bench.scene(row, chosen, _named(progress, f"{name} (seed {seed})"))
            runs.append([test.scored(scene, row.places, device) for test in tests])
        fps = tuple(sum(len(clip.labels) for clip in run) / sum(clip.seconds for clip in run) for run in runs)
        yield AblationOutcome(name, tuple(measure(runs, resamples)), fps)


def ablation_table(outcomes: Sequence[AblationOutcome]) -> str:
    """A table for the terminal: means over seeds, with the spread of the first."""
    lines = [f"  {'':<34}" + "".join(f"{name.removesuffix(', 40 % rule'):>18}" for name in _RANKED)]
    for outcome in outcomes:
        found = mapped(outcome.metrics)
        cells = [f"{found[name]['mean']:.4f}" if name in found else "-" for name in _RANKED]
        cells[0] += f" ± {found[_RANKED[0]]['spread']:.4f}"
        lines.append(f"  {outcome.name:<34}" + "".join(f"{cell:>18}" for cell in cells))
    return "\n".join(lines)


@dataclass(frozen=True, eq=False)
class _Test:
    """A test clip, its ground truth read once for all rows: labels bool (T,), masks bool (T, H, W) or None."""

    source: Source
    labels: npt.NDArray[np.bool_]
    masks: npt.NDArray[np.bool_] | None

    def scored(self, scene: SceneModel, places: bool, device: str) -> ClipScores:
        return score_clip(scene, self.source, self.labels, self.masks if places else None, device, runtime="torch")


class _Bench:
    """Fits scenes on one camera's normal footage; rows that differ only in their score share a fit."""

    def __init__(self, learning: list[Source], device: str) -> None:
        self._learning = learning
        self._device = device
        self._fitted: dict[str, SceneModel] = {}
        self._features: dict[str, Array] = {}

    def scene(self, row: Ablation, settings: Settings, progress: Progress) -> SceneModel:
        """The scene that scores a row, learned with these settings."""
        key = settings.model_dump_json()
        if key not in self._fitted:
            self._fitted[key] = fit(self._learning, settings=settings, device=self._device, progress=progress)
        scene = self._fitted[key]
        if row.scored_by is None:
            return scene
        if key not in self._features:
            self._features[key] = _fitting_tubes(scene, self._learning)
        return scene.with_stream(row.scored_by.learned(scene.motion, self._features[key]))


def _fitting_tubes(scene: SceneModel, sources: Sequence[Source]) -> Array:
    """Features of tubes of the fitting footage, as many as the encoder learns from at most, drawn evenly."""
    extractor = Extractor(scene.scale, scene.settings)
    steps = (tubes for source in sources for _, tubes in steps_of(source.frames(), extractor))
    found = [tubes.features for tubes in steps if tubes is not None and len(tubes)]
    return _drawn(np.concatenate(found), scene.settings.encoder.max_tubes, scene.settings.seed)


def _drawn(features: Array, count: int, seed: int) -> Array:
    if len(features) <= count:
        return features
    return features[np.random.default_rng(seed).choice(len(features), count, replace=False)]


def _in_batches(function: Callable[[Tensor], Tensor], samples: Array) -> Array:
    """`function` of all samples, in batches of one shape; float32."""
    parts = []
    with torch.inference_mode():
        for chunk in torch.from_numpy(samples).split(_BATCH):
            missing = _BATCH - len(chunk)
            padded = torch.nn.functional.pad(chunk, (0, 0) * (chunk.ndim - 1) + (0, missing))
            parts.append(function(padded)[: len(chunk)].float().numpy())
    return np.concatenate(parts)


def _named(progress: Progress, name: str) -> Progress:
    def tell(stage: Stage) -> None:
        progress(replace(stage, what=f"{name}: {stage.what}"))

    return tell
