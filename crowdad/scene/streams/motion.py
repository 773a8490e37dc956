"""How fast and how steadily things move: tubes -> unit codes -> normality, the largest cosine to a centre."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cache
from typing import Any, ClassVar, Self

import numpy as np
import numpy.typing as npt

from crowdad.config import Settings
from crowdad.errors import ModelFormatError
from crowdad.records import Event, OpenEvent
from crowdad.scene.calibration import Calibration
from crowdad.scene.encoders import encoder_kind
from crowdad.scene.heatmap import Voter, voter_of
from crowdad.scene.streams._base import Runtime, Step, Stream, Told
from crowdad.scene.streams.motion_arrays import check_motion
from crowdad.scene.streams.pace import pace_of
from crowdad.tubes.scale import SceneScale

__all__ = ["BatchCounts", "Counts", "Motion", "MotionRun"]

Array = npt.NDArray[np.float32]

_CHUNK = 128  # tubes encoded at once; from 256 on each takes twice as long, as memory is asked for anew
_ARRAYS = ("centres", "shares", "mean", "spread", "tube_normality", "thumbnails")
_ENCODER = "encoder."
_MOVES, _FAST = 0.4, 1.4  # usual speeds: less may be no motion of the body, more is faster than people
_LEAST_USUAL = 0.3  # walking speeds: what moves less was hardly people


@dataclass(eq=False)
class Motion(Stream):
    """Normality of tubes by the centres of what is common.

    settings: what it was fitted with.  weights: the encoder's state, name -> array.
    centres: float32 (K, D), unit rows.  shares: float32 (K,), the share of tubes nearest to each centre.
    mean, spread: float32 (C, 1, rows, 1), standardisation of tube features.
    tube_normality: float32 (101,), percentiles of the normality of tubes that were held out.
    thumbnails: uint8 (K, h, w), the most typical subject of each centre.  motions: uint8 (K, T, rows, columns), how it
    moves, see `patches.motion_of`; None where that is not known.
    """

    settings: Settings
    weights: dict[str, npt.NDArray[Any]]
    centres: Array
    shares: Array
    mean: Array
    spread: Array
    tube_normality: Array
    thumbnails: npt.NDArray[np.uint8]
    motions: npt.NDArray[np.uint8] | None = None

    name: ClassVar[str] = "motion"
    calibrated: ClassVar[bool] = True
    kinds: ClassVar[tuple[str, ...]] = ("fast", "moves unusually")

    def __post_init__(self) -> None:
        self._encoder: Any = None
        self._device = "cpu"

    @property
    def device(self) -> str:
        """ "cpu" or "cuda": where torch scores."""
        return self._device

    def to(self, device: str) -> Self:
        """Score on "cpu" or "cuda" from now on; returns self."""
        self._device = device
        self._encoder = None
        return self

    def codes(self, features: Array) -> Array:
        """Unit codes float32 (N, D) of tube features float32 (N, C, T, rows, columns), by torch."""
        import torch

        if self._encoder is None:
            self._encoder = encoder_kind(self.settings.encoder).make(self.settings.encoder, self.settings.tubes)
            try:
                self._encoder.load_state_dict({name: torch.as_tensor(array) for name, array in self.weights.items()})
            except RuntimeError as error:
                raise ModelFormatError(
                    "the model's encoder does not fit its own settings; fit the scene again with: crowdad fit"
                ) from error
            self._encoder.eval().to(self._device)
        parts = []
        with torch.inference_mode():
            for start in range(0, max(len(features), 1), _CHUNK):
                chunk = torch.from_numpy((features[start : start + _CHUNK] - self.mean) / self.spread)
                # One shape for all: a kernel is prepared and kept for every shape that comes along.
                padded = torch.nn.functional.pad(chunk, (0, 0) * (chunk.ndim - 1) + (0, _CHUNK - len(chunk)))
                codes = self._encoder.encode(padded.to(self._device))[: len(chunk)].float()
                if self.settings.encoder.code_norm != "l2":  # normality is a cosine, whatever the code was learnt with
                    codes = torch.nn.functional.normalize(codes, dim=1)
                parts.append(codes.cpu().numpy())
        return np.concatenate(parts)

    def normality(self, features: Array) -> Array:
        """Normality of tubes: float32 (N,) in [-1, 1], higher = normal, from features (N, C, T, rows, columns)."""
        from crowdad.scene.normality import normality

        if not len(features):
            return np.zeros(0, np.float32)
        import torch

        # The next tubes are found meanwhile: two threads here would take turns with that, and spin while they wait.
        threads = torch.get_num_threads()
        torch.set_num_threads(1)
        try:
            with _blas().limit(limits=1, user_api="blas"):
                return normality(self.codes(features), self.centres)
        finally:
            torch.set_num_threads(threads)

    @classmethod
    def learner(cls, scale: SceneScale, settings: Settings) -> None:
        """None: `fit_scene` learns it from the tubes that it gathers."""

    def arrays(self) -> dict[str, npt.NDArray[Any]]:
        found = {f"{_ENCODER}{name}": array for name, array in self.weights.items()}
        found |= {name: getattr(self, name) for name in _ARRAYS}
        return found if self.motions is None else {**found, "motions": self.motions}

    @classmethod
    def restored(cls, arrays: Mapping[str, npt.NDArray[Any]], settings: Settings) -> Self:
        weights = {name.removeprefix(_ENCODER): array for name, array in arrays.items() if name.startswith(_ENCODER)}
        rest = {name: array for name, array in arrays.items() if not name.startswith(_ENCODER)}
        motion = cls(settings=settings, weights=weights, **rest)
        check_motion(motion)
        return motion

    def run(self, runtime: Runtime | None = None) -> MotionRun:
        """Ready to score.  runtime: what computes codes; None: torch."""
        return MotionRun(self, self if runtime is None else runtime)

    def voter(self, scale: SceneScale, settings: Settings, lag: int | None, beside: int) -> Voter:
        """What its tubes vote with, and those of other streams; see `heatmap.voter_of`."""
        return voter_of(scale, settings, lag, beside)

    def level(self, calibration: Calibration, settings: Settings) -> float:
        return calibration.threshold(settings.calibration.false_alarms_per_hour)

    def told(self, event: Event | OpenEvent, scale: SceneScale) -> Told:
        pace = pace_of(event, scale)
        usual = float(self.mean[0].mean())  # the typical velocity of what was learned from, in walking speeds
        times = 0.0 if pace is None else pace.times / (usual if usual > _LEAST_USUAL else 1.0)
        if pace is None or times < _MOVES:
            return Told("moves unusually", "moves in a way that people here usually do not")
        if times < _FAST:
            return Told("moves unusually", f"moves in a way that people here usually do not, {pace.towards}")
        return Told("fast", f"moves {times:.1f} times as fast as people here usually do, {pace.towards}")

    def without_pictures(self) -> Self:
        blank = np.zeros((len(self.centres), 1, 1), np.uint8)
        return replace(self, thumbnails=blank).to(self._device)


@dataclass(frozen=True)
class BatchCounts:
    """What the tubes of one batch add to a run's counts.

    number: of the frame of the batch's first step.  odd, scored: strange tubes, and all.  motion: sum of their mean
    motions, by channel.
    """

    number: int
    odd: int
    scored: int
    motion: tuple[float, ...]


@dataclass
class Counts:
    """Tubes so far: how many were strange, how many there were, and the sum of their mean motions, by channel."""

    odd: int
    scored: int
    motion: npt.NDArray[np.float64]

    def add(self, batch: BatchCounts) -> None:
        """Add what was counted in a batch."""
        self.odd += batch.odd
        self.scored += batch.scored
        self.motion += np.array(batch.motion)


class MotionRun:
    """Scores tubes.

    counts: how unlike the fitting footage its tubes were so far.  batches: where set to a list, collects what each
    batch adds to them.
    """

    def __init__(self, motion: Motion, runtime: Runtime) -> None:
        self._motion = motion
        self.runtime = runtime
        self.counts = Counts(0, 0, np.zeros(motion.mean.shape[0]))
        self.batches: list[BatchCounts] | None = None

    def normality(self, steps: Sequence[Step]) -> list[Array | None]:
        """Normality of the tubes of the next steps, encoded together: float32 (N,) in [-1, 1]; None without tubes."""
        full = [step.tubes for step in steps if step.tubes is not None]
        if not full:
            return [None] * len(steps)
        features = np.concatenate([tubes.features for tubes in full])
        scores = self.runtime.normality(features)
        if not np.isfinite(scores).all():  # which would read as nothing unusual
            raise ModelFormatError(
                "the model is damaged: some of its scores are not a number (NaN); fit the scene again with: crowdad fit"
            )
        lasting = features.sum(axis=0).mean(axis=(1, 3), keepdims=True)
        motion = ((lasting - len(features) * self._motion.mean) / self._motion.spread).mean(axis=(1, 2, 3))
        odd = int((scores < self._motion.tube_normality[5]).sum())
        batch = BatchCounts(steps[0].number, odd, len(scores), tuple(motion.tolist()))
        self.counts.add(batch)
        if self.batches is not None:
            self.batches.append(batch)
        parts = iter(np.split(scores, np.cumsum([len(tubes) for tubes in full])[:-1]))
        return [None if step.tubes is None else next(parts) for step in steps]


@cache
def _blas() -> Any:
    """The threads of the libraries that multiply NumPy's matrices, as they are now."""
    from threadpoolctl import ThreadpoolController

    return ThreadpoolController()
