"""Fitting a `SceneModel`: scale, tubes, encoder, centres, calibration."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor

from crowdad.config import Settings
from crowdad.errors import FitError, TooLittleMotionError
from crowdad.records import Tubes
from crowdad.scene.cross_fitting import FEWEST_TUBES, calibrate, common_centres
from crowdad.scene.encoders import encoder_kind
from crowdad.scene.encoders.autoencoder import AutoEncoder
from crowdad.scene.encoders.fitting import TrainingPlan, fit_autoencoder
from crowdad.scene.kinds import check_kinds
from crowdad.scene.model import SceneModel
from crowdad.scene.normality import UnitKMeans
from crowdad.scene.sampling import Gathered, Progress, gather, measure_people
from crowdad.scene.streams import STREAMS, Gait, Learner, Lesson, Motion, Stream
from crowdad.sources import Source
from crowdad.tubes.patches import SUBJECT_HW, Span, motion_of, subject_of, tubes_through
from crowdad.tubes.scale import GivenHeights, SceneScale

__all__ = ["fit_scene"]

Array = npt.NDArray[np.float32]

Taught = tuple[Tubes, list[npt.NDArray[np.uint8]]]
"""Tubes of one step of what a person called normal, and a picture of the subject of each."""

_NOBODY = "give footage in which somebody moves"
_ALSO_NORMAL_CENTRES = 32
_ALSO_NORMAL_TUBES = 8  # at least so many for each of these centres


def _silent(_what: str, _share: float) -> None:
    pass


def fit_scene(
    sources: Sequence[Source],
    settings: Settings | None = None,
    *,
    unlabelled: bool = False,
    also_normal: Sequence[tuple[Source, Span]] = (),
    heights: GivenHeights | None = None,
    device: str = "cpu",
    progress: Progress = _silent,
) -> SceneModel:
    """Learn what is normal in one camera's footage.

    sources: footage of one camera, all of one picture size.  unlabelled: it may hold anomalies; centres are learnt from
    the largest clusters only.  device: "cpu" or "cuda".
    also_normal: what a person called normal, with footage from a window before to a window after each span; it gets
    centres of its own, however rare it is, beside those of `sources`; what moves like it is normal then too.
    heights: of people, where the user knows them; None: they are measured.
    Raises FitError (TooLittleMotionError where people hardly move), SourceError, ConfigError for heights that do not
    fit the picture.
    """
    if not sources:
        raise FitError("no footage to learn from; give at least one source")
    settings = settings or Settings()
    check_kinds(settings)
    scale = measure_people(sources, settings, progress, heights)
    learners = _learners(scale, settings)
    gathered = gather(sources, scale, settings, progress, list(learners.values()))
    taught = _taught(also_normal, scale, settings)
    for learner in learners.values():
        for tubes, _ in taught:
            learner.teach(tubes)
    learned = _learned(learners, gathered, scale, unlabelled)
    clusters = settings.normality.clusters_unlabelled if unlabelled else settings.normality.clusters
    _check_enough(gathered, scale)
    mean, spread = _standard(gathered.features)
    encoder, losses = _train(gathered.features, mean, spread, settings, device, progress)
    motion = Motion(
        settings=settings,
        weights={name: weight.detach().cpu().numpy() for name, weight in encoder.state_dict().items()},
        centres=np.zeros((0, 0), np.float32),
        shares=np.zeros(0, np.float32),
        mean=mean,
        spread=spread,
        tube_normality=np.zeros(101, np.float32),
        thumbnails=np.zeros((0, *SUBJECT_HW), np.uint8),
    ).to(device)
    progress("finding what is common", 0.0)
    codes = motion.codes(gathered.features)
    _cluster(motion, gathered, codes, clusters, unlabelled)
    gait = learned.get(Gait.name)
    assert gait is None or isinstance(gait, Gait)
    calibration, gait = calibrate(motion, gait, scale, gathered, codes, clusters, unlabelled)
    weighted = {} if gait is None else {Gait.name: gait.taught([tubes for tubes, _ in taught])}
    scene = SceneModel(
        settings=settings,
        scale=scale,
        calibration=calibration,
        streams={Motion.name: motion, **learned, **weighted},
        provenance=_provenance(sources, gathered, unlabelled, losses),
        activity=gathered.activity,
        background=gathered.background,
    )
    if also_normal:
        _add_normal(scene, taught, len(also_normal), gathered.tubes)
    progress("finding what is common", 1.0)
    return scene


def _check_enough(gathered: Gathered, scale: SceneScale) -> None:
    """Raise TooLittleMotionError where hardly anything moves that could be compared."""
    if len(gathered.features) < FEWEST_TUBES:
        contradicted = scale.why if scale.certainty == "given" else ""
        cause = f"people's height is as given, the footage contradicts it: {contradicted}" if contradicted else _NOBODY
        raise TooLittleMotionError(
            f"{len(gathered.features)} moving patches in {gathered.frames} frames, at least {FEWEST_TUBES} are needed "
            f"to learn from; {cause}",
            nothing=not len(gathered.features),
            contradicted=contradicted,
        )


def _provenance(sources: Sequence[Source], gathered: Gathered, unlabelled: bool, losses: list[float]) -> dict[str, Any]:
    return {
        "how": "unlabelled" if unlabelled else "one-class",
        "sources": [source.name for source in sources][:100],
        "frames": gathered.frames,
        "tubes": gathered.tubes,
        "losses": [round(loss, 5) for loss in losses],
        "torch": torch.__version__,
    }


def _standard(features: Array) -> tuple[Array, Array]:
    """Centre and spread (of the mean over time) by channel and row of the body: (C, 1, rows, 1) each.

    Median and interquartile range: anomalies in unlabelled footage would widen a standard deviation.
    """
    lasting = features.mean(axis=2).transpose(1, 2, 0, 3).reshape(features.shape[1], features.shape[3], -1)
    low, middle, high = np.percentile(lasting, (25, 50, 75), axis=-1)
    spread = (high - low) / 1.349 + 1e-3
    return middle[:, None, :, None].astype(np.float32), spread[:, None, :, None].astype(np.float32)


def _train(
    features: Array, mean: Array, spread: Array, settings: Settings, device: str, progress: Progress
) -> tuple[AutoEncoder, list[float]]:
    torch.manual_seed(settings.seed)
    encoder = encoder_kind(settings.encoder).make(settings.encoder, settings.tubes, features.shape[1])
    samples = torch.from_numpy((features - mean) / spread).to(device)
    if settings.encoder.code_norm == "batch" and len(samples) % settings.encoder.batch == 1:
        samples = samples[1:]  # a last batch of one has no variance to normalise by
    generator = torch.Generator().manual_seed(settings.seed + 1)
    losses: list[float] = []

    def jitter(batch: Tensor) -> Tensor:
        mirrored = torch.rand(len(batch), generator=generator).to(batch.device) < 0.5
        return torch.where(mirrored[:, None, None, None, None], batch.flip(-1), batch)

    def on_epoch(epoch: int, loss: float) -> None:
        losses.append(loss)
        progress(f"learning, loss {loss:.4f}", epoch / settings.encoder.epochs)

    plan = TrainingPlan(
        settings.encoder.epochs,
        min(settings.encoder.batch, len(samples)),
        settings.encoder.learning_rate,
        decay="one-cycle",
        bf16=False,  # as fast as float32 at best, five times slower without AVX-512, and rounded by the CPU's own rules
    )
    fit_autoencoder(encoder, samples, plan, seed=settings.seed, jitter=jitter, on_epoch=on_epoch)
    return encoder, losses


def _learners(scale: SceneScale, settings: Settings) -> dict[str, Learner]:
    """Name -> what learns a stream beside motion."""
    asked = {name: stream.learner(scale, settings) for name, stream in STREAMS.items()}
    return {name: learner for name, learner in asked.items() if learner is not None}


def _learned(
    learners: Mapping[str, Learner], gathered: Gathered, scale: SceneScale, unlabelled: bool
) -> dict[str, Stream]:
    """Name -> stream beside motion, of those that the footage was long enough for."""
    lesson = Lesson(gathered.kept, unlabelled)
    seconds = gathered.steps * scale.gap / scale.fps
    asked = [name for name in learners if not unlabelled or seconds >= STREAMS[name].unlabelled_s]
    return {name: stream for name in asked if (stream := learners[name].learned(lesson)) is not None}


def _cluster(motion: Motion, gathered: Gathered, codes: Array, clusters: int, unlabelled: bool) -> None:
    """Centres, their shares and their most typical subjects."""
    motion.centres, shares = common_centres(codes, clusters, motion.settings, unlabelled)
    motion.shares = (shares / shares.sum()).astype(np.float32)
    closeness = codes @ motion.centres.T
    typical = closeness.argmax(axis=0)
    motion.thumbnails, motion.motions = gathered.thumbnails[typical], motion_of(gathered.features[typical])


def _taught(spans: Sequence[tuple[Source, Span]], scale: SceneScale, settings: Settings) -> list[Taught]:
    """What a person called normal."""
    return [
        (tubes, [subject_of(frame.luma, tubes, index) for index in range(len(tubes))])
        for source, span in spans
        for frame, tubes in tubes_through(source.frames(), span, scale, settings)
    ]


def _add_normal(scene: SceneModel, taught: Sequence[Taught], spans: int, tubes_before: int) -> None:
    """Centres for what a person called normal.  Calibrated before: the threshold is that of the other footage."""
    features = [tubes.features for tubes, _ in taught]
    pictures = [picture for _, subjects in taught for picture in subjects]
    count = len(pictures)
    if count < _ALSO_NORMAL_TUBES:
        raise FitError(
            f"{count} moving patches in what was called normal, at least {_ALSO_NORMAL_TUBES} are needed; "
            "it is another camera's, or fit without --also-normal"
        )
    known, motion = np.concatenate(features), scene.motion
    codes = motion.codes(known)
    clusters = min(_ALSO_NORMAL_CENTRES, count // _ALSO_NORMAL_TUBES)
    chosen = scene.settings.normality
    kmeans = UnitKMeans(clusters, max_iter=chosen.iterations, seed=scene.settings.seed).fit(codes)
    closest = (codes @ kmeans.centres_.T).argmax(axis=0)
    weight = count / (count + tubes_before)
    motion.centres = np.concatenate([motion.centres, kmeans.centres_])
    shares = np.concatenate([motion.shares * (1 - weight), kmeans.shares_ * weight])
    motion.shares = (shares / shares.sum()).astype(np.float32)
    motion.thumbnails = np.concatenate([motion.thumbnails, np.stack(pictures)[closest]])
    assert motion.motions is not None
    motion.motions = np.concatenate([motion.motions, motion_of(known[closest])])
    scene.provenance["also_normal"] = {"spans": spans, "tubes": count, "centres": clusters}
