"""Answers worked out by hand, and the identity that spares distribution clustering its n^3 array."""

from __future__ import annotations

import numpy as np
import pytest

from crowdad.errors import FitError
from crowdad.evaluation.digits.purification import (
    cluster_variances,
    distribution_clusters,
    keep_tight,
    mixture_clusters,
    purify,
)


def _blobs(seed=0, per_blob=40, outliers=6):
    rng = np.random.default_rng(seed)
    middles = np.eye(3)
    tight = np.concatenate([middle + 0.02 * rng.normal(size=(per_blob, 3)) for middle in middles])
    far = rng.normal(size=(outliers, 3)) * [-1, -1, -1]
    return np.concatenate([tight, -np.abs(far)]), np.repeat([0, 1, 2, -1], [per_blob] * 3 + [outliers])


def test_second_order_distance_needs_no_cube():
    from crowdad.evaluation.digits.purification import _second_order_points

    rng = np.random.default_rng(1)
    features = rng.normal(size=(30, 4)) + 1
    unit = features / np.linalg.norm(features, axis=1, keepdims=True)
    distance = ((unit[:, None] - unit[None]) ** 2).sum(-1)
    by_definition = ((distance[:, None] - distance[None]) ** 2).mean(-1)
    points = _second_order_points(features)
    np.testing.assert_allclose(((points[:, None] - points[None]) ** 2).sum(-1), by_definition, atol=1e-12)


def test_distribution_clusters_finds_the_blobs_and_leaves_outliers():
    features, truth = _blobs()
    labels = distribution_clusters(features, threshold=0.07)
    for blob in range(3):
        assert len(set(labels[truth == blob])) == 1
        assert labels[truth == blob][0] >= 0
    assert len({labels[truth == blob][0] for blob in range(3)}) == 3
    lone = np.concatenate([features[:120], [[-1.0, 0.0, 0.0]]])
    assert distribution_clusters(lone)[-1] == -1


def test_distribution_clusters_does_not_depend_on_the_order():
    features, _ = _blobs(seed=3)
    order = np.random.default_rng(0).permutation(len(features))
    straight = distribution_clusters(features)[order]
    shuffled = distribution_clusters(features[order])
    np.testing.assert_array_equal(straight[:, None] == straight[None], shuffled[:, None] == shuffled[None])


def test_distribution_clusters_of_too_few_are_all_outliers():
    assert distribution_clusters(np.ones((3, 2))).tolist() == [-1, -1, -1]


def test_mixture_clusters_survives_coordinates_without_spread():
    features, truth = _blobs(outliers=0)
    features = np.concatenate([features, np.zeros((len(features), 2))], axis=1)
    labels = mixture_clusters(features, n_clusters=3)
    assert {len(set(labels[truth == blob])) for blob in range(3)} == {1}
    with pytest.raises(FitError, match="n_clusters"):
        mixture_clusters(features[:2], n_clusters=3)


def test_variance_is_the_mean_squared_distance_to_the_mean():
    features = np.array([[0.0, 0.0], [2.0, 0.0], [5.0, 5.0], [9.0, 9.0]])
    variances = cluster_variances(features, np.array([0, 0, 2, -1]))
    assert variances[0] == pytest.approx(1.0)
    assert np.isnan(variances[1])
    assert variances[2] == 0.0


def test_keep_tight_drops_the_widest_clusters_and_all_outliers():
    features = np.array([[0.0], [0.1], [5.0], [7.0], [20.0], [40.0], [99.0]])
    labels = np.array([0, 0, 1, 1, 2, 2, -1])
    assert keep_tight(features, labels, drop_percent=50).tolist() == [True] * 4 + [False] * 3
    assert keep_tight(features, labels, drop_percent=51).tolist() == [True] * 2 + [False] * 5
    assert keep_tight(features, labels, drop_percent=0).tolist() == [True] * 6 + [False]


def test_keep_tight_refuses_data_without_clusters():
    with pytest.raises(FitError, match="no cluster"):
        keep_tight(np.zeros((4, 2)), np.full(4, -1), drop_percent=30)
    with pytest.raises(ValueError, match="drop_percent"):
        keep_tight(np.zeros((4, 2)), np.zeros(4, int), drop_percent=100)


def test_purify_learns_on_each_selection_until_it_stands_still():
    rng = np.random.default_rng(0)
    features = np.concatenate([rng.normal(0, 0.1, (90, 2)), rng.normal(6, 3, (10, 2))])
    asked = []

    def learn(kept):
        asked.append(kept)
        return features * 2

    def halves(samples):
        return (samples[:, 0] > samples[:, 0].mean() + samples[:, 0].std()).astype(np.int64)

    found = purify(features, learn, cluster=halves)
    assert found.settled
    assert len(asked) == len(found.rounds) == 1
    assert found.kept[:90].all()
    assert found.kept[90:].mean() < 0.5


def test_purify_stops_when_the_rounds_run_out():
    features = np.arange(12, dtype=float)[:, None]
    turns = iter(range(100))

    def growing(samples):
        return (np.arange(12) > 3 + next(turns)).astype(np.int64)

    found = purify(features, lambda kept: features, cluster=growing, drop_percent=40, max_rounds=3)
    assert not found.settled
    assert len(found.rounds) == 4
    assert [int(kept.sum()) for kept in found.rounds] == [4, 5, 12, 5]  # equal halves both stay


@pytest.mark.parametrize("features", [np.zeros(5), np.zeros((0, 3)), np.array([[np.nan, 1.0]])])
def test_bad_features_are_refused_in_one_line(features):
    with pytest.raises(FitError, match="needed") as caught:
        purify(features, lambda kept: features)
    assert "\n" not in str(caught.value)
