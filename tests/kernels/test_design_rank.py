"""Rank of designs against numpy, and aliases against what was planted."""

from __future__ import annotations

import numpy as np
import pytest

from chemores_dask.kernels.design_rank import alias_text, aliased_columns, independent_columns


def test_independent_columns__are_as_many_as_the_rank():
    rng = np.random.default_rng(1)
    for _ in range(20):
        matrix = rng.integers(-1, 2, (7, 5)).astype(float) @ rng.integers(-1, 2, (5, 9))
        kept = independent_columns(matrix)
        assert kept.sum() == np.linalg.matrix_rank(matrix)
        assert np.linalg.matrix_rank(matrix[:, kept]) == kept.sum()


def test_independent_columns__keep_the_first_of_those_that_repeat_each_other():
    stage = np.array([0.0, 1.0, 0.0, 1.0])
    matrix = np.column_stack([np.ones(4), stage, 1 - stage, stage])
    np.testing.assert_array_equal(independent_columns(matrix), [True, True, False, False])


@pytest.mark.parametrize("scale", [1e-12, 1e12])
def test_independent_columns__do_not_depend_on_units(scale):
    rng = np.random.default_rng(2)
    matrix = np.column_stack([np.ones(6), scale * rng.normal(size=6), rng.normal(size=6)])
    assert independent_columns(matrix).all()


@pytest.mark.parametrize("shape", [(0, 2), (2, 0), (1, 3), (3, 1)])
def test_independent_columns__answer_for_any_shape(shape):
    assert independent_columns(np.ones(shape)).sum() == min(1, *shape)


def test_independent_columns__of_many_patients_are_all():
    patients = np.kron(np.eye(200), np.ones((2, 1)))[:, 1:]
    matrix = np.column_stack([np.ones(400), patients, np.tile([0.0, 1.0], 200)])
    assert independent_columns(matrix).all()
    confounded = np.column_stack([matrix, (np.arange(400) >= 200).astype(float)])
    np.testing.assert_array_equal(np.flatnonzero(~independent_columns(confounded)), [201])


def test_aliased_columns__say_what_equals_what():
    rng = np.random.default_rng(3)
    first, second = rng.normal(size=(2, 8))
    matrix = np.column_stack([first, second, 2 * first - 0.5 * second, np.zeros(8)])
    assert aliased_columns(matrix) == {2: {0: 2.0, 1: -0.5}, 3: {}}


def test_aliased_columns__are_none_in_a_clean_design():
    assert aliased_columns(np.eye(4)) == {}


def test_alias_text__writes_weights_and_cuts_long_sums():
    columns = tuple("abcdefghi")
    assert alias_text({0: -1.0, 1: 0.5}, columns) == "-a + 0.5 b"
    assert alias_text({}, columns) == "0"
    assert alias_text(dict.fromkeys(range(9), 1.0), columns).endswith("… and 3 more terms")
    assert alias_text({0: 2.0, 1: -0.5}, columns) == "2 a - 0.5 b"
