"""The fit behind models, residuals and tests."""

from __future__ import annotations

import numpy as np
import pytest

from chemores_dask.cohort.survival.cox_fit import check_whole, fit_model, without_terms
from chemores_dask.cohort.survival.cox_options import ModelOptions
from chemores_dask.errors import ConvergenceWarning, InputError
from tests.cohort.survival.cox_cases import some_patients

PLAIN = {"duration": "months", "event": "died", "strata": None, "entry": None, "caller": "test"}


def _fit(patients, covariates, **options):
    return fit_model(patients, **PLAIN, covariates=covariates, options=ModelOptions(**options))


def test_fit_model__asks_for_robust_errors_as_r_does():
    patients = some_patients(half=np.full(60, 0.5), two=np.full(60, 2.0), clinic=np.arange(60) % 7)
    robust = {
        name: _fit(patients, ["age"], **options).robust
        for name, options in {
            "plain": {},
            "asked": {"robust": True},
            "whole": {"weights": "two"},
            "broken": {"weights": "half"},
            "cluster": {"cluster": "clinic"},
            "refused": {"weights": "half", "robust": False},
        }.items()
    }
    assert robust == {"plain": False, "asked": True, "whole": False, "broken": True, "cluster": True, "refused": False}


def test_fit_model__brings_rows_back_into_the_order_of_patients():
    patients = some_patients()
    fit = _fit(patients, ["age"])
    ages = fit.in_patient_order(fit.columns[:, 0] * fit.spread[0] + fit.center[0])
    np.testing.assert_allclose(ages, patients["age"])
    assert fit.events == int(patients["died"].sum())
    assert fit.whole
    check_whole(fit, caller="test")


@pytest.mark.parametrize("firth", [False, True])
def test_without_terms__is_the_likelihood_of_the_smaller_model(firth):
    patients = some_patients()
    fit = _fit(patients, ["age", "sex"], firth=firth)
    both = np.array([0, 1])
    assert without_terms(fit, both) == fit.objective_null
    assert fit.objective >= without_terms(fit, both[1:]) >= fit.objective_null
    if not firth:
        smaller = _fit(patients, ["age"])
        assert without_terms(fit, both[1:]) == pytest.approx(smaller.log_likelihood, rel=1e-12)


def test_fit_model__says_which_coefficients_run_away():
    patients = some_patients()
    order = np.argsort(patients["months"].values)
    first = np.zeros(60, dtype=bool)
    first[order[:8]] = True
    patients = patients.assign(died=("patient", first | patients["died"].values), early=("patient", first))
    with pytest.warns(ConvergenceWarning, match=r"early \(to plus infinity\).*firth=True"):
        fit = _fit(patients, ["age", "early"])
    assert fit.status.tolist() == [0, 1]
    with pytest.raises(InputError, match="Not found: early"):
        check_whole(fit, caller="test")
    assert _fit(patients, ["age", "early"], firth=True).whole
