"""Genes of the leading edge by name."""

from __future__ import annotations

import pytest
import xarray as xr

from chemores_dask.cohort.enrichment.leading_edge import leading_edge
from chemores_dask.errors import MissingVariableError, ParameterError
from chemores_dask.testing.enrichment_nouns import tiny_enrichment


def test_leading_edge__starts_at_the_ends_of_the_ranking():
    enrichment = tiny_enrichment()
    place = dict(zip(enrichment["gene"].values.tolist(), enrichment["prerank_place"].values.tolist(), strict=True))
    raised, lowered = (leading_edge(enrichment, gene_set=name) for name in ("raised", "lowered"))
    assert len(raised) == int(enrichment["prerank_leading_genes"].sel(gene_set="raised"))
    assert [place[gene] for gene in raised] == sorted(place[gene] for gene in raised)
    assert [place[gene] for gene in lowered] == sorted((place[gene] for gene in lowered), reverse=True)
    assert place[raised[0]] < 20
    assert place[lowered[0]] > 180


def test_leading_edge__is_empty_for_a_set_that_was_not_tested():
    assert leading_edge(tiny_enrichment(), gene_set="unmeasured") == []


def test_leading_edge__refuses_other_names_and_results():
    with pytest.raises(ParameterError, match="'gene_set' parameter of leading_edge must be one of: raised"):
        leading_edge(tiny_enrichment(), gene_set="other set")
    with pytest.raises(MissingVariableError, match="'prerank_member' over"):
        leading_edge(xr.Dataset(), gene_set="raised")
