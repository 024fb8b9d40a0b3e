"""Linear models of log counts, one per gene, with the precision of every count as its weight (voom).

References
----------
Law CW, Chen Y, Shi W, Smyth GK (2014). voom: precision weights unlock linear model analysis tools for RNA-seq read counts. Genome
Biology 15:R29.
"""

from __future__ import annotations

import numpy as np

from chemores_dask.aliases import Matrix, Vector
from chemores_dask.kernels.grouped_fit import contrast_variance, fitted_value, grouped_fit
from chemores_dask.kernels.jit import jit

PRIOR_COUNT = 0.5
"""Added to every count before the logarithm, and twice to every library."""

LOG_MILLION = float(np.log2(1e6))


@jit
def log_counts_per_million(counts: Vector, library: Vector) -> Vector:
    """``log2((count + 0.5) / (library + 1) * 10^6)``.

    Parameters
    ----------
    counts, library
        One per sample.

    Returns
    -------
    One per sample.
    """
    return np.log2((counts + PRIOR_COUNT) / (library + 2 * PRIOR_COUNT)) + LOG_MILLION


@jit
def scan_means(
    matrix: Matrix, library: Vector, group: Vector, groups: int, columns: Matrix, rank: int
) -> tuple[Vector, Vector]:
    """Mean and residual standard deviation of the log counts of each gene, all samples with the same weight.

    Parameters
    ----------
    matrix
        Counts, genes by samples.
    library
        Counts of each sample, normalized.
    group, groups, columns
        The design, as in :func:`~chemores_dask.kernels.grouped_fit.grouped_fit`.
    rank
        Of the design.

    Returns
    -------
    Mean and standard deviation per gene.
    """
    genes, n = matrix.shape
    means, deviations = np.empty(genes), np.empty(genes)
    equal = np.ones(n)
    for gene in range(genes):
        y = log_counts_per_million(matrix[gene], library)
        fit = grouped_fit(y, equal, group, groups, columns)
        squares = 0.0
        for i in range(n):
            squares += (y[i] - fitted_value(fit, group, columns, i)) ** 2
        means[gene] = y.mean()
        deviations[gene] = np.sqrt(squares / (n - rank))
    return means, deviations


@jit
def scan_voom(
    matrix: Matrix,
    library: Vector,
    group: Vector,
    groups: int,
    columns: Matrix,
    rank: int,
    contrast: Vector,
    trend_x: Vector,
    trend_y: Vector,
) -> tuple[Vector, Vector, Vector]:
    """Weighted fit of each gene.

    A count expected to be ``e`` has the weight ``1 / trend(log2 e)^4``.

    Parameters
    ----------
    matrix, library, group, groups, columns, rank
        As in :func:`scan_means`.
    contrast
        One weight per free column.
    trend_x, trend_y
        Root of the standard deviation as a function of the logarithm of the count.

    Returns
    -------
    Per gene: the contrast, its variance for residual variance 1, the residual variance.
    """
    genes, n = matrix.shape
    estimates, unscaled, variances = np.empty(genes), np.empty(genes), np.empty(genes)
    equal = np.ones(n)
    log_library = np.log2(library + 2 * PRIOR_COUNT) - LOG_MILLION
    expected = np.empty(n)
    for gene in range(genes):
        y = log_counts_per_million(matrix[gene], library)
        plain = grouped_fit(y, equal, group, groups, columns)
        for i in range(n):
            expected[i] = fitted_value(plain, group, columns, i) + log_library[i]
        weights = np.interp(expected, trend_x, trend_y) ** -4.0
        fit = grouped_fit(y, weights, group, groups, columns)
        squares = 0.0
        for i in range(n):
            squares += weights[i] * (y[i] - fitted_value(fit, group, columns, i)) ** 2
        estimates[gene] = (contrast * fit.free).sum()
        unscaled[gene] = contrast_variance(fit, contrast)
        variances[gene] = squares / (n - rank)
    return estimates, unscaled, variances


@jit
def scan_directions(
    matrix: Matrix, library: Vector, patient: Vector, patients: int, slope: Vector
) -> tuple[Vector, Vector]:
    """In how many patients a gene goes up, and in how many down.

    Parameters
    ----------
    matrix, library
        As in :func:`scan_means`.
    patient, patients
        Number of each sample's patient, and how many there are.
    slope
        What is compared, centered within each patient.

    Returns
    -------
    Patients in whom log counts rise with ``slope``, and in whom they fall.
    """
    genes, n = matrix.shape
    up, down = np.zeros(genes, dtype=np.int64), np.zeros(genes, dtype=np.int64)
    for gene in range(genes):
        y = log_counts_per_million(matrix[gene], library)
        scores = np.zeros(patients)
        sizes = np.zeros(patients)
        for i in range(n):
            scores[patient[i]] += slope[i] * y[i]
            sizes[patient[i]] += abs(slope[i] * y[i])
        for p in range(patients):
            up[gene] += scores[p] > 1e-12 * sizes[p]
            down[gene] += scores[p] < -1e-12 * sizes[p]
    return up, down
