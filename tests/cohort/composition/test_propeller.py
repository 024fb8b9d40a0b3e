"""Propeller's steps, held against limma.

``expected/propeller_limma.csv`` was made with R 4.2.2 and limma 3.54.1 from ``five_states.csv`` and ``twelve_states.csv`` (simulated):
``p <- (x + 0.5) / rowSums(x + 0.5)``; ``eBayes(lmFit(t(log(p / (1 - p))), model.matrix(~ patient + stage)), robust = TRUE)`` and so
on, stages ordered before, after; ``p.adjust(method = "BH")``.
"""

from __future__ import annotations

from itertools import permutations
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import xarray as xr

from chemores_dask.cohort.composition.propeller import (
    RESULT,
    informative_samples,
    propeller_composition,
    smallest_p_value,
    transformed_shares,
)
from chemores_dask.errors import (
    DroppedPatientsWarning,
    InputError,
    MissingVariableError,
    ParameterError,
    RepeatedPatientsWarning,
    SmallSampleWarning,
)
from chemores_dask.results_spec import check_result

EXPECTED = Path(__file__).parent / "expected"
LIMMA = pd.read_csv(EXPECTED / "propeller_limma.csv")
CASES = list(LIMMA.groupby(["table", "formula", "transform", "robust"]).groups)


def table(name="five_states"):
    read = pd.read_csv(EXPECTED / f"{name}.csv")
    states = list(read.columns[2:])
    return xr.Dataset(
        {"cube_cells": (("sample", "state"), read[states].to_numpy())},
        coords={
            "sample": (read["patient"] + "_" + read["stage"]).to_numpy(dtype=object),
            "state": states,
            "patient": ("sample", read["patient"].to_numpy(dtype=object)),
            "stage": ("sample", ["0 before" if stage == "before" else "1 after" for stage in read["stage"]]),
        },
    )


@pytest.mark.filterwarnings("ignore::chemores_dask.errors.RepeatedPatientsWarning")
@pytest.mark.parametrize("case", CASES, ids=str)
def test_propeller_composition__equals_limma(case):
    name, formula, transform, robust = case
    expected = LIMMA[(LIMMA[["table", "formula", "transform", "robust"]] == list(case)).all(axis=1)]
    found = propeller_composition(table(name), formula=formula, transform=transform, robust=bool(robust))
    check_result(RESULT, found)
    assert found["state"].values.tolist() == expected["state"].tolist()
    pairs = {"effect": "effect", "t_statistic": "t", "p_value": "p_value", "q_value": "q_value"}
    for ours, theirs in {**pairs, "degrees_of_freedom": "degrees"}.items():
        np.testing.assert_allclose(found[f"propeller_{ours}"], expected[theirs], rtol=2e-6, err_msg=ours)
    assert int(found["propeller_patients"]) == 6
    assert int(found["propeller_samples"]) == 12


def test_propeller_composition__draws_outlying_states_less_to_the_prior():
    outlying = LIMMA.query("table == 'twelve_states' and formula == '~ patient + stage' and transform == 'logit'")
    degrees = outlying.query("robust")["degrees"].to_numpy()
    assert degrees.min() < degrees.max()
    assert len(set(outlying.query("not robust")["degrees"])) == 1


def test_propeller_composition__has_limits_that_fit_its_test():
    found = propeller_composition(table())
    excluded = (found["propeller_effect_lower"] > 0) | (found["propeller_effect_upper"] < 0)
    np.testing.assert_array_equal(excluded, found["propeller_p_value"] < 0.05)
    assert found.attrs["tested_column"] == "stage[T.1 after]"
    assert float(found["propeller_minimum_p_value"]) == 2 / 2**6


def test_propeller_composition__leaves_out_states_and_samples_without_cells():
    cube = table()
    empty_state = cube.isel(state=[0]).assign_coords(state=["nowhere"]) * 0
    wider = xr.concat([cube, empty_state.astype(int)], dim="state")
    found = propeller_composition(wider)
    assert np.isnan(found["propeller_p_value"].sel(state="nowhere"))
    alone = propeller_composition(cube)
    np.testing.assert_allclose(found["propeller_p_value"][:-1], alone["propeller_p_value"], rtol=1e-12)
    cube["cube_cells"][3] = 0
    few = pytest.warns(SmallSampleWarning, match=r"below 0.0625")  # five patients have both stages
    with (
        few,
        pytest.warns(RepeatedPatientsWarning),
        pytest.warns(DroppedPatientsWarning, match=r"1 of 12 samples.*P2_after"),
    ):
        left = propeller_composition(cube, formula="~ stage")
    assert int(left["propeller_samples"]) == 11


def test_propeller_composition__takes_numbers_of_patients_for_names():
    cube = table()
    numbered = cube.assign_coords(patient=("sample", np.repeat([11, 2, 30, 4, 5, 6], 2)))
    found, named = propeller_composition(numbered), propeller_composition(cube)
    np.testing.assert_allclose(found["propeller_p_value"], named["propeller_p_value"], rtol=1e-10)


def test_propeller_composition__warns_of_samples_taken_for_replicates():
    with pytest.warns(RepeatedPatientsWarning, match=r"12 samples .* are from 6 patients, and '~ stage' has no level"):
        propeller_composition(table(), formula="~ stage")


def test_smallest_p_value__of_thousands_of_patients_is_nearly_0():
    pairs = np.tile([0.0, 1.0], 2000)
    assert smallest_p_value(pairs, np.repeat(np.arange(2000), 2)) < 1e-300
    assert smallest_p_value(pairs, np.arange(4000)) < 1e-300


@pytest.mark.filterwarnings("ignore::chemores_dask.errors.RepeatedPatientsWarning")
def test_propeller_composition__takes_any_formula_and_a_named_column():
    cube = table().assign_coords(age=("sample", np.repeat([3.0, 9, 4, 12, 7, 5], 2)))
    found = propeller_composition(cube, formula="~ age + stage", term="age")
    assert found.attrs["tested_column"] == "age"
    named = propeller_composition(cube, term="stage[T.1 after]")
    assert named.attrs["tested_column"] == "stage[T.1 after]"


@pytest.mark.parametrize(
    ("options", "error", "words"),
    [
        ({"term": "batch"}, InputError, "'batch' fits none; columns: Intercept"),
        ({"term": "patient"}, InputError, "must be one column of the design"),
        ({"formula": "~ patient + batch"}, MissingVariableError, "batch"),
        ({"formula": "~ patient * stage"}, InputError, "must leave degrees of freedom"),
        ({"transform": "probit"}, ParameterError, "logit, arcsine, clr"),
        ({"patient": "donor"}, MissingVariableError, "donor"),
    ],
)
def test_propeller_composition__refuses(options, error, words):
    with pytest.raises(error, match=words):
        propeller_composition(table(), **options)


def test_propeller_composition__refuses_tables_that_say_nothing():
    cube = table()
    missing = cube.assign_coords(batch=("sample", np.array(["a", ""] * 6, dtype=object)))
    with pytest.raises(InputError, match="must have a value of 'batch'"):
        propeller_composition(missing, formula="~ stage + batch")
    with pytest.raises(InputError, match="must not follow from each other"):
        propeller_composition(cube.assign_coords(same=cube["stage"]), formula="~ same + stage")
    cube["cube_cells"][:, 1:] = 0
    with pytest.warns(DroppedPatientsWarning), pytest.raises(InputError, match=r"in at least two states.*in a only"):
        propeller_composition(cube)


def test_propeller_composition__warns_when_few_patients_cannot_reach_significance():
    with pytest.warns(SmallSampleWarning, match="With 3 patients no exchange"):
        found = propeller_composition(table().isel(sample=slice(6)))
    assert float(found["propeller_minimum_p_value"]) == 0.25


def test_transformed_shares__by_hand():
    cells = np.array([[0, 9], [3, 5]])
    np.testing.assert_allclose(transformed_shares(cells, "logit")[0], np.log([0.5 / 9.5, 9.5 / 0.5]))
    np.testing.assert_allclose(transformed_shares(cells, "arcsine")[1, 0], np.arcsin(np.sqrt(3.5 / 9)))
    np.testing.assert_allclose(transformed_shares(cells, "clr")[1], [-0.5 * np.log(5.5 / 3.5), 0.5 * np.log(5.5 / 3.5)])


def test_smallest_p_value__counts_exchanges():
    owner = np.repeat(["P1", "P2", "P3"], 2)
    assert smallest_p_value(np.array([0, 1] * 3), owner) == 0.25
    assert smallest_p_value(np.array([0, 0, 1, 1, 1, 1]), owner) == pytest.approx(1 / 3)
    # The two ends of 1, 2, 3 are mirror images, those of 1, 2, 5 are not; nor are those of groups of unequal sizes.
    assert smallest_p_value(np.array([1.0, 1, 2, 2, 3, 3]), owner) == pytest.approx(2 / 6)
    assert smallest_p_value(np.array([1.0, 1, 2, 2, 5, 5]), owner) == pytest.approx(1 / 6)
    assert smallest_p_value(np.repeat([0.0, 1.0], 4), np.arange(8)) == pytest.approx(2 / 70)
    assert smallest_p_value(np.repeat([0.0, 1.0], [3, 4]), np.arange(7)) == pytest.approx(1 / 35)
    assert smallest_p_value(np.zeros(4), np.array(["P1", "P2", "P3", "P4"])) == 1
    # Two patients changed, and one of two others has the effect: 2 x 2 x 2 exchanges.
    mixed = smallest_p_value(np.array([0, 1, 0, 1, 1, 0]), np.array(["P1", "P1", "P2", "P2", "P3", "P4"]))
    assert mixed == pytest.approx(2 / 8)
    # A patient alone has nothing to be exchanged with.
    assert smallest_p_value(np.array([0, 1, 0, 1, 1]), np.array(["P1", "P1", "P2", "P2", "P3"])) == pytest.approx(2 / 4)


def test_smallest_p_value__is_the_least_share_of_all_orders():
    values = np.array([0.0, 0.0, 1.0, 1.0, 1.0])
    orders = np.array(list(set(permutations(values))))
    response = values - values.mean()  # the response that lies along the values most
    reached = np.abs((orders - values.mean()) @ response)
    assert smallest_p_value(values, np.arange(5)) == pytest.approx(np.mean(reached >= reached.max() - 1e-9))


def test_informative_samples__are_those_of_paired_patients_where_each_has_a_level():
    stage = np.array([0.0, 1, 0, 1, 0, 1])
    patient = np.array([0, 0, 1, 1, 2, 3])
    levels = (patient[:, None] == np.arange(4)).astype(float)
    np.testing.assert_array_equal(
        informative_samples(np.column_stack([levels, stage]), 4), [True, True, True, True, False, False]
    )
    assert informative_samples(np.column_stack([np.ones(6), stage]), 1).all()


def test_propeller_composition__does_not_count_unpaired_patients_among_the_exchanges():
    cube = table()
    alone = cube.isel(sample=[0, 1, 2, 3, 4, 5, 6, 9])
    with pytest.warns(SmallSampleWarning, match="no exchange"):
        found = propeller_composition(alone)
    assert float(found["propeller_minimum_p_value"]) == 0.25
