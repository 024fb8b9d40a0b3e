"""The door to numba."""

from __future__ import annotations

import numpy as np

from chemores_dask.kernels.jit import jit


@jit
def total(values):
    result = 0.0
    for value in values:
        result += value
    return result


def test_jit__compiles_without_the_interpreter_and_its_lock():
    assert total(np.arange(4.0)) == 6.0
    assert total.nopython_signatures
    assert total.targetoptions["nogil"] is True
    assert "parallel" not in total.targetoptions


def test_jit__keeps_the_plain_function():
    assert total.python(np.arange(4.0)) == 6.0
    assert not hasattr(total.python, "nopython_signatures")


def test_jit__caches_on_disk():
    assert total.stats.cache_path
