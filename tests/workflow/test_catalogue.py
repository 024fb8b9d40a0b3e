from __future__ import annotations

import inspect
import typing

import pytest

from chemores_dask.errors import UnknownStepError
from chemores_dask.workflow.catalogue import CATALOGUE, find_analysis


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
