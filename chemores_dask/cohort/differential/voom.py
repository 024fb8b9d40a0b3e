"""Moderated t tests of log counts with precision weights (limma's voom)."""

from __future__ import annotations

from typing import Any

import numpy as np

from chemores_dask.aliases import Matrix, Vector
from chemores_dask.cohort.differential.gene_scan import NOT_ESTIMABLE, OK, GeneTests, scan_genes, two_sided
from chemores_dask.cohort.differential.model_design import ModelDesign
from chemores_dask.kernels.lowess import lowess
from chemores_dask.kernels.moderated_variance import squeeze_variances, total_degrees
from chemores_dask.kernels.voom_columns import LOG_MILLION, PRIOR_COUNT, scan_directions, scan_means, scan_voom

SPAN = 0.5
"""Of the trend of the standard deviation over the mean."""


def voom_tests(counts: Matrix, library: Vector, design: ModelDesign, *, robust: bool) -> GeneTests:
    """Test the contrast in every gene.

    Parameters
    ----------
    counts
        Samples by genes.
    library
        Normalized size of each sample.
    design
        The model.
    robust
        Whether outlying variances are drawn less to the prior.

    Returns
    -------
    Tests, one per gene.
    """
    model = (library, design.group, design.groups, design.columns, design.rank)
    plain = scan_genes(counts, _means, ("mean", "deviation"), model)
    level = plain["mean"] + np.log2(library + 2 * PRIOR_COUNT).mean() - LOG_MILLION
    trend = lowess(level, np.sqrt(plain["deviation"]), span=SPAN)
    fitted = scan_genes(counts, _voom, ("effect", "unscaled", "variance"), (*model, design.contrast, *trend))
    degrees = float(counts.shape[0] - design.rank)
    squeezed = squeeze_variances(fitted["variance"], degrees, robust=robust)
    error = np.sqrt(fitted["unscaled"] * squeezed.posterior)
    estimable = np.isfinite(error) & (error > 0)
    with np.errstate(divide="ignore", invalid="ignore"):
        statistic = np.where(estimable, fitted["effect"] / error, np.nan)
    total = total_degrees(degrees, squeezed.prior_degrees)
    return GeneTests(
        log_fold_change=fitted["effect"],
        standard_error=error,
        statistic=statistic,
        degrees=total,
        p_value=two_sided(statistic, total),
        mean=plain["mean"],
        dispersion=np.full(statistic.shape, np.nan),
        variance=squeezed.posterior,
        status=np.where(estimable, OK, NOT_ESTIMABLE),
    )


def patient_directions(counts: Matrix, library: Vector, design: ModelDesign) -> tuple[Vector, Vector]:
    """In how many patients each gene rises along the contrast, and in how many it falls.

    Parameters
    ----------
    counts, library, design
        As in :func:`voom_tests`.

    Returns
    -------
    Patients rising and patients falling, one number per gene.
    """
    shared = (library, design.patient, design.patients, design.slope)
    found = scan_genes(counts, _directions, ("up", "down"), shared)
    return found["up"].astype(np.int64), found["down"].astype(np.int64)


# Compiled kernels would travel as their code, and be compiled again by every worker; functions travel as their names.
def _means(matrix: Matrix, *shared: Any) -> tuple[Vector, ...]:
    found: tuple[Vector, ...] = scan_means(matrix, *shared)
    return found


def _voom(matrix: Matrix, *shared: Any) -> tuple[Vector, ...]:
    found: tuple[Vector, ...] = scan_voom(matrix, *shared)
    return found


def _directions(matrix: Matrix, *shared: Any) -> tuple[Vector, ...]:
    found: tuple[Vector, ...] = scan_directions(matrix, *shared)
    return found
