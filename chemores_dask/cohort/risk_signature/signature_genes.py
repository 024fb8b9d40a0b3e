"""Weights of a signature, and the expression of patients gene by gene."""

from __future__ import annotations

import dask.array as da
import numpy as np
import xarray as xr

from chemores_dask.aliases import Vector
from chemores_dask.checks import check_variables, listed
from chemores_dask.cohort.outcome import check_expression
from chemores_dask.errors import InputError
from chemores_dask.stream import compute

GENES_PER_BLOCK = 2048
WEIGHT = "risk_signature_weight"


def signature_weights(signature: xr.Dataset, *, caller: str) -> tuple[Vector, Vector]:
    """Genes of a signature and their weights.

    Raises
    ------
    MissingVariableError
        If there are no weights.
    InputError
        If there is no gene, one occurs twice, or a weight is 0 or not finite.
    """
    check_variables(signature, [WEIGHT], dims=("gene",), what="the signature", caller=caller)
    genes = signature["gene"].to_numpy().astype(str).astype(object)
    weights = signature[WEIGHT].to_numpy().astype(float)
    wrong = genes[~np.isfinite(weights) | (weights == 0)]
    if not genes.size or wrong.size or np.unique(genes).size < genes.size:
        message = (
            f"A signature of {caller} must have genes, each once, with finite weights that are not 0. Found {genes.size} genes"
            f"{f'; not so: {listed(wrong)}' if wrong.size else ''}; leave genes without weight out."
        )
        raise InputError(message)
    return genes, weights


def gene_rows(patients: xr.Dataset, expression: str, *, caller: str) -> xr.DataArray:
    """Expression over (gene, patient), lazy, with whole genes in blocks.

    Raises
    ------
    MissingVariableError
        If the variable is absent.
    InputError
        If it holds no real numbers, or a gene occurs twice.
    """
    found = patients[expression].dims if expression in patients.variables else ()
    dims = ("gene", "patient") if tuple(found) == ("gene", "patient") else ("patient", "gene")
    check_variables(patients, [expression], dims=dims, what="patients", caller=caller)
    check_expression(patients[expression], caller=caller)
    names = patients["gene"].to_numpy().astype(str)
    different, times = np.unique(names, return_counts=True)
    if (times > 1).any():
        message = f"Every gene must occur once in {caller}. Found more than once: {listed(different[times > 1])}; keep one of each."
        raise InputError(message)
    rows = patients[expression].transpose("gene", "patient")
    if rows.chunks is None:
        lazy = da.from_array(rows.to_numpy(), chunks=(GENES_PER_BLOCK, -1))
        rows = xr.DataArray(lazy, dims=("gene", "patient"))
    else:
        rows = rows.chunk({"patient": -1})
    return rows.assign_coords(gene=names.astype(object)).drop_vars("patient", errors="ignore")


def measured_at_all(rows: xr.DataArray) -> Vector:
    """Which patients have a value of some gene."""
    (found,) = compute(da.logical_not(da.isnan(rows.data)).any(axis=0))
    return np.asarray(found)
