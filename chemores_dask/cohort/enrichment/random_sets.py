"""What random sets of genes score, and what a score means beside them."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from dask import delayed

from chemores_dask.aliases import Matrix, Seed, Vector
from chemores_dask.kernels.rare_scores import rare_chances
from chemores_dask.kernels.running_sum import random_scores
from chemores_dask.randomness import mix
from chemores_dask.stream import compute

MOST_TASKS = 64
COST_OF_A_SET = 50
"""What drawing a set costs beside its members, in members."""

FEWEST_BEYOND = 10
"""Scores that fewer random ones reach are looked at again, by splitting."""

SMALLEST_P = 1e-10
"""Smaller P values are given as this one."""

PERMUTATION, SPLITTING = range(2)
P_METHODS = ("permutation", "splitting")


@dataclass(frozen=True)
class RandomSets:
    """Scores of random sets, by size.

    Attributes
    ----------
    sizes
        Different numbers of members, rising.
    scores
        One row for each size, rising within it.
    """

    sizes: Vector
    scores: Matrix

    @property
    def positive(self) -> Vector:
        """How many scores of each size are 0 or above."""
        return (self.scores >= 0).sum(axis=1)

    @property
    def negative(self) -> Vector:
        """How many are below 0."""
        return self.scores.shape[1] - self.positive

    @property
    def positive_mean(self) -> Vector:
        """Mean of those that are 0 or above; not a number where there are none, or all are 0."""
        return _mean(np.where(self.scores >= 0, self.scores, 0.0), self.positive)

    @property
    def negative_mean(self) -> Vector:
        """Mean size of those below 0; not a number where there are none."""
        return _mean(np.where(self.scores < 0, -self.scores, 0.0), self.negative)


def draw_random_sets(weights: Vector, sizes: Vector, *, permutations: int, seed: Seed) -> RandomSets:
    """Score random sets of some sizes.

    Parameters
    ----------
    weights
        Of every gene, in the order of the ranking.
    sizes
        Numbers of members; each is drawn for once, however often it is there.
    permutations
        Sets of each size.
    seed
        Any integer; the draws of a size depend on it, the size and the number of genes only.

    Returns
    -------
    Their scores.
    """
    different = np.unique(sizes)
    key = _key(seed)
    shared = delayed(weights, pure=True)
    parts = [
        delayed(_scores, pure=True)(shared, part, key, permutations)
        for part in np.split(different, _cuts(different))
        if part.size
    ]
    scores = np.concatenate([*compute(*parts)], axis=0)
    scores.sort(axis=1)
    return RandomSets(different, scores)


def _key(seed: Seed) -> int:
    return int(mix(np.array([int(seed) % 2**64], dtype=np.uint64))[0])


def _scores(weights: Vector, sizes: Vector, key: int, permutations: int) -> Matrix:
    # A compiled kernel would travel as its code; a function travels as its name.
    scores = np.empty((sizes.size, permutations))
    random_scores(weights, sizes, np.uint64(key), scores)
    return scores


def _cuts(sizes: Vector) -> Vector:
    """Where to cut the sizes so that parts cost about the same."""
    cost = np.cumsum(sizes + COST_OF_A_SET)
    return np.unique(np.searchsorted(cost, cost[-1] * np.arange(1, MOST_TASKS) / MOST_TASKS))


def _mean(values: Matrix, number: Vector) -> Vector:
    total = values.sum(axis=1)
    return np.divide(total, number, out=np.full(total.shape, np.nan), where=(number > 0) & (total > 0))


def judge_scores(scores: Vector, sizes: Vector, random_sets: RandomSets) -> dict[str, Vector]:
    """Hold scores against those of random sets of the same size and sign.

    Parameters
    ----------
    scores
        Enrichment scores.
    sizes
        Members of each set.
    random_sets
        Scores of random sets of these sizes.

    Returns
    -------
    ``normalized`` (score over the mean of the random scores of its sign); ``beyond``, how many of the random scores of its sign are at
    least as far from 0; ``p_value``, ``(1 + beyond) / (1 + n)`` with ``n`` scores of its sign, and ``p_error``, the standard error of its
    log2; ``fdr`` as GSEA defines it: the share of all normalized random scores of the sign that are at least as large, over the same
    share of the sets.
    """
    rows = np.searchsorted(random_sets.sizes, sizes)
    above = scores >= 0
    same = np.where(above, random_sets.positive[rows], random_sets.negative[rows])
    mean = np.where(above, random_sets.positive_mean[rows], random_sets.negative_mean[rows])
    beyond = np.array(
        [
            row.size - np.searchsorted(row, score, "left") if score >= 0 else np.searchsorted(row, score, "right")
            for row, score in zip(random_sets.scores[rows], scores, strict=True)
        ],
        dtype=np.int64,
    )
    normalized = scores / mean
    times = np.bincount(rows, minlength=random_sets.sizes.size)
    return {
        "normalized": normalized,
        "beyond": beyond,
        "p_value": (1 + beyond) / (1 + same),
        "p_error": np.sqrt(1 / (1 + beyond) - 1 / (1 + same)) / math.log(2),
        "fdr": _false_discovery_rates(normalized, random_sets, times),
    }


def _false_discovery_rates(normalized: Vector, random_sets: RandomSets, times: Vector) -> Vector:
    rates = np.full(normalized.shape, np.nan)
    for sign, mean in ((1.0, random_sets.positive_mean), (-1.0, random_sets.negative_mean)):
        members = normalized >= 0 if sign > 0 else normalized < 0
        if not members.any():
            continue
        belongs = (random_sets.scores >= 0 if sign > 0 else random_sets.scores < 0) & ~np.isnan(mean)[:, None]
        values = (sign * random_sets.scores / mean[:, None])[belongs]
        copies = np.broadcast_to(times[:, None], belongs.shape)[belongs]
        own = sign * normalized[members]
        expected = _share_at_least(own, values, copies)
        found = _share_at_least(own, own, np.ones(own.size, dtype=np.int64))
        rates[members] = np.minimum(expected / found, 1.0)
    return rates


def _share_at_least(levels: Vector, values: Vector, copies: Vector) -> Vector:
    """Share of values, each there several times, that are at least as large as each level."""
    order = np.argsort(values, kind="stable")
    below = np.concatenate([[0], np.cumsum(copies[order])])
    return (below[-1] - below[np.searchsorted(values[order], levels, "left")]) / below[-1]


def split_rare_scores(
    judged: dict[str, Vector], scores: Vector, sizes: Vector, *, weights: Vector, seed: Seed
) -> dict[str, Vector]:
    """Give small P values where random sets are too few to tell them.

    Parameters
    ----------
    judged
        As made by :func:`judge_scores`.
    scores
        Enrichment scores.
    sizes
        Members of each set.
    weights
        Of every gene, in the order of the ranking.
    seed
        Any integer; the P of a set depends on it, the score and the size only.

    Returns
    -------
    The same with other ``p_value`` and ``p_error`` where fewer than ten random scores reach a score, and ``p_method``.
    """
    p_value, p_error = judged["p_value"].copy(), judged["p_error"].copy()
    method = np.full(scores.size, PERMUTATION, dtype=np.int64)
    key, shared = _key(seed), delayed(weights, pure=True)
    rare = judged["beyond"] < FEWEST_BEYOND
    groups = []
    for size in np.unique(sizes[rare])[::-1]:
        for sign in (1.0, -1.0):
            own = np.flatnonzero(rare & (sizes == size) & ((scores >= 0) == (sign > 0)))
            if own.size:
                groups.append((own[np.argsort(sign * scores[own], kind="stable")], int(size), sign))
    parts = [delayed(_chances, pure=True)(shared, size, sign, sign * scores[own], key) for own, size, sign in groups]
    for (own, _, _), (found, chances) in zip(groups, compute(*parts), strict=True):
        if found:
            p_value[own], p_error[own] = np.exp(chances[:, 0]), np.sqrt(chances[:, 1]) / math.log(2)
            method[own] = SPLITTING
    return {**judged, "p_value": p_value, "p_error": p_error, "p_method": method}


def _chances(weights: Vector, size: int, sign: float, targets: Vector, key: int) -> tuple[bool, Matrix]:
    chances = np.empty((targets.size, 2))
    found = rare_chances(weights, size, sign, targets, np.uint64(key), math.log(SMALLEST_P), chances)
    return bool(found), chances
