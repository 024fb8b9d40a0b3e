"""Firth's penalty: R's brglm2 on matched pairs, direct maximization, separated covariates, compiled and plain twins."""

from __future__ import annotations

import numpy as np
import pytest
from scipy.optimize import minimize

from chemores_dask.kernels import cox
from chemores_dask.kernels.cox import cox_terms, log_determinant, risk_order, standardize
from chemores_dask.kernels.cox_firth import fit_firth, fit_firth_first

BRGLM2 = [4.16225020921592, -0.424675828622593, 2.15246712766836, 1.0299172430006]
"""Coefficients and their standard errors."""


def _separated(*, late=False, weighted=False, strata=1, patients=40):
    # The second covariate is there only in patients who outlive all others.
    rng = np.random.default_rng(3)
    duration = rng.integers(2, 12, patients).astype(float)
    event = rng.random(patients) < 0.7
    event[duration > 9] = False
    entry = np.minimum(rng.integers(0, 6, patients), duration - 1) if late else np.full(patients, -np.inf)
    weight = rng.uniform(0.5, 2, patients) if weighted else None
    order, risk = risk_order(duration, event, entry, rng.integers(0, strata, patients), weight)
    matrix = np.column_stack([rng.normal(size=patients), (duration > 9).astype(float)])
    return np.ascontiguousarray(standardize(matrix)[0][order]), risk


def _penalized(b, design, risk, *, efron=True):
    slope, information = np.zeros(b.size), np.zeros((b.size, b.size))
    return cox_terms(b, design, risk, efron, slope, information) + log_determinant(information) / 2


def test_fit_firth__equals_brglm2_on_matched_pairs():
    # In pairs of which one dies first, the partial likelihood is that of a logistic model of the differences without an intercept.
    # R 4.2.2, brglm2 0.9: glm(rep(1, 12) ~ a + b - 1, binomial, method = "brglmFit", type = "AS_mean", epsilon = 1e-12) with
    # i <- 0:11; a <- ((i*7) %% 5 + 1)/4; b <- ((i*5) %% 7 - 3)/2
    i = np.arange(12)
    differences = np.column_stack([((i * 7) % 5 + 1) / 4, ((i * 5) % 7 - 3) / 2])
    design = np.concatenate([differences, np.zeros((12, 2))])
    duration, event = np.repeat([1.0, 2.0], 12), np.repeat([True, False], 12)
    order, risk = risk_order(duration, event, np.full(24, -np.inf), np.tile(i, 2))
    b, covariance, _, _, status = fit_firth(np.ascontiguousarray(design[order]), risk, True, np.zeros(2), 100)
    assert status == cox.OK
    np.testing.assert_allclose(b, BRGLM2[:2], rtol=1e-7)
    np.testing.assert_allclose(np.sqrt(np.diag(covariance)), BRGLM2[2:], rtol=1e-7)


@pytest.mark.parametrize(
    ("late", "weighted", "strata", "efron"), [(False, False, 1, True), (True, True, 2, True), (True, True, 2, False)]
)
def test_fit_firth__is_where_a_search_finds_the_maximum(late, weighted, strata, efron):
    design, risk = _separated(late=late, weighted=weighted, strata=strata)
    best = minimize(
        lambda b: -_penalized(b, design, risk, efron=efron), np.zeros(2), method="BFGS", options={"gtol": 1e-8}
    )
    b, covariance, most, _, status = fit_firth(design, risk, efron, np.zeros(2), 100)
    assert status == cox.OK
    np.testing.assert_allclose(b, best.x, atol=1e-6)
    assert most == pytest.approx(-best.fun, rel=1e-12)
    information = np.zeros((2, 2))
    cox_terms(b, design, risk, efron, np.zeros(2), information)
    whole = np.tril(information) + np.tril(information, -1).T
    np.testing.assert_allclose(covariance, np.linalg.inv(whole), rtol=1e-6)


def test_fit_firth__is_finite_where_newton_runs_away():
    design, risk = _separated()
    assert cox.fit_cox(design, risk, True, np.zeros(2), 60)[4] == cox.SEPARATED
    b, covariance, *_, status = fit_firth(design, risk, True, np.zeros(2), 100)
    assert status == cox.OK
    assert -10 < b[1] < 0
    assert (np.diag(covariance) < 10).all()


def test_fit_firth_first__holds_the_others_under_the_whole_penalty():
    design, risk = _separated()
    best = minimize(
        lambda b: -_penalized(np.array([b[0], 0.0]), design, risk), np.zeros(1), method="BFGS", options={"gtol": 1e-8}
    )
    b, _, less, _, status = fit_firth_first(design, risk, True, np.zeros(2), 100, 1)
    assert status == cox.OK
    assert b[1] == 0.0
    assert b[0] == pytest.approx(best.x[0], abs=1e-6)
    assert less == pytest.approx(-best.fun, rel=1e-12)
    none_moves = fit_firth_first(design, risk, True, np.zeros(2), 100, 0)
    assert none_moves[2] == pytest.approx(_penalized(np.zeros(2), design, risk), rel=1e-14)


@pytest.mark.parametrize("late", [False, True])
def test_fit_firth__is_the_same_compiled_and_plain(late):
    design, risk = _separated(late=late, weighted=True)
    nothing = np.zeros(2)
    whole = [fit(design, risk, True, nothing, 100)[:3] for fit in (fit_firth, fit_firth.python)]
    held = [fit(design, risk, True, nothing, 100, 1)[:3] for fit in (fit_firth_first, fit_firth_first.python)]
    for compiled, plain in (whole, held):
        for one, other in zip(compiled, plain, strict=True):
            np.testing.assert_allclose(one, other, rtol=1e-9)


def test_fit_firth__names_what_went_wrong():
    design, risk = _separated()
    same = np.ascontiguousarray(design[:, [1, 1]])
    assert fit_firth(same, risk, True, np.zeros(2), 100)[4] == cox.COLLINEAR
    assert fit_firth(design, risk, True, np.zeros(2), 1)[4] == cox.NOT_CONVERGED
