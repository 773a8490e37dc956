"""Clustering metrics: a partition against true classes; cluster numbers carry no meaning."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
from scipy.optimize import linear_sum_assignment
from sklearn.metrics import adjusted_rand_score, normalized_mutual_info_score
from sklearn.metrics.cluster import contingency_matrix

__all__ = ["adjusted_rand_index", "clustering_accuracy", "normalised_mutual_information"]

Labels = npt.NDArray[np.integer]


def clustering_accuracy(classes: Labels, clusters: Labels) -> float:
    """Share of samples in the right class under the best one-to-one map of clusters to classes, in [0, 1].

    classes, clusters: integer (N,).  Clusters beyond the number of classes stay unmapped and count as wrong.
    Source: Hungarian assignment over the contingency table, as in Xie et al. 2016, arXiv:1511.06335.
    """
    _check(classes, clusters)
    table = contingency_matrix(classes, clusters)
    rows, columns = linear_sum_assignment(table, maximize=True)
    return float(table[rows, columns].sum() / len(classes))


def normalised_mutual_information(classes: Labels, clusters: Labels) -> float:
    """Mutual information over the arithmetic mean of both entropies, in [0, 1].  Inputs: integer (N,)."""
    _check(classes, clusters)
    return float(normalized_mutual_info_score(classes, clusters, average_method="arithmetic"))


def adjusted_rand_index(classes: Labels, clusters: Labels) -> float:
    """Share of agreeing pairs, corrected for chance: 1 = equal, 0 = chance, at least -0.5.  Inputs: integer (N,)."""
    _check(classes, clusters)
    return float(adjusted_rand_score(classes, clusters))


def _check(classes: Labels, clusters: Labels) -> None:
    if classes.ndim != 1 or classes.shape != clusters.shape or not len(classes):
        raise ValueError(f"classes {classes.shape} and clusters {clusters.shape}; one shape (N,), N >= 1, is needed")
    for name, values in (("classes", classes), ("clusters", clusters)):
        if not np.issubdtype(values.dtype, np.integer):
            raise ValueError(f"{name} are {values.dtype}; integers are needed")
