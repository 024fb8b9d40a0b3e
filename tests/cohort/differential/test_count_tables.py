"""Which samples and genes are tested; R's rule and factors are held in ``test_differential_expression``."""

from __future__ import annotations

import numpy as np
import pytest

from chemores_dask.cohort.differential.count_tables import (
    check_counts,
    enough_counts,
    normalization_factors,
    pseudobulk_table,
    sample_table,
    state_tables,
)
from chemores_dask.errors import CountsError
from tests.cohort.differential.simulated_samples import cube_of, paired


def test_pseudobulk_table__keeps_what_pseudobulk_says():
    data = paired(patients=3, genes=20)
    data["pseudobulk_used"][1] = False
    table = pseudobulk_table(data, caller="test")
    np.testing.assert_array_equal(table.counts, data["pseudobulk_count"])
    assert table.used.tolist() == [True, False, True, True, True, True]
    assert table.place == "pseudobulk"


def test_state_tables__drop_samples_with_few_cells():
    cube = cube_of(paired(patients=3, genes=20), paired(patients=3, genes=20, seed=2))
    cube["cube_cells"][0, 1] = 4
    first, second = state_tables(cube, None, minimum_cells=5, caller="test")
    assert (first.place, second.place) == ("state 'state0'", "state 'state1'")
    assert first.used.all()
    assert second.used.tolist() == [False] + [True] * 5


def test_sample_table__has_every_variable_over_samples():
    table = sample_table(paired(patients=2, genes=5), caller="test")
    assert {"patient", "stage", "pseudobulk_cells"} <= set(table.columns)
    assert table.index.tolist() == ["S01", "S02", "S03", "S04"]


def test_enough_counts__asks_for_the_smallest_group():
    counts = np.full((6, 4), 1000)
    counts[:, 1] = [9, 9, 9, 12, 12, 12]
    counts[:, 2] = [9, 9, 9, 9, 12, 12]
    counts[:, 3] = [0, 0, 0, 0, 0, 14]
    kept = enough_counts(counts, 1 / 3, minimum_count=10, minimum_total=15)
    assert kept.tolist() == [True, True, False, False]


def test_normalization_factors__undo_a_few_strong_genes():
    rng = np.random.default_rng(1)
    counts = rng.poisson(rng.integers(50, 400, 800), (2, 800))
    counts[1, :20] *= 50
    factors = normalization_factors(counts)
    libraries = counts.sum(axis=1) * factors
    assert libraries[1] / libraries[0] == pytest.approx(1, abs=0.05)
    assert normalization_factors(counts[:1]).tolist() == [1.0]


@pytest.mark.parametrize("matrix", [[[1.5]], [[np.nan]], [[-1]], [[np.inf]]])
def test_check_counts__refuses_anything_else(matrix):
    with pytest.raises(CountsError):
        check_counts(np.array(matrix), np.array(["S1"]), caller="test")


def test_check_counts__takes_whole_floats_and_nothing():
    check_counts(np.array([[1.0, 2.0], [4.0, 5.0]]), np.array(["S1", "S2"]), caller="test")
    check_counts(np.empty((0, 3)), np.empty(0), caller="test")


def test_check_counts__says_where_there_are_none():
    with pytest.raises(CountsError, match="All of the 3 samples and 4 genes are 0"):
        check_counts(np.zeros((3, 4), dtype=np.int64), np.array(["a", "b", "c"]), caller="test")
