"""Gene sets against all other genes, with the correlation between genes of a set."""

from __future__ import annotations

import numpy as np
import xarray as xr
from scipy.special import stdtr

from chemores_dask.aliases import Vector
from chemores_dask.checks import check_between
from chemores_dask.cohort.enrichment.ranked_genes import as_dataset, patients_behind, rank_genes
from chemores_dask.cohort.enrichment.set_members import (
    OK,
    SIZE_FLAGS,
    check_sizes,
    find_members,
    recorded_sets,
    size_status,
)
from chemores_dask.gene_sets import GeneSets
from chemores_dask.kernels.multiple_testing import benjamini_hochberg
from chemores_dask.results_spec import Variable, declare, make_result

ALGORITHM_REVISION = 1

CALLER = "camera_enrichment"

_SET = ("gene_set",)
RESULT = declare(
    Variable(
        "camera_difference", _SET, "f", unit="what is ranked", doc="mean of the set minus mean of all other genes"
    ),
    Variable("camera_statistic", _SET, "f", doc="t with the variance inflated by the correlation between genes"),
    Variable("camera_p_value", _SET, "f", doc="two-sided t test of the set against all other genes"),
    Variable("camera_q_value", _SET, "f", doc="Benjamini-Hochberg over the sets tested"),
    Variable("camera_inflation", _SET, "f", doc="of the variance of the set's mean"),
    Variable("camera_status", _SET, "i", flags=SIZE_FLAGS),
    Variable("camera_genes", _SET, "i", unit="genes", doc="of the set that have a value"),
    Variable("camera_listed_genes", _SET, "i", unit="genes", doc="of the set, with a value or not"),
    Variable("camera_ranked_genes", (), "i", unit="genes"),
    Variable("camera_patients", (), "i", unit="patients", doc="behind the values of the genes", optional=True),
)


def camera_enrichment(
    ranking: xr.Dataset | xr.DataArray,
    gene_sets: GeneSets,
    *,
    statistic: str,
    correlation: float = 0.01,
    minimum_size: int = 5,
    maximum_size: int = 10_000,
) -> xr.Dataset:
    """Gene sets against all other genes, allowing for the correlation between genes of a set.

    A t test of the m genes of a set against the N - m others, with pooled variance; that of the set's mean is inflated by
    ``1 + (m - 1) correlation``, since genes of a set rise and fall together [1]_. Equal to limma's ``cameraPR``.

    Parameters
    ----------
    ranking
        Genes with a statistic that is about normal, over ``gene``: a moderated t, or the z of a Cox model.
    gene_sets
        Sets without direction, named as the genes are.
    statistic
        Variable over ``gene``. Genes where it is not a number are left out.
    correlation
        Between genes of a set, below 1; 0.01 is limma's choice, 0 a plain t test.
    minimum_size, maximum_size
        Fewest and most genes of a set with a value.

    Returns
    -------
    Dataset over ``gene_set``: ``camera_difference``, ``camera_statistic``, ``camera_p_value``, ``camera_q_value``,
    ``camera_inflation``, ``camera_status``, ``camera_genes``, ``camera_listed_genes``; ``camera_ranked_genes``, and ``camera_patients``
    where the input states them.

    Raises
    ------
    MissingVariableError
        If the statistic or the names of the genes are absent.
    InputError
        If names repeat, values are infinite or all the same, or a set has genes of both directions.
    GeneMismatchError
        If no set can be tested.

    Warns
    -----
    TiedRanksWarning
        If more than a tenth of the genes share their value with others.

    Notes
    -----
    Passes over the counts: 0. One correlation for all sets is a compromise: too small for sets of one complex, too large for loose ones.

    References
    ----------
    .. [1] Wu D, Smyth GK (2012). Camera: a competitive gene set test accounting for inter-gene correlation. Nucleic Acids Res 40:e133.

    Examples
    --------
    >>> ranking = xr.DataArray(
    ...     [3.0, 2.0, 1.0, -1.0, -2.0], dims="gene", coords={"gene": ["CD44", "MYB", "BCL2", "CD3E", "RAG1"]}, name="t"
    ... )
    >>> sets = GeneSets.from_mapping({"stemness": ["CD44", "MYB"]})
    >>> found = camera_enrichment(ranking, sets, statistic="t", minimum_size=2)
    >>> float(found["camera_p_value"][0].round(3))
    0.078
    """
    check_sizes(minimum_size, maximum_size, caller=CALLER)
    check_between(correlation, parameter="correlation", caller=CALLER, minimum=0.0, maximum=0.999)
    dataset = as_dataset(ranking, statistic)
    ranked = rank_genes(dataset, statistic=statistic, caller=CALLER)
    members = find_members(gene_sets, ranked.names, usable=ranked.places >= 0, caller=CALLER)
    number = ranked.order.size
    status = size_status(
        members, gene_sets, genes=number, minimum_size=minimum_size, maximum_size=maximum_size, caller=CALLER
    )
    sums = np.bincount(members.owners, weights=ranked.values[members.genes], minlength=status.size)
    compared = _compare(sums, members.sizes, ranked.values[ranked.order], correlation)
    values = {name: np.where(status == OK, array, np.nan) for name, array in compared.items()}
    return make_result(
        RESULT,
        {
            **values,
            "camera_q_value": benjamini_hochberg(values["camera_p_value"]),
            "camera_status": status,
            "camera_genes": members.sizes,
            "camera_listed_genes": members.listed,
            "camera_ranked_genes": np.int64(number),
            **patients_behind(dataset, statistic, name="camera_patients"),
        },
        analysis=CALLER,
        parameters={
            "gene_sets": recorded_sets(gene_sets),
            "statistic": statistic,
            "correlation": correlation,
            "minimum_size": minimum_size,
            "maximum_size": maximum_size,
        },
        coordinates={"gene_set": list(gene_sets.names)},
    )


def _compare(sums: Vector, sizes: Vector, values: Vector, correlation: float) -> dict[str, Vector]:
    number, others = values.size, values.size - sizes
    inflation = 1 + (sizes - 1) * correlation
    with np.errstate(
        divide="ignore", invalid="ignore"
    ):  # sets that are empty or hold all genes are left out afterwards
        difference = number / others * (sums / sizes - values.mean())
        between = difference**2 * sizes * others / number
        pooled = np.maximum((number - 1) * values.var(ddof=1) - between, 0.0) / (number - 2)
        statistic = difference / np.sqrt(pooled * (inflation / sizes + 1 / others))
    return {
        "camera_difference": difference,
        "camera_statistic": statistic,
        "camera_p_value": 2 * stdtr(number - 2, -np.abs(statistic)),
        "camera_inflation": inflation,
    }
