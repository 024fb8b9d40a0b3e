"""Labels from a linear classifier that learns from the reference block by block."""

from __future__ import annotations

import dask.array as da
import numpy as np
from dask_ml.wrappers import Incremental, ParallelPostFit
from sklearn.linear_model import SGDClassifier

from chemores_dask.aliases import Seed, Vector
from chemores_dask.graph.label_densities import LabelDensities
from chemores_dask.randomness import random_order, spawn

EPOCHS = 10
SETTLED = 5
"""Epochs before coefficients are averaged: the first steps are too long to count."""

ROWS_AT_ONCE = 2**16
"""Reference cells that the classifier is given in one go."""

CELLS_PER_EPOCH = 2**19
"""Reference cells that an epoch takes, at most; they are held meanwhile."""

FEWEST_CELLS = 2**12
"""Reference cells that an epoch takes, at least: a small reference comes several times."""

PENALTY = 1e-3


def learn_classifier(reference: da.Array, codes: Vector, densities: LabelDensities, *, seed: Seed) -> ParallelPostFit:
    """Fit a logistic regression, one label against the others, by stochastic gradient descent with averaged coefficients.

    Labels weigh the same, whatever the number of their cells. Every epoch takes the cells in another order, drawn from the seed; of a
    large reference, each takes other half a million cells.

    Parameters
    ----------
    reference
        Blocks of cells by components.
    codes
        Number of the label of every cell; -1 where it has none.
    densities
        Of the same cells: for their center and spread.
    seed
        For the order.

    Returns
    -------
    The fitted classifier; ``predict_proba`` of a Dask array is lazy.
    """
    labels = np.arange(len(densities.limits))
    cells = np.bincount(codes[codes >= 0], minlength=len(labels))
    epochs = [_drawn(codes, seed=each) for each in spawn(seed, EPOCHS)]
    weights = {int(label): cells.sum() / (len(labels) * cells[label]) for label in labels}
    classifier = SGDClassifier(
        loss="log_loss",
        alpha=PENALTY,
        average=SETTLED * len(epochs[0]),
        class_weight=weights,
        random_state=seed % 2**32,
    )
    # Every step starts from the coefficients of the one before, so dask-ml computes epoch by epoch, past `stream.compute`.
    learner = Incremental(classifier, shuffle_blocks=False)
    for rows in epochs:
        portion = scaled(reference[rows].rechunk((ROWS_AT_ONCE, -1)), densities)
        learner.partial_fit(portion, da.from_array(codes[rows], chunks=ROWS_AT_ONCE), classes=labels)
    return ParallelPostFit(learner.estimator_)


def label_probabilities(classifier: ParallelPostFit, cells: da.Array, densities: LabelDensities) -> da.Array:
    """Probabilities of the labels, cells by labels; lazy.

    Parameters
    ----------
    classifier
        As fitted.
    cells
        Blocks of cells by components.
    densities
        With the center and spread that it was fitted with.
    """
    return classifier.predict_proba(scaled(cells, densities))


def scaled(cells: da.Array, densities: LabelDensities) -> da.Array:
    """Cells with components around 0 and of variance 1, as the classifier wants them."""
    return (cells - densities.center.mean(axis=0)) / densities.scale


def _drawn(codes: Vector, *, seed: Seed) -> Vector:
    """Rows of labeled cells in random order: all of them; some where there are many; several times where there are few."""
    labeled = np.flatnonzero(codes >= 0)
    labeled = np.tile(labeled, -(-FEWEST_CELLS // len(labeled)))
    return labeled[random_order(len(labeled), seed=seed)[:CELLS_PER_EPOCH]]
