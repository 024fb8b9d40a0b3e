"""The test of proportional hazards against R, and by simulation."""

from __future__ import annotations

import numpy as np
import pytest
import xarray as xr

from chemores_dask.cohort.survival.cox_options import ModelOptions
from chemores_dask.cohort.survival.proportional_hazards import RESULT, proportional_hazards
from chemores_dask.errors import ConvergenceWarning, InputError
from chemores_dask.results_spec import check_result
from tests.cohort.survival.cox_cases import (
    FITS,
    OURS,
    by_r,
    case_columns,
    case_patients,
    our_options,
    our_patients,
    reference_cases,
    some_patients,
)


def test_proportional_hazards__equals_r(reference_folder):
    cases = reference_cases(reference_folder, "cox_zph")
    assert len(cases) == 20
    for case in cases:
        options = ModelOptions(ties=case["ties"])
        found = proportional_hazards(case_patients(case, reference_folder), **case_columns(case), options=options)
        check_result(RESULT, found)
        found = found.sel(transform=case["transform"])
        for name, key, near in (("statistic", "chisq", 1e-9), ("p_value", "p", 1e-6)):
            values = [*found[f"hazard_trend_{name}"].values, float(found[f"hazard_trend_global_{name}"])]
            np.testing.assert_allclose(values, case[key], rtol=near, err_msg=case["id"])
        assert int(found["hazard_trend_global_degrees_of_freedom"]) == case["df"][-1]


@pytest.mark.parametrize("fit", FITS)
def test_proportional_hazards__equals_r_with_text_weights_entry_and_strata(fit):
    expected = by_r()[fit]
    found = proportional_hazards(our_patients(), **OURS, options=our_options(fit))
    test = np.array(expected["zph"])
    km = found.sel(transform="km")
    np.testing.assert_allclose(km["hazard_trend_statistic"], test[:-1, 0], rtol=1e-8)
    np.testing.assert_allclose(km["hazard_trend_p_value"], test[:-1, 2], rtol=1e-8)
    assert found["hazard_trend_degrees_of_freedom"].values.tolist() == [1, 1, 2]
    assert float(km["hazard_trend_global_statistic"]) == pytest.approx(test[-1, 0], rel=1e-8)
    np.testing.assert_allclose(found["hazard_trend_residual"], expected["scaled"], rtol=1e-7, atol=1e-9)
    np.testing.assert_allclose(km["hazard_trend_scale"], expected["zph_x"], rtol=1e-9)
    np.testing.assert_array_equal(found["hazard_trend_time"], expected["zph_time"])
    assert found["hazard_trend_covariate"].values.tolist() == ["age", "marker", "stage", "stage"]


def _simulated(rng, patients, *, late=0.5):
    # The hazard ratio of x is e^0.5 before time 1 and e^late afterwards.
    x = rng.normal(size=patients)
    early = rng.exponential(np.exp(-0.5 * x))
    life = np.where(early < 1, early, 1 + rng.exponential(np.exp(-late * x)))
    lost = rng.uniform(0.5, 4, patients)
    columns = {"t": np.minimum(life, lost), "e": life <= lost, "x": x}
    return xr.Dataset({name: ("patient", values) for name, values in columns.items()})


@pytest.mark.compiled
def test_proportional_hazards__errs_as_often_as_it_says_and_finds_a_change():
    rng = np.random.default_rng(6)
    options = {"duration": "t", "event": "e", "covariates": ["x"]}
    null = [
        proportional_hazards(_simulated(rng, 60), **options)["hazard_trend_p_value"].values[:, 0] for _ in range(120)
    ]
    # Of 120 true hypotheses, more than 14 are rejected at 5 % in one of 1,300 trials.
    assert ((np.array(null) < 0.05).sum(axis=0) <= 14).all()
    assert np.array(null).min() < 0.05
    changed = proportional_hazards(_simulated(rng, 400, late=-0.8), **options)
    assert (changed["hazard_trend_p_value"] < 1e-4).all()
    late = changed["hazard_trend_time"] > 1
    residual = changed["hazard_trend_residual"][:, 0]
    assert float(residual[late].mean()) < -0.3 < 0.2 < float(residual[~late].mean())


def test_proportional_hazards__does_not_depend_on_units():
    patients = some_patients()
    options = {"duration": "months", "event": "died", "covariates": ["age", "sex"]}
    plain = proportional_hazards(patients, **options)
    scaled = proportional_hazards(
        patients.assign(months=patients["months"] * 1e4, age=patients["age"] * 1e-6 + 7), **options
    )
    np.testing.assert_allclose(scaled["hazard_trend_p_value"], plain["hazard_trend_p_value"], rtol=1e-7)


def test_proportional_hazards__has_no_logarithm_of_an_event_at_zero():
    patients = some_patients()
    months, died = patients["months"].values.copy(), patients["died"].values.copy()
    months[3], died[3] = 0.0, True
    patients = patients.assign(months=("patient", months), died=("patient", died))
    found = proportional_hazards(patients, duration="months", event="died", covariates=["age"])
    assert np.isnan(found["hazard_trend_p_value"].sel(transform="log")).all()
    assert np.isfinite(found["hazard_trend_p_value"].sel(transform=["km", "rank", "identity"])).all()


def test_proportional_hazards__has_no_trend_over_a_single_time():
    patients = some_patients().assign(months=("patient", np.full(60, 3.0)))
    found = proportional_hazards(patients, duration="months", event="died", covariates=["age"])
    assert np.isnan(found["hazard_trend_p_value"]).all()


def test_proportional_hazards__needs_finite_coefficients(reference_folder):
    case = next(case for case in reference_cases(reference_folder, "coxph") if case["id"] == "separated")
    patients = case_patients(case, reference_folder)
    with pytest.warns(ConvergenceWarning), pytest.raises(InputError, match=r"needs every coefficient.*xsep"):
        proportional_hazards(patients, **case_columns(case))
    found = proportional_hazards(patients, **case_columns(case), options=ModelOptions(firth=True))
    assert int(found["hazard_trend_events"]) == case["nevent"]
