"""Ablation of the crowd stream: its flow field of a second, coded and compared as tubes are, in place of statistics."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable

import cv2
import numpy as np
import numpy.typing as npt
import torch

from crowdad.config import Settings
from crowdad.records import Tubes
from crowdad.scene.encoders import encoder_kind
from crowdad.scene.encoders.fitting import TrainingPlan, encode_all, fit_autoencoder
from crowdad.scene.normality import UnitKMeans, normality
from crowdad.scene.streams import Step
from crowdad.tubes.scale import SceneScale

__all__ = ["CrowdCodes", "FieldExtractor"]

Array = npt.NDArray[np.float32]

_CHANNELS = 3
_FEWEST_TUBES = 3
_EPOCHS = 20


class FieldExtractor:
    """The crowd's flow field over successive steps, on a coarse grid over the picture.

    scale: of the footage.  cells: (rows, columns) of the grid.  tubes: how many count as 1 in the sums over the grid;
    None: those of the step, so that people are counted out.
    """

    def __init__(self, scale: SceneScale, steps: int, cells: tuple[int, int], tubes: float | None) -> None:
        self._scale = scale
        self._unit = scale.walk * scale.gap
        self._cells = cells
        self._tubes = tubes
        self._fields: deque[Array | None] = deque(maxlen=steps)

    def push(self, step: Step) -> Array | None:
        """float32 (3, T, rows, columns), newest step first: sums over tubes of the velocity to the right and down, in
        walking speeds, and of 1.  None where too little was seen."""
        self._fields.appendleft(None if step.tubes is None else self._field(step.tubes))
        known = [field for field in self._fields if field is not None]
        return np.stack(known, axis=1) if len(known) == self._fields.maxlen else None

    def _field(self, tubes: Tubes) -> Array | None:
        kept = tubes.alive.all(axis=1)
        if kept.sum() < _FEWEST_TUBES:
            return None
        place, person_px = tubes.path_xy[kept, 0], tubes.person_px[kept]
        moved = (place - tubes.path_xy[kept, -1]) / (tubes.path_xy.shape[1] - 1)
        velocity = moved / (self._unit * person_px)[:, None]
        velocity[:, 1] *= self._scale.foreshortening_at(place[:, 0], place[:, 1])
        height, width = self._scale.size_hw
        rows, columns = self._cells
        row = np.clip(place[:, 1] / height * rows, 0, rows - 1).astype(int)
        column = np.clip(place[:, 0] / width * columns, 0, columns - 1).astype(int)
        field = np.zeros((rows, columns, _CHANNELS), np.float32)
        np.add.at(field, (row, column), np.column_stack([velocity, np.ones(len(place))]).astype(np.float32))
        smooth = cv2.GaussianBlur(field / (self._tubes or len(place)), (0, 0), 0.7, borderType=cv2.BORDER_REFLECT)
        return np.asarray(smooth, np.float32).transpose(2, 0, 1)


class CrowdCodes:
    """Fields -> unit codes -> normality, the largest cosine to a centre.

    settings: the encoder's kind and code, and the length of a tube.  cells, tubes: as the extractor's.
    """

    def __init__(
        self, scale: SceneScale, settings: Settings, cells: tuple[int, int] = (6, 8), tubes: float | None = None
    ) -> None:
        self._scale = scale
        self._cells = cells
        self._tubes = tubes
        grid = settings.tubes.model_copy(update={"rows": cells[0], "columns": cells[1]})
        self._settings = settings.model_copy(update={"tubes": grid})

    def fit(self, steps: Iterable[Step], clusters: int = 32) -> CrowdCodes:
        """Learn from normal footage.  Returns self."""
        fields = np.stack([field for field in self._fields(steps) if field is not None])
        self._middle = fields.mean(axis=(0, 2), keepdims=True)
        self._spread = fields.std(axis=(0, 2, 3, 4), keepdims=True) + 1e-6
        encoder = self._settings.encoder
        torch.manual_seed(self._settings.seed)
        self._encoder = encoder_kind(encoder).make(encoder, self._settings.tubes, _CHANNELS)
        samples = self._standard(fields)
        plan = TrainingPlan(_EPOCHS, min(encoder.batch, len(samples)), encoder.learning_rate, decay="one-cycle")
        fit_autoencoder(self._encoder, samples, plan, seed=self._settings.seed + 1)
        kmeans = UnitKMeans(clusters, seed=self._settings.seed).fit(encode_all(self._encoder, samples))
        self.centres_ = kmeans.centres_
        return self

    def score(self, steps: Iterable[Step]) -> Array:
        """Normality of each step, float32 (N,), in [-1, 1], higher = normal; 1 where too little was seen."""
        fields = list(self._fields(steps))
        known = [number for number, field in enumerate(fields) if field is not None]
        found = np.ones(len(fields), np.float32)
        if known:
            samples = self._standard(np.stack([fields[number] for number in known]))  # type: ignore[misc]
            found[known] = normality(encode_all(self._encoder, samples), self.centres_)
        return found

    def _fields(self, steps: Iterable[Step]) -> Iterable[Array | None]:
        extractor = FieldExtractor(self._scale, self._settings.tubes.steps, self._cells, self._tubes)
        return [extractor.push(step) for step in steps]

    def _standard(self, fields: Array) -> torch.Tensor:
        return torch.from_numpy(((fields - self._middle) / self._spread).astype(np.float32))
