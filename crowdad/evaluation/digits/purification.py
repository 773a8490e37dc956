"""A normal subset out of unlabelled samples: by cluster size, by cluster variance, and DUAD's alternation of the two.

DUAD (Li et al. 2021, WACV) guesses a normal subset by clustering, lets an auto-encoder learn it, clusters again in what
was learned, and repeats.  What is learned in between is handed in as a function, so nothing here needs a network.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
from sklearn.mixture import GaussianMixture
from sklearn.neighbors import NearestNeighbors

from crowdad.errors import FitError

__all__ = [
    "Purification",
    "cluster_variances",
    "distribution_clusters",
    "keep_tight",
    "mixture_clusters",
    "purify",
]

Features = npt.NDArray[np.floating]
Labels = npt.NDArray[np.int64]
Mask = npt.NDArray[np.bool_]


def distribution_clusters(features: Features, *, threshold: float = 0.07, min_size: int = 5) -> Labels:
    """Groups of samples that see the rest of the data alike; the rest are outliers.

    Two samples are alike where their squared distances to everything else are: a(i, j) = mean over k of
    (d(i, k) - d(j, k))^2 on unit-normalised features.  For those, a(i, j) = 4 (x_i - x_j)^T M (x_i - x_j) with M the
    mean of x x^T, so a ball under `a` is a Euclidean ball after x -> 2 M^(1/2) x, and no (N, N) array is made.
    Balls are taken around the densest unassigned sample first, which makes the result independent of the order.

    features: (N, D), any scale.  threshold: largest a(i, j) to a group's first sample.  min_size: of a group.
    Returns int64 (N,): group 0, 1, ... (densest first), -1 for outliers.
    Source: Lin et al. 2018, arXiv:1804.02624.
    """
    points = _second_order_points(_checked(features))
    count = len(points)
    if count < min_size:
        return np.full(count, -1, dtype=np.int64)
    nearest = NearestNeighbors(n_neighbors=min_size).fit(points)
    spread = nearest.kneighbors(points)[0][:, -1]
    labels = np.full(count, -1, dtype=np.int64)
    free = np.ones(count, dtype=bool)
    found = 0
    for index in np.argsort(spread, kind="stable"):
        if spread[index] ** 2 > threshold:
            break  # fewer than min_size samples lie within reach of this one, and of every later one
        if not free[index]:
            continue
        near = np.einsum("nd,nd->n", points - points[index], points - points[index]) <= threshold
        members = near & free
        if members.sum() >= min_size:
            labels[members] = found
            free &= ~members
            found += 1
    return labels


def _second_order_points(features: Features) -> npt.NDArray[np.float64]:
    unit = features / np.maximum(np.linalg.norm(features, axis=1, keepdims=True), 1e-12)
    values, vectors = np.linalg.eigh(unit.T @ unit / len(unit))
    return 2.0 * (unit @ vectors) * np.sqrt(np.clip(values, 0.0, None))


def mixture_clusters(features: Features, *, n_clusters: int = 20, seed: int = 0) -> Labels:
    """Clusters of a Gaussian mixture with diagonal covariances: the stand-in for distribution clustering in rebuilds.

    features: (N, D).  n_clusters: at most N.  Returns int64 (N,) in 0..n_clusters-1.
    """
    features = _checked(features)
    if len(features) < n_clusters:
        raise FitError(f"{len(features)} samples, a mixture of {n_clusters} needs at least as many; lower n_clusters")
    # A coordinate without any spread (a picture's corner) would make the likelihood unbounded.
    floor = 1e-3 * float(features.var(axis=0).mean()) + 1e-9
    mixture = GaussianMixture(n_clusters, covariance_type="diag", reg_covar=floor, max_iter=200, random_state=seed)
    return mixture.fit_predict(features).astype(np.int64)


def cluster_variances(features: Features, labels: Labels) -> npt.NDArray[np.float64]:
    """Mean squared distance of each cluster's members to their mean: float64 (K,), nan for an empty cluster.

    features: (N, D).  labels: int (N,), -1 = in no cluster.
    """
    n_clusters = int(labels.max(initial=-1)) + 1
    variances = np.full(n_clusters, np.nan)
    for cluster in range(n_clusters):
        members = features[labels == cluster]
        if len(members):
            variances[cluster] = float(np.mean(np.sum((members - members.mean(axis=0)) ** 2, axis=1)))
    return variances


def keep_tight(features: Features, labels: Labels, *, drop_percent: float) -> Mask:
    """Samples of the clusters whose variance is at most the (100 - drop_percent)th percentile of all variances.

    features: (N, D).  labels: int (N,), -1 = in no cluster, never kept.  drop_percent: in [0, 100).
    Returns bool (N,).  Raises FitError where there is no cluster at all.
    """
    if not 0 <= drop_percent < 100:
        raise ValueError(f"drop_percent is {drop_percent}; a share of the clusters in [0, 100) is needed")
    variances = cluster_variances(features, labels)
    if not np.isfinite(variances).any():
        raise FitError(f"{len(labels)} samples form no cluster; raise the threshold or lower the smallest group")
    kept = variances <= np.nanpercentile(variances, 100.0 - drop_percent)
    return (labels >= 0) & kept[labels]


@dataclass(frozen=True, eq=False)
class Purification:
    """What `purify` found.

    kept: bool (N,), the last selection.  rounds: the selection of every round, the first from the raw features.
    settled: True where the last round changed nothing, False where the rounds ran out.
    """

    kept: Mask
    rounds: tuple[Mask, ...]
    settled: bool


def purify(
    features: Features,
    learn: Callable[[Mask], Features],
    *,
    cluster: Callable[[Features], Labels] = mixture_clusters,
    first_drop_percent: float = 35.0,
    drop_percent: float = 30.0,
    max_rounds: int = 10,
) -> Purification:
    """Alternate selection and learning until the selection stands still.

    features: (N, D), what the first selection clusters.
    learn: gets a selection, bool (N,), trains on it, and returns features (N, D') of all N samples as it now sees them.
    cluster: features -> labels, int64 (N,), -1 = in no cluster.
    first_drop_percent, drop_percent: share of the clusters, the widest, left out of the first and of later selections.
    max_rounds: of learning, at least 1.
    Raises FitError where a round finds no cluster.  Source: Li et al. 2021 (WACV).
    """
    if max_rounds < 1:
        raise ValueError(f"max_rounds is {max_rounds}; at least 1 is needed")
    features = _checked(features)
    rounds = [keep_tight(features, cluster(features), drop_percent=first_drop_percent)]
    for _ in range(max_rounds):
        learned = _checked(learn(rounds[-1]))
        selection = keep_tight(learned, cluster(learned), drop_percent=drop_percent)
        if np.array_equal(selection, rounds[-1]):
            return Purification(selection, tuple(rounds), settled=True)
        rounds.append(selection)
    return Purification(rounds[-1], tuple(rounds), settled=False)


def _checked(features: Features) -> Features:
    features = np.asarray(features)
    if features.ndim != 2 or len(features) == 0:
        raise FitError(f"features are {features.shape}; one row for each sample, (N, D), is needed")
    if not np.isfinite(features).all():
        raise FitError(
            f"{int((~np.isfinite(features)).any(axis=1).sum())} rows hold nan or inf; finite numbers are needed"
        )
    return features.astype(np.float64)
