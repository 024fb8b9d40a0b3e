"""Genes beyond thresholds."""

from __future__ import annotations

import numpy as np
import pytest

from chemores_dask.cohort.enrichment.gene_selection import gene_selection
from chemores_dask.errors import MissingVariableError, ParameterError
from tests.cohort.enrichment.gene_tables import table_of

EFFECT = [1.0, 0.3, -1.0, -0.3, 1.0, np.nan, 0.0]
Q = [0.01, 0.01, 0.01, 0.01, 0.2, 0.01, 0.01]


def chosen(**options):
    table = table_of(EFFECT, q=np.array(Q), t_patients=7)
    return gene_selection(table, effect="t", q_value="q", **options)


def test_gene_selection__chooses_by_both_thresholds():
    result = chosen(below=0.05, beyond=0.5)
    assert result["selection_up"].values.tolist() == [True, False, False, False, False, False, False]
    assert result["selection_down"].values.tolist() == [False, False, True, False, False, False, False]
    assert result["selection_changed"].values.tolist() == [True, False, True, False, False, False, False]
    assert result["selection_tested"].values.tolist() == [True, True, True, True, True, False, True]
    assert [int(result[f"selection_{name}_genes"]) for name in ("tested", "up", "down")] == [6, 1, 1]
    assert int(result["selection_patients"]) == 7


def test_gene_selection__takes_every_effect_unless_asked_otherwise():
    result = chosen()
    assert result["selection_up"].values.tolist() == [True, True, False, False, False, False, False]
    assert int(result["selection_down_genes"]) == 2


def test_gene_selection__may_find_nothing():
    result = chosen(below=0.0)
    assert not result["selection_changed"].any()


def test_gene_selection__refuses_bad_thresholds_and_names():
    with pytest.raises(ParameterError, match="'below' parameter"):
        chosen(below=1.5)
    with pytest.raises(ParameterError, match="'beyond' parameter"):
        chosen(beyond=-1)
    with pytest.raises(MissingVariableError, match="'p' over"):
        gene_selection(table_of(EFFECT), effect="t", q_value="p")
