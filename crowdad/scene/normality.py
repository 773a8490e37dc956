"""k-means on the unit sphere, and the normality score: the largest cosine to a centre."""

from __future__ import annotations

import warnings
from typing import Self

import numpy as np
import numpy.typing as npt
from sklearn.base import BaseEstimator
from sklearn.cluster import KMeans
from sklearn.exceptions import ConvergenceWarning
from threadpoolctl import threadpool_limits

from crowdad.errors import FitError, NotFittedError

__all__ = ["UnitKMeans", "keep_by_mass", "normality"]


def _unit(rows: npt.NDArray[np.floating]) -> npt.NDArray[np.float32]:
    length = np.linalg.norm(rows, axis=1, keepdims=True)
    return np.asarray(rows / np.maximum(length, 1e-12), dtype=np.float32)


_MOST_PRODUCTS = 2**27
"""Cosines in memory at once."""


def normality(codes: npt.NDArray[np.float32], centres: npt.NDArray[np.float32]) -> npt.NDArray[np.float32]:
    """Largest cosine of each unit code to a unit centre.

    codes: float32 (N, D), rows of length 1.  centres: float32 (K, D), rows of length 1.
    Returns float32 (N,) in [-1, 1], higher = normal.  Source: Aytekin et al. 2018, arXiv:1802.00187.
    """
    if len(codes) == 0:
        return np.zeros(0, np.float32)
    rows = max(1, _MOST_PRODUCTS // len(centres))  # all of them, for as many centres as anybody learns
    parts = (codes[first : first + rows] for first in range(0, len(codes), rows))
    return np.clip(np.concatenate([(part @ centres.T).max(axis=1) for part in parts]), -1.0, 1.0)


class UnitKMeans(BaseEstimator):
    """k-means over unit codes; centres are brought back to length 1 after the fit.

    n_clusters: K.  n_init: restarts, the one of least inertia is kept.  max_iter: iterations of each.
    seed: of restarts.

    Learned: `centres_` float32 (K, D), rows of length 1; `shares_` float64 (K,), the share of codes nearest to each
    centre; `inertia_`, the least sum of squared distances.
    """

    def __init__(self, n_clusters: int = 256, *, n_init: int = 1, max_iter: int = 25, seed: int = 0) -> None:
        self.n_clusters = n_clusters
        self.n_init = n_init
        self.max_iter = max_iter
        self.seed = seed

    def fit(self, codes: npt.NDArray[np.float32], y: None = None) -> Self:
        """Learn the centres from unit codes, float32 (N, D), N >= n_clusters; raises FitError with fewer."""
        codes = np.ascontiguousarray(codes, dtype=np.float32)
        if codes.ndim != 2 or len(codes) < self.n_clusters:
            raise FitError(
                f"{codes.shape} codes, {self.n_clusters} clusters need at least as many rows; lower n_clusters"
            )
        kmeans = KMeans(self.n_clusters, n_init=self.n_init, max_iter=self.max_iter, random_state=self.seed)
        # Threads add their partial sums in the order they finish: one thread gives one answer, and is no slower here.
        # Fewer distinct codes than clusters leave centres without a share, which is no reason to warn a user.
        with threadpool_limits(1), warnings.catch_warnings():
            warnings.simplefilter("ignore", ConvergenceWarning)
            self.labels_ = kmeans.fit_predict(codes)
        self.centres_ = _unit(kmeans.cluster_centers_)
        self.shares_ = np.bincount(self.labels_, minlength=self.n_clusters) / len(codes)
        self.inertia_ = float(kmeans.inertia_)
        return self

    def predict(self, codes: npt.NDArray[np.float32]) -> npt.NDArray[np.int64]:
        """Index (N,) of the centre with the largest cosine to each unit code."""
        return np.argmax(codes @ self._fitted().T, axis=1)

    def score(self, codes: npt.NDArray[np.float32]) -> npt.NDArray[np.float32]:
        """Normality of each unit code.

        codes: float32 (N, D), rows of length 1.  Returns float32 (N,) in [-1, 1], higher = normal.
        Raises NotFittedError before fit.  Source: Aytekin et al. 2018, arXiv:1802.00187.
        """
        return normality(codes, self._fitted())

    def _fitted(self) -> npt.NDArray[np.float32]:
        if not hasattr(self, "centres_"):
            raise NotFittedError("UnitKMeans has no centres yet; call fit(codes) first")
        return self.centres_


def keep_by_mass(shares: npt.ArrayLike, mass: float) -> npt.NDArray[np.bool_]:
    """The largest clusters that together hold `mass` of the samples.

    shares: (K,), each cluster's share (or count) of the samples, >= 0.  mass: in (0, 1].
    Returns bool (K,), True = kept: the fewest clusters, largest first, that reach `mass`; ties fall to the lower index.
    An empty cluster is never kept.  Raises ValueError for a mass outside (0, 1] or shares that hold nothing.
    """
    size = np.asarray(shares, dtype=np.float64)
    if not 0 < mass <= 1:
        raise ValueError(f"mass is {mass}; a share in (0, 1] is needed")
    if size.ndim != 1 or not np.all(size >= 0) or size.sum() <= 0:
        raise ValueError(f"shares are {size.shape} with sum {size.sum()}; one share >= 0 for each cluster is needed")
    largest_first = np.argsort(-size, kind="stable")
    held = np.cumsum(size[largest_first]) / size.sum()
    held_before = np.concatenate([[0.0], held[:-1]])
    kept = np.zeros(len(size), dtype=bool)
    # The margin absorbs rounding: three shares of 0.1 are to reach a mass of 0.3.
    kept[largest_first[held_before < mass - 1e-9]] = True
    return kept & (size > 0)
