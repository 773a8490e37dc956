"""The digit experiments: what an auto-encoder's code is worth for clustering and for finding an unknown digit.

Auto-encoders are those of `encoders/`, the score is `normality.py`'s, the accuracy is `metrics`'s.
Source of the protocols: Aytekin et al. 2018, arXiv:1802.00187, Tables I to IV.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass, replace
from typing import Any

import numpy as np
import numpy.typing as npt
import torch
from scipy.optimize import linear_sum_assignment
from sklearn.metrics import roc_auc_score
from sklearn.preprocessing import normalize
from torch import Tensor

from crowdad.evaluation.datasets.digits import Digits
from crowdad.evaluation.digits.conv2d import Conv2dAutoEncoder
from crowdad.evaluation.digits.dense import DenseAutoEncoder
from crowdad.evaluation.digits.settings import DigitSettings
from crowdad.evaluation.metrics import adjusted_rand_index, clustering_accuracy, normalised_mutual_information
from crowdad.evaluation.protocols import Metric
from crowdad.scene.encoders.autoencoder import AutoEncoder
from crowdad.scene.encoders.fitting import (
    Objective,
    TrainingPlan,
    encode_all,
    fit_autoencoder,
    reconstruction,
    reconstruction_errors,
)
from crowdad.scene.normality import UnitKMeans

__all__ = [
    "ANOMALY_NETWORKS",
    "CLUSTERING_METHODS",
    "ClusteringOutcome",
    "DigitRow",
    "Network",
    "anomaly_aucs",
    "anomaly_aucs_of_codes",
    "anomaly_split",
    "cluster_codes",
    "clustered_row",
    "confusion",
    "digit_metrics",
    "digit_tensor",
    "evaluate_clustering",
    "headline_rows",
    "mean_auc",
    "train_digits",
]

Pictures = npt.NDArray[np.uint8]
Labels = npt.NDArray[np.int64]
Progress = Callable[[str, int, int, float], None]
"""(what is trained, epoch from 1, epochs, mean loss)."""


@dataclass(frozen=True)
class Network:
    """An auto-encoder before it has weights.

    kind: "dense" or "conv".  code_norm: as in AutoEncoder.  code_dim: coordinates of the code.
    widths: of a dense one's hidden layers, outermost first.
    """

    kind: str
    code_norm: str
    code_dim: int = 10
    widths: tuple[int, ...] = (500, 500, 2000)

    def build(self, samples: Tensor, seed: int) -> AutoEncoder:
        """The auto-encoder for `samples`, from `digit_tensor` or (N, D), with weights drawn from `seed`."""
        torch.manual_seed(seed)
        if self.kind == "conv":
            return Conv2dAutoEncoder(samples.shape[-1], code_dim=self.code_dim, code_norm=self.code_norm)
        return DenseAutoEncoder(samples.shape[-1], code_dim=self.code_dim, widths=self.widths, code_norm=self.code_norm)


CLUSTERING_METHODS = {
    "ae": Network("dense", "none"),
    "ae-l2": Network("dense", "l2"),
    "cae": Network("conv", "none"),
    "cae-l2": Network("conv", "l2"),
    "cae-batchnorm": Network("conv", "batch"),
    "cae-layernorm": Network("conv", "layer"),
}
ANOMALY_NETWORKS = ("cae", "cae-l2")
"""Those of Table IV; each gives two rows, by reconstruction error and by clusters."""


@dataclass(frozen=True)
class DigitRow:
    """One finished measurement: a method on a data set with one seed.

    table: "clustering" (I, II), "normalisation" (III), "anomaly" (IV), "shared" (IV with one encoder for all digits),
        "duad" or "beyond".
    epochs: of each training.  seconds: of all that the row took, on `device`.  loss: the last epoch's mean.
    inertia: of k-means on the codes.  accuracy, nmi, ari: of the clusters against the classes.
    confusion: counts, [class][matched cluster].
    history: (epoch, loss, accuracy) along the way.
    auc: ROC AUC by digit ("0" to "9").  auc_mean: over all digits asked for, once all are there.
    contamination: share of anomalies in the training data.
    purity: by digit, the share of normal samples in the kept set, round by round.
    """

    table: str
    dataset: str
    method: str
    seed: int
    epochs: int
    seconds: float
    device: str
    loss: float | None = None
    inertia: float | None = None
    accuracy: float | None = None
    nmi: float | None = None
    ari: float | None = None
    confusion: tuple[tuple[int, ...], ...] | None = None
    history: tuple[tuple[int, float, float], ...] | None = None
    auc: dict[str, float] | None = None
    auc_mean: float | None = None
    contamination: float | None = None
    purity: dict[str, tuple[float, ...]] | None = None

    def as_json(self) -> dict[str, Any]:
        """The fields that are set, ready for json."""
        return {name: value for name, value in asdict(self).items() if value is not None}


@dataclass(frozen=True, eq=False)
class ClusteringOutcome:
    """Rows of one training, with the codes and clusters behind the first row.

    codes: float32 (N, D).  clusters: int64 (N,).
    """

    rows: tuple[DigitRow, ...]
    codes: npt.NDArray[np.float32]
    clusters: Labels


def digit_tensor(pictures: Pictures, kind: str, device: str = "cpu") -> Tensor:
    """Pictures as float32 in [0, 1] on `device`.

    pictures: uint8 (N, side, side).  Returns (N, 1, side, side) for "conv", (N, side * side) for "dense".
    """
    scaled = torch.from_numpy(pictures).to(device).float() / 255.0
    return scaled.unsqueeze(1) if kind == "conv" else scaled.flatten(1)


def train_digits(
    model: AutoEncoder,
    samples: Tensor,
    settings: DigitSettings,
    *,
    epochs: int,
    seed: int,
    batch_size: int | None = None,
    objective: Objective = reconstruction,
    on_epoch: Callable[[int, float], None] | None = None,
) -> float:
    """Train `model` the way the settings say; returns its last mean loss.

    samples: float (N, ...), the model's input.  batch_size: the settings' where not given.
    on_epoch: called with the epoch (from 1) and its loss.
    """
    learning = settings.learning
    plan = TrainingPlan(
        epochs, batch_size or learning.batch_size, learning.learning_rate, learning.decay, bf16=learning.bf16
    )
    return fit_autoencoder(model, samples, plan, seed=seed, objective=objective, on_epoch=on_epoch)


def cluster_codes(codes: npt.NDArray[np.float32], settings: DigitSettings, seed: int) -> UnitKMeans:
    """k-means over codes as they are (they need not have length 1), with the clustering table's k and restarts."""
    wanted = settings.clustering
    return UnitKMeans(wanted.clusters, n_init=wanted.restarts, max_iter=300, seed=seed).fit(codes)


def confusion(classes: Labels, clusters: Labels) -> tuple[tuple[int, ...], ...]:
    """Counts [class][matched cluster] under the map of clusters to classes that `clustering_accuracy` uses."""
    size = int(max(classes.max(), clusters.max())) + 1
    counts = np.zeros((size, size), np.int64)
    np.add.at(counts, (classes, clusters), 1)
    _, matched = linear_sum_assignment(-counts)
    return tuple(tuple(int(count) for count in row) for row in counts[:, matched])


def clustered_row(
    row: DigitRow, codes: npt.NDArray[np.float32], classes: Labels, settings: DigitSettings
) -> tuple[DigitRow, Labels]:
    """`row` with all that k-means on `codes` says, and the clusters.

    codes: float32 (N, D).  classes: int64 (N,).  Returns the row and int64 (N,).
    """
    kmeans = cluster_codes(codes, settings, row.seed)
    clusters = kmeans.labels_.astype(np.int64)
    measured = replace(
        row,
        inertia=kmeans.inertia_,
        accuracy=clustering_accuracy(classes, clusters),
        nmi=normalised_mutual_information(classes, clusters),
        ari=adjusted_rand_index(classes, clusters),
        confusion=confusion(classes, clusters),
    )
    return measured, clusters


def evaluate_clustering(
    digits: Digits, method: str, settings: DigitSettings, *, seed: int, device: str, progress: Progress | None = None
) -> ClusteringOutcome:
    """Train on all pictures, cluster the codes, compare with the classes (Tables I to III).

    method: a key of CLUSTERING_METHODS.  A plain "cae" gives a second row, "cae-l2-after": the same codes, brought to
    length 1 only after training.
    """
    network = CLUSTERING_METHODS[method]
    wanted = settings.clustering
    epochs = wanted.conv_epochs if network.kind == "conv" else wanted.dense_epochs
    pictures = digit_tensor(digits.pictures, network.kind, device)
    looks = {round(epochs * (look + 1) / wanted.looks) for look in range(wanted.looks - 1)}
    history: list[tuple[int, float, float]] = []
    looking_s = 0.0

    model = network.build(pictures, seed)

    def on_epoch(epoch: int, loss: float) -> None:
        nonlocal looking_s
        if progress:
            progress(f"{digits.name} {method} seed {seed}", epoch, epochs, loss)
        if epoch in looks:
            began = time.perf_counter()
            clusters = cluster_codes(encode_all(model, pictures), settings, seed).labels_
            history.append((epoch, loss, clustering_accuracy(digits.classes, clusters)))
            looking_s += time.perf_counter() - began

    began = time.perf_counter()
    loss = train_digits(model, pictures, settings, epochs=epochs, seed=seed, on_epoch=on_epoch)
    seconds = round(time.perf_counter() - began - looking_s, 2)
    table = "normalisation" if network.code_norm in ("batch", "layer") else "clustering"
    blank = DigitRow(table, digits.name, method, seed, epochs, seconds, device, loss=loss)
    codes = encode_all(model, pictures)
    row, clusters = clustered_row(blank, codes, digits.classes, settings)
    assert row.accuracy is not None
    rows = [replace(row, history=(*history, (epochs, loss, row.accuracy)))]
    if method == "cae":
        after = replace(blank, table="normalisation", method="cae-l2-after")
        rows.append(clustered_row(after, normalize(codes), digits.classes, settings)[0])
    return ClusteringOutcome(tuple(rows), codes, clusters)


def anomaly_split(digits: Digits, digit: int, contamination: float, seed: int) -> npt.NDArray[np.int64]:
    """Rows of the training split to learn from: the nine other digits, and as many of `digit` as `contamination` says.

    contamination: share in [0, 1) of the rows returned that are the anomalous digit, as far as there are enough.
    Returns int64 (M,), ascending.
    """
    if not 0 <= contamination < 1:
        raise ValueError(f"contamination is {contamination}; a share in [0, 1) is needed")
    classes = digits.classes[: digits.train_count]
    normal, anomalous = np.flatnonzero(classes != digit), np.flatnonzero(classes == digit)
    count = min(len(anomalous), round(len(normal) * contamination / (1 - contamination)))
    chosen = np.random.default_rng([seed, digit]).permutation(anomalous)[:count]
    return np.sort(np.concatenate([normal, chosen]))


def anomaly_aucs(
    digits: Digits,
    digit: int,
    network: str,
    settings: DigitSettings,
    *,
    seed: int,
    contamination: float,
    device: str,
    progress: Progress | None = None,
) -> dict[str, float]:
    """ROC AUC at telling `digit` from the nine others, by clusters and by reconstruction (Table IV).

    network: of ANOMALY_NETWORKS.  It and k-means learn without labels from `anomaly_split`; the test split is scored.
    Returns "<network>-clusters": of minus the normality, the largest cosine of the unit code to a unit centre;
    "<network>-reconstruction": of the mean squared error.
    """
    pictures = digit_tensor(digits.pictures, "conv", device)
    learned = pictures[torch.from_numpy(anomaly_split(digits, digit, contamination, seed)).to(device)]
    scored = pictures[digits.train_count :]
    anomalous = digits.classes[digits.train_count :] == digit
    wanted = settings.anomaly
    epochs = wanted.epochs_at(contamination)

    def on_epoch(epoch: int, loss: float) -> None:
        if progress:
            label = f"{digits.name} {network} seed {seed} digit {digit} at {contamination:.0%}"
            progress(label, epoch, epochs, loss)

    model = CLUSTERING_METHODS[network].build(learned, seed)
    train_digits(model, learned, settings, epochs=epochs, seed=seed, on_epoch=on_epoch)
    kmeans = UnitKMeans(wanted.clusters, n_init=wanted.restarts, max_iter=300, seed=seed)
    kmeans.fit(encode_all(model, learned))
    normality = kmeans.score(normalize(encode_all(model, scored)))
    return {
        f"{network}-reconstruction": float(roc_auc_score(anomalous, reconstruction_errors(model, scored))),
        f"{network}-clusters": float(roc_auc_score(anomalous, -normality)),
    }


def anomaly_aucs_of_codes(
    digits: Digits, codes: npt.NDArray[np.float32], settings: DigitSettings, *, seed: int
) -> dict[str, float]:
    """ROC AUC of the clusters at telling each digit from the nine others, where one encoder has seen all ten.

    codes: float32 (N, D) of all pictures.  Only k-means learns anew for each digit: the codes of the nine others in the
    training split.  The test split is scored.  Returns the AUC by digit.
    """
    split, classes = digits.train_count, digits.classes
    aucs = {}
    for digit in settings.anomaly.digits:
        kmeans = UnitKMeans(settings.anomaly.clusters, n_init=settings.anomaly.restarts, max_iter=300, seed=seed)
        kmeans.fit(codes[:split][classes[:split] != digit])
        normality = kmeans.score(normalize(codes[split:]))
        aucs[str(digit)] = float(roc_auc_score(classes[split:] == digit, -normality))
    return aucs


def mean_auc(auc: dict[str, float], digits: Sequence[int | str]) -> float | None:
    """Mean over `digits` (or other names of classes), or None while one is missing."""
    if any(str(digit) not in auc for digit in digits):
        return None
    return float(np.mean([auc[str(digit)] for digit in digits]))


def headline_rows(
    digits: Digits,
    settings: DigitSettings,
    *,
    seeds: Sequence[int],
    device: str,
    on_row: Callable[[DigitRow], None],
    progress: Progress | None = None,
) -> None:
    """What `crowdad benchmark mnist|usps` measures: CAE and CAE-l2, clustering and (on clean data) anomaly AUC.

    on_row: called with each finished row.
    """
    for seed in seeds:
        for method in ("cae", "cae-l2"):
            on_row(evaluate_clustering(digits, method, settings, seed=seed, device=device, progress=progress).rows[0])
        for network in ANOMALY_NETWORKS:
            began = time.perf_counter()
            by_method: dict[str, dict[str, float]] = {}
            for digit in settings.anomaly.digits:
                found = anomaly_aucs(
                    digits, digit, network, settings, seed=seed, contamination=0.0, device=device, progress=progress
                )
                for method, auc in found.items():
                    by_method.setdefault(method, {})[str(digit)] = auc
            seconds = round(time.perf_counter() - began, 2)
            for method, aucs in by_method.items():
                mean = mean_auc(aucs, settings.anomaly.digits)
                epochs = settings.anomaly.epochs
                on_row(
                    DigitRow(
                        "anomaly",
                        digits.name,
                        method,
                        seed,
                        epochs,
                        seconds,
                        device,
                        auc=aucs,
                        auc_mean=mean,
                        contamination=0.0,
                    )
                )


def digit_metrics(rows: Sequence[DigitRow]) -> tuple[Metric, ...]:
    """Accuracy of the clustering rows, mean AUC of the anomaly rows: one metric a method, over its seeds."""
    values: dict[tuple[str, str], list[float]] = {}
    for row in rows:
        if row.accuracy is not None:
            values.setdefault((f"{row.method}, accuracy", "k-means, best one-to-one map"), []).append(row.accuracy)
        if row.auc_mean is not None:
            values.setdefault((f"{row.method}, mean AUC", "each digit in turn the anomaly"), []).append(row.auc_mean)
    return tuple(Metric(name, protocol, tuple(seeds)) for (name, protocol), seeds in values.items())
