"""Genes in the order of a statistic, with ties in one order for everybody."""

from __future__ import annotations

import warnings
from dataclasses import dataclass

import numpy as np
import xarray as xr

from chemores_dask.aliases import Vector
from chemores_dask.checks import check_variables, listed
from chemores_dask.errors import InputError, MissingVariableError, TiedRanksWarning
from chemores_dask.stream import compute

GENE = "gene"
PATIENTS = "_patients"
MINIMUM_GENES = 3
MOST_TIED = 0.1
"""Share of genes with a value that others have, too, beyond which results hang on names."""


@dataclass(frozen=True)
class RankedGenes:
    """A ranking.

    Attributes
    ----------
    names
        All genes of the input, in its order.
    values
        Their statistic; not a number where a gene has none.
    order
        Numbers of the genes that have one, the highest first, ties by name.
    tied_share
        Share of these whose value another one has, too.
    """

    names: Vector
    values: Vector
    order: Vector
    tied_share: float

    @property
    def places(self) -> Vector:
        """Place of every gene in the ranking, from 0; -1 for genes without."""
        places = np.full(self.values.size, -1, dtype=np.int64)
        places[self.order] = np.arange(self.order.size)
        return places


def as_dataset(genes: xr.Dataset | xr.DataArray, statistic: str) -> xr.Dataset:
    """A labeled array as a Dataset with one variable; a Dataset as it is."""
    return genes.to_dataset(name=statistic) if isinstance(genes, xr.DataArray) else genes


def patients_behind(genes: xr.Dataset, statistic: str, *, name: str) -> dict[str, object]:
    """The number of patients that a result states for a statistic: the largest over genes.

    Parameters
    ----------
    genes
        A result.
    statistic
        Its variable, as in ``cox_coefficient``; ``cox_patients`` tells the number.
    name
        What to call the number.

    Returns
    -------
    The number by its name; nothing where the result does not state it.
    """
    stated = [str(variable) for variable in genes.variables if str(variable).endswith(PATIENTS)]
    own = [variable for variable in stated if variable == statistic.split("_", maxsplit=1)[0] + PATIENTS]
    found = own or stated
    if len(found) != 1 or genes[found[0]].dtype.kind not in "iu" or not genes[found[0]].size:
        return {}
    return {name: np.int64(genes[found[0]].max().values)}


def gene_names(genes: xr.Dataset | xr.DataArray, *, caller: str) -> Vector:
    """Names of the genes of a result.

    Raises
    ------
    MissingVariableError
        If it has no coordinate ``gene``.
    InputError
        If a name occurs more than once.
    """
    if GENE not in genes.indexes:
        message = (
            f"{caller} needs a coordinate 'gene' with the names of the genes. Present: {listed(genes.coords)}; "
            "assign it (assign_coords), or rename the dimension of the genes."
        )
        raise MissingVariableError(message)
    names = genes[GENE].to_numpy().astype(str)
    found, counts = np.unique(names, return_counts=True)
    if (counts > 1).any():
        message = (
            f"Genes must have unique names in {caller}. Found more than once: {listed(found[counts > 1])}; keep one row of each, "
            "such as the one with the highest expression."
        )
        raise InputError(message)
    return names


def gene_values(genes: xr.Dataset, variables: list[str], *, caller: str) -> list[Vector]:
    """Numbers over genes, computed together.

    Raises
    ------
    MissingVariableError
        If a variable is not there, or runs over more than genes.
    InputError
        If it holds no numbers.
    """
    check_variables(genes, variables, dims=(GENE,), what="the result", caller=caller)
    for name in variables:
        if genes[name].dtype.kind not in "biuf":
            message = f"{caller} needs numbers. {name!r} holds {genes[name].dtype}; name another variable over genes."
            raise InputError(message)
    return [np.asarray(values, dtype=np.float64) for values in compute(*(genes[name].data for name in variables))]


def gene_truths(genes: xr.Dataset, variables: list[str], *, caller: str) -> list[Vector]:
    """Boolean variables over genes, computed together.

    Raises
    ------
    MissingVariableError
        If a variable is not there, or runs over more than genes.
    InputError
        If it is not boolean.
    """
    check_variables(genes, variables, dims=(GENE,), what="the genes", caller=caller)
    for name in variables:
        if genes[name].dtype.kind != "b":
            message = (
                f"{caller} needs truths over genes. {name!r} holds {genes[name].dtype}; choose genes with gene_selection, or compare "
                "with a threshold."
            )
            raise InputError(message)
    return [np.asarray(values) for values in compute(*(genes[name].data for name in variables))]


def rank_genes(ranking: xr.Dataset, *, statistic: str, caller: str) -> RankedGenes:
    """Put genes into the order of a statistic.

    Parameters
    ----------
    ranking
        Holds the statistic over ``gene``.
    statistic
        Its name. Genes where it is not a number are not ranked.
    caller
        Who asks, for messages.

    Returns
    -------
    The ranking.

    Raises
    ------
    MissingVariableError
        If the statistic or the names of the genes are not there.
    InputError
        If names repeat, values are infinite or all the same, or fewer than three genes have one.

    Warns
    -----
    TiedRanksWarning
        If more than a tenth of the genes share their value.
    """
    names = gene_names(ranking, caller=caller)
    (values,) = gene_values(ranking, [statistic], caller=caller)
    if np.isinf(values).any():
        message = (
            f"The ranking of {caller} must be finite. {statistic!r} is infinite for {listed(names[np.isinf(values)])}; rank by a "
            "statistic, or by signed -log10 P (ranking_of), which is cut where P is 0."
        )
        raise InputError(message)
    known = np.flatnonzero(~np.isnan(values))
    different, counts = np.unique(values[known], return_counts=True)
    if known.size < MINIMUM_GENES or different.size < 2:
        message = (
            f"The ranking of {caller} must put at least {MINIMUM_GENES} genes into an order. {known.size} of {names.size} genes have a "
            f"{statistic!r}, with {different.size} different values; name another statistic."
        )
        raise InputError(message)
    tied_share = float(counts[counts > 1].sum() / known.size)
    if tied_share > MOST_TIED:
        zeros = float((values[known] == 0).mean())
        message = (
            f"{tied_share:.0%} of the genes share their {statistic!r} with others ({zeros:.0%} are 0), and the order of these is that of "
            "their names. Rank by a moderated t or by signed -log10 P (ranking_of), which tie less than fold changes."
        )
        warnings.warn(message, TiedRanksWarning, stacklevel=3)
    return RankedGenes(names, values, known[np.lexsort((names[known], -values[known]))], tied_share)
