"""Logistic regression against R's glm and brglm2."""

from __future__ import annotations

import json

import numpy as np
import pytest
from scipy.optimize import minimize
from scipy.special import expit

from chemores_dask.kernels.logistic import firth_without, fit_logistic
from chemores_dask.kernels.newton import OK, SEPARATED


def test_fit_logistic__equals_r(reference_folder):
    cases = json.loads((reference_folder / "reference" / "stats" / "cases.json").read_text())["logistic"]
    assert len(cases) == 4
    for case in cases:
        data = {name: np.array(values, dtype=float) for name, values in case["data"].items()}
        found = fit_logistic(np.column_stack([data["score"], data["age"]]), data["poor"] == 1)
        assert found.coefficients == pytest.approx(case["coef"], rel=1e-8)
        assert np.sqrt(np.diag(found.covariance)) == pytest.approx(case["se"], rel=1e-6)  # R stops earlier
        assert -2 * found.log_likelihood == pytest.approx(case["deviance"], rel=1e-12)


def test_fit_logistic__says_that_a_covariate_separates():
    x = np.column_stack([np.arange(8.0), np.sin(np.arange(8.0))])
    found = fit_logistic(x, np.arange(8) > 3)
    assert found.status == SEPARATED
    assert found.runaway[1]
    assert np.isnan(found.covariance).all()
    assert found.log_likelihood == pytest.approx(0, abs=1e-6)


def test_fit_logistic__says_that_a_level_separates():
    level = np.repeat([0.0, 1.0], [20, 5])
    outcome = np.append(np.arange(20) % 2 == 0, np.ones(5, dtype=bool))
    found = fit_logistic(level[:, None], outcome)
    assert (found.status, found.runaway.tolist()) == (SEPARATED, [True, True])
    assert found.log_likelihood == pytest.approx(20 * np.log(0.5), abs=1e-6)


def test_fit_logistic__with_firths_penalty_equals_brglm2():
    """R 4.2.2, brglm2 0.9: ``glm(y ~ x, binomial, method = "brglmFit", type = "AS_mean")`` for x = 1 to 6, y = 0 0 0 1 1 1."""
    x = np.arange(1.0, 7.0)[:, None]
    found = fit_logistic(x, x[:, 0] > 3.5, firth=True)
    assert found.status == OK
    assert found.coefficients == pytest.approx([-3.9511937099723542, 1.12891248856353], rel=1e-8)


def test_fit_logistic__does_not_depend_on_scale_and_origin():
    generator = np.random.default_rng(1)
    x = generator.normal(size=(60, 2))
    outcome = generator.random(60) < expit(x[:, 0])
    plain, moved = fit_logistic(x, outcome), fit_logistic(x * [1e6, 1e-4] + [1e8, 5.0], outcome)
    assert moved.coefficients[1:] * [1e6, 1e-4] == pytest.approx(plain.coefficients[1:], rel=1e-6)
    assert moved.log_likelihood == pytest.approx(plain.log_likelihood, rel=1e-10)


def test_firth_without__is_the_penalized_maximum_with_a_coefficient_at_zero():
    generator = np.random.default_rng(2)
    x = generator.normal(size=(25, 2))
    x = (x - x.mean(axis=0)) / x.std(axis=0)
    outcome = generator.random(25) < expit(1 + x[:, 0])
    design = np.column_stack([np.ones(25), x])

    def penalized(free):
        linear = design @ np.array([free[0], 0.0, free[1]])
        weight = expit(linear) * (1 - expit(linear))
        return -(
            (outcome * linear - np.logaddexp(0, linear)).sum()
            + 0.5 * np.linalg.slogdet(design.T @ (weight[:, None] * design))[1]
        )

    expected = minimize(penalized, np.zeros(2), method="Nelder-Mead", options={"xatol": 1e-10, "fatol": 1e-12})
    assert firth_without(x, outcome, 0) == pytest.approx(-expected.fun, abs=1e-8)
    assert firth_without(x, outcome, 0) < fit_logistic(x, outcome, firth=True).log_likelihood
