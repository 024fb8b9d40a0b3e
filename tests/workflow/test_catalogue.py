from __future__ import annotations

import inspect
import typing

import pytest

from chemores_dask.errors import UnknownStepError
from chemores_dask.workflow.catalogue import CATALOGUE, COUNTS, EITHER, TABLE, find_analysis


@pytest.mark.parametrize("name", CATALOGUE)
def test_catalogue__names_functions_with_a_revision(name):
    entry = CATALOGUE[name]
    assert entry.revision >= 1
    assert entry.function.__name__ == name


@pytest.mark.parametrize("name", CATALOGUE)
def test_catalogue__has_readable_signatures(name):
    function = CATALOGUE[name].function
    names = list(inspect.signature(function).parameters)
    assert set(names) <= set(typing.get_type_hints(function))


def test_find_analysis__offers_the_close_name():
    with pytest.raises(UnknownStepError, match=r"The analysis of step 'one' must be .* Did you mean cox_scan"):
        find_analysis("cox_scn", step="one")


def test_catalogue__names_parameters_that_the_analyses_have():
    for name, entry in CATALOGUE.items():
        assert set(entry.columns) <= set(inspect.signature(entry.function).parameters), name


def test_taken_by__settles_what_an_analysis_of_either_reads():
    entry = CATALOGUE["module_score"]
    assert entry.takes == EITHER
    of_cells, of_patients = entry.taken_by(cells=True), entry.taken_by(cells=False)
    assert (of_cells.takes, of_cells.columns, of_cells.passes) == (COUNTS, (), 2)
    assert (of_patients.takes, of_patients.columns, of_patients.passes) == (TABLE, ("expression",), 0)
    assert CATALOGUE["quality"].taken_by(cells=True) is CATALOGUE["quality"]
