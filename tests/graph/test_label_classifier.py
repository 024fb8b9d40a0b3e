from __future__ import annotations

import dask
import dask.array as da
import numpy as np
import pytest
from sklearn.linear_model import LogisticRegression
from sklearn.multiclass import OneVsRestClassifier

from chemores_dask.graph import label_classifier
from chemores_dask.graph.label_classifier import label_probabilities, learn_classifier, scaled
from chemores_dask.graph.label_densities import label_moments, learn_densities


def labeled(cells=900, seed=0, *, in_order=False):
    random = np.random.default_rng(seed)
    codes = random.integers(-1, 3, cells)
    codes = np.sort(codes) if in_order else codes
    centers = np.random.default_rng(5).normal(size=(4, 5)) * 1.3
    return (10 * centers[codes] + 10 * random.normal(size=(cells, 5))).astype(np.float32), codes


def fitted(reference, codes, *, rows=200, seed=1):
    densities = learn_densities([label_moments(reference, codes, labels=3)])
    blocks = da.from_array(reference, chunks=(rows, -1))
    return learn_classifier(blocks, codes, densities, seed=seed), densities


def test_learn_classifier__is_as_good_as_a_logistic_regression():
    reference, codes = labeled()
    queries, truth = labeled(1000, seed=1)
    queries, truth = queries[truth >= 0], truth[truth >= 0]
    classifier, densities = fitted(reference, codes)
    ours = label_probabilities(classifier, da.from_array(queries, chunks=(100, -1)), densities).compute()
    theirs = OneVsRestClassifier(LogisticRegression()).fit(reference[codes >= 0], codes[codes >= 0])
    np.testing.assert_allclose(ours.sum(axis=1), 1.0)
    assert (ours.argmax(axis=1) == truth).mean() > theirs.score(queries, truth) - 0.02
    assert np.corrcoef(ours.ravel(), theirs.predict_proba(queries).ravel())[0, 1] > 0.97


def test_learn_classifier__learns_from_cells_in_the_order_of_their_labels():
    reference, codes = labeled(in_order=True)
    classifier, densities = fitted(reference, codes, rows=50)
    cells = da.from_array(reference[codes >= 0], chunks=(100, -1))
    found = label_probabilities(classifier, cells, densities).compute().argmax(axis=1)
    assert (found == codes[codes >= 0]).mean() > 0.75


@pytest.mark.parametrize("threads", [1, 4])
def test_learn_classifier__has_the_same_bits_for_a_seed(threads):
    reference, codes = labeled()
    with dask.config.set(num_workers=threads):
        classifier, _ = fitted(reference, codes, rows=130)
    other, _ = fitted(reference, codes, rows=900)
    np.testing.assert_array_equal(classifier.estimator.coef_, other.estimator.coef_)
    assert (fitted(reference, codes, seed=2)[0].estimator.coef_ != other.estimator.coef_).any()


def test_learn_classifier__shares_no_order_with_the_next_seed(monkeypatch):
    seeds = []
    drawn = label_classifier._drawn
    monkeypatch.setattr(
        label_classifier, "_drawn", lambda codes, *, seed: seeds.append(seed) or drawn(codes, seed=seed)
    )
    reference, codes = labeled(100)
    for seed in (1, 2):
        fitted(reference, codes, seed=seed)
    assert len(set(seeds)) == len(seeds) == 2 * label_classifier.EPOCHS


def test_learn_classifier__takes_some_cells_of_a_large_reference(monkeypatch):
    monkeypatch.setattr(label_classifier, "CELLS_PER_EPOCH", 300)
    monkeypatch.setattr(label_classifier, "ROWS_AT_ONCE", 64)
    reference, codes = labeled()
    classifier, _ = fitted(reference, codes)
    assert classifier.estimator.t_ == 1 + 10 * 300


def test_scaled__is_lazy_and_of_variance_one():
    reference, codes = labeled()
    densities = learn_densities([label_moments(reference, codes, labels=3)])
    values = scaled(da.from_array(reference[codes >= 0], chunks=(100, -1)), densities)
    assert isinstance(values, da.Array)
    np.testing.assert_allclose(values.std(axis=0).compute(), 1.0, rtol=1e-4)
