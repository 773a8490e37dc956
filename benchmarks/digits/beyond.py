"""Past the paper: the same encoder and unit code, taught by augmented pictures and by its own clusters.

Ours, not the paper's.  Nothing here sees a label: pictures are turned and shifted a little, first while they are
reconstructed, then while each is pulled to the centre that its unturned self lies nearest to (as in ConvDEC-DA and
ASPC-DA, which use free codes; here the pull is a softmax over cosines on the unit sphere).
"""

from __future__ import annotations

import math
from collections.abc import Callable

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor
from torch.nn import functional

from crowdad.evaluation.digits.experiments import CLUSTERING_METHODS, cluster_codes, train_digits
from crowdad.evaluation.digits.settings import BeyondSettings, DigitSettings
from crowdad.scene.encoders.autoencoder import AutoEncoder
from crowdad.scene.encoders.fitting import encode_all

__all__ = ["BEYOND_METHODS", "SelfLabels", "augment", "train_augmented", "train_clustered"]

BEYOND_METHODS = ("cae-l2-augmented", "cae-l2-augmented-clustered")


def augment(pictures: Tensor, wanted: BeyondSettings) -> Tensor:
    """Each picture turned and shifted at random: float (N, 1, side, side) -> the same shape, 0 where nothing was."""
    count, device = len(pictures), pictures.device
    turn = (2 * torch.rand(count, device=device) - 1) * math.radians(wanted.rotation_deg)
    # affine_grid spans the side with [-1, 1], so a shift by the whole side is 2.
    move = (2 * torch.rand(count, 2, device=device) - 1) * 2 * wanted.shift
    cosine, sine = turn.cos(), turn.sin()
    rows = torch.stack([cosine, -sine, move[:, 0], sine, cosine, move[:, 1]], dim=1).view(count, 2, 3)
    grid = functional.affine_grid(rows, list(pictures.shape), align_corners=False)
    return functional.grid_sample(pictures, grid, align_corners=False)


def train_augmented(
    pictures: Tensor, settings: DigitSettings, *, seed: int, on_epoch: Callable[[int, float], None] | None = None
) -> tuple[AutoEncoder, float]:
    """The unit-code auto-encoder, reconstructing augmented pictures, and its last mean loss."""

    def objective(model: AutoEncoder, batch: Tensor, _rows: Tensor) -> Tensor:
        turned = augment(batch, settings.beyond)
        return functional.mse_loss(model(turned).float(), turned)

    model = CLUSTERING_METHODS["cae-l2"].build(pictures, seed)
    epochs = settings.beyond.epochs_augmented
    loss = train_digits(model, pictures, settings, epochs=epochs, seed=seed, objective=objective, on_epoch=on_epoch)
    return model, loss


class SelfLabels:
    """Each picture's cluster, as its own code says it, and who is sure enough to be believed.

    Made by k-means on the codes; `refresh` moves centres and labels to where the codes have gone.
    centres: float32 (K, D) rows of length 1.  labels: int64 (N,).  sure: bool (N,).
    """

    def __init__(self, codes: npt.NDArray[np.float32], settings: DigitSettings, seed: int) -> None:
        self.wanted = settings.beyond
        self.centres = cluster_codes(codes, settings, seed).centres_
        self.refresh(codes, done=0.0)

    def refresh(self, codes: npt.NDArray[np.float32], done: float) -> None:
        """Take the labels from where the codes are now.

        done: share of the training behind us; the share believed grows with it to 1.  It is counted within each
        cluster, so that a loose cluster isn't left without teachers.
        """
        cosines = codes @ self.centres.T
        self.labels = cosines.argmax(axis=1)
        best = np.partition(cosines, -2, axis=1)
        margin = best[:, -1] - best[:, -2]
        share = self.wanted.confident + (1 - self.wanted.confident) * done
        self.sure = np.zeros(len(codes), dtype=bool)
        centres = self.centres.copy()
        for cluster in range(len(centres)):
            members = np.flatnonzero(self.labels == cluster)
            if len(members) == 0:
                continue
            surest = members[np.argsort(-margin[members], kind="stable")[: math.ceil(share * len(members))]]
            self.sure[surest] = True
            middle = codes[surest].mean(axis=0)
            centres[cluster] = middle / max(float(np.linalg.norm(middle)), 1e-12)
        self.centres = centres


def train_clustered(
    model: AutoEncoder,
    pictures: Tensor,
    settings: DigitSettings,
    *,
    seed: int,
    on_epoch: Callable[[int, float], None] | None = None,
) -> float:
    """Pull augmented pictures to the centre of their unturned selves, while they are still reconstructed.

    Changes `model`; returns its last mean loss.
    """
    wanted = settings.beyond
    labels = SelfLabels(encode_all(model, pictures), settings, seed)
    device = pictures.device
    now: dict[str, Tensor] = {}

    def publish() -> None:
        now["centres"] = torch.from_numpy(labels.centres).to(device)
        now["labels"] = torch.from_numpy(labels.labels).to(device)
        now["sure"] = torch.from_numpy(labels.sure).to(device)

    def objective(model: AutoEncoder, batch: Tensor, rows: Tensor) -> Tensor:
        turned = augment(batch, wanted)
        code = model.encode(turned)
        rebuilt = functional.mse_loss(model.decode(code).float(), turned)
        pull = functional.cross_entropy(
            code @ now["centres"].T / wanted.temperature, now["labels"][rows], reduction="none"
        )
        sure = now["sure"][rows].float()
        return rebuilt + (pull * sure).sum() / sure.sum().clamp(min=1)

    def after(epoch: int, loss: float) -> None:
        labels.refresh(encode_all(model, pictures), done=epoch / wanted.epochs_clustered)
        publish()
        if on_epoch:
            on_epoch(epoch, loss)

    publish()
    epochs = wanted.epochs_clustered
    return train_digits(model, pictures, settings, epochs=epochs, seed=seed, objective=objective, on_epoch=after)
