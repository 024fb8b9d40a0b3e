from __future__ import annotations

import inspect
import subprocess
import sys
from importlib import metadata

import pytest

import chemores_dask
from chemores_dask.ingest.convert import ingest

HEAVY = (
    "numba",
    "dask",
    "distributed",
    "pandas",
    "anndata",
    "zarr",
    "xarray",
    "scipy",
    "numpy",
    "matplotlib",
    "lifelines",
)
REPEATS = 3
LONGEST = 0.5


def python(code):
    return subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True, timeout=120).stdout


def test_import__takes_at_most_half_a_second():
    code = "import time; t = time.perf_counter(); import chemores_dask; print(time.perf_counter() - t)"
    assert min(float(python(code)) for _ in range(REPEATS)) <= LONGEST


def test_import__loads_nothing_heavy():
    assert python(f"import sys, chemores_dask; print([n for n in {HEAVY!r} if n in sys.modules])").strip() == "[]"


def test_all__is_sorted_and_listed():
    assert list(chemores_dask.__all__) == sorted(chemores_dask.__all__)
    assert set(chemores_dask.__all__) <= set(dir(chemores_dask))


@pytest.mark.parametrize("name", chemores_dask.__all__)
def test_door__opens(name):
    found = getattr(chemores_dask, name)
    assert inspect.isfunction(found) or inspect.isclass(found)
    assert found.__doc__


def test_door__version_is_that_of_the_distribution():
    assert chemores_dask.__version__ == metadata.version("chemores_dask")


def test_door__names_what_it_does_not_have():
    with pytest.raises(AttributeError, match="module 'chemores_dask' has no attribute 'qualty'"):
        _ = chemores_dask.qualty


def test_door__star_import_brings_the_functions():
    shown = python("from chemores_dask import *; print(callable(open_cells), callable(quality), callable(attach))")
    assert shown.split() == ["True"] * 3


def test_door__ingest_samples_is_ingest():
    assert chemores_dask.ingest_samples is ingest
