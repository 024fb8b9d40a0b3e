"""Random sets: keyed by size, judged by hand; GSEA's false discovery rate against its definition."""

from __future__ import annotations

import math

import dask
import numpy as np
import pytest

from chemores_dask.cohort.enrichment.random_sets import (
    PERMUTATION,
    SMALLEST_P,
    SPLITTING,
    RandomSets,
    draw_random_sets,
    judge_scores,
    split_rare_scores,
)

WEIGHTS = np.abs(np.sort(np.random.default_rng(1).normal(size=500))[::-1])


def drawn(sizes, permutations=200, seed=3):
    return draw_random_sets(WEIGHTS, np.array(sizes), permutations=permutations, seed=seed)


def test_draw_random_sets__draws_each_size_once():
    found = drawn([9, 5, 9, 5, 7])
    assert found.sizes.tolist() == [5, 7, 9]
    assert found.scores.shape == (3, 200)
    assert (np.diff(found.scores, axis=1) >= 0).all()


def test_draw_random_sets__belongs_to_seed_and_size():
    assert (drawn([5, 7, 9]).scores[1] == drawn([7]).scores[0]).all()
    assert (drawn([7], seed=4).scores != drawn([7]).scores).any()
    assert (drawn([7], seed=-1).scores == drawn([7], seed=2**64 - 1).scores).all()


@pytest.mark.parametrize("scheduler", [{"scheduler": "synchronous"}, {"scheduler": "threads", "num_workers": 3}])
def test_draw_random_sets__has_the_same_bits_for_any_workers(scheduler):
    with dask.config.set(**scheduler):
        found = drawn(list(range(5, 90)), permutations=20)
    assert (found.scores == drawn(list(range(5, 90)), permutations=20).scores).all()


def test_judge_scores__by_hand():
    random_sets = RandomSets(np.array([4, 6]), np.array([[-0.5, -0.25, 0.125, 0.375], [-0.5, 0.25, 0.5, 0.75]]))
    judged = judge_scores(np.array([0.375, -0.375, 0.625]), np.array([4, 4, 6]), random_sets)
    np.testing.assert_allclose(judged["normalized"], [0.375 / 0.25, -0.375 / 0.375, 0.625 / 0.5])
    assert judged["beyond"].tolist() == [1, 1, 1]
    np.testing.assert_allclose(judged["p_value"], [2 / 3, 2 / 3, 2 / 4])
    np.testing.assert_allclose(judged["p_error"] * math.log(2), np.sqrt([1 / 2 - 1 / 3, 1 / 2 - 1 / 3, 1 / 2 - 1 / 4]))
    # Normalized random scores above 0: twice 0.5 and 1.5 (two sets of size 4), once 0.5, 1 and 1.5; of the sets: 1.5 and 1.25.
    np.testing.assert_allclose(judged["fdr"][0], (3 / 7) / (1 / 2))
    np.testing.assert_allclose(judged["fdr"][2], min((3 / 7) / 1, 1))
    # Below 0: twice -4/3 and -2/3, once -1; of the sets: -1 alone.
    np.testing.assert_allclose(judged["fdr"][1], 3 / 5)


def test_judge_scores__follow_the_definition_of_the_false_discovery_rate():
    sizes = np.array([5, 8, 8, 20, 20, 20, 33])
    random_sets = drawn(sizes, permutations=60)
    scores = np.array([0.7, -0.5, 0.4, 0.3, -0.3, 0.55, -0.45])
    judged = judge_scores(scores, sizes, random_sets)
    pooled = []
    for size in sizes:
        row = random_sets.scores[np.searchsorted(random_sets.sizes, size)]
        pooled += (row[row >= 0] / row[row >= 0].mean()).tolist() + (-row[row < 0] / row[row < 0].mean()).tolist()
    pooled, normalized = np.array(pooled), judged["normalized"]
    for number, value in enumerate(normalized):
        if value >= 0:
            expected = (pooled >= value).sum() / (pooled >= 0).sum()
            found = (normalized >= value).sum() / (normalized >= 0).sum()
        else:
            expected = (pooled <= value).sum() / (pooled < 0).sum()
            found = (normalized <= value).sum() / (normalized < 0).sum()
        assert judged["fdr"][number] == pytest.approx(min(expected / found, 1.0), rel=1e-12)


def test_judge_scores__have_no_normalized_score_without_random_ones_of_the_sign():
    random_sets = RandomSets(np.array([4]), np.array([[0.1, 0.3]]))
    judged = judge_scores(np.array([-0.3, 0.2]), np.array([4, 4]), random_sets)
    assert np.isnan(judged["normalized"][0])
    assert np.isnan(judged["fdr"][0])
    assert judged["p_value"].tolist() == [1.0, 2 / 3]


def test_split_rare_scores__touches_only_what_few_random_scores_reach():
    sizes = np.array([20, 20, 20, 20])
    random_sets = drawn(sizes, permutations=400)
    scores = np.array([random_sets.scores[0, -40], 0.95, -0.9, 0.6])
    judged = judge_scores(scores, sizes, random_sets)
    found = split_rare_scores(judged, scores, sizes, weights=WEIGHTS, seed=3)
    assert found["p_method"].tolist()[:3] == [PERMUTATION, SPLITTING, SPLITTING]
    assert found["p_value"][0] == judged["p_value"][0]
    assert found["p_value"][1] == pytest.approx(SMALLEST_P, rel=1e-9)
    assert SMALLEST_P < found["p_value"][3] < judged["p_value"][0]
    alone = split_rare_scores(
        judge_scores(scores[3:], sizes[3:], random_sets), scores[3:], sizes[3:], weights=WEIGHTS, seed=3
    )
    assert alone["p_value"][0] == found["p_value"][3]


def test_split_rare_scores__keeps_the_permutations_where_the_sign_is_too_rare(monkeypatch):
    monkeypatch.setattr("chemores_dask.cohort.enrichment.random_sets.rare_chances", lambda *_: False)
    random_sets = drawn([20])
    judged = judge_scores(np.array([0.95]), np.array([20]), random_sets)
    found = split_rare_scores(judged, np.array([0.95]), np.array([20]), weights=WEIGHTS, seed=3)
    assert found["p_value"].tolist() == judged["p_value"].tolist()
    assert found["p_method"].tolist() == [PERMUTATION]
