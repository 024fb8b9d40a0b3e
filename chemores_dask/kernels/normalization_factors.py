"""How much of a sample's counts go to genes that do not change: trimmed means of log ratios to a reference sample (TMM).

References
----------
Robinson MD, Oshlack A (2010). A scaling normalization method for differential expression analysis of RNA-seq data. Genome Biology 11:R25.
"""

from __future__ import annotations

import numpy as np

from chemores_dask.aliases import Matrix, Vector

RATIO_TRIM = 0.3
"""Share of the genes left out at either end of the log ratios."""

LEVEL_TRIM = 0.05
"""Share of the genes left out at either end of the mean log expression."""

QUARTILE = 0.75
EQUAL = 1e-6


def reference_sample(upper_quartiles: Vector, totals: Vector, root_sums: Vector) -> int:
    """The sample that the others are compared with: the one whose upper quartile is nearest to the mean of all.

    Parameters
    ----------
    upper_quartiles
        Of the counts of each sample.
    totals
        Counts of each sample.
    root_sums
        Sum of the square roots of the counts of each sample; the largest decides where most upper quartiles are zero.

    Returns
    -------
    Its position.
    """
    shares = upper_quartiles / totals
    if np.median(shares) < 1e-20:
        return int(np.argmax(root_sums))
    return int(np.argmin(np.abs(shares - shares.mean())))


def scan_upper_quartiles(matrix: Matrix) -> tuple[Vector, Vector]:
    """Upper quartile and sum of square roots of each sample.

    Parameters
    ----------
    matrix
        Counts, samples by genes.

    Returns
    -------
    Both, one per sample.
    """
    return np.quantile(matrix, QUARTILE, axis=1), np.sqrt(matrix).sum(axis=1)


def scan_trimmed_means(matrix: Matrix, reference: Vector) -> tuple[Vector]:
    """Trimmed mean of the log ratios of each sample to a reference.

    Ratios are weighted by the inverse of their approximate variance. Genes without a count in either sample say nothing.

    Parameters
    ----------
    matrix
        Counts, samples by genes.
    reference
        Counts of the reference sample.

    Returns
    -------
    log2 of the factors, one per sample.
    """
    return (np.array([_trimmed_mean(sample, reference) for sample in matrix]),)


def inner_ranks(values: Vector, trim: float) -> Vector:
    """Which values stay when a share of them is left out at either end; equal ones share their mean rank, and their fate.

    Parameters
    ----------
    values
        Any numbers.
    trim
        The share, below one half.

    Returns
    -------
    Boolean, one per value.

    Examples
    --------
    >>> inner_ranks(np.array([5.0, 1.0, 2.0, 4.0]), 0.25)
    array([False, False,  True,  True])
    """
    ordered = np.sort(values)
    n = ordered.size
    least = int(n * trim) + 1
    low, high = ordered[least - 1], ordered[n - least]
    # Only values equal to those at the two limits can have a mean rank on the other side of them.
    ranks = [
        (np.searchsorted(ordered, limit) + 1 + np.searchsorted(ordered, limit, side="right")) / 2
        for limit in (low, high)
    ]
    above = values >= low if ranks[0] >= least else values > low
    below = values <= high if ranks[1] <= n + 1 - least else values < high
    return np.asarray(above & below)


def centered_factors(log_factors: Vector) -> Vector:
    """Factors with a geometric mean of 1.

    Parameters
    ----------
    log_factors
        log2 of the factors.

    Returns
    -------
    The factors.

    Examples
    --------
    >>> centered_factors(np.array([0.0, 2.0]))
    array([0.5, 2. ])
    """
    return np.asarray(2.0 ** (log_factors - log_factors.mean()))


def _trimmed_mean(sample: Vector, reference: Vector) -> float:
    both = (sample > 0) & (reference > 0)
    if not both.any():
        return 0.0
    total, reference_total = sample.sum(), reference.sum()
    own, other = sample[both] / total, reference[both] / reference_total
    ratio, level = np.log2(own / other), (np.log2(own) + np.log2(other)) / 2
    if np.abs(ratio).max() < EQUAL:
        return 0.0
    kept = inner_ranks(ratio, RATIO_TRIM) & inner_ranks(level, LEVEL_TRIM)
    if not kept.any():
        return 0.0
    variance = (1 - own) / sample[both] + (1 - other) / reference[both]
    return float((ratio[kept] / variance[kept]).sum() / (1 / variance[kept]).sum())
