"""The picture of two cohorts."""

from __future__ import annotations

import numpy as np
import pytest

from chemores_dask.cohort.enrichment.enrichment_replication import enrichment_replication
from chemores_dask.errors import MissingVariableError, ParameterError
from chemores_dask.figures.replication_scatter import replication_scatter
from chemores_dask.testing.enrichment_nouns import tiny_enrichment
from tests.figures.drawn import by_name, said, texts_of


@pytest.fixture(scope="module")
def replication():
    return enrichment_replication(tiny_enrichment(), tiny_enrichment(22))


def test_replication_scatter__draws_each_set_once_in_the_color_of_its_outcome(replication):
    figure = replication_scatter(replication)
    outcome = replication["replication_outcome"].values
    drawn = 0
    names = ("neither", "{first} only", "{second} only", "both, same sign", "opposite signs")
    for code, name in enumerate(names):
        (dots,) = by_name(figure, name)
        own = outcome == code
        expected = np.column_stack(
            [replication[f"replication_{which}_score"].values[own] for which in ("first", "second")]
        )
        assert np.asarray(dots.get_offsets()).tolist() == expected.tolist()
        drawn += len(expected)
    assert drawn == replication.sizes["gene_set"]


def test_replication_scatter__says_numbers_and_tests(replication):
    figure = replication_scatter(replication, first="PKPH", second="TARGET")
    words = said(figure).replace("\n", " ")
    both = int((replication["replication_outcome"].values == 3).sum())
    assert f"{both} gene sets replicate" in words
    assert "PKPH: n = 12 patients; TARGET: n = 12 patients" in words
    assert "hypergeometric P" in words
    assert "sets overlap" in words
    assert "NES, PKPH" in texts_of(figure)
    assert "PKPH only" in words
    bare = replication.drop_vars(["replication_first_patients", "replication_second_patients"])
    assert "numbers of patients are not recorded" in said(replication_scatter(bare)).replace("\n", " ")


def test_replication_scatter__names_what_replicates(replication):
    texts = texts_of(replication_scatter(replication))
    assert {"raised", "lowered"} <= set(texts)
    assert "raised" not in texts_of(replication_scatter(replication, labels=0))


def test_replication_scatter__refuses_bad_options_and_results(replication):
    with pytest.raises(ParameterError, match="'labels' parameter"):
        replication_scatter(replication, labels=-1)
    with pytest.raises(MissingVariableError, match="needs the variable 'replication_outcome'"):
        replication_scatter(replication.drop_vars("replication_outcome"))
