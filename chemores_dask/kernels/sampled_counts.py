"""Counts of cells drawn from proportions of genes: negative binomial where a gene is common, Poisson where it is rare.

A cell of library size ``L`` in state ``s`` has counts ``x_g ~ Poisson(L q_g w_g)``, where ``q_g`` is the proportion of the gene in the
cell: that of its state times the cell's factor for the group of the gene, brought to sum 1. For common genes ``w_g`` is a gamma
variable of mean 1 (so that ``x_g`` is negative binomial); for rare ones, whose variance would hardly grow, it is 1. The rare genes
of a cell are drawn together: their number is Poisson, and each falls on a gene by the cumulative proportions of the state.

Every number is a function of the key of the cell and the position of the draw, so any cell can be drawn alone.
"""

from __future__ import annotations

import math
from typing import NamedTuple

import numpy as np

from chemores_dask.aliases import Matrix, Vector
from chemores_dask.kernels.jit import jit
from chemores_dask.randomness import FIRST_MULTIPLIER, GOLDEN_GAMMA, SECOND_MULTIPLIER, UNIT

_FAR = np.uint64(2**32)
_SHIFTS = (np.uint64(30), np.uint64(27), np.uint64(31), np.uint64(11))
NOISE_LEVELS = 1024
_NOISE_MASK = np.uint64(NOISE_LEVELS - 1)
_LARGEST_STEP = 32.0
_LARGEST_STEP_ZERO = math.exp(-_LARGEST_STEP)
_NEGLIGIBLE = 1e-18


class CountProfiles(NamedTuple):
    """Proportions of genes per state, split into common and rare genes.

    Attributes
    ----------
    genes
        Number of all genes.
    common_genes, common_groups
        Column and group of each common gene.
    common_shares
        Proportion of each common gene, states by common genes.
    group_shares
        Proportion of all genes of a group together, common and rare, states by groups.
    rare_genes
        Column of each rare gene; all belong to group 0.
    rare_shares
        Proportion of the rare genes together, per state.
    rare_cumulative
        Cumulative proportions among the rare genes, states by rare genes, ending at 1.
    guide
        For equal steps of the unit interval, the first rare gene whose cumulative proportion reaches the step; states by steps.
    noise
        1024 equally probable values of the gamma variable, with mean 1; the lowest bits of a draw, which its uniform number does
        not use, choose among them.
    """

    genes: int
    common_genes: Vector
    common_groups: Vector
    common_shares: Matrix
    group_shares: Matrix
    rare_genes: Vector
    rare_shares: Vector
    rare_cumulative: Matrix
    guide: Matrix
    noise: Vector


@jit
def bits_at(key: np.uint64, position: np.uint64) -> np.uint64:
    """The 64 random bits of a key at a position (SplitMix64)."""
    bits = np.uint64(key) + np.uint64(position) * GOLDEN_GAMMA
    bits = (bits ^ (bits >> _SHIFTS[0])) * FIRST_MULTIPLIER
    bits = (bits ^ (bits >> _SHIFTS[1])) * SECOND_MULTIPLIER
    return bits ^ (bits >> _SHIFTS[2])


@jit
def uniform_at(key: np.uint64, position: np.uint64) -> float:
    """The uniform number in [0, 1) of a key at a position, from the upper 53 bits."""
    return float(np.uint64(bits_at(key, position)) >> _SHIFTS[3]) * UNIT


@jit
def noise_level_at(key: np.uint64, position: np.uint64) -> int:
    """A number below 1024 for a key at a position, from the lowest 10 bits."""
    return int(np.uint64(bits_at(key, position)) & _NOISE_MASK)


@jit
def poisson_by_inversion(uniform: float, zero: float, mean: float) -> int:
    """The Poisson quantile of a uniform number.

    Parameters
    ----------
    uniform
        Between 0 and 1.
    zero
        ``exp(-mean)``.
    mean
        Mean, at most 32, so that ``zero`` is a normal number.
    """
    value = 0
    probability = zero
    cumulative = zero
    while uniform >= cumulative:
        value += 1
        probability *= mean / value
        cumulative += probability
        if probability < _NEGLIGIBLE and value > mean:
            break
    return value


@jit
def poisson_at(key: np.uint64, position: np.uint64, mean: float) -> int:
    """A Poisson number of any mean: the sum of numbers of mean 32 and one of the rest.

    Parameters
    ----------
    key
        Key of the cell.
    position
        Where its uniform numbers start; every part takes the next one, 2**32 positions apart so that no other draw meets them.
    mean
        Mean, not negative.
    """
    uniform = uniform_at(key, position)
    if uniform < 1.0 - mean:  # then it is below exp(-mean), and the number is 0
        return 0
    value = 0
    while mean > _LARGEST_STEP:
        value += poisson_by_inversion(uniform, _LARGEST_STEP_ZERO, _LARGEST_STEP)
        mean -= _LARGEST_STEP
        position = np.uint64(position) + _FAR
        uniform = uniform_at(key, position)
    return value + poisson_by_inversion(uniform, math.exp(-mean), mean)


@jit
def sample_counts(
    keys: Vector, depths: Vector, states: Vector, factors: Matrix, profiles: CountProfiles
) -> tuple[Vector, Vector, Vector]:
    """Draw the counts of some cells.

    Parameters
    ----------
    keys
        Unsigned 64-bit key of each cell.
    depths
        Expected number of counts of each cell.
    states
        State of each cell, a row of the profiles.
    factors
        Factor on the genes of a group, cells by groups; that of group 0 is usually 1.
    profiles
        Proportions.

    Returns
    -------
    ``indptr`` (int64), ``indices`` (int32, ascending within a cell) and ``data`` (int32) of a CSR matrix, cells by genes.
    """
    cells = len(keys)
    indptr = np.zeros(cells + 1, dtype=np.int64)
    indices = np.empty(cells * 1024, dtype=np.int32)
    data = np.empty(cells * 1024, dtype=np.int32)
    row = np.zeros(profiles.genes, dtype=np.int32)
    steps = profiles.guide.shape[1]
    common = len(profiles.common_genes)
    used = 0
    for cell in range(cells):
        key = keys[cell]
        state = states[cell]
        total = 0.0
        for group in range(factors.shape[1]):
            total += profiles.group_shares[state, group] * factors[cell, group]
        scale = depths[cell] / total
        for place in range(common):
            mean = scale * profiles.common_shares[state, place] * factors[cell, profiles.common_groups[place]]
            mean *= profiles.noise[noise_level_at(key, np.uint64(place))]
            row[profiles.common_genes[place]] = poisson_at(key, np.uint64(place), mean)
        number = poisson_at(key, np.uint64(common), scale * profiles.rare_shares[state] * factors[cell, 0])
        for draw in range(number):
            uniform = uniform_at(key, np.uint64(common + 1 + draw))
            rare = profiles.guide[state, int(uniform * steps)]
            while profiles.rare_cumulative[state, rare] <= uniform:
                rare += 1
            row[profiles.rare_genes[rare]] += 1
        if used + profiles.genes > len(indices):
            larger = 2 * len(indices) + profiles.genes
            indices = np.concatenate((indices, np.empty(larger - len(indices), dtype=np.int32)))
            data = np.concatenate((data, np.empty(larger - len(data), dtype=np.int32)))
        for gene in range(profiles.genes):
            if row[gene] > 0:
                indices[used] = gene
                data[used] = row[gene]
                row[gene] = 0
                used += 1
        indptr[cell + 1] = used
    return indptr, indices[:used].copy(), data[:used].copy()


def split_profiles(shares: Matrix, groups: Vector, *, common: Vector, noise: Vector) -> CountProfiles:
    """Prepare proportions for :func:`sample_counts`.

    Parameters
    ----------
    shares
        Proportions, states by genes; every row sums to 1.
    groups
        Group of each gene, from 0.
    common
        True for each gene whose counts are negative binomial; must hold for every gene outside group 0.
    noise
        1024 equally probable values of the gamma variable, with mean 1.
    """
    assert len(noise) == NOISE_LEVELS, "ten bits choose a level"
    assert bool(np.all(common[groups != 0])), "genes of a group with a factor of its own are common"
    common_genes = np.flatnonzero(common)
    rare_genes = np.flatnonzero(~common)
    group_shares = np.stack(
        [shares[:, groups == group].sum(axis=1) for group in range(int(groups.max(initial=0)) + 1)], axis=1
    )
    rare_shares = shares[:, rare_genes].sum(axis=1)
    cumulative = np.cumsum(shares[:, rare_genes], axis=1)
    if len(rare_genes):
        cumulative /= cumulative[:, -1:]
    steps = max(2 * len(rare_genes), 1)
    starts = np.arange(steps) / steps
    guide = np.stack([np.searchsorted(row, starts, side="right") for row in cumulative])
    return CountProfiles(
        genes=shares.shape[1],
        common_genes=common_genes.astype(np.int64),
        common_groups=groups[common_genes].astype(np.int64),
        common_shares=np.ascontiguousarray(shares[:, common_genes], dtype=np.float64),
        group_shares=np.ascontiguousarray(group_shares, dtype=np.float64),
        rare_genes=rare_genes.astype(np.int64),
        rare_shares=rare_shares.astype(np.float64),
        rare_cumulative=np.ascontiguousarray(cumulative, dtype=np.float64),
        guide=np.ascontiguousarray(guide, dtype=np.int64),
        noise=np.asarray(noise, dtype=np.float64),
    )
