"""Proportional odds regression against R's polr, clm and Brant's formulas."""

from __future__ import annotations

import numpy as np
import pytest

from chemores_dask.cohort.response.ordinal_regression import STATUS_FLAGS, ordinal_regression
from chemores_dask.errors import ConvergenceWarning, FewEventsWarning, InputError, MissingVariableError
from chemores_dask.kernels import newton

FORMULA = "~ score + age + sex"


def test_ordinal_regression__equals_polr_and_clm(cohort, r_values):
    found = ordinal_regression(cohort, response="response", formula=FORMULA)
    assert found["term"].values.tolist() == ["score", "age", "sex[T.m]"]
    assert found["cut"].values.tolist() == ["M1|M2", "M2|M3"]
    assert found["ordinal_coefficient"].values == pytest.approx(r_values("polr.coef"), rel=1e-7)
    assert found["ordinal_threshold"].values == pytest.approx(r_values("polr.zeta"), rel=1e-7)
    assert float(found["ordinal_log_likelihood"]) == pytest.approx(r_values("polr.loglik"), rel=1e-12)
    errors = np.concatenate([found["ordinal_standard_error"], found["ordinal_threshold_standard_error"]])
    assert errors == pytest.approx(r_values("clm.se"), rel=1e-6)
    assert errors == pytest.approx(r_values("polr.se"), rel=1e-4)  # its curvature is taken from differences
    assert found["ordinal_term_likelihood_ratio_p_value"].values == pytest.approx(r_values("clm.drop1"), rel=1e-6)
    assert float(found["ordinal_likelihood_ratio_statistic"]) == pytest.approx(r_values("clm.lr"), rel=1e-9)
    assert float(found["ordinal_likelihood_ratio_p_value"]) == pytest.approx(r_values("clm.lr_p"), rel=1e-8)


def test_ordinal_regression__tests_proportional_odds_as_brant_does(cohort, r_values):
    found = ordinal_regression(cohort, response="response", formula=FORMULA)
    overall = [float(found["ordinal_parallel_statistic"]), float(found["ordinal_parallel_p_value"])]
    assert overall == pytest.approx(r_values("brant"), rel=1e-7)
    terms = [r_values(f"brant.term{number}") for number in (1, 2, 3)]
    assert found["ordinal_parallel_term_p_value"].values == pytest.approx(terms, rel=1e-7)
    assert int(found["ordinal_parallel_degrees_of_freedom"]) == 3


def test_ordinal_regression__counts_who_takes_part(cohort):
    found = ordinal_regression(cohort, response="response", formula=FORMULA)
    numbers = [
        int(found[f"ordinal_patients{name}"]) for name in ("_total", "_without_covariates", "_without_response", "")
    ]
    assert numbers == [140, 3, 9, 128]
    assert int(found["ordinal_group_patients"].sum()) == 128
    sizes = found["ordinal_group_patients"].values.astype(float)
    assert found.attrs["events_per_term"] == pytest.approx((128 - (sizes**3).sum() / 128**2) / 3)


def test_ordinal_regression__gives_odds_of_a_higher_response(cohort):
    found = ordinal_regression(cohort, response="response", formula="~ score").isel(term=0)
    turned = ordinal_regression(cohort, response="response", formula="~ score", order=["M3", "M2", "M1"]).isel(term=0)
    assert float(found["ordinal_odds_ratio"]) > 1
    assert float(turned["ordinal_odds_ratio"]) == pytest.approx(1 / float(found["ordinal_odds_ratio"]), rel=1e-7)
    assert float(found["ordinal_odds_ratio_lower"]) == pytest.approx(
        np.exp(float(found["ordinal_coefficient"]) - 1.959963984540054 * float(found["ordinal_standard_error"]))
    )


def test_ordinal_regression__says_that_a_covariate_separates(patients_of):
    patients = patients_of(
        score=np.arange(30.0), age=np.sin(np.arange(30.0)), response=np.repeat(["M1", "M2", "M3"], 10)
    )
    with pytest.warns(ConvergenceWarning, match="rises without end in: score"):
        found = ordinal_regression(patients, response="response", formula="~ score + age")
    assert STATUS_FLAGS[found["ordinal_status"].values[0]] == "separated"
    for name in ("ordinal_coefficient", "ordinal_standard_error", "ordinal_p_value", "ordinal_odds_ratio"):
        assert np.isnan(found[name]).all()
    assert float(found["ordinal_term_likelihood_ratio_p_value"][0]) < 1e-10
    assert np.isnan(found["ordinal_parallel_p_value"])


def test_ordinal_regression__says_that_it_did_not_converge(cohort, monkeypatch):
    monkeypatch.setattr(newton, "MAXIMUM_STEPS", 1)
    with pytest.warns(ConvergenceWarning, match="did not converge"):
        found = ordinal_regression(cohort, response="response", formula="~ score")
    assert STATUS_FLAGS[int(found["ordinal_status"][0])] == "not_converged"
    assert np.isnan(found["ordinal_p_value"]).all()


def test_ordinal_regression__warns_of_few_events(cohort):
    few = cohort.isel(patient=slice(0, 30))
    with pytest.warns(FewEventsWarning, match="fewer than 10 per coefficient"):
        found = ordinal_regression(few, response="response", formula=FORMULA)
    assert "unreliable" in found.attrs["note"]


def test_ordinal_regression__leaves_out_responses_that_nobody_has(cohort):
    found = ordinal_regression(cohort, response="response", formula="~ score", order=["M0", "M1", "M2", "M3"])
    assert found["group"].values.tolist() == ["M1", "M2", "M3"]
    plain = ordinal_regression(cohort, response="response", formula="~ score")
    assert float(found["ordinal_p_value"][0]) == float(plain["ordinal_p_value"][0])


@pytest.mark.parametrize(
    ("changed", "error", "match"),
    [
        ({"formula": "~ scor"}, MissingVariableError, "scor"),
        ({"response": "respons"}, MissingVariableError, "it is absent"),
        ({"formula": "~ score + I(score * 2)"}, InputError, "2 score"),
        ({"formula": "~ 1"}, InputError, "at least one covariate"),
        ({"order": ["M1", "M2"]}, InputError, "also holds: M3"),
        ({"order": ["M1", "M9"], "unknown": ["Unknown", "M2", "M3"]}, InputError, "at least two responses"),
        ({"formula": "~ C(age)"}, InputError, "more patients than coefficients"),
    ],
)
def test_ordinal_regression__refuses(cohort, changed, error, match):
    few = cohort.isel(patient=slice(10, 26))
    with pytest.raises(error, match=match):
        ordinal_regression(few, **({"response": "response", "formula": FORMULA} | changed))
