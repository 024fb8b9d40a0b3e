from __future__ import annotations

import pytest

from chemores_dask.auditor.study_design import PlannedTest
from chemores_dask.workflow.catalogue import CATALOGUE

WITHOUT = {
    "stemness_signatures": "its P values choose genes",
    "dirichlet_multinomial_composition": "it gives the smallest P of another test only",
}
P_VALUES = ("p_value", "q_value")


@pytest.mark.parametrize("name", CATALOGUE)
def test_stated_tests__stand_with_every_analysis_that_gives_p_values(name):
    entry = CATALOGUE[name]
    gives = any(variable.endswith(P_VALUES) for variable in entry.variables)
    assert (entry.tests is not None) == (gives and name not in WITHOUT)


@pytest.mark.parametrize("name", [name for name, entry in CATALOGUE.items() if entry.tests is not None])
def test_stated_tests__can_be_planned(name):
    stated = CATALOGUE[name].tests
    planned = PlannedTest(name, kind=stated.kind, unit=stated.unit, correction=stated.correction)
    assert planned.descriptive is False
    # What takes cells as its n must be called descriptive.
    assert stated.descriptive == (stated.unit == "cell")


@pytest.mark.parametrize("name", CATALOGUE)
def test_cutoffs__are_variables_of_the_result(name):
    entry = CATALOGUE[name]
    assert set(entry.cutoffs) <= set(entry.variables)
    if {"cell_state", "patient_score_high"} & set(entry.variables):
        assert entry.cutoffs
