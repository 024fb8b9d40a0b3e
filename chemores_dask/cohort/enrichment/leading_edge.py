"""Genes of the leading edge of a set, by name."""

from __future__ import annotations

import xarray as xr

from chemores_dask.checks import check_one_of, check_variables

CALLER = "leading_edge"


def leading_edge(enrichment: xr.Dataset, *, gene_set: str) -> list[str]:
    """The genes that make the score of a set.

    Parameters
    ----------
    enrichment
        Result of :func:`prerank_enrichment`.
    gene_set
        Name of the set.

    Returns
    -------
    Names, those farthest from the middle of the ranking first.

    Raises
    ------
    MissingVariableError
        If this is another result.
    ParameterError
        If there is no such set.
    """
    check_variables(
        enrichment, ["prerank_member", "prerank_member_leading"], dims=("member",), what="the result", caller=CALLER
    )
    names = [str(name) for name in enrichment["gene_set"].values]
    check_one_of(gene_set, names, parameter="gene_set", caller=CALLER)
    number = names.index(gene_set)
    start, stop = (int(end) for end in enrichment["prerank_offset"].values[number : number + 2])
    own = enrichment[["prerank_member", "prerank_member_leading"]].isel(member=slice(start, stop))
    genes = own["prerank_member"].values[own["prerank_member_leading"].values]
    if enrichment["prerank_score"].values[number] < 0:
        genes = genes[::-1]
    return [str(gene) for gene in enrichment["gene"].values[genes]]
