"""Fitting a `SceneModel`: scale, tubes, encoder, centres, calibration."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
import torch
from scipy.ndimage import gaussian_filter
from torch import Tensor
from torch.nn import functional

from crowdad import dist
from crowdad.calibration import Calibration, block_peaks, fit_tail
from crowdad.config import Settings
from crowdad.cuts import CutFinder
from crowdad.encoders import AutoEncoder, Conv3dAutoEncoder
from crowdad.encoders.fitting import TrainingPlan, fit_autoencoder
from crowdad.errors import FitError, TooLittleMotionError
from crowdad.normality import UnitKMeans
from crowdad.patches import SUBJECT_HW, Extractor, Span, motion_of, subject_of, tubes_through
from crowdad.purification import keep_by_mass
from crowdad.records import Frame, Tubes
from crowdad.scale import ScaleProbe, SceneScale
from crowdad.scene import SceneModel
from crowdad.sources import Source

__all__ = ["Progress", "fit_scene"]

Array = npt.NDArray[np.float32]
Progress = Callable[[str, float], None]
"""(what is being done, share done in [0, 1])."""

_HELD_BLOCK = 20  # steps; long against a tube, short against a clip
_MAX_HELD_STEPS = 1500
_ACTIVITY_COLUMNS = 48
_ALSO_NORMAL_CENTRES = 32
_ALSO_NORMAL_TUBES = 8  # at least so many for each of these centres


def _silent(_what: str, _share: float) -> None:
    pass


@dataclass(eq=False)
class _Gathered:
    """Tubes to learn from, the runs of steps kept apart for calibration, and how much moved where."""

    features: Array
    thumbnails: npt.NDArray[np.uint8]
    held: list[list[Tubes]]
    activity: npt.NDArray[np.float16]
    frames: int
    steps: int
    tubes: int


def fit_scene(
    sources: Sequence[Source],
    settings: Settings | None = None,
    *,
    unlabelled: bool = False,
    also_normal: Sequence[tuple[Source, Span]] = (),
    device: str = "cpu",
    progress: Progress = _silent,
) -> SceneModel:
    """Learn what is normal in one camera's footage.

    sources: footage of one camera, all of one picture size.  unlabelled: it may hold anomalies; centres are learnt from
    the largest clusters only.  device: "cpu" or "cuda".
    also_normal: what a person called normal, with footage from a window before to a window after each span; it gets
    centres of its own, however rare it is, beside those of `sources`; what moves like it is normal then too.
    The processes of one group (`dist`) share the encoder's training and get the same scene; the first one looks at the
    footage.
    Raises FitError (TooLittleMotionError where people hardly move), SourceError.
    """
    if settings is not None and settings.encoder.code_norm == "batch" and dist.is_shared():
        raise FitError("codes that are normalised by their batch cannot be learned by several processes; use one")
    if not sources:
        raise FitError("no footage to learn from; give at least one source")
    settings = settings or Settings()
    scale, gathered = dist.from_first(lambda: _looked_at(sources, settings, progress))
    clusters = settings.normality.clusters_unlabelled if unlabelled else settings.normality.clusters
    if len(gathered.features) < 8 * clusters:
        share = len(gathered.features) / (8 * clusters)
        raise TooLittleMotionError(
            f"{len(gathered.features)} moving patches in {gathered.frames} frames, at least {8 * clusters} are needed "
            f"to learn from; give about {np.ceil(1 / max(share, 0.01)):.0f} times as much footage"
        )
    mean, spread = _standard(gathered.features)
    encoder, losses = _train(gathered.features, mean, spread, settings, device, progress)
    scene = SceneModel(
        settings=settings,
        scale=scale,
        calibration=Calibration(0, 0, 0, 1, 0, "none"),
        weights={name: weight.detach().cpu().numpy() for name, weight in encoder.state_dict().items()},
        centres=np.zeros((0, 0), np.float32),
        shares=np.zeros(0, np.float32),
        mean=mean,
        spread=spread,
        tube_normality=np.zeros(101, np.float32),
        thumbnails=np.zeros((0, *SUBJECT_HW), np.uint8),
        provenance=_provenance(sources, gathered, unlabelled, losses),
        activity=gathered.activity,
    ).to(device)
    progress("finding what is common", 0.0)
    _cluster(scene, gathered, clusters, unlabelled)
    _calibrate(scene, gathered, unlabelled)
    if also_normal:
        _add_normal(scene, also_normal, gathered.tubes)
    progress("finding what is common", 1.0)
    return scene


def _looked_at(sources: Sequence[Source], settings: Settings, progress: Progress) -> tuple[SceneScale, _Gathered]:
    scale = _measure(sources, settings, progress)
    return scale, _gather(sources, scale, settings, progress)


def _provenance(
    sources: Sequence[Source], gathered: _Gathered, unlabelled: bool, losses: list[float]
) -> dict[str, Any]:
    return {
        "how": "unlabelled" if unlabelled else "one-class",
        "sources": [source.name for source in sources][:100],
        "frames": gathered.frames,
        "tubes": gathered.tubes,
        "losses": [round(loss, 5) for loss in losses],
        "torch": torch.__version__,
    }


def _length(source: Source, unknown: int = 1500) -> int:
    return source.expected_frames or unknown


def _measure(sources: Sequence[Source], settings: Settings, progress: Progress) -> SceneScale:
    sizes = {source.info.size_hw for source in sources}
    if len(sizes) > 1:
        listed = ", ".join(f"{width}x{height}" for height, width in sorted(sizes))
        raise FitError(f"the footage has pictures of {listed}; one scene is one camera, fit each size by itself")
    total = sum(_length(source) for source in sources)
    # Where the length is unknown the probe looks densely and thins out later.
    probe = ScaleProbe(sum(_length(source, unknown=0) for source in sources), sources[0].fps, settings.scale)
    done = 0
    for source in sources:
        for frame, fresh in _with_breaks(source.frames()):
            if frame.luma.shape == source.info.size_hw:
                probe.push(frame.luma, fresh=fresh)
            done += 1
            if done % 50 == 0:
                progress("measuring people", min(done / total, 1.0))
    progress("measuring people", 1.0)
    return probe.measure()


def _with_breaks(frames: Iterable[Frame]) -> Iterator[tuple[Frame, bool]]:
    """Each frame and whether nothing may be followed into it: the first, a new segment, a hard cut."""
    finder, segment = CutFinder(), None
    for frame in frames:
        cut = finder.is_cut(frame)
        yield frame, cut or frame.segment != segment
        segment = frame.segment


def _steps(frames: Iterable[Frame], scale: SceneScale, extractor: Extractor) -> Iterator[tuple[Frame, Tubes | None]]:
    """Every `gap`-th frame of each run without a break, with the tubes that end there."""
    place = 0
    for frame, fresh in _with_breaks(frames):
        if fresh:
            place = 0
            extractor.reset()
        if place % scale.gap == 0 and frame.luma.shape == scale.size_hw:
            yield frame, extractor.push(frame.luma)
        place += 1


def _gather(sources: Sequence[Source], scale: SceneScale, settings: Settings, progress: Progress) -> _Gathered:
    """Tubes from all the footage: a uniform sample to learn from, and blocks of steps kept apart for calibration."""
    rng = np.random.default_rng(settings.seed)
    extractor = Extractor(scale, settings)
    total = sum(_length(source) for source in sources)
    pool = _Reservoir(settings.encoder.max_tubes, rng)
    held = _HeldOut(total // scale.gap, settings.calibration.held_out)
    activity = _Activity(scale.size_hw, settings.tubes.spacing)
    frames = step = tubes_seen = 0
    for source in sources:
        for frame, tubes in _steps(source.frames(), scale, extractor):
            step += 1
            if step % 20 == 0:
                progress("following people", min(step * scale.gap / total, 1.0))
            if tubes is None:
                held.interrupt()
                continue
            tubes_seen += len(tubes)
            activity.add(tubes)
            if not held.take(step, tubes):
                pool.add(tubes, frame.luma)
        frames += source.report.frames_read
    progress("following people", 1.0)
    return _Gathered(*pool.drawn(), held.runs, activity.per_step(), frames, step, tubes_seen)


class _Activity:
    """How many tubes end in each cell of a grid over the picture.

    spacing: of tubes in person heights.  They stand in a lattice, which must not be seen in the counts: each is shared
    among the four cells around it, and the map is smoothed over about one spacing.
    """

    def __init__(self, size_hw: tuple[int, int], spacing: float) -> None:
        height, width = size_hw
        self._spacing = spacing
        self._cell_px = width / _ACTIVITY_COLUMNS
        self._counts = np.zeros((max(1, round(height / self._cell_px)), _ACTIVITY_COLUMNS))
        self._steps = self._tubes = 0
        self._people_px = 0.0

    def add(self, tubes: Tubes) -> None:
        """Count the tubes of one step."""
        self._steps += 1
        self._tubes += len(tubes)
        self._people_px += float(tubes.person_px.sum())
        rows, columns = self._counts.shape
        place = tubes.path_xy[:, 0] / self._cell_px - 0.5
        first = np.floor(place)
        for down, right in np.ndindex(2, 2):
            near = 1 - np.abs(place - first - (right, down))
            row = np.clip(first[:, 1] + down, 0, rows - 1).astype(np.int64)
            column = np.clip(first[:, 0] + right, 0, columns - 1).astype(np.int64)
            np.add.at(self._counts, (row, column), near.prod(axis=1))

    def per_step(self) -> npt.NDArray[np.float16]:
        """Mean number of tubes a step, float16 (rows, columns)."""
        spacing_px = self._spacing * self._people_px / max(self._tubes, 1)
        smooth = gaussian_filter(self._counts, 0.7 * spacing_px / self._cell_px, mode="reflect")
        return (smooth / max(self._steps, 1)).astype(np.float16)


class _HeldOut:
    """Blocks of steps kept apart, spread over the footage; footage that goes on longer than expected is thinned out.

    steps: expected.  share: of them to keep.
    """

    def __init__(self, steps: int, share: float) -> None:
        self._block = min(_HELD_BLOCK, max(2, round(steps * share / 2)))  # short footage: two blocks at least
        self._cycle = max(round(self._block / share), self._block + 1, self._block * steps // _MAX_HELD_STEPS)
        self._open = False
        self.runs: list[list[Tubes]] = []

    def interrupt(self) -> None:
        """What comes next does not continue what came before."""
        self._open = False

    def take(self, step: int, tubes: Tubes) -> bool:
        """Whether the tubes of this step are kept apart."""
        phase = step % self._cycle - (self._cycle - self._block)
        if phase < 0:
            self._open = False
            return False
        if phase == 0 or not self._open:
            if sum(map(len, self.runs)) > 2 * _MAX_HELD_STEPS:
                self.runs = self.runs[::2]
                self._cycle *= 2
            self.runs.append([])
            self._open = True
        self.runs[-1].append(tubes)
        return True


class _Reservoir:
    """A uniform sample of a stream of tubes (Vitter 1985, algorithm R), each with a small picture of its subject."""

    def __init__(self, size: int, rng: np.random.Generator) -> None:
        self._size = size
        self._rng = rng
        self._seen = 0
        self._features: list[Array] = []
        self._thumbnails: list[npt.NDArray[np.uint8]] = []

    def add(self, tubes: Tubes, luma: npt.NDArray[np.uint8]) -> None:
        """Offer the tubes that end in this picture."""
        for i in range(len(tubes)):
            self._seen += 1
            if len(self._features) < self._size:
                self._features.append(tubes.features[i].copy())  # a view would keep its whole step alive
                self._thumbnails.append(subject_of(luma, tubes, i))
                continue
            place = int(self._rng.integers(self._seen))
            if place < self._size:
                self._features[place] = tubes.features[i].copy()
                self._thumbnails[place] = subject_of(luma, tubes, i)

    def drawn(self) -> tuple[Array, npt.NDArray[np.uint8]]:
        """The sample: features (N, C, T, rows, columns) and thumbnails (N, h, w)."""
        if not self._features:
            return np.zeros((0, 1, 1, 1, 1), np.float32), np.zeros((0, *SUBJECT_HW), np.uint8)
        return np.stack(self._features), np.stack(self._thumbnails)


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
) -> tuple[Conv3dAutoEncoder, list[float]]:
    torch.manual_seed(settings.seed)
    encoder = Conv3dAutoEncoder.from_settings(settings.encoder, settings.tubes, features.shape[1])
    samples = torch.from_numpy((features - mean) / spread).to(device)
    if settings.encoder.code_norm == "batch" and len(samples) % settings.encoder.batch == 1:
        samples = samples[1:]  # a last batch of one has no variance to normalise by
    generator = torch.Generator().manual_seed(settings.seed + 1)
    losses: list[float] = []

    def jitter(batch: Tensor) -> Tensor:
        mirrored = torch.rand(len(batch), generator=generator).to(batch.device) < 0.5
        return torch.where(mirrored[:, None, None, None, None], batch.flip(-1), batch)

    def objective(model: AutoEncoder, batch: Tensor, _rows: Tensor) -> Tensor:
        return functional.mse_loss(model(batch).float(), encoder.target(batch))

    def on_epoch(epoch: int, loss: float) -> None:
        losses.append(loss)
        progress(f"learning, loss {loss:.4f}", epoch / settings.encoder.epochs)

    plan = TrainingPlan(
        settings.encoder.epochs,
        min(settings.encoder.batch, len(samples)),
        settings.encoder.learning_rate,
        decay="one-cycle",
        bf16=True,
    )
    fit_autoencoder(encoder, samples, plan, seed=settings.seed, objective=objective, jitter=jitter, on_epoch=on_epoch)
    return encoder, losses


def _cluster(scene: SceneModel, gathered: _Gathered, clusters: int, unlabelled: bool) -> None:
    """Centres, their shares and their most typical subjects."""
    chosen = scene.settings.normality
    own = dist.share_of(torch.from_numpy(gathered.features)).numpy()
    codes = dist.gathered(torch.from_numpy(scene.codes(own)).to(scene.device)).cpu().numpy()
    kmeans = UnitKMeans(clusters, max_iter=chosen.iterations, seed=scene.settings.seed).fit(codes)
    kept = keep_by_mass(kmeans.shares_, chosen.keep_mass) if unlabelled else kmeans.shares_ > 0
    scene.centres = kmeans.centres_[kept]
    scene.shares = (kmeans.shares_[kept] / kmeans.shares_[kept].sum()).astype(np.float32)
    closeness = codes @ scene.centres.T
    typical = closeness.argmax(axis=0)
    scene.thumbnails, scene.motions = gathered.thumbnails[typical], motion_of(gathered.features[typical])


def _add_normal(scene: SceneModel, spans: Sequence[tuple[Source, Span]], tubes_before: int) -> None:
    """Centres for what a person called normal.  Calibrated before: the threshold is that of the other footage."""
    features, pictures = [], []
    for source, span in spans:
        for frame, tubes in tubes_through(source.frames(), span, scene.scale, scene.settings):
            features.append(tubes.features)
            pictures += [subject_of(frame.luma, tubes, index) for index in range(len(tubes))]
    count = len(pictures)
    if count < _ALSO_NORMAL_TUBES:
        raise FitError(
            f"{count} moving patches in what was called normal, at least {_ALSO_NORMAL_TUBES} are needed; "
            "it is another camera's, or fit without --also-normal"
        )
    known = np.concatenate(features)
    codes = scene.codes(known)
    clusters = min(_ALSO_NORMAL_CENTRES, count // _ALSO_NORMAL_TUBES)
    chosen = scene.settings.normality
    kmeans = UnitKMeans(clusters, max_iter=chosen.iterations, seed=scene.settings.seed).fit(codes)
    closest = (codes @ kmeans.centres_.T).argmax(axis=0)
    weight = count / (count + tubes_before)
    scene.centres = np.concatenate([scene.centres, kmeans.centres_])
    shares = np.concatenate([scene.shares * (1 - weight), kmeans.shares_ * weight])
    scene.shares = (shares / shares.sum()).astype(np.float32)
    scene.thumbnails = np.concatenate([scene.thumbnails, np.stack(pictures)[closest]])
    assert scene.motions is not None
    scene.motions = np.concatenate([scene.motions, motion_of(known[closest])])
    scene.provenance["also_normal"] = {"spans": len(spans), "tubes": count, "centres": clusters}


def _calibrate(scene: SceneModel, gathered: _Gathered, unlabelled: bool) -> None:
    """Tail of the held-out steps' maps."""
    settings, scale = scene.settings, scene.scale
    voter = scene.voter()
    peaks, tube_scores = [], []
    for run in gathered.held:
        maps: list[Array] = []
        for tubes in run:
            score = scene.normality(tubes.features)
            tube_scores.append(score)
            maps.extend(step.raw for step in voter.push(tubes, score))
        maps.extend(step.raw for step in voter.finish())
        peaks.append(block_peaks(maps, settings.calibration.block_steps, settings.calibration.block_cells))
    if not peaks:
        raise FitError("no step was left to calibrate on; give longer footage, or raise calibration.held_out")
    hours = sum(len(run) for run in gathered.held) * scale.gap / scale.fps / 3600
    trusted = settings.calibration.trusted if unlabelled else 1.0
    scene.calibration = fit_tail(
        np.concatenate(peaks, dtype=np.float32), hours, tail=settings.calibration.tail, trusted=trusted
    )
    scene.tube_normality = np.percentile(np.concatenate(tube_scores), range(101)).astype(np.float32)
