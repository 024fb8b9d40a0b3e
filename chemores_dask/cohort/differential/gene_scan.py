"""Scans over the genes of a table of counts, and what both tests give for a gene."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import xarray as xr
from scipy.special import ndtr, ndtri, stdtr, stdtrit

from chemores_dask.aliases import Matrix, Vector
from chemores_dask.stream import compute, scan_columns

STATUS_FLAGS = ("ok", "all_zero", "filtered", "not_converged", "not_estimable", "state_not_fitted")
OK, ALL_ZERO, FILTERED, NOT_CONVERGED, NOT_ESTIMABLE, STATE_NOT_FITTED = range(len(STATUS_FLAGS))

LEVEL = 0.95
COUNTS_PER_BLOCK = 2**20
"""Counts that one task fits; genes in a block follow from the number of samples."""


@dataclass(frozen=True)
class GeneTests:
    """Tests of all genes that were fitted.

    Attributes
    ----------
    log_fold_change
        log2.
    standard_error
        Of it, with the moderated variance.
    statistic
        Moderated t, or the root of F with the sign of the effect.
    degrees
        Degrees of freedom of the statistic.
    p_value
        Two-sided.
    mean
        Average log2 counts per million.
    dispersion
        Of the negative binomial; not a number for linear models.
    variance
        Moderated residual variance, or quasi-dispersion.
    status
        Flags.
    """

    log_fold_change: Vector
    standard_error: Vector
    statistic: Vector
    degrees: Vector
    p_value: Vector
    mean: Vector
    dispersion: Vector
    variance: Vector
    status: Vector

    @property
    def reach(self) -> Vector:
        """Distance of the 95 % limits from the estimate."""
        quantile = np.full(self.degrees.shape, ndtri(0.5 + LEVEL / 2))
        finite = np.isfinite(self.degrees)
        quantile[finite] = stdtrit(self.degrees[finite], 0.5 + LEVEL / 2)
        return np.asarray(quantile * self.standard_error)


def two_sided(statistic: Vector, degrees: Vector) -> Vector:
    """Two-sided P value of a t statistic.

    Parameters
    ----------
    statistic, degrees
        One per gene; infinite degrees stand for the normal distribution.

    Returns
    -------
    P values.
    """
    size = -np.abs(statistic)
    endless = np.isinf(degrees)
    return np.asarray(2 * np.where(endless, ndtr(size), stdtr(np.where(endless, 1.0, degrees), size)))


def scan_genes(
    counts: Matrix, kernel: Callable[..., tuple[Any, ...]], outputs: Sequence[str], shared: Sequence[Any]
) -> dict[str, Vector]:
    """Run a kernel over all genes, block by block.

    Parameters
    ----------
    counts
        Samples by genes.
    kernel
        A module-level function: ``kernel(genes by samples, *shared) -> arrays``.
    outputs
        Names of these arrays.
    shared
        What every gene needs.

    Returns
    -------
    Arrays over genes by name.
    """
    genes = max(1, COUNTS_PER_BLOCK // max(1, counts.shape[0]))
    data = xr.Dataset({"counts": (("sample", "gene"), counts)}).chunk({"sample": -1, "gene": genes})
    lazy = scan_columns(
        data, kernel, variable="counts", over="gene", outputs=dict.fromkeys(outputs, "f8"), shared=shared
    )
    found = compute(*(array.data for array in lazy.values()))
    return {name: np.asarray(values) for name, values in zip(lazy, found, strict=True)}
