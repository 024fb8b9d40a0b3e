"""One number per gene by which genes are ranked, from the result of a comparison."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Literal

import numpy as np
import xarray as xr

from chemores_dask.aliases import Vector
from chemores_dask.checks import check_one_of, listed
from chemores_dask.cohort.enrichment.ranked_genes import GENE, gene_names, gene_values, patients_behind
from chemores_dask.errors import InputError, MissingVariableError, ParameterError
from chemores_dask.results_spec import Variable, declare, make_result

ALGORITHM_REVISION = 1

CALLER = "ranking_of"
STATISTIC, SIGNED, CHANGE = "statistic", "signed_log_p", "log_fold_change"
WAYS = (STATISTIC, SIGNED, CHANGE)
STATISTICS = ("statistic",)
EFFECTS = ("log_fold_change", "coefficient", "statistic")
SMALLEST = float(np.finfo(np.float64).tiny)
"""P values of 0 count as this: 307.65 on the scale of -log10."""

RESULT = declare(
    Variable(
        "ranking_value", ("gene",), "f", doc="higher where the gene goes up; not a number where it was not tested"
    ),
    Variable("ranking_patients", (), "i", unit="patients", doc="behind the values", optional=True),
)


def ranking_of(
    differential: xr.Dataset, *, by: Literal["statistic", "signed_log_p", "log_fold_change"], prefix: str | None = None
) -> xr.Dataset:
    """One number per gene by which enrichment ranks them.

    ``"statistic"``: the statistic of the test, such as a moderated t; of a Cox scan the coefficient over its standard error.
    ``"signed_log_p"``: -log10 P with the sign of the effect. ``"log_fold_change"``: the effect itself.

    Prefer the first, or the second where there is only a P. Fold changes forget how sure they are: genes with few counts have the
    largest ones and stand at both ends of the ranking [1]_.

    Parameters
    ----------
    differential
        Result of a comparison, over ``gene``.
    by
        What to rank by.
    prefix
        First word of the variables, as ``"cox"`` in ``cox_p_value``; needed where a result holds several tests.

    Returns
    -------
    Dataset over ``gene``: ``ranking_value``; ``ranking_patients`` where the input states them.

    Raises
    ------
    MissingVariableError
        If the result has no such variable.
    ParameterError
        If several tests fit.
    InputError
        If names of genes repeat, or P values lie outside 0 and 1.

    Notes
    -----
    Passes over the counts: 0. P values of 0 count as 2.2e-308.

    References
    ----------
    .. [1] Zyla J, Marczyk M, Weiner J, Polanska J (2017). Ranking metrics in gene set enrichment analysis: do they matter? BMC
       Bioinformatics 18:256.

    Examples
    --------
    >>> scan = xr.Dataset(
    ...     {"cox_coefficient": ("gene", [0.5, -0.2]), "cox_p_value": ("gene", [0.001, 0.1])}, coords={"gene": ["CD44", "RAG1"]}
    ... )
    >>> ranking_of(scan, by="signed_log_p")["ranking_value"].values
    array([ 3., -1.])
    """
    check_one_of(by, WAYS, parameter="by", caller=CALLER)
    names = gene_names(differential, caller=CALLER)
    if by == STATISTIC:
        values, source = _statistic(differential, prefix)
    elif by == SIGNED:
        values, source = _signed_log_p(differential, prefix)
    else:
        source = _find(differential, EFFECTS[:2], prefix)
        (values,) = gene_values(differential, [source], caller=CALLER)
    return make_result(
        RESULT,
        {"ranking_value": values, **patients_behind(differential, source, name="ranking_patients")},
        analysis=CALLER,
        parameters={"by": by, "prefix": prefix},
        coordinates={"gene": names.astype(object)},
    )


def _statistic(differential: xr.Dataset, prefix: str | None) -> tuple[Vector, str]:
    if _fitting(differential, STATISTICS, prefix):
        name = _find(differential, STATISTICS, prefix)
        return gene_values(differential, [name], caller=CALLER)[0], name
    effect = _find(differential, EFFECTS[:2], prefix)
    error = _find(differential, ("standard_error",), prefix)
    size, spread = gene_values(differential, [effect, error], caller=CALLER)
    return np.divide(size, spread, out=np.full(size.shape, np.nan), where=spread > 0), effect


def _signed_log_p(differential: xr.Dataset, prefix: str | None) -> tuple[Vector, str]:
    p_name, effect = _find(differential, ("p_value",), prefix), _find(differential, EFFECTS, prefix)
    p_value, size = gene_values(differential, [p_name, effect], caller=CALLER)
    if ((p_value < 0) | (p_value > 1)).any():
        message = f"P values must lie between 0 and 1. {p_name!r} has {np.nanmin(p_value)} to {np.nanmax(p_value)}; name another prefix."
        raise InputError(message)
    return np.sign(size) * -np.log10(np.maximum(p_value, SMALLEST)), effect


def _fitting(differential: xr.Dataset, endings: Sequence[str], prefix: str | None) -> list[str]:
    """Variables over genes with the first of the endings that any has."""
    over = [str(name) for name in differential.data_vars if differential[name].dims == (GENE,)]
    for ending in endings:
        found = [name for name in over if name.partition("_")[2] == ending]
        found = [name for name in found if prefix is None or name.partition("_")[0] == prefix]
        if found:
            return found
    return []


def _find(differential: xr.Dataset, endings: Sequence[str], prefix: str | None) -> str:
    found = _fitting(differential, endings, prefix)
    if not found:
        wanted = " or ".join(f"{prefix or '…'}_{ending}" for ending in endings)
        present = [str(name) for name in differential.data_vars if differential[name].dims == (GENE,)]
        message = f"{CALLER} needs a variable {wanted} over (gene). Present over (gene): {listed(present)}; rank by another one, or rename."
        raise MissingVariableError(message)
    if len(found) > 1:
        message = f"The result must hold one test, or 'prefix' of {CALLER} say which. Found {listed(found)}; give the first word."
        raise ParameterError(message)
    return found[0]
