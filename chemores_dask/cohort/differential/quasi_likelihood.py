"""Quasi-likelihood F tests of negative binomial models (edgeR's ``glmQLFit`` and ``glmQLFTest``)."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from scipy.interpolate import CubicSpline
from scipy.special import chdtrc

from chemores_dask.aliases import Matrix, Vector
from chemores_dask.cohort.differential.gene_scan import (
    NOT_CONVERGED,
    NOT_ESTIMABLE,
    OK,
    GeneTests,
    scan_genes,
    two_sided,
)
from chemores_dask.cohort.differential.model_design import ModelDesign
from chemores_dask.kernels.lowess import local_means
from chemores_dask.kernels.moderated_variance import squeeze_variances
from chemores_dask.kernels.quasi_columns import (
    FIRST_DISPERSION,
    profile_dispersions,
    scan_average,
    scan_quasi,
)

GRID = np.linspace(-10.0, 10.0, 21)
"""Dispersions that are compared: ``0.1 * 2^GRID``."""

TREND_GENES, TREND_COUNTS = 4000, 2_000_000
"""The trend of the dispersion is learned from so many genes at most, evenly chosen by their mean, and so many counts."""

_OUTPUTS = ("mean", "dispersion", "effect", "unscaled", "deviance", "ratio", "degrees", "least")


@dataclass(frozen=True)
class DispersionTrend:
    """Dispersion as a function of the average log counts per million.

    Attributes
    ----------
    common
        One dispersion for all genes.
    average
        Rising averages.
    log_dispersion
        Logarithm of the dispersion there.
    """

    common: float
    average: Vector
    log_dispersion: Vector


def quasi_tests(
    counts: Matrix, library: Vector, design: ModelDesign, *, robust: bool, trend: DispersionTrend | None = None
) -> GeneTests:
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
        Whether outlying quasi-dispersions are drawn less to the prior.
    trend
        Dispersions to use; learned from the genes unless given.

    Returns
    -------
    Tests, one per gene.
    """
    trend = dispersion_trend(counts, library, design) if trend is None else trend
    found = _fit(counts, library, design, trend)
    degrees, residual = found["degrees"], float(counts.shape[0] - design.rank)
    with np.errstate(divide="ignore", invalid="ignore"):
        own = np.where(degrees > 0, found["deviance"] / degrees, 0.0)
    squeezed = squeeze_variances(own, degrees, trend=found["mean"], robust=robust)
    total = np.minimum(squeezed.prior_degrees + degrees, counts.shape[1] * residual)
    with np.errstate(divide="ignore", invalid="ignore"):
        ratio = np.where(found["ratio"] > 0, found["ratio"] / squeezed.posterior, 0.0)
        statistic = np.sign(found["effect"]) * np.sqrt(ratio)
    p_value = two_sided(statistic, total)
    bound = (1 + found["dispersion"] * found["least"]) * squeezed.posterior < 1
    if bound.any():
        # No gene varies less than counting alone makes it vary.
        none = np.empty(0)
        counted = _fit(counts[:, bound], library, design, DispersionTrend(trend.common, none, none))
        p_value[bound] = np.maximum(p_value[bound], chdtrc(1, counted["ratio"]))
    estimable = np.isfinite(found["unscaled"]) & np.isfinite(p_value)
    return GeneTests(
        log_fold_change=found["effect"],
        standard_error=np.sqrt(found["unscaled"] * squeezed.posterior),
        statistic=statistic,
        degrees=total,
        p_value=p_value,
        mean=found["mean"],
        dispersion=found["dispersion"],
        variance=squeezed.posterior,
        status=np.where(found["least"] < 0, NOT_CONVERGED, np.where(estimable, OK, NOT_ESTIMABLE)),
    )


def dispersion_trend(counts: Matrix, library: Vector, design: ModelDesign) -> DispersionTrend:
    """Learn the trend of the dispersion over the mean.

    Adjusted profile likelihoods of the genes at a grid of dispersions are averaged over genes of similar mean, and the maximum of the
    average is found between the points of the grid.

    Parameters
    ----------
    counts, library, design
        As in :func:`quasi_tests`.

    Returns
    -------
    The trend.
    """
    first = scan_genes(counts, _average, ("mean", "total"), (library, FIRST_DISPERSION))["mean"]
    most = max(1, min(TREND_GENES, TREND_COUNTS // counts.shape[0], first.size))
    order = np.argsort(first, kind="stable")
    chosen = np.sort(order[np.unique(np.linspace(0, first.size - 1, most).round().astype(int))])
    names = [str(point) for point in range(GRID.size)]
    some = np.ascontiguousarray(counts[:, chosen])
    shared = (library, design.group, design.groups, design.columns, 0.1 * 2**GRID)
    profiles = np.column_stack(list(scan_genes(some, _profiles, names, shared).values()))
    common = 0.1 * 2 ** float(grid_maximum(profiles.sum(axis=0)[None])[0])
    average = scan_genes(some, _average, ("mean", "total"), (library, common))["mean"]
    rising = np.argsort(average, kind="stable")
    span = 1.0 if rising.size <= 50 else 0.25 + 0.75 * (50 / rising.size) ** 0.5
    near = max(1, int(span * rising.size))
    smooth = local_means(average[rising], profiles[rising], near)
    return DispersionTrend(common, average[rising], np.log(0.1) + np.log(2) * grid_maximum(smooth))


def grid_maximum(values: Matrix) -> Vector:
    """Where cubic splines through the values at the points of the grid are largest.

    Parameters
    ----------
    values
        Curves by points of the grid.

    Returns
    -------
    Place of the maximum of each curve.
    """
    spline = CubicSpline(GRID, values.T)
    peak = np.argmax(values, axis=1)
    curves = np.arange(len(values))
    best, height = GRID[peak], values[curves, peak]
    step = GRID[1] - GRID[0]
    for side in (-1, 0):
        interval = np.clip(peak + side, 0, GRID.size - 2)
        a, b, c, d = (spline.c[k, interval, curves] for k in range(4))
        with np.errstate(divide="ignore", invalid="ignore"):
            root = np.sqrt(b * b - 3 * a * c)
            place = np.where(np.abs(a) > 1e-12 * np.abs(b), (-b - root) / (3 * a), -c / (2 * b))
            found = ((a * place + b) * place + c) * place + d
        better = (place >= 0) & (place <= step) & (found > height)
        best, height = np.where(better, GRID[interval] + place, best), np.where(better, found, height)
    return np.asarray(best)


def _fit(counts: Matrix, library: Vector, design: ModelDesign, trend: DispersionTrend) -> dict[str, Vector]:
    shared = (
        library,
        design.group,
        design.groups,
        design.columns,
        design.rank,
        design.contrast,
        design.null_columns,
        trend.common,
        trend.average,
        trend.log_dispersion,
    )
    return scan_genes(counts, _quasi, _OUTPUTS, shared)


# Compiled kernels would travel as their code, and be compiled again by every worker; functions travel as their names.
def _average(matrix: Matrix, *shared: Any) -> tuple[Vector, ...]:
    found: tuple[Vector, ...] = scan_average(matrix, *shared)
    return found


def _profiles(matrix: Matrix, *shared: Any) -> tuple[Vector, ...]:
    found: Matrix = profile_dispersions(matrix, *shared)
    return tuple(found.T)


def _quasi(matrix: Matrix, *shared: Any) -> tuple[Vector, ...]:
    found: tuple[Vector, ...] = scan_quasi(matrix, *shared)
    return found
