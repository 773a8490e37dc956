"""Centres on the unit sphere and the largest cosine, worked out by hand."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from sklearn.base import clone

from crowdad.errors import FitError, NotFittedError
from crowdad.scene.normality import UnitKMeans, keep_by_mass, normality


def at(*degrees: float) -> np.ndarray:
    angles = np.radians(degrees)
    return np.stack([np.cos(angles), np.sin(angles)], axis=1).astype(np.float32)


def test_normality_is_the_largest_cosine():
    scores = normality(at(0, 30, 90, 180, 225), at(0, 90))
    np.testing.assert_allclose(scores, [1, np.cos(np.pi / 6), 1, 0, -np.sqrt(0.5)], atol=1e-6)
    assert scores.dtype == np.float32


def test_centres_are_brought_back_to_length_1():
    # Means of pairs 20 degrees apart lie inside the circle: at 0 and 90 degrees, cos(10 degrees) from the middle.
    codes = at(-10, 10, 80, 100)
    kmeans = UnitKMeans(2, n_init=5).fit(codes)
    order = np.argsort(kmeans.centres_[:, 1])
    np.testing.assert_allclose(kmeans.centres_[order], at(0, 90), atol=1e-6)
    np.testing.assert_allclose(kmeans.shares_, [0.5, 0.5])
    assert kmeans.inertia_ == pytest.approx(4 * np.sin(np.radians(10)) ** 2, rel=1e-4)
    np.testing.assert_allclose(kmeans.score(at(0, 45, 270)), [1, np.sqrt(0.5), 0], atol=1e-6)
    assert kmeans.score(at(10)) == pytest.approx(np.cos(np.radians(10)), abs=1e-6)


def test_predict_names_the_centre_that_score_measures():
    kmeans = UnitKMeans(2, n_init=5).fit(at(-10, 10, 80, 100))
    codes = at(5, 60, 200)
    nearest = kmeans.centres_[kmeans.predict(codes)]
    np.testing.assert_allclose((nearest * codes).sum(axis=1), kmeans.score(codes), atol=1e-6)


def test_shares_count_the_codes_of_each_centre():
    shares = UnitKMeans(2, n_init=5).fit(at(-1, 0, 1, 180)).shares_
    assert sorted(shares.tolist()) == [0.25, 0.75]


def test_one_seed_gives_one_answer_and_clones_hold_the_settings():
    rng = np.random.default_rng(0)
    codes = rng.normal(size=(3000, 4)).astype(np.float32)
    codes /= np.linalg.norm(codes, axis=1, keepdims=True)
    first, second = (UnitKMeans(40, seed=3).fit(codes) for _ in range(2))
    assert np.array_equal(first.centres_, second.centres_)
    copy = clone(first)
    assert copy.get_params() == {"n_clusters": 40, "n_init": 1, "max_iter": 25, "seed": 3}
    assert not hasattr(copy, "centres_")
    assert not np.array_equal(UnitKMeans(40, seed=4).fit(codes).centres_, first.centres_)


@pytest.mark.filterwarnings("error")
def test_fewer_distinct_codes_than_clusters_still_fit_without_noise():
    kmeans = UnitKMeans(5).fit(at(*([0.0] * 20 + [90.0] * 20)))
    assert kmeans.centres_.shape == (5, 2)
    assert np.isfinite(kmeans.centres_).all()
    assert kmeans.shares_.sum() == pytest.approx(1)
    np.testing.assert_allclose(kmeans.score(at(0, 90)), [1, 1], atol=1e-6)


def test_too_few_codes_and_no_fit_are_told():
    with pytest.raises(FitError, match=r"\(2, 2\) codes, 3 clusters"):
        UnitKMeans(3).fit(at(0, 90))
    with pytest.raises(FitError, match="clusters"):
        UnitKMeans(1).fit(np.zeros(4, np.float32))
    for ask in (UnitKMeans(3).score, UnitKMeans(3).predict):
        with pytest.raises(NotFittedError, match="call fit"):
            ask(at(0))


def test_no_codes_have_no_scores():
    scores = normality(np.zeros((0, 2), np.float32), at(0))
    assert scores.shape == (0,)
    assert scores.dtype == np.float32


@given(arrays(np.float32, (6, 3), elements=st.floats(-1, 1, width=32)))
def test_normality_stays_between_minus_1_and_1_and_is_1_at_a_centre(rows):
    length = np.linalg.norm(rows, axis=1, keepdims=True)
    codes = np.where(length > 1e-3, rows / np.maximum(length, 1e-3), np.float32([[1, 0, 0]])).astype(np.float32)
    scores = normality(codes, codes[:3])
    assert (np.abs(scores) <= 1).all()
    np.testing.assert_allclose(scores[:3], 1, atol=1e-5)


def test_keep_by_mass_takes_the_fewest_largest_clusters():
    assert keep_by_mass([0.1, 0.5, 0.3, 0.1], 0.5).tolist() == [False, True, False, False]
    assert keep_by_mass([0.1, 0.5, 0.3, 0.1], 0.6).tolist() == [False, True, True, False]
    assert keep_by_mass([0.1, 0.5, 0.3, 0.1], 0.85).tolist() == [True, True, True, False]
    assert keep_by_mass([0.5, 0.0, 0.5], 1.0).tolist() == [True, False, True]


def test_keep_by_mass_reaches_a_mass_that_rounding_would_miss():
    assert keep_by_mass([0.1] * 10, 0.3).sum() == 3


def test_keep_by_mass_takes_counts_too():
    assert keep_by_mass([10, 90], 0.9).tolist() == [False, True]


@given(st.lists(st.integers(0, 50), min_size=1, max_size=20), st.floats(0.01, 1.0))
def test_keep_by_mass_is_never_empty_and_always_enough(counts, mass):
    counts[0] += 1
    size = np.array(counts)
    kept = keep_by_mass(size, mass)
    assert kept.any()
    assert size[kept].sum() >= (mass - 1e-6) * size.sum()
    assert size[kept].min() >= size[~kept].max(initial=0)


@pytest.mark.parametrize(("shares", "mass"), [([0.5, 0.5], 0.0), ([0.5, 0.5], 1.1), ([0.0, 0.0], 0.5), ([-1, 2], 0.5)])
def test_keep_by_mass_refuses(shares, mass):
    with pytest.raises(ValueError, match="is needed"):
        keep_by_mass(shares, mass)
