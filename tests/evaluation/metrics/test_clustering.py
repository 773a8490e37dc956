"""Clustering metrics, worked out by hand on six samples."""

import math

import numpy as np
import pytest

from crowdad.evaluation.metrics import adjusted_rand_index, clustering_accuracy, normalised_mutual_information

CLASSES = np.array([0, 0, 0, 1, 1, 1])


def test_accuracy_takes_the_best_map():
    # Clusters 5 -> class 1 (2 samples), 7 -> class 0 (3 samples), one sample of class 1 sits in cluster 7: 5 of 6.
    assert clustering_accuracy(CLASSES, np.array([7, 7, 7, 7, 5, 5])) == pytest.approx(5 / 6)


def test_accuracy_is_not_greedy():
    # Table: class 0 -> clusters (3, 2), class 1 -> (3, 0).  Taking 3 for class 0 first leaves 0 for class 1 (3 of 8);
    # class 0 -> cluster 1 (2) and class 1 -> cluster 0 (3) gives 5 of 8.
    classes = np.array([0, 0, 0, 0, 0, 1, 1, 1])
    clusters = np.array([0, 0, 0, 1, 1, 0, 0, 0])
    assert clustering_accuracy(classes, clusters) == pytest.approx(5 / 8)


def test_surplus_clusters_count_as_wrong():
    # Three clusters of two, two classes: {0, 0}, {0, 1}, {1, 1}: two clusters are mapped, 2 + 2 of 6.
    assert clustering_accuracy(CLASSES, np.array([0, 0, 1, 1, 2, 2])) == pytest.approx(4 / 6)


def test_mutual_information_by_hand():
    # Classes 3 + 3, clusters {0, 0, 0, 1} and {1, 1}.  I = 3/6 ln(3/6 / (1/2 * 4/6)) + 1/6 ln(1/6 / (1/2 * 4/6))
    # + 2/6 ln(2/6 / (1/2 * 2/6)) = 1/2 ln 3/2 + 1/6 ln 1/2 + 1/3 ln 2; H = ln 2 and -(2/3 ln 2/3 + 1/3 ln 1/3).
    shared = math.log(1.5) / 2 + math.log(0.5) / 6 + math.log(2) / 3
    entropy = -(2 / 3 * math.log(2 / 3) + 1 / 3 * math.log(1 / 3))
    clusters = np.array([0, 0, 0, 0, 1, 1])
    assert normalised_mutual_information(CLASSES, clusters) == pytest.approx(2 * shared / (math.log(2) + entropy))


def test_rand_index_by_hand():
    # Pairs together in both: 3 + 1 = 4 (of {0,0,0} and {1,1}); in classes 3 + 3 = 6, in clusters 6 + 1 = 7, of 15.
    # Expected 6 * 7 / 15 = 2.8; (4 - 2.8) / ((6 + 7) / 2 - 2.8) = 1.2 / 3.7.
    assert adjusted_rand_index(CLASSES, np.array([0, 0, 0, 0, 1, 1])) == pytest.approx(1.2 / 3.7)


@pytest.mark.parametrize("metric", [clustering_accuracy, normalised_mutual_information, adjusted_rand_index])
def test_cluster_numbers_carry_no_meaning(metric):
    assert metric(CLASSES, np.array([9, 9, 9, 4, 4, 4])) == pytest.approx(1.0)


@pytest.mark.parametrize("metric", [clustering_accuracy, normalised_mutual_information, adjusted_rand_index])
def test_bad_input_is_refused(metric):
    with pytest.raises(ValueError, match="one shape"):
        metric(CLASSES, CLASSES[:4])
    with pytest.raises(ValueError, match="N >= 1"):
        metric(CLASSES[:0], CLASSES[:0])
    with pytest.raises(ValueError, match="float64"):
        metric(CLASSES, CLASSES / 2)
