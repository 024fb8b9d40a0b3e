from __future__ import annotations

import numpy as np
import pytest
from sklearn.neighbors import KNeighborsClassifier

from chemores_dask.graph.label_votes import learn_votes, vote_shares


def labeled(cells=400, components=5, seed=0):
    random = np.random.default_rng(seed)
    codes = random.integers(0, 3, cells)
    centers = np.random.default_rng(9).normal(size=(3, components)) * 1.5
    return (centers[codes] + random.normal(size=(cells, components))).astype(np.float32), codes


def weights(distance):
    return 1 - np.exp(-(1 - distance / distance[:, -1:]) / 4)


def test_votes__equal_those_of_scikit_learn():
    reference, codes = labeled()
    queries, _ = labeled(150, seed=1)
    votes = learn_votes([reference[:100], reference[100:]], codes, queries[:10], labels=3, neighbors=30, seed=1)
    shares, _ = votes(queries)
    theirs = KNeighborsClassifier(n_neighbors=30, weights=weights).fit(reference, codes)
    np.testing.assert_allclose(shares, theirs.predict_proba(queries), atol=1e-4)
    np.testing.assert_array_equal(shares.argmax(axis=1), theirs.predict(queries))


def test_votes__leave_out_reference_cells_without_label():
    reference, codes = labeled()
    hidden = np.where(np.arange(400) % 3 == 0, -1, codes)
    queries, _ = labeled(20, seed=1)
    options = {"labels": 3, "neighbors": 10, "seed": 1}
    with_gaps = learn_votes([reference], hidden, queries, **options)
    without = learn_votes([reference[hidden >= 0]], codes[hidden >= 0], queries, **options)
    np.testing.assert_array_equal(with_gaps(queries)[0], without(queries)[0])
    np.testing.assert_array_equal(with_gaps.limits, without.limits)


def test_votes__take_all_reference_cells_where_there_are_fewer():
    reference, codes = labeled(7)
    votes = learn_votes([reference], codes, reference, labels=3, neighbors=50, seed=1)
    assert votes.neighbors == 7
    np.testing.assert_allclose(votes(reference)[0].sum(axis=1), 1.0)


def test_votes__measure_distances_in_those_of_the_reference():
    reference, codes = labeled(3000)
    queries, _ = labeled(2000, seed=1)
    votes = learn_votes([reference], codes, queries, labels=3, neighbors=20, seed=1)
    _, away = votes(queries)
    assert 0.94 < (away < 1).mean() < 1
    assert (votes(queries + 30)[1] > 5).all()


@pytest.mark.parametrize("neighbors", [1, 3])
def test_votes__of_few_neighbors_measure_the_same_distance(neighbors):
    reference, codes = labeled(300)
    queries, _ = labeled(200, seed=1)
    few = learn_votes([reference], codes, queries, labels=3, neighbors=neighbors, seed=1)
    many = learn_votes([reference], codes, queries, labels=3, neighbors=20, seed=1)
    (shares, away), (other_shares, other_away) = few(queries), many(queries)
    alike = shares.argmax(axis=1) == other_shares.argmax(axis=1)
    assert alike.sum() > 100
    np.testing.assert_array_equal(away[alike], other_away[alike])
    theirs = KNeighborsClassifier(n_neighbors=1).fit(reference, codes)
    assert neighbors > 1 or np.array_equal(shares.argmax(axis=1), theirs.predict(queries))


def test_vote_shares__give_equal_weights_where_all_are_as_far():
    shares = vote_shares(np.array([[0, 0, 1], [1, 1, 1]]), np.array([[2.0, 2.0, 2.0], [0.0, 0.0, 0.0]]), labels=2)
    np.testing.assert_allclose(shares, [[2 / 3, 1 / 3], [0, 1]])


def test_vote_shares__worked_by_hand():
    shares = vote_shares(np.array([[0, 1, 1]]), np.array([[0.0, 1.0, 2.0]]), labels=2)
    near, middle = 1 - np.exp(-0.25), 1 - np.exp(-0.125)
    np.testing.assert_allclose(shares, [[near / (near + middle), middle / (near + middle)]])
