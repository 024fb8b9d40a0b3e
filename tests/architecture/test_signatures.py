"""Every public function keeps the manners of the house."""

from __future__ import annotations

import inspect
import pkgutil
from collections import Counter
from functools import cache
from importlib import import_module
from pathlib import Path

import pytest

import chemores_dask
from chemores_dask.cohort.risk_signature.signature_table import FROZEN
from chemores_dask.results_spec import ResultSpec
from chemores_dask.scores.score_table import declare_scores

BANNED = {"copy", "inplace", "key_added", "use_raw", "layer", "verbose", "n_jobs", "random_state"}
MAXIMUM_PARAMETERS = 8
POSITIONAL = (inspect.Parameter.POSITIONAL_ONLY, inspect.Parameter.POSITIONAL_OR_KEYWORD)


@cache
def public_functions():
    return {
        name: getattr(chemores_dask, name)
        for name in chemores_dask.__all__
        if inspect.isfunction(getattr(chemores_dask, name))
    }


@cache
def result_specs():
    found = {}
    for module in pkgutil.walk_packages(chemores_dask.__path__, "chemores_dask."):
        if ".cli" in module.name or ".testing" in module.name:
            continue
        spec = getattr(import_module(module.name), "RESULT", None)
        if isinstance(spec, ResultSpec):
            found[module.name] = spec
    return found


def test_door__is_sorted():
    assert list(chemores_dask.__all__) == sorted(chemores_dask.__all__)


def test_door__hides_nothing_it_names():
    assert all(hasattr(chemores_dask, name) for name in chemores_dask.__all__)


@pytest.mark.parametrize("name", public_functions())
def test_public_function__has_a_plain_signature(name):
    parameters = inspect.signature(public_functions()[name]).parameters.values()
    assert sum(p.kind in POSITIONAL for p in parameters) <= 2
    assert not any(p.kind is p.VAR_KEYWORD for p in parameters)
    assert not BANNED & {p.name for p in parameters}
    assert len(parameters) <= MAXIMUM_PARAMETERS
    assert all(p.annotation is not p.empty for p in parameters)


@pytest.mark.parametrize("name", public_functions())
def test_public_function__describes_its_parameters(name):
    function = public_functions()[name]
    documentation = inspect.getdoc(function) or ""
    assert "Returns\n-------" in documentation
    for parameter in inspect.signature(function).parameters:
        assert parameter in documentation.split("Parameters\n----------")[-1], f"{parameter} is not described"


def test_declared_variables__have_unique_names():
    # All scores share the variables of one table, so that whatever reads a score reads every score; likewise frozen signatures.
    own = {
        (variable.name, variable.dims, variable.kind, "shared" if variable.name in shared else module)
        for shared in [{*declare_scores(unit="1").by_name, *(variable.name for variable in FROZEN)}]
        for module, spec in result_specs().items()
        for variable in spec.variables
    }
    counted = Counter(name for name, *_ in own)
    assert counted
    assert not [name for name, times in counted.items() if times > 1]


def test_declared_variables__say_their_unit():
    silent = [v.name for spec in result_specs().values() for v in spec.variables if not v.unit]
    assert not silent


def test_package__lies_flat_beside_its_tests():
    assert Path(chemores_dask.__file__).parent.name == "chemores_dask"


def test_door__shares_no_name_with_a_room():
    # Importing a room sets its name on the package, and would hide a function of the same name.
    rooms = {module.name for module in pkgutil.iter_modules(chemores_dask.__path__)}
    assert not rooms & set(chemores_dask.__all__)
