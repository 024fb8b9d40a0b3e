"""Agreement of partitions: against scikit-learn, and tables worked by hand."""

from __future__ import annotations

import numpy as np
import pytest
from sklearn.metrics import adjusted_rand_score, jaccard_score

from chemores_dask.kernels.partition_agreement import adjusted_rand, cluster_agreement, overlaps_of


def drawn(cells, clusters, seed):
    return np.random.default_rng(seed).integers(clusters, size=cells)


def test_overlaps_of__counts_cells_in_both():
    overlaps = overlaps_of(np.array([0, 0, 1, 3]), np.array([1, 1, 1, 0]), clusters=5)
    assert overlaps.first.tolist() == [0, 1, 3]
    assert overlaps.second.tolist() == [1, 1, 0]
    assert overlaps.both.tolist() == [2, 1, 1]
    assert overlaps.first_cells.tolist() == [2, 1, 0, 1, 0]
    assert overlaps.second_cells.tolist() == [1, 3]


@pytest.mark.parametrize("seed", range(10))
@pytest.mark.parametrize(("first", "second"), [(1, 1), (1, 4), (5, 3), (30, 60)])
def test_adjusted_rand__equals_scikit_learn(seed, first, second):
    one, other = drawn(60, first, seed), drawn(60, second, seed + 100)
    mixed = np.where(np.arange(60) < 40, one, other)
    found = adjusted_rand(overlaps_of(one, mixed, clusters=first))
    assert found == pytest.approx(adjusted_rand_score(one, mixed), abs=1e-12)


def test_adjusted_rand__is_exact_for_a_million_cells():
    one, other = drawn(1_000_000, 50, 1), drawn(1_000_000, 50, 2)
    mixed = np.where(np.arange(1_000_000) % 3 == 0, one, other)
    assert adjusted_rand(overlaps_of(one, mixed, clusters=50)) == pytest.approx(
        adjusted_rand_score(one, mixed), rel=1e-9
    )


@pytest.mark.parametrize("cells", [1, 2, 7])
def test_adjusted_rand__is_one_where_there_is_nothing_to_disagree_on(cells):
    together, alone = np.zeros(cells, dtype=int), np.arange(cells)
    assert adjusted_rand(overlaps_of(together, together, clusters=1)) == 1
    assert adjusted_rand(overlaps_of(alone, alone, clusters=cells)) == 1


@pytest.mark.parametrize("seed", range(10))
def test_cluster_agreement__equals_scikit_learn_on_the_two_cuts(seed):
    first = drawn(80, 5, seed)
    second = np.where(np.arange(80) < 60, (first + 1) % 5, drawn(80, 4, seed + 7))
    rand, overlap = cluster_agreement(overlaps_of(first, second, clusters=5))
    for cluster in range(5):
        own = first == cluster
        candidates = [(jaccard_score(own, second == other), -other) for other in range(second.max() + 1)]
        best, other = max(candidates)
        assert overlap[cluster] == pytest.approx(best)
        assert rand[cluster] == pytest.approx(adjusted_rand_score(own, second == -other), abs=1e-12)


def test_cluster_agreement__sees_splits_and_mergers():
    first = np.repeat([0, 1, 2], [40, 30, 30])
    split = np.where(np.arange(100) < 20, 3, first)
    rand, overlap = cluster_agreement(overlaps_of(first, split, clusters=3))
    assert overlap.tolist() == [0.5, 1, 1]
    assert rand[0] < 0.4
    assert rand[1:].tolist() == [1, 1]
    merged = np.where(first == 2, 1, first)
    rand, overlap = cluster_agreement(overlaps_of(first, merged, clusters=3))
    assert overlap.tolist() == [1, 0.5, 0.5]
    assert rand[0] == 1
    assert (rand[1:] < 0.4).all()


def test_cluster_agreement__is_not_fooled_by_the_rest_staying_together():
    first = np.repeat([0, 1], [40, 60])
    second = np.repeat([0, 1, 2], [20, 20, 60])
    rand, _ = cluster_agreement(overlaps_of(first, second, clusters=2))
    assert rand[0] < 0.6


def test_cluster_agreement__leaves_out_clusters_without_cells():
    rand, overlap = cluster_agreement(overlaps_of(np.array([0, 0, 2]), np.array([0, 0, 1]), clusters=4))
    assert np.isnan(rand).tolist() == np.isnan(overlap).tolist() == [False, True, False, True]
    assert rand[[0, 2]].tolist() == overlap[[0, 2]].tolist() == [1, 1]


def test_cluster_agreement__takes_as_many_clusters_as_cells():
    alone = np.arange(200_000)
    rand, overlap = cluster_agreement(overlaps_of(alone, alone[::-1], clusters=200_000))
    assert (rand == 1).all()
    assert (overlap == 1).all()
