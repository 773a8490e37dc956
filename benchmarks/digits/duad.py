"""DUAD against the same auto-encoder without selection, and against the unit code, on the very same samples."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import torch
from sklearn import datasets as shipped
from sklearn.metrics import roc_auc_score
from sklearn.preprocessing import minmax_scale, normalize
from torch import Tensor
from torch.nn import functional

from crowdad.evaluation.datasets.digits import Digits
from crowdad.evaluation.digits.experiments import Network, digit_tensor, train_digits
from crowdad.evaluation.digits.purification import distribution_clusters, mixture_clusters, purify
from crowdad.evaluation.digits.settings import DigitSettings
from crowdad.scene.encoders.autoencoder import AutoEncoder
from crowdad.scene.encoders.fitting import encode_all, reconstruction_errors
from crowdad.scene.normality import UnitKMeans

__all__ = ["DUAD_METHODS", "TABULAR", "DuadOutcome", "Task", "digit_task", "duad_epochs", "run_duad", "tabular_task"]

DUAD_METHODS = ("duad", "duad-mixture", "ae-reconstruction", "ae-l2-clusters")
TABULAR = {
    "breast_cancer": shipped.load_breast_cancer,
    "wine": shipped.load_wine,
    "digits": shipped.load_digits,
}

Mask = npt.NDArray[np.bool_]


@dataclass(frozen=True, eq=False)
class Task:
    """Unlabelled samples to learn from, and labelled ones to be scored.

    learned: float32 (N, ...), with anomalies among them.  normal: bool (N,), for measuring purity only.
    scored: float32 (M, ...).  anomalous: bool (M,).  network: without a code norm; the unit code takes its twin.
    """

    name: str
    learned: Tensor
    normal: Mask
    scored: Tensor
    anomalous: Mask
    network: Network


@dataclass(frozen=True)
class DuadOutcome:
    """auc: ROC AUC on the scored samples.  purity: normal share of the kept set, round by round."""

    auc: float
    seconds: float
    purity: tuple[float, ...] | None = None


def contaminated_rows(
    normal: npt.NDArray[np.int64], anomalous: npt.NDArray[np.int64], contamination: float, max_samples: int, seed: int
) -> npt.NDArray[np.int64]:
    """At most `max_samples` normal rows with as many anomalous ones as make up `contamination` of the whole.

    Normal rows are thinned out where there are too few anomalous ones.  Returns int64 (N,), ascending.
    """
    rng = np.random.default_rng(seed)
    most = round(len(anomalous) * (1 - contamination) / contamination)
    kept = rng.permutation(normal)[: min(max_samples, most)]
    count = round(len(kept) * contamination / (1 - contamination))
    return np.sort(np.concatenate([kept, rng.permutation(anomalous)[:count]]))


def digit_task(
    digits: Digits, digit: int, contamination: float, settings: DigitSettings, seed: int, device: str
) -> Task:
    """`digit` is normal, the nine others are anomalies; learn from the training split, score the test split."""
    train = digits.classes[: digits.train_count]
    rows = contaminated_rows(
        np.flatnonzero(train == digit),
        np.flatnonzero(train != digit),
        contamination,
        settings.duad.max_samples,
        # The same digits for every method; other ones for every seed and class.
        seed * 10 + digit,
    )
    pictures = digit_tensor(digits.pictures, "conv", device)
    return Task(
        f"{digits.name} digit {digit} at {contamination:.0%}",
        pictures[torch.from_numpy(rows).to(device)],
        train[rows] == digit,
        pictures[digits.train_count :],
        digits.classes[digits.train_count :] != digit,
        Network("conv", "none"),
    )


def tabular_task(name: str, cls: int, contamination: float, settings: DigitSettings, seed: int, device: str) -> Task:
    """One class of a table that scikit-learn ships is normal; the samples learned from are scored themselves.

    Values are scaled to [0, 1] column by column, over the samples learned from.
    """
    table = TABULAR[name]()
    rows = contaminated_rows(
        np.flatnonzero(table.target == cls),
        np.flatnonzero(table.target != cls),
        contamination,
        settings.duad.max_samples,
        seed * 10 + cls,
    )
    values = torch.from_numpy(minmax_scale(table.data[rows]).astype(np.float32)).to(device)
    normal = table.target[rows] == cls
    width = values.shape[1]
    network = Network("dense", "none", code_dim=max(2, width // 5), widths=(4 * width, 2 * width))
    return Task(f"{name} class {cls} at {contamination:.0%}", values, normal, values, ~normal, network)


def duad_epochs(settings: DigitSettings) -> int:
    """Passes that every method here gets, selected samples or all."""
    return settings.duad.epochs_per_round * settings.duad.max_rounds


def run_duad(
    task: Task, method: str, settings: DigitSettings, *, seed: int, on_epoch: Callable[[int, float], None] | None = None
) -> DuadOutcome:
    """Train one of DUAD_METHODS on the task without labels, and score it."""
    began = time.perf_counter()
    purity: tuple[float, ...] | None = None
    if method == "ae-l2-clusters":
        network = Network(task.network.kind, "l2", task.network.code_dim, task.network.widths)
        model = network.build(task.learned, seed)
        _learn(model, task.learned, settings, duad_epochs(settings), seed, on_epoch)
        kmeans = UnitKMeans(settings.clustering.clusters, n_init=settings.clustering.restarts, max_iter=300, seed=seed)
        kmeans.fit(encode_all(model, task.learned))
        anomaly = -kmeans.score(normalize(encode_all(model, task.scored)))
    else:
        model = task.network.build(task.learned, seed)
        if method == "ae-reconstruction":
            _learn(model, task.learned, settings, duad_epochs(settings), seed, on_epoch)
        else:
            purity = _alternate(model, task, method, settings, seed, on_epoch)
        anomaly = reconstruction_errors(model, task.scored)
    auc = float(roc_auc_score(task.anomalous, anomaly))
    return DuadOutcome(auc, round(time.perf_counter() - began, 2), purity)


def _learn(
    model: AutoEncoder,
    samples: Tensor,
    settings: DigitSettings,
    epochs: int,
    seed: int,
    on_epoch: Callable[[int, float], None] | None,
) -> None:
    train_digits(
        model, samples, settings, epochs=epochs, seed=seed, batch_size=settings.duad.batch_size, on_epoch=on_epoch
    )


def _alternate(
    model: AutoEncoder,
    task: Task,
    method: str,
    settings: DigitSettings,
    seed: int,
    on_epoch: Callable[[int, float], None] | None,
) -> tuple[float, ...]:
    """DUAD's rounds; the passes left over when the selection has settled are spent on the last one."""
    wanted = settings.duad
    spent = 0

    def learn(kept: Mask, epochs: int = wanted.epochs_per_round) -> npt.NDArray[np.floating]:
        nonlocal spent
        selected = task.learned[torch.from_numpy(kept).to(task.learned.device)]
        before = spent
        called = (lambda epoch, loss: on_epoch(before + epoch, loss)) if on_epoch else None
        _learn(model, selected, settings, epochs, seed + spent, called)
        spent += epochs
        return _latent(model, task.learned)

    def cluster(features: npt.NDArray[np.floating]) -> npt.NDArray[np.int64]:
        if method == "duad-mixture":
            return mixture_clusters(features, n_clusters=min(wanted.clusters, len(features)), seed=seed)
        return distribution_clusters(features, threshold=wanted.threshold)

    found = purify(
        task.learned.flatten(1).cpu().numpy(),
        learn,
        cluster=cluster,
        first_drop_percent=wanted.first_drop_percent,
        drop_percent=wanted.drop_percent,
        max_rounds=wanted.max_rounds,
    )
    if spent < duad_epochs(settings):
        learn(found.kept, duad_epochs(settings) - spent)
    return tuple(float(task.normal[kept].mean()) for kept in found.rounds)


def _latent(model: AutoEncoder, samples: Tensor) -> npt.NDArray[np.floating]:
    """[z, cosine(x, x')] of every sample: float32 (N, code_width + 1)."""
    model.eval()
    with torch.inference_mode():
        rebuilt = model(samples).float()
        cosine = functional.cosine_similarity(samples.flatten(1), rebuilt.flatten(1), dim=1)
    return np.concatenate([encode_all(model, samples), cosine.cpu().numpy()[:, None]], axis=1)
