"""Quasi-likelihood negative binomial models, one per gene.

References
----------
Lund SP, Nettleton D, McCarthy DJ, Smyth GK (2012). Detecting differential expression in RNA-sequence data using quasi-likelihood with
shrunken dispersion estimates. Statistical Applications in Genetics and Molecular Biology 11:8.

McCarthy DJ, Chen Y, Smyth GK (2012). Differential expression analysis of multifactor RNA-Seq experiments with respect to biological
variation. Nucleic Acids Research 40:4288-4297.
"""

from __future__ import annotations

import math

import numpy as np

from chemores_dask.aliases import Matrix, Vector
from chemores_dask.kernels.grouped_fit import contrast_variance
from chemores_dask.kernels.jit import jit
from chemores_dask.kernels.negative_binomial import (
    adjusted_likelihood,
    counted_groups,
    fit_counts,
    informative_samples,
    residual_degrees,
    saturated_likelihood,
)

MEAN_PRIOR = 2.0
"""Counts added to each gene of an average library before its mean is taken."""

EFFECT_PRIOR = 0.125
"""Counts added before effects are estimated, so that those of genes without a count in one group stay finite."""

FIRST_DISPERSION = 0.05
"""At which it is decided which samples have no mean, before dispersions are compared."""


@jit
def average_log_cpm(counts: Vector, library: Vector, dispersion: float) -> float:
    """Logarithm (base 2) of a gene's mean in counts per million: that of one negative binomial for all samples, after a prior count.

    Parameters
    ----------
    counts, library
        One per sample.
    dispersion
        ``phi``.

    Returns
    -------
    The logarithm.
    """
    prior = MEAN_PRIOR * library / library.mean()
    size = library + 2.0 * prior
    rate = math.log((counts + prior).sum() / size.sum())
    for _ in range(50):
        slope = information = 0.0
        factor = math.exp(rate)
        for i in range(counts.size):
            mean = factor * size[i]
            slope += (counts[i] + prior[i] - mean) / (1.0 + dispersion * mean)
            information += mean / (1.0 + dispersion * mean)
        step = slope / information
        rate += step
        if abs(step) < 1e-12:
            break
    return (rate + math.log(1e6)) / math.log(2.0)


@jit
def scan_average(matrix: Matrix, library: Vector, dispersion: float) -> tuple[Vector, Vector]:
    """Average log counts per million of each gene, and its total.

    Parameters
    ----------
    matrix
        Counts, genes by samples.
    library
        Size of each sample.
    dispersion
        ``phi``.

    Returns
    -------
    Average and total per gene.
    """
    averages, totals = np.empty(matrix.shape[0]), np.empty(matrix.shape[0])
    for gene in range(matrix.shape[0]):
        averages[gene] = average_log_cpm(matrix[gene], library, dispersion)
        totals[gene] = matrix[gene].sum()
    return averages, totals


@jit
def profile_dispersions(
    matrix: Matrix, library: Vector, group: Vector, groups: int, columns: Matrix, grid: Vector
) -> Matrix:
    """Adjusted profile log-likelihood of each gene at each dispersion of a grid.

    Parameters
    ----------
    matrix, library
        As in :func:`scan_average`.
    group, groups, columns
        The design, as in :func:`~chemores_dask.kernels.grouped_fit.grouped_fit`.
    grid
        Rising dispersions.

    Returns
    -------
    Genes by grid; zeros for genes that leave no degrees of freedom.
    """
    found = np.zeros((matrix.shape[0], grid.size))
    offset = np.log(library)
    for gene in range(matrix.shape[0]):
        counts = matrix[gene]
        used = counted_groups(counts, group, groups)
        fit = fit_counts(counts, used, offset, np.log(counts + 0.5), FIRST_DISPERSION, group, groups, columns)
        used = informative_samples(counts, used, fit.linear)
        if residual_degrees(used, group, groups, columns) < 1:
            continue
        linear = fit.linear
        for k in range(grid.size):
            fit = fit_counts(counts, used, offset, linear, grid[k], group, groups, columns)
            linear = fit.linear
            found[gene, k] = adjusted_likelihood(counts, used, fit, grid[k])
    return found


@jit
def scan_quasi(
    matrix: Matrix,
    library: Vector,
    group: Vector,
    groups: int,
    columns: Matrix,
    rank: int,
    contrast: Vector,
    null_columns: Matrix,
    common: float,
    trend_x: Vector,
    trend_y: Vector,
) -> tuple[Vector, Vector, Vector, Vector, Vector, Vector, Vector, Vector]:
    """Fit each gene with the contrast and without it.

    Parameters
    ----------
    matrix, library, group, groups, columns
        As in :func:`profile_dispersions`.
    rank
        Of the design.
    contrast
        One weight per free column.
    null_columns
        Free columns of the design in which the contrast is zero.
    common
        Dispersion for the average log counts per million.
    trend_x, trend_y
        Logarithm of the dispersion as a function of these averages.

    Returns
    -------
    Per gene: average log counts per million, dispersion, contrast (log2), its variance for quasi-dispersion 1, deviance, likelihood
    ratio, residual degrees of freedom, smallest mean (negative where a fit did not converge).
    """
    genes, n = matrix.shape
    found = np.empty((8, genes))
    prior = EFFECT_PRIOR * library / library.mean()
    offset = np.log(library)
    offset_prior = np.log(library + 2.0 * prior)
    everyone = np.ones(n, dtype=np.bool_)
    for gene in range(genes):
        counts = matrix[gene]
        average = average_log_cpm(counts, library, common)
        dispersion = math.exp(np.interp(average, trend_x, trend_y)) if trend_x.size else 0.0
        used = counted_groups(counts, group, groups)
        full = fit_counts(counts, used, offset, np.log(counts + 0.5), dispersion, group, groups, columns)
        null = fit_counts(counts, used, offset, full.linear, dispersion, group, groups, null_columns)
        start = np.maximum(full.linear, np.log(prior))
        effect = fit_counts(
            counts + prior,
            everyone,
            offset_prior,
            np.where(used, start, np.log(prior)),
            dispersion,
            group,
            groups,
            columns,
        )
        informative = informative_samples(counts, used, full.linear)
        degrees = n - rank if informative.all() else residual_degrees(informative, group, groups, columns)
        least = np.inf
        for i in range(n):
            least = min(least, math.exp(full.linear[i]) if used[i] else 0.0)
        found[0, gene] = average
        found[1, gene] = dispersion
        found[2, gene] = (contrast * effect.model.free).sum() / math.log(2.0)
        found[3, gene] = contrast_variance(effect.model, contrast) / math.log(2.0) ** 2
        found[4, gene] = max(2.0 * (saturated_likelihood(counts, used, dispersion) - full.likelihood), 0.0)
        found[5, gene] = max(2.0 * (full.likelihood - null.likelihood), 0.0)
        found[6, gene] = degrees
        found[7, gene] = least if full.converged and null.converged and effect.converged else -1.0
    return found[0], found[1], found[2], found[3], found[4], found[5], found[6], found[7]
