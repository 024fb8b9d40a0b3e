"""The certificate: recall, its interval, and the probes it takes."""

from __future__ import annotations

import numpy as np
import pytest
from statsmodels.stats.proportion import proportion_confint

from chemores_dask.graph.certificate import fewest_probes, recall_of


def test_recall_of__counts_ties_as_hits():
    true = np.array([[1.0, 2.0, 2.0], [0.0, 0.0, 0.0]])
    found = np.array([[1.0, 2.0, 2.5], [0.0, 0.0, 0.0]])
    assert recall_of(found, true, cells=1000).share == pytest.approx(5 / 6)


def test_recall_of__has_wilsons_interval_where_each_cell_has_one_neighbor():
    found = np.where(np.arange(200) < 180, 1.0, 3.0)[:, None]
    recall = recall_of(found, np.ones((200, 1)), cells=10**9)
    lower, upper = proportion_confint(180, 200, method="wilson")
    assert recall.share == pytest.approx(0.9)
    assert recall.lower == pytest.approx(lower, abs=2e-4)
    assert recall.upper == pytest.approx(upper, abs=2e-4)
    assert recall.queries == 200


def test_recall_of__is_not_certain_where_nothing_was_missed():
    recall = recall_of(np.ones((1000, 15)), np.ones((1000, 15)), cells=10**6)
    assert recall.share == recall.upper == 1.0
    assert 0.99 < recall.lower < 1.0


def test_recall_of__is_certain_where_all_cells_were_asked():
    found = np.where(np.arange(10) < 9, 1.0, 2.0)[:, None]
    recall = recall_of(found, np.ones((10, 1)), cells=10)
    assert (recall.share, recall.lower, recall.upper) == (0.9, 0.9, 0.9)


def test_recall_of__has_an_interval_that_covers():
    generator = np.random.default_rng(3)
    covered = 0
    for _ in range(400):
        # Neighbors of one cell are found or missed together more often than not.
        of_cell = generator.beta(19, 1, size=(300, 1))
        found = np.where(generator.random((300, 15)) < of_cell, 1.0, 2.0)
        recall = recall_of(found, np.ones((300, 15)), cells=10**7)
        covered += recall.lower <= 0.95 <= recall.upper
    assert 0.92 <= covered / 400 <= 0.98


def test_fewest_probes__are_enough_and_no_more():
    # Cells on a line, a list for every unit; the neighbors lie up to four lists away.
    centers = np.arange(100, dtype=np.float32)[:, None]
    own = np.arange(20, 80)
    points = centers[own]
    lists = own[:, None] + np.array([0, 1, -1, 4])
    assert fewest_probes(centers, points, own, lists, recall=0.70) == 3
    assert fewest_probes(centers, points, own, lists, recall=0.76) == 9
    assert fewest_probes(centers, points, own, lists, recall=1.0) == 9
    assert fewest_probes(centers, points, own, np.where(lists == own[:, None], lists, 99), recall=1.0) > 60
    assert fewest_probes(centers[:1], points, np.zeros_like(own), np.zeros_like(lists), recall=0.9) == 1
