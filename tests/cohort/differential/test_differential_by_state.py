"""States one by one, against the same tables alone."""

from __future__ import annotations

import numpy as np
import pytest

from chemores_dask.cohort.differential.differential_by_state import RESULT, differential_by_state
from chemores_dask.cohort.differential.differential_expression import differential_expression
from chemores_dask.cohort.differential.gene_scan import STATE_NOT_FITTED
from chemores_dask.errors import CountsError, InputError, ParameterError, RepeatedPatientsWarning, UnfittedStateWarning
from chemores_dask.results_spec import check_result
from tests.cohort.differential.simulated_samples import cube_of, paired

RELAPSE = "stage[T.relapse]"
TABLES = [paired(genes=60, effect=2.0, seed=seed) for seed in (1, 2)]


@pytest.mark.parametrize("method", ["voom", "negative_binomial"])
def test_differential_by_state__is_each_table_alone(method):
    result = differential_by_state(cube_of(*TABLES), contrast=RELAPSE, method=method)
    check_result(RESULT, result)
    for row, table in enumerate(TABLES):
        alone = differential_expression(table, contrast=RELAPSE, method=method)
        for name in alone:
            found = result[str(name).replace("differential_", "differential_state_", 1)].isel(state=row)
            np.testing.assert_array_equal(found.values, alone[name].values, err_msg=str(name))


def test_differential_by_state__takes_lazy_cubes_and_chosen_states():
    cube = cube_of(*TABLES)
    whole = differential_by_state(cube, contrast=RELAPSE, states=["state1"], method="voom")
    lazy = differential_by_state(cube.chunk({"gene": 7}), contrast=RELAPSE, states=["state1"], method="voom")
    assert whole["state"].values.tolist() == ["state1"]
    np.testing.assert_array_equal(lazy["differential_state_p_value"], whole["differential_state_p_value"])


def test_differential_by_state__leaves_samples_with_few_cells_out_and_says_so():
    cube = cube_of(*TABLES)
    cube["cube_cells"][[0, 5], 1] = 9
    result = differential_by_state(cube, contrast=RELAPSE, method="voom")
    assert result["differential_state_samples"].values.tolist() == [12, 10]
    assert result["differential_state_patients_compared"].values.tolist() == [6, 4]
    assert result.attrs["samples_dropped"] == "state1: S01, S06"


def test_differential_by_state__flags_states_that_cannot_be_fitted():
    cube = cube_of(*TABLES)
    cube["cube_cells"][2:, 1] = 0
    with pytest.warns(UnfittedStateWarning, match="State 'state1' is not fitted, others are. .* more samples"):
        result = differential_by_state(cube, contrast=RELAPSE, method="voom")
    assert (result["differential_state_status"][1] == STATE_NOT_FITTED).all()
    assert np.isnan(result["differential_state_p_value"][1]).all()
    assert np.isfinite(result["differential_state_p_value"][0]).any()


def test_differential_by_state__raises_where_no_state_can_be_fitted():
    with pytest.raises(InputError, match="enough cells"):
        differential_by_state(cube_of(*TABLES, cells=3), contrast=RELAPSE)


def test_differential_by_state__refuses_what_is_not_there_or_no_counts():
    cube = cube_of(*TABLES)
    with pytest.raises(InputError, match="Not there: stem_like; present: state0, state1"):
        differential_by_state(cube, contrast=RELAPSE, states=["stem_like"])
    with pytest.raises(ParameterError, match="at least 1"):
        differential_by_state(cube, contrast=RELAPSE, minimum_cells=0)
    with pytest.raises(CountsError, match="whole numbers"):
        differential_by_state(cube.assign(cube_count_sum=cube["cube_count_sum"] / 7), contrast=RELAPSE)


def test_differential_by_state__warns_of_patients_that_repeat():
    with pytest.warns(RepeatedPatientsWarning, match="no level for each 'patient'"):
        differential_by_state(cube_of(TABLES[0]), formula="~ stage", contrast=RELAPSE, method="voom")
